"""recency: enough rows of the last hours or days, counted back from now; what is still to come does not count. Zones as
in freshness. NULL is no time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.checks.kind import Judgement, Option, Subject, TableKind
from penstock.checks.values import moment, now, shown, span
from penstock.domain.check import Check


def _measures(check: Check, subject: Subject) -> Mapping[str, str]:
    at, moment_now = moment(subject, check.columns[0]), now(subject)
    micros = round(check.options["within"] * 1_000_000)
    tests = f"{at} >= {moment_now} - to_microseconds({micros}) AND {at} <= {moment_now}"
    also = f" AND (\n{check.where}\n)" if check.where else ""
    return {"recent": f"count(*) FILTER ({tests}{also})"}


def _judge(check: Check, subject: Subject, values: Mapping[str, Any]) -> Judgement:
    found, least = values["recent"], check.options["min_rows"]
    within = span(check.options["within"])
    if found < least:
        return Judgement(False, f"expected at least {shown(least)} rows of the last {within}, found {shown(found)}")
    return Judgement(True, f"{shown(found)} rows of the last {within}")


KIND = TableKind(
    name="recency",
    dimension="timeliness",
    measures=_measures,
    judge=_judge,
    options={
        "within": Option("span", ..., "How far back, as in 1 day."),
        "min_rows": Option("count", 1, "How many rows there have to be."),
    },
    takes=lambda check: "times",
)
