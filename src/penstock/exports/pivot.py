"""The pivot sheet: a cross-tab of values by rows and columns, with totals, computed by one GROUP BY.

It holds plain values and no formulas, so it looks the same in every viewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.domain.relation import Column
from penstock.errors import DataError
from penstock.exports.cells import Look, fitting, readable, writer
from penstock.exports.selection import ROW, Selection, alias
from penstock.exports.sheet import summed, width
from penstock.exports.workbook import MAX_COLUMNS, MAX_ROWS, PlainSheet, Styles
from penstock.ports import Session
from penstock.quoting import identifier, qualified
from penstock.record import record

Function = Literal["sum", "count", "count_distinct", "avg", "min", "max"]
Key = tuple[Any, ...]

NO_LABEL = "(empty)"
TOTAL = "Total"


@record
class Pivot:
    """`rows` are one or more columns, `across` the column whose values become columns (None: no cross-tab), `values`
    the aggregated columns. All of them are columns of the selection."""

    rows: tuple[Column, ...]
    across: Column | None
    values: tuple[tuple[Column, Function], ...]
    max_columns: int


@dataclass(slots=True)
class Crosstab:
    """The result: keys in their order, and values by (row key, column key); None stands for a total."""

    values: tuple[Column, ...]
    rows: list[Key] = field(default_factory=list)
    columns: list[Key] = field(default_factory=list)
    cells: dict[tuple[Key | None, Key | None], tuple[Any, ...]] = field(default_factory=dict)


def title(column: Column, function: Function) -> str:
    return column.name if function == "sum" else f"{function.replace('_', ' ')} of {column.name}"


def statement(pivot: Pivot, chosen: Selection) -> str:
    """One SELECT: two flags (is a total over rows, over columns), the labels, the values."""
    keys = [*pivot.rows, *([pivot.across] if pivot.across else [])]
    cells = {column.name: f"{ROW}.{identifier(column.name)}" for column in keys}
    rows = ", ".join(cells[column.name] for column in pivot.rows)
    across = cells[pivot.across.name] if pivot.across else ""
    sets = f"({rows}, {across}), ({rows}), ({across}), ()" if across else f"({rows}), ()"
    over_rows = f"GROUPING({cells[pivot.rows[0].name]})"
    over_columns = f"GROUPING({across})" if across else "1"
    selected = [
        alias(over_rows, "over_rows"),
        alias(over_columns, "over_columns"),
        *(alias(readable(cells[column.name], column.type), f"key_{place}") for place, column in enumerate(keys)),
        *(
            alias(_aggregate(column, function), f"value_{place}")
            for place, (column, function) in enumerate(pivot.values)
        ),
    ]
    order = ", ".join(
        [over_rows, *([over_columns] if across else []), *(f"{cell} NULLS LAST" for cell in cells.values())]
    )
    table = qualified(chosen.relation.layer, chosen.relation.name)
    return f"SELECT {', '.join(selected)} FROM {table} AS {ROW} GROUP BY GROUPING SETS ({sets}) ORDER BY {order}"


def _aggregate(column: Column, function: Function) -> str:
    cell = f"{ROW}.{identifier(column.name)}"
    if function == "count_distinct":
        return f"count(DISTINCT {cell})"
    if function in {"sum", "avg"}:
        return summed(column, function)
    return f"{function}({cell})" if function == "count" else readable(f"{function}({cell})", column.type)


def compute(session: Session, pivot: Pivot, chosen: Selection) -> Crosstab:
    """Run it. Raises DataError EXPORT_TOO_LARGE when the cross-tab is wider or longer than allowed."""
    sql = statement(pivot, chosen)
    described = session.describe(sql)
    result = session.query(sql)
    width_of_keys = len(pivot.rows) + bool(pivot.across)
    types = described[2 + width_of_keys :]
    # min and max of dates are read as text: the type to show is the column's own.
    values = tuple(
        Column(title(column, function), column.type if function in {"min", "max"} else types[place].type)
        for place, (column, function) in enumerate(pivot.values)
    )
    table = Crosstab(values)
    rows: dict[Key, None] = {}
    columns: dict[Key, None] = {}
    for over_rows, over_columns, *rest in result.rows:
        row = None if over_rows else _key(rest[: len(pivot.rows)])
        column = None if over_columns else _key(rest[len(pivot.rows) : width_of_keys])
        table.cells[row, column] = tuple(rest[width_of_keys:])
        if row is not None and column is None:
            rows[row] = None
        if column is not None and row is None:
            columns[column] = None
    table.rows, table.columns = list(rows), list(columns)
    _check_size(pivot, chosen, table)
    return table


def _key(values: Sequence[Any]) -> Key:
    """Labels as a key: NaN equals itself here."""
    return tuple("NaN" if value != value else value for value in values)  # noqa: PLR0124


def _check_size(pivot: Pivot, chosen: Selection, table: Crosstab) -> None:
    wide = len(pivot.rows) + (len(table.columns) + 1) * len(table.values)
    if pivot.across is not None and (len(table.columns) > pivot.max_columns or wide > MAX_COLUMNS):
        raise DataError(
            f"the pivot of {chosen.relation} has a column for every value of {pivot.across.name!r}: expected at most "
            f"{pivot.max_columns:,}, found {len(table.columns):,}",
            code="EXPORT_TOO_LARGE",
            hint="pivot by a column with fewer values, swap rows and columns, or raise pivot.max_columns",
        )
    if len(table.rows) > MAX_ROWS - 3:
        raise DataError(
            f"the pivot of {chosen.relation} has {len(table.rows):,} rows: a sheet holds {MAX_ROWS:,}",
            code="EXPORT_TOO_LARGE",
            hint="pivot by columns with fewer values",
        )


def write_pivot(sheet: PlainSheet, styles: Styles, pivot: Pivot, table: Crosstab, where: str) -> None:
    """Lay the cross-tab out: labels at the left, one group of values per column label, totals last."""
    groups: list[Key | None] = [*table.columns, None] if pivot.across else [None]
    start, span = len(pivot.rows), len(table.values)
    top = _write_head(sheet, styles, pivot, table, groups)
    normal = [writer(sheet, styles, column, Look(measure=True), where) for column in table.values]
    total = [writer(sheet, styles, column, Look(measure=True, total=True), where) for column in table.values]
    labels = [writer(sheet, styles, column, Look(), where) for column in pivot.rows]
    rows: list[Key | None] = [*table.rows, None]
    for line, row in enumerate(rows, start=top):
        if row is None:
            for place in range(start):
                sheet.write_string(line, place, TOTAL if place == 0 else "", styles.get(bold=True, top=1))
        else:
            for place, value in enumerate(row):
                if value is None:
                    sheet.write_string(line, place, NO_LABEL, styles.get(italic=True))
                else:
                    labels[place](line, place, value)
        for index, group in enumerate(groups):
            cells = table.cells.get((row, group), (None,) * span)
            for offset, value in enumerate(cells):
                (total if row is None else normal)[offset](line, start + index * span + offset, value)
    sheet.freeze_panes(top, start)
    for place, column in enumerate(pivot.rows):
        sheet.set_column(place, place, width(column, [row[place] for row in table.rows[:500]] + [NO_LABEL]))
    for offset, column in enumerate(table.values):
        values = [cells[offset] for cells in list(table.cells.values())[-500:]]
        for index, group in enumerate(groups):
            place = start + index * span + offset
            above = [_label(group[0], where)] if group and span == 1 else []
            sheet.set_column(place, place, width(column, values + above))


def _write_head(sheet: PlainSheet, styles: Styles, pivot: Pivot, table: Crosstab, groups: Sequence[Key | None]) -> int:
    """Write the header. Returns the first row below it."""
    start, span = len(pivot.rows), len(table.values)
    line = 0
    if pivot.across:
        for place in range(start):
            sheet.write_string(0, place, pivot.across.name if place == start - 1 else "", styles.header("right"))
        for index, group in enumerate(groups):
            first = start + index * span
            if span > 1:
                sheet.merge_range(0, first, 0, first + span - 1, "", styles.header("center"))
            sheet.write_string(
                0, first, TOTAL if group is None else _label(group[0], pivot.across.name), styles.header("center")
            )
        line = 1
    for place, column in enumerate(pivot.rows):
        sheet.write_string(line, place, column.name, styles.header())
    for index in range(len(groups)):
        for offset, column in enumerate(table.values):
            sheet.write_string(line, start + index * span + offset, column.name, styles.header("right"))
    return line + 1


def _label(value: Any, where: str) -> str:
    if value is None:
        return NO_LABEL
    return fitting(str(value).lower() if isinstance(value, bool) else str(value), where)
