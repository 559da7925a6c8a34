"""range: between two bounds, these included unless `exclusive`. NULL passes, NaN fails; infinity is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.checks.kind import Option, RowKind, Subject, Trouble
from penstock.checks.values import shown, value
from penstock.domain.check import Check


def _passes(check: Check, subject: Subject) -> str:
    column = check.columns[0]
    name, strict = subject.quoted(column), "" if check.options["exclusive"] else "="
    tests = [f"NOT isnan({name})"] if subject.is_floating(column) else []
    if check.options["min"] is not None:
        tests.append(f"{name} >{strict} {value(check.options['min'], subject, column)}")
    if check.options["max"] is not None:
        tests.append(f"{name} <{strict} {value(check.options['max'], subject, column)}")
    return " AND ".join(tests)


def _says(check: Check) -> str:
    low, high = check.options["min"], check.options["max"]
    strict = check.options["exclusive"]
    parts = [f"{'above' if strict else 'at least'} {shown(low)}"] if low is not None else []
    parts += [f"{'below' if strict else 'at most'} {shown(high)}"] if high is not None else []
    return f"{check.columns[0]} {' and '.join(parts)}"


def bounds(options: Mapping[str, Any]) -> Sequence[Trouble]:
    """What is wrong with `min` and `max`."""
    low, high = options["min"], options["max"]
    if low is None and high is None:
        return [("min", "neither min nor max is given: everything would pass", "give at least one of them")]
    if low is None or high is None:
        return ()
    if isinstance(low, str) is not isinstance(high, str):
        return [("max", f"min is {shown(low)} and max {shown(high)}: one is a number, one text", "write both alike")]
    if low > high and not isinstance(low, str):
        return [("max", f"min {shown(low)} is above max {shown(high)}: nothing could pass", "swap them")]
    return ()


KIND = RowKind(
    name="range",
    dimension="validity",
    passes=_passes,
    says=_says,
    options={
        "min": Option("scalar", None, "The lowest value: a number, or a date or time as text."),
        "max": Option("scalar", None, "The highest value."),
        "exclusive": Option("flag", False, "The bounds themselves fail."),
    },
    wrong=bounds,
)
