"""XLSX: one relation as a spreadsheet for people, with a data sheet and, when asked for, a pivot sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from penstock.domain.relation import Column
from penstock.errors import UserError
from penstock.exports.options import ColumnNames, Options, SomeColumnNames, checked, plain
from penstock.exports.selection import Selection, require, selection, single
from penstock.ports import ExportRequest

if TYPE_CHECKING:
    from penstock.exports.pivot import Pivot


def _sheet_name(value: str | None) -> str | None:
    if value is not None and (
        not 1 <= len(value) <= 31
        or any(mark in "[]:*?/\\" or ord(mark) < 32 for mark in value)
        or value.startswith("'")
        or value.endswith("'")
        or value.casefold() == "history"
    ):
        raise ValueError("expected 1 to 31 characters without [ ] : * ? / \\, no ' at the ends, and not History")
    return value


class PivotOptions(Options):
    """A cross-tab on a sheet of its own."""

    rows: SomeColumnNames = Field(description="the column, or list of columns, whose values are the rows")
    columns: str | None = Field(default=None, description="the column whose values become columns")
    values: Annotated[
        dict[str, Literal["sum", "count", "count_distinct", "avg", "min", "max"]], Field(min_length=1)
    ] = Field(description="column: sum, count, count_distinct, avg, min or max; one or more")
    sheet: str = Field(default="Pivot", description="the pivot sheet's name, at most 31 characters")
    max_columns: int = Field(
        default=256, ge=1, le=16_000, description="how many values of `columns` are expected at most"
    )

    live: str | None = Field(
        default=None, description="also add a pivot table people can rearrange, on a sheet of this name"
    )

    _check_name = field_validator("sheet", "live")(_sheet_name)

    @model_validator(mode="after")
    def _a_pivot_table_can_do_it(self) -> PivotOptions:
        if self.live and "count_distinct" in self.values.values():
            raise ValueError("a live pivot table cannot count distinct values; remove live or count_distinct")
        return self


class XlsxOptions(Options):
    """What the workbook holds."""

    sheet: str | None = Field(
        default=None, description="the data sheet's name, at most 31 characters; default: the relation's name"
    )
    totals: ColumnNames | None = Field(
        default=None, description="columns to sum in a last row; default: the summed values of the pivot; [] for none"
    )
    formats: dict[str, str] = Field(default={}, description='Excel number formats by column, such as {revenue: "0.0"}')
    pivot: PivotOptions | None = Field(default=None, description="a cross-tab: rows, columns, values")

    _check_name = field_validator("sheet")(_sheet_name)

    @model_validator(mode="after")
    def _different_sheets(self) -> XlsxOptions:
        pivot = [self.pivot.sheet, self.pivot.live] if self.pivot else []
        named = [name.casefold() for name in (self.sheet, *pivot) if name]
        if len(set(named)) != len(named):
            raise ValueError("the sheets need different names")
        return self


class XlsxExporter:
    """Implements ports.Exporter."""

    def options(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        return plain(XlsxOptions, raw)

    def options_schema(self) -> Mapping[str, Any]:
        return XlsxOptions.model_json_schema()

    def columns(self, options: Mapping[str, Any]) -> Sequence[str]:
        pivot = options["pivot"] or {"rows": [], "columns": None, "values": {}}
        across = (pivot["columns"],) if pivot["columns"] else ()
        return (*(options["totals"] or ()), *options["formats"], *pivot["rows"], *across, *pivot["values"])

    def write(self, request: ExportRequest) -> int:
        """Both sheets are read in one transaction, so that they show one state of the warehouse."""
        from penstock.exports import pivot as cross
        from penstock.exports.sheet import write_data
        from penstock.exports.workbook import Styles, add_sheet, opened

        options = checked(XlsxOptions, request.export)
        with request.session.transaction():
            chosen = selection(request, single(request), sorted_always=True)
            require(request, chosen.relation, chosen.columns, options.formats, "formats")
            pivot = _pivot(request, chosen, options.pivot) if options.pivot else None
            totals = _totals(request, chosen, options, pivot)
            formats = {name.casefold(): pattern for name, pattern in options.formats.items()}
            data_name = _data_sheet(options, chosen)
            with opened(request.target) as workbook:
                styles = Styles(workbook)
                sheet = add_sheet(workbook, data_name)
                rows = write_data(sheet, styles, request.session, chosen, totals=totals, formats=formats)
                if pivot is not None and options.pivot:
                    table = cross.compute(request.session, pivot, chosen)
                    cross.write_pivot(
                        add_sheet(workbook, options.pivot.sheet), styles, pivot, table, str(chosen.relation)
                    )
                    if (
                        options.pivot.live and rows
                    ):  # a pivot table over no rows is an error to the programs that read it
                        add_sheet(workbook, options.pivot.live)
        if pivot is not None and options.pivot and options.pivot.live and rows:
            from penstock.exports.live_pivot import add_live_pivot

            add_live_pivot(request.target, pivot, chosen.columns, data_name, rows, sheet=3)
        return rows


def _data_sheet(options: XlsxOptions, chosen: Selection) -> str:
    """The data sheet's name: the one given, or the relation's, changed when another sheet has it already."""
    from penstock.exports.workbook import safe_sheet_name

    if options.sheet:
        return options.sheet
    taken = {name.casefold() for name in (options.pivot.sheet, options.pivot.live) if name} if options.pivot else set()
    name = safe_sheet_name(chosen.relation.name)
    while name.casefold() in taken:
        name = safe_sheet_name(f"{name[:26]} data") if not name.endswith(" data") else safe_sheet_name(f"_{name}")
    return name


def _pivot(request: ExportRequest, chosen: Selection, options: PivotOptions) -> Pivot:
    from penstock.exports.pivot import Pivot

    rows = options.rows
    across = [options.columns] if options.columns else []
    require(request, chosen.relation, chosen.columns, rows, "pivot.rows")
    require(request, chosen.relation, chosen.columns, across, "pivot.columns")
    require(request, chosen.relation, chosen.columns, options.values, "pivot.values")
    keys = [name.casefold() for name in (*rows, *across)]
    if len(set(keys)) != len(keys):
        raise UserError(
            f"the pivot of export {request.export.name!r} names a column twice in rows and columns",
            code="EXPORT_OPTION",
            location=request.export.location,
            hint="name each column once",
        )
    values = []
    for name, function in options.values.items():
        column = chosen.named(name)
        if function in {"sum", "avg"}:
            _require_number(request, column, f"pivot.values asks for the {function} of")
        values.append((column, function))
    return Pivot(
        rows=tuple(chosen.named(name) for name in rows),
        across=chosen.named(options.columns) if options.columns else None,
        values=tuple(values),
        max_columns=options.max_columns,
    )


def _totals(request: ExportRequest, chosen: Selection, options: XlsxOptions, pivot: Pivot | None) -> tuple[Column, ...]:
    if options.totals is None:
        return tuple(column for column, function in pivot.values if function == "sum") if pivot else ()
    require(request, chosen.relation, chosen.columns, options.totals, "totals")
    totals = tuple(dict.fromkeys(chosen.named(name) for name in options.totals))
    for column in totals:
        _require_number(request, column, "totals asks for the sum of")
    return totals


def _require_number(request: ExportRequest, column: Column, what: str) -> None:
    from penstock.exports.cells import is_number

    if not is_number(column):
        raise UserError(
            f"{what} column {column.name!r}: expected a number, found {column.type}",
            code="EXPORT_OPTION",
            location=request.export.location,
            hint="name a numeric column, or cast it in the model",
        )


PLUGIN = XlsxExporter()
