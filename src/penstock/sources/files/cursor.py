"""Extracts by cursor column: which rows are new, and how far the cursor moves.

Text that does not read as the cursor's type, and NULL, is always new: a row is never lost because its cursor is
broken. A value in the far future lands too, but never becomes the cursor: every later row would then seem old.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from penstock.domain.batch import Manifest
from penstock.domain.source import SourceTable
from penstock.errors import UserError
from penstock.quoting import identifier, literal

_TIMES = ("TIMESTAMP", "DATE")
AHEAD = timedelta(days=1)
"""How far in the future a cursor may be: clocks and time zones of sources differ."""


def value(table: SourceTable) -> str:
    """The SQL expression of the cursor in the cursor's type; NULL when the text does not read as one."""
    assert table.cursor is not None  # noqa: S101 - asked only for tables with a cursor
    kind = _type(table)
    column = identifier(table.cursor.column)
    declared = next((column for column in table.columns if column.name == table.cursor.column), None)
    if declared is not None and declared.format is not None and kind in _TIMES:
        return f"TRY_CAST(try_strptime({column}::VARCHAR, {literal(declared.format)}) AS {kind})"
    return f"TRY_CAST({column} AS {kind})"


def _type(table: SourceTable) -> str:
    assert table.cursor is not None  # noqa: S101
    kind = table.cursor.compared_as
    if kind is None:
        raise UserError(
            f"the cursor of {table.id} has type {table.cursor.type!r}",
            code="CURSOR_TYPE",
            location=table.location,
            hint="use one of: timestamp, date, bigint, varchar",
        )
    return kind


def last(previous: Sequence[Manifest]) -> str | None:
    """The cursor so far: that of the last batch that moved it."""
    return next((batch.cursor_to for batch in reversed(previous) if batch.cursor_to is not None), None)


def start(table: SourceTable, previous: Sequence[Manifest]) -> str | None:
    """SQL for the lower bound: the cursor so far less the lag. None: everything is new."""
    cursor = table.cursor
    reached = last(previous)
    if cursor is None or reached is None:
        return None
    kind = _type(table)
    bound = f"{literal(reached)}::{kind}"
    if kind in _TIMES:
        micros = math.ceil(cursor.lag * 1_000_000)
        return f"CAST({bound}::TIMESTAMP - to_microseconds({micros}) AS {kind})"
    if kind == "HUGEINT":
        return f"({bound} - {math.ceil(cursor.lag)})"
    return bound


def new_rows(table: SourceTable, rows: str, bound: str | None) -> str:
    """The rows of a SELECT that are at or above the bound, or have no cursor."""
    if bound is None:
        return rows
    return f"SELECT * FROM ({rows}) WHERE coalesce({value(table)} >= {bound}, true)"


def highest(table: SourceTable, rows: str, before: str | None, now: datetime) -> str:
    """SQL for the highest believable cursor of a SELECT and `before`, as text. `now` is UTC."""
    kind = _type(table)
    limit = ""
    if kind in _TIMES:
        until = (now.replace(tzinfo=None) + AHEAD).isoformat(sep=" ", timespec="microseconds")
        limit = f" WHERE c <= {literal(until)}::TIMESTAMP"
    reached = "NULL" if before is None else literal(before)
    values = f"SELECT {value(table)} AS c FROM ({rows})"
    return f"SELECT greatest((SELECT max(c) FROM ({values}){limit}), {reached}::{kind})::VARCHAR"
