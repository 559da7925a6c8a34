"""distinct_count: how many different values there are. NULL is none of them, NaN is one. An empty table has 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.checks.kind import Judgement, Option, Subject, TableKind, filtered
from penstock.checks.length import wrong
from penstock.checks.values import shown
from penstock.domain.check import Check


def _judge(check: Check, subject: Subject, values: Mapping[str, Any]) -> Judgement:
    found, options, column = values["distinct"], check.options, check.columns[0]
    missed = []
    if options["min"] is not None and found < options["min"]:
        missed.append(f"at least {shown(options['min'])}")
    if options["max"] is not None and found > options["max"]:
        missed.append(f"at most {shown(options['max'])}")
    if options["equals"] is not None and found != options["equals"]:
        missed.append(f"exactly {shown(options['equals'])}")
    if missed:
        return Judgement(False, f"expected {' and '.join(missed)} different {column}, found {shown(found)}")
    return Judgement(True, f"{shown(found)} different {column}")


KIND = TableKind(
    name="distinct_count",
    dimension="consistency",
    measures=lambda check, subject: {
        "distinct": f"count(DISTINCT {subject.quoted(check.columns[0])}){filtered(check)}"
    },
    judge=_judge,
    options={
        "min": Option("count", None, "The fewest."),
        "max": Option("count", None, "The most."),
        "equals": Option("count", None, "Exactly so many."),
    },
    wrong=wrong,
)
