"""The data sheet: a header, one row per row of the relation, a totals row when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from penstock.domain.relation import Column
from penstock.errors import DataError
from penstock.exports.cells import Look, expression, kind, readable, writer
from penstock.exports.selection import ROW, Selection, alias
from penstock.exports.workbook import MAX_COLUMNS, MAX_ROWS, PlainSheet, Styles
from penstock.ports import Session
from penstock.quoting import identifier, qualified

_HEAD = 500
"""Rows that decide how wide a column is."""


def write_data(
    sheet: PlainSheet,
    styles: Styles,
    session: Session,
    chosen: Selection,
    *,
    totals: Sequence[Column],
    formats: Mapping[str, str],
) -> int:
    """Write the whole selection. Returns its rows (header and totals not counted).

    `formats` are Excel number formats by column name (casefolded). Raises DataError when the sheet cannot hold it.
    """
    _check_size(session, chosen, bool(totals))
    measures = {column.name for column in totals}
    looks = [Look(column.name in measures, formats.get(column.name.casefold())) for column in chosen.columns]
    where = str(chosen.relation)
    writers = [writer(sheet, styles, column, look, where) for column, look in zip(chosen.columns, looks, strict=True)]
    for place, column in enumerate(chosen.columns):
        sheet.write_string(0, place, column.name, styles.header())
    row = 0
    head: list[tuple[Any, ...]] = []
    with closing(_blocks(session, chosen)) as blocks:
        for block in blocks:
            if not head:
                head = list(block[:_HEAD])
            for values in block:
                row += 1
                for place, value in enumerate(values):
                    writers[place](row, place, value)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, row, len(chosen.columns) - 1)
    for place, column in enumerate(chosen.columns):
        sheet.set_column(place, place, width(column, [values[place] for values in head]))
    if totals:
        _write_totals(sheet, styles, session, chosen, totals=totals, looks=looks, row=row + 1)
    return row


def _blocks(session: Session, chosen: Selection) -> Any:
    yield from session.stream(chosen.sql([alias(expression(column), column.name) for column in chosen.columns]))


def _check_size(session: Session, chosen: Selection, totals: bool) -> None:
    if len(chosen.columns) > MAX_COLUMNS:
        raise _too_large(chosen, f"at most {MAX_COLUMNS:,} columns", f"{len(chosen.columns):,}")
    table = qualified(chosen.relation.layer, chosen.relation.name)
    rows = session.query(f"SELECT count(*) FROM {table}").rows[0][0]
    limit = MAX_ROWS - 1 - totals
    if rows > limit:
        raise _too_large(chosen, f"at most {limit:,} rows beside the header{' and totals' * totals}", f"{rows:,}")


def _too_large(chosen: Selection, expected: str, found: str) -> DataError:
    return DataError(
        f"{chosen.relation} does not fit a sheet: expected {expected}, found {found}",
        code="EXPORT_TOO_LARGE",
        hint="export an aggregated relation, or use csv or parquet",
    )


def _write_totals(
    sheet: PlainSheet,
    styles: Styles,
    session: Session,
    chosen: Selection,
    *,
    totals: Sequence[Column],
    looks: Sequence[Look],
    row: int,
) -> None:
    """Sums as plain numbers: they are the same in every viewer, and exact where the columns are."""
    table = qualified(chosen.relation.layer, chosen.relation.name)
    sql = f"SELECT {', '.join(alias(summed(column), column.name) for column in totals)} FROM {table} AS {ROW}"
    types = {column.name: column for column in session.describe(sql)}
    values = dict(zip(types, session.query(sql).rows[0], strict=True))
    labelled = False
    for place, column in enumerate(chosen.columns):
        if column.name in values:
            look = Look(True, looks[place].pattern, total=True)
            writer(sheet, styles, types[column.name], look, str(chosen.relation))(row, place, values[column.name])
        else:
            sheet.write_string(row, place, "" if labelled else "Total", styles.get(bold=True, top=1))
            labelled = True


def summed(column: Column, function: str = "sum") -> str:
    """An aggregate of a column. Floating point is added in a fixed order, or its last digits would change by run."""
    cell = f"{ROW}.{identifier(column.name)}"
    if kind(column.type) == "float":
        value = readable(cell, column.type)
        return f"{function}({value} ORDER BY {value})"
    return f"{function}({cell})"


def width(column: Column, values: Sequence[Any]) -> float:
    """A column width in characters, from its name and the head of its data."""
    extra = 4 if kind(column.type) in {"decimal", "float", "integer", "zoned"} else 2
    longest = max((len(str(value)) for value in values if value is not None), default=0)
    return min(max(longest + extra, len(column.name) + 4, 8), 60)
