"""Which rows and columns of a relation an export takes, and in what order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from penstock.domain.relation import Column, RelationName
from penstock.errors import UserError
from penstock.exports.options import suggestion
from penstock.ports import ExportRequest
from penstock.quoting import columns as quoted
from penstock.quoting import identifier, qualified
from penstock.record import record

ROW = "r"
"""What the relation is called in the SELECT; expressions over its columns are written `r."name"`."""


@record
class Selection:
    """`columns` in the order they are exported; `order` are the columns rows are sorted by, () for no order."""

    relation: RelationName
    columns: tuple[Column, ...]
    order: tuple[str, ...]

    def sql(self, expressions: Sequence[str] | None = None) -> str:
        """The SELECT. `expressions` (SQL text over `r."name"`) replace the columns one by one when given.

        The order stands outermost and names the relation's own columns, so that it is kept whatever is selected.
        """
        chosen = ", ".join(expressions) if expressions else quoted((c.name for c in self.columns), ROW)
        order = f" ORDER BY {quoted(self.order, ROW)}" if self.order else ""
        return f"SELECT {chosen} FROM {qualified(self.relation.layer, self.relation.name)} AS {ROW}{order}"

    def named(self, name: str) -> Column:
        """The column called `name`, whatever its case. Raises KeyError."""
        return next((c for c in self.columns if c.name.casefold() == name.casefold()), None) or _missing(name)


def _missing(name: str) -> Column:
    raise KeyError(name)


def single(request: ExportRequest) -> RelationName:
    """The one relation of an export whose format holds only one."""
    if len(request.export.relations) != 1:
        raise UserError(
            f"a {request.export.format} export holds exactly one relation, found {len(request.export.relations)}",
            code="EXPORT_RELATIONS",
            location=request.export.location,
            hint="write one export per relation, or use format: duckdb",
        )
    return request.export.relations[0]


def selection(request: ExportRequest, relation: RelationName, *, sorted_always: bool = False) -> Selection:
    """What to export of `relation`.

    Rows that `order_by` leaves equal are sorted by every other column too, so that the same data gives the same file.
    `sorted_always` sorts by all columns when there is no `order_by`. Raises UserError EXPORT_COLUMN.
    """
    export = request.export
    present = request.session.describe(f"SELECT * FROM {qualified(relation.layer, relation.name)}")
    by_name = {column.name.casefold(): column for column in present}
    require(request, relation, present, export.columns, "columns")
    require(request, relation, present, export.order_by, "order_by")
    chosen = tuple(by_name[name.casefold()] for name in export.columns) if export.columns else present
    order: tuple[str, ...] = ()
    if export.order_by or sorted_always:
        order = tuple(dict.fromkeys(by_name[name.casefold()].name for name in export.order_by))
        order += tuple(column.name for column in chosen if column.name not in order)
    return Selection(relation, chosen, order)


def require(
    request: ExportRequest, relation: RelationName, present: Iterable[Column], wanted: Iterable[str], option: str
) -> None:
    """Raises UserError EXPORT_COLUMN for the first of `wanted` that is not among the columns `present`."""
    names = tuple(column.name for column in present)
    known = {name.casefold() for name in names}
    for name in wanted:
        if name.casefold() not in known:
            raise UserError(
                f"{option} of export {request.export.name!r} names column {name!r}, which {relation} does not export",
                code="EXPORT_COLUMN",
                location=request.export.location,
                hint=suggestion(name, names),
            )


def alias(expression: str, name: str) -> str:
    return f"{expression} AS {identifier(name)}"
