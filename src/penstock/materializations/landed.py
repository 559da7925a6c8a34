"""Landed batches under the names of their relation.

A batch keeps the names that its columns have at the source. `rename` is applied each time it is read: what is declared
anew goes for batches that were landed before, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock.domain.relation import Column
from penstock.domain.source import SourceTable
from penstock.errors import DataError
from penstock.quoting import literal, under_names


def columns(table: SourceTable, found: Sequence[Column]) -> tuple[Column, ...]:
    """The columns of a batch, by the names of the relation. Raises DataError COLUMN_TWICE where two have one name."""
    if not table.rename:
        return tuple(found)
    seen: dict[str, str] = {}
    for column in found:
        name = table.rename.get(column.name, column.name)
        if (other := seen.setdefault(name.lower(), column.name)) != column.name:
            raise DataError(
                f"{table.relation}: two columns of a landed batch are called {name!r} ({other!r} and {column.name!r})",
                code="COLUMN_TWICE",
                location=table.location,
                hint="give one of them another name under `rename:`",
            )
    return tuple(Column(table.rename.get(column.name, column.name), column.type) for column in found)


def origins(table: SourceTable, found: Sequence[Column]) -> dict[str, str]:
    """The names that columns of a batch have there, by those of the relation in lower case."""
    return {table.rename.get(column.name, column.name).lower(): column.name for column in found}


def scan(table: SourceTable, data: str, found: Sequence[Column], *, numbered: bool = True) -> str:
    """A FROM item: the rows of the data file `data`, whose columns are `found`. `numbered`: with `file_row_number`."""
    # The folder's ingest_date=… is ours; read as a column it would hide one the source sends under that name.
    numbers = ", file_row_number = true" if numbered else ""
    rows = f"read_parquet({literal(data)}, hive_partitioning = false{numbers})"
    return under_names(rows, {c.name: table.rename[c.name] for c in found if c.name in table.rename})
