"""completeness: no hour, day or month without a row, between the first and the last there is (or until now, with
`until: now`, the one that has begun not counted). In UTC. NULL is no time; an empty table has no gap."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from penstock.checks.kind import Judgement, Option, Subject, TableKind, restricted
from penstock.checks.values import moment, now, shown
from penstock.domain.check import Check


def _part(check: Check, subject: Subject) -> str:
    return f"date_trunc('{check.options['grain']}', {moment(subject, check.columns[0])})"


def _measures(check: Check, subject: Subject) -> Mapping[str, str]:
    part = _part(check, subject)
    at = moment(subject, check.columns[0])
    tests = [f"isfinite({at})"]
    tests += [f"\n({check.where}\n)"] if check.where else []
    if check.options["until"] == "now":
        tests.append(f"{part} < date_trunc('{check.options['grain']}', {now(subject)})")
    keep = f" FILTER ({' AND '.join(tests)})"
    return {
        "first": f"CAST(min({part}){keep} AS TIMESTAMP)",
        "last": f"CAST(max({part}){keep} AS TIMESTAMP)",
        "parts": f"count(DISTINCT {part}){keep}",
    }


def _last(check: Check, subject: Subject, last: datetime) -> datetime:
    """The last hour, day or month that has to be there."""
    if check.options["until"] != "now":
        return last
    grain = check.options["grain"]
    begun = subject.now.replace(minute=0, second=0, microsecond=0)
    if grain != "hour":
        begun = begun.replace(hour=0)
    if grain == "month":
        return (begun.replace(day=1) - timedelta(days=1)).replace(day=1)
    return begun - (timedelta(hours=1) if grain == "hour" else timedelta(days=1))


def count(first: datetime, last: datetime, grain: str) -> int:
    """How many hours, days or months there are from `first` to `last`, both of them included."""
    if grain == "month":
        return (last.year - first.year) * 12 + last.month - first.month + 1
    return round((last - first).total_seconds()) // (3600 if grain == "hour" else 86400) + 1


def _judge(check: Check, subject: Subject, values: Mapping[str, Any]) -> Judgement:
    grain, first = check.options["grain"], values["first"]
    if first is None:
        return Judgement(True, f"no {check.columns[0]}, so no gap")
    last = _last(check, subject, values["last"])
    missing = max(0, count(first, last, grain) - values["parts"])
    if missing > check.options["max_missing"]:
        return Judgement(
            False,
            f"expected rows in every {grain} from {shown(first)} to {shown(last)}, found none in {shown(missing)}",
        )
    return Judgement(
        True, f"{shown(values['parts'])} {grain}{'s' if values['parts'] != 1 else ''}, {shown(missing)} without a row"
    )


def _sample(check: Check, subject: Subject) -> str:
    part, grain, at = _part(check, subject), check.options["grain"], moment(subject, check.columns[0])
    until = (
        f"date_trunc('{grain}', {now(subject)}) - INTERVAL 1 {grain}" if check.options["until"] == "now" else "max(p)"
    )
    return (
        f"WITH parts AS (SELECT DISTINCT {part} AS p FROM {restricted(check, subject.table)} WHERE isfinite({at})) "
        f"SELECT g AS missing FROM (SELECT unnest(generate_series(CAST(min(p) AS TIMESTAMP), "
        f"CAST({until} AS TIMESTAMP), INTERVAL 1 {grain})) AS g FROM parts) "
        f"WHERE g NOT IN (SELECT p FROM parts) ORDER BY g"
    )


KIND = TableKind(
    name="completeness",
    dimension="completeness",
    measures=_measures,
    judge=_judge,
    tells=lambda check: True,
    options={
        "grain": Option("choice", "day", "What must not be missing.", ("hour", "day", "month")),
        "until": Option("choice", "last", "Up to the last there is, or up to now.", ("last", "now")),
        "max_missing": Option("count", 0, "How many may be missing."),
    },
    sample=_sample,
    takes=lambda check: "times",
)
