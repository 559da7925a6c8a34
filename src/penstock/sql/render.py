"""Values for the `$name` parameters of a query, written as typed literals. Imports no parser: every run needs this."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

from penstock.errors import UserError
from penstock.quoting import literal
from penstock.sql.tokens import Kind, position, tokens

Value = str | int | float | bool | date | datetime

_LARGEST = 2**127 - 1


def parameters(sql: str, line: int = 1) -> Iterator[tuple[str, int, int]]:
    """Every `$name` in `sql` with its line and column, repeats too; not those in strings, names and comments."""
    for token in tokens(sql):
        if token.kind is Kind.PARAMETER:
            yield (token.text[1:], *position(sql, token.start, line))


def typed_literal(value: Value) -> str:
    """`value` as SQL that stands for itself wherever an expression may stand.

    str → VARCHAR literal, bool → BOOLEAN, int → INTEGER … HUGEINT by size, float → DOUBLE, date → DATE, datetime →
    TIMESTAMPTZ (TIMESTAMP when it has no time zone). Raises ValueError for what SQL cannot hold.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -_LARGEST <= value <= _LARGEST:
            raise ValueError(f"{value} needs more than 128 bits")
        return str(value) if value >= 0 else f"({value})"
    if isinstance(value, float):
        text = repr(value) if math.isfinite(value) else {math.inf: "inf", -math.inf: "-inf"}.get(value, "nan")
        return f"CAST('{text}' AS DOUBLE)"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return f"CAST('{value.isoformat(sep=' ')}' AS TIMESTAMP)"
        moment = value.astimezone(UTC).replace(tzinfo=None)
        return f"CAST('{moment.isoformat(sep=' ')}+00' AS TIMESTAMPTZ)"
    if isinstance(value, date):
        return f"CAST('{value.isoformat()}' AS DATE)"
    # In parentheses: two string literals side by side would be read as one.
    return f"({literal(value)})"


def bind_parameters(sql: str, values: Mapping[str, Value]) -> str:
    """`sql` with each `$name` replaced by its value. Lines stay where they are.

    Raises UserError for a parameter without a value, or a value that SQL cannot hold.
    """
    if "$" not in sql:  # most statements: reading them word by word would cost more than it finds
        return sql
    parts: list[str] = []
    for token in tokens(sql):
        if token.kind is not Kind.PARAMETER:
            parts.append(token.text)
            continue
        name = token.text[1:]
        if name not in values:
            known = ", ".join(f"${known}" for known in sorted(values)) or "none"
            raise UserError(
                f"the parameter ${name} has no value", code="UNKNOWN_PARAMETER", hint=f"known parameters: {known}"
            )
        try:
            text = typed_literal(values[name])
        except ValueError as error:
            raise UserError(
                f"the value of ${name} cannot be written in SQL: {error}",
                code="BAD_PARAMETER",
                hint="choose another value for it",
            ) from None
        # A value that is written without a border of its own must not grow together with what stands beside it.
        parts.append(f" {text} " if text[0] not in "('C" else text)
    return "".join(parts)
