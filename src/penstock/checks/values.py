"""Values of options as SQL, and numbers as people read them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from penstock.checks.kind import Subject
from penstock.domain.check import Check
from penstock.quoting import literal

Scalar = str | int | float | bool


def value(given: Scalar, subject: Subject, column: str) -> str:
    """`given` to be compared with `column`: text where the column is text, so that nothing in it is cast. A text that
    does not read as the column's type is an error of the engine, before any row is read."""
    if subject.is_text(column):
        text = str(given).lower() if isinstance(given, bool) else str(given)
        return f"({literal(text)})"
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, str):
        return f"CAST({literal(given)} AS {subject.column(column).type})"
    return number(given)


def number(given: int | float) -> str:
    """Exact: a decimal where it has one, so that 0.1 is what a DECIMAL column holds as 0.1."""
    text = repr(given)
    return f"({text})" if text.startswith("-") else text


def moment(subject: Subject, column: str) -> str:
    """A date or a time as TIMESTAMP in UTC. One without a zone is taken to be UTC, as everywhere in a warehouse."""
    return f"CAST({subject.quoted(column)} AS TIMESTAMP)"


def now(subject: Subject) -> str:
    return f"CAST({literal(subject.now.isoformat(sep=' ', timespec='microseconds'))} AS TIMESTAMP)"


def finite(check: Check, subject: Subject, column: str) -> str:
    """` FILTER (…)` for the rows that a check is about, without values that no sum can take."""
    tests = [f"isfinite({subject.quoted(column)})"] if subject.is_floating(column) else []
    tests += [f"(\n{check.where}\n)"] if check.where else []
    return f" FILTER ({' AND '.join(tests)})" if tests else ""


def span(seconds: float) -> str:
    """`90 s`, `5 min`, `2 h`, `3 d`, as short as it is exact enough."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds / size:,.1f}".rstrip("0").rstrip(".") + f" {unit}"
    return f"{seconds:,.0f} s"


def percent(share: float) -> str:
    text = f"{share * 100:,.4f}".rstrip("0").rstrip(".")
    return f"{text} %"


def shown(given: Any) -> str:
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, int):
        return f"{given:,}"
    if isinstance(given, float):
        return f"{given:,.6g}"
    if isinstance(given, Decimal):
        return f"{given:,f}"
    if isinstance(given, datetime):
        return given.isoformat(sep=" ")
    return "nothing" if given is None else str(given)


def seconds_since(given: datetime | None, now_is: datetime) -> float | None:
    return None if given is None else (now_is - given).total_seconds()
