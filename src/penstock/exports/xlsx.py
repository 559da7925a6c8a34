"""XLSX: one relation as a spreadsheet for people, with a data sheet and, when asked for, a pivot sheet."""

from __future__ import annotations

from collections.abc import Mapping
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

    _check_name = field_validator("sheet")(_sheet_name)


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
        if self.pivot and self.sheet and self.sheet.casefold() == self.pivot.sheet.casefold():
            raise ValueError("the data sheet and the pivot sheet need different names")
        return self


class XlsxExporter:
    """Implements ports.Exporter."""

    def options(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        return plain(XlsxOptions, raw)

    def options_schema(self) -> Mapping[str, Any]:
        return XlsxOptions.model_json_schema()

    def write(self, request: ExportRequest) -> int:
        """Both sheets are read in one transaction, so that they show one state of the warehouse."""
        from penstock.exports import pivot as cross
        from penstock.exports.sheet import write_data
        from penstock.exports.workbook import Styles, add_sheet, opened, safe_sheet_name

        options = checked(XlsxOptions, request.export)
        with request.session.transaction():
            chosen = selection(request, single(request), sorted_always=True)
            require(request, chosen.relation, chosen.columns, options.formats, "formats")
            pivot = _pivot(request, chosen, options.pivot) if options.pivot else None
            totals = _totals(request, chosen, options, pivot)
            formats = {name.casefold(): pattern for name, pattern in options.formats.items()}
            data_name = options.sheet or safe_sheet_name(chosen.relation.name)
            if options.pivot and not options.sheet and data_name.casefold() == options.pivot.sheet.casefold():
                data_name = safe_sheet_name(f"{data_name[:26]} data")
            with opened(request.target) as workbook:
                styles = Styles(workbook)
                sheet = add_sheet(workbook, data_name)
                rows = write_data(sheet, styles, request.session, chosen, totals=totals, formats=formats)
                if pivot is not None and options.pivot:
                    table = cross.compute(request.session, pivot, chosen)
                    cross.write_pivot(
                        add_sheet(workbook, options.pivot.sheet), styles, pivot, table, str(chosen.relation)
                    )
        return rows


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
