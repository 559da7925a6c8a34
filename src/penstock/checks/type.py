"""type: the text reads as a type, by a strptime pattern when `format` gives one. NULL passes, empty text fails except
as text. A number must be said exactly, as on load: 1.5 and 1e3 are no integer. Of a column of another type nothing may
be lost."""

from __future__ import annotations

from penstock.checks.kind import Option, RowKind, Subject
from penstock.checks.regex import text_of
from penstock.domain.check import Check
from penstock.domain.number_text import FLOATS, shape
from penstock.quoting import literal


def _passes(check: Check, subject: Subject) -> str:
    column = check.columns[0]
    name = subject.quoted(column)
    if check.options["format"]:
        text = text_of(subject, column)
        return f"({name} IS NULL OR try_strptime({text}, {literal(check.options['format'])}) IS NOT NULL)"
    wanted, found = check.options["is"], subject.type_of(column)
    value = f"TRY_CAST({name} AS {wanted})"
    if found != "VARCHAR":  # the engine rounds where it cannot keep a value
        return f"({name} IS NULL OR TRY_CAST({value} AS {found}) IS NOT DISTINCT FROM {name})"
    exact = shape(_canonical(wanted))
    also = f" AND regexp_full_match({name}, {literal(exact)})" if exact and _canonical(wanted) not in FLOATS else ""
    return f"({name} IS NULL OR ({value} IS NOT NULL{also}))"


def _canonical(declared: str) -> str:
    """`numeric(12, 2)` → DECIMAL(12,2)."""
    from penstock.domain.column_type import TypeUnknown, parse

    try:
        return str(parse(declared, written=True))
    except TypeUnknown:
        return declared.upper()


def _says(check: Check) -> str:
    pattern = check.options["format"]
    return f"{check.columns[0]} to read as {check.options['is']}" + (f" ({pattern})" if pattern else "")


KIND = RowKind(
    name="type",
    dimension="validity",
    passes=_passes,
    says=_says,
    options={
        "is": Option("text", ..., "A type: bigint, decimal(12,2), date, timestamp …"),
        "format": Option("text", None, "A strptime pattern, for dates and times."),
    },
)
