"""A batch held against the contract of its table: what is read as NULL or by default, and what stops the load.

The rows of an append table are events, which come from many writers: each is judged for itself, and one that does not
conform is held back. A batch of a keyed table is one picture of it: a column that is gone concerns all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from penstock.contracts.shape import SAME_VALUES, Departure, departures, differs
from penstock.domain.contract import Contract
from penstock.domain.relation import Column
from penstock.domain.source import ExtractKind, SourceColumn, SourceTable
from penstock.errors import DataError
from penstock.quoting import identifier, literal
from penstock.record import record

Readers = Callable[[Sequence[str]], Sequence[str]]
TEXT = "VARCHAR"
"""Landed text has no type of its own: each of its values is judged."""


@record
class Conformed:
    """How a batch is read. `filled`: columns it lacks, as SQL of their values; `columns`: how columns that the contract
    does not list are read, beside those it does; `widened`: stored columns that take a wider type; `strangers`: fields
    that no event may have."""

    filled: tuple[tuple[Column, str], ...] = ()
    columns: tuple[SourceColumn, ...] = ()
    widened: tuple[Column, ...] = ()
    strangers: tuple[str, ...] = ()

    def table(self, table: SourceTable) -> SourceTable:
        return replace(table, columns=(*table.columns, *self.columns)) if self.columns else table

    def landed(self, landed: str) -> str:
        """The FROM item `landed` with what is filled in."""
        if not self.filled:
            return landed
        more = ", ".join(f"{value} AS {identifier(column.name)}" for column, value in self.filled)
        return f"(SELECT *, {more} FROM {landed})"


def conformed(
    table: SourceTable,
    contract: Contract,
    batch: str,
    found: Sequence[Column],
    before: Sequence[Column],
    *,
    readers: Readers,
    aged: bool,
) -> Conformed:
    """Hold the columns `found` in a batch against the contract; `before`: those the table has already; `aged`: the
    batch is older than the contract, which is then not asked for more than it can be read by. Raises DataError
    CONTRACT_BROKEN with everything that stops the load, and who reads it."""
    judge = _Judge(table, contract, readers, aged)
    told = departures(contract, found)
    broken = [each for each in told if judge.stops(each, found)]
    there = {column.name.lower() for column in found}
    stored = {column.name.lower(): column for column in before}
    gone = [c for name, c in stored.items() if name not in there and contract.column(name) is None]
    broken += [
        Departure("missing", column.name, f"{column.name} {column.type}, which earlier batches have, is missing")
        for column in gone
        if not judge.spared(column.name)
    ]
    if broken:
        raise judge.error(batch, broken)
    filled = [(column, f"CAST(NULL AS {column.type})") for column in gone]
    for each in contract.columns:
        if each.name.lower() not in there:
            value = "NULL" if each.default is None else literal(each.default)
            filled.append((Column(each.name, each.type), f"CAST({value} AS {each.type})"))
    columns, widened = [], []
    for column in found:
        kept = stored.get(column.name.lower())
        if contract.mode != "evolve" or kept is None or contract.column(column.name) or kept.type == column.type:
            continue
        if differs(column.type, kept.type) == SAME_VALUES:
            columns.append(SourceColumn(column.name, kept.type))
        elif differs(kept.type, column.type) == SAME_VALUES:
            widened.append(column)
    extra = (each.column for each in told if each.what == "extra") if judge.events and not aged else ()
    strangers = tuple(extra) if contract.mode == "strict" else ()
    return Conformed(tuple(filled), tuple(columns), tuple(widened), strangers)


class _Judge:
    def __init__(self, table: SourceTable, contract: Contract, readers: Readers, aged: bool) -> None:
        self.table, self.contract, self.readers, self.aged = table, contract, readers, aged
        self.events = table.extract is ExtractKind.APPEND

    def stops(self, departure: Departure, found: Sequence[Column]) -> bool:
        if departure.what == "extra":
            return self.contract.mode == "strict" and not self.events and not self.aged
        if departure.what == "missing":
            return not self.may_lack(departure.column)
        kind = next(each.type for each in found if each.name.lower() == departure.column.lower())
        if kind == TEXT or self.events or self.aged or self.contract.mode == "evolve":
            return False
        return self.contract.mode == "strict" or not departure.wider

    def may_lack(self, name: str) -> bool:
        """Whether a batch may lack a column of the contract."""
        column = self.contract.column(name)
        if column is None or self.events:
            return True  # an event without a field that it must have is held back
        if column.default is not None:
            return True
        return column.nullable and (self.aged or self.spared(name))

    def spared(self, name: str) -> bool:
        """Whether a column may be read as NULL from now on."""
        if self.events or self.table.on_missing_column == "null":
            return True
        return self.contract.mode == "evolve" and not self.readers([name])

    def error(self, batch: str, broken: Sequence[Departure]) -> DataError:
        missing = [each.column for each in broken if each.what != "extra"]
        readers = self.readers(missing) if missing else ()
        below = f"; read by {', '.join(readers)}" if readers else "; no model reads them" if missing else ""
        return DataError(
            f"{self.table.relation}: the batch {batch} is not what version {self.contract.version} of the contract "
            f"says: {'; '.join(each.message for each in broken)}{below}",
            code="CONTRACT_BROKEN",
            location=self.contract.location,
            hint="move this batch, which was never loaded, out of landing/ and have it sent again; or change the "
            "contract: `default` or `nullable` for what may be missing, another `type`, another `mode`",
        )
