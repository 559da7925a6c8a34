"""type: the text reads as a type, by a strptime pattern when `format` gives one. NULL passes, empty text fails except
as text. A column that has the type already passes."""

from __future__ import annotations

from penstock.checks.kind import Option, RowKind, Subject
from penstock.checks.regex import text_of
from penstock.domain.check import Check
from penstock.quoting import literal


def _passes(check: Check, subject: Subject) -> str:
    column = check.columns[0]
    name = subject.quoted(column)
    if check.options["format"]:
        text = text_of(subject, column)
        return f"({name} IS NULL OR try_strptime({text}, {literal(check.options['format'])}) IS NOT NULL)"
    return f"({name} IS NULL OR TRY_CAST({name} AS {check.options['is']}) IS NOT NULL)"


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
