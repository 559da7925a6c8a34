"""freshness: how long ago the newest value of a column is. Times with a zone are compared as moments, those without one
and dates (their beginning) are UTC. A newest value that is still to come is fresh. A table without one (empty, or all
NULL) is as old as can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.checks.kind import Judgement, Option, Subject, TableKind, Trouble, filtered
from penstock.checks.values import moment, shown, span
from penstock.domain.check import Check


def _judge(check: Check, subject: Subject, values: Mapping[str, Any]) -> Judgement:
    newest, column = values["newest"], check.columns[0]
    age = float("inf") if newest is None else (subject.now - newest).total_seconds()
    found = f"no {column} at all" if newest is None else f"the newest is {shown(newest)}, {span(age)} ago"
    for option, severity in (("error_after", "fail"), ("warn_after", "warn")):
        most = check.options[option]
        if most is not None and age > most:
            message = f"expected {column} of the last {span(most)}, found {found}"
            return Judgement(False, message, "fail" if severity == "fail" else "warn")
    return Judgement(True, f"the newest {column} is {span(max(age, 0))} old")


def _wrong(options: Mapping[str, Any]) -> Sequence[Trouble]:
    warn, error = options["warn_after"], options["error_after"]
    if warn is None and error is None:
        return [("warn_after", "nothing is asked of the age", "give warn_after, error_after or both")]
    if warn is not None and error is not None and warn > error:
        return [("warn_after", "warn_after is longer than error_after: nobody would be warned", "swap them")]
    return ()


KIND = TableKind(
    name="freshness",
    dimension="timeliness",
    measures=lambda check, subject: {"newest": f"max({moment(subject, check.columns[0])}){filtered(check)}"},
    judge=_judge,
    tells=lambda check: True,
    options={
        "warn_after": Option("span", None, "The age at which to warn, as in 2 hours."),
        "error_after": Option("span", None, "The age at which it fails."),
    },
    wrong=_wrong,
    takes=lambda check: "times",
)
