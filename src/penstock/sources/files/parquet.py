"""Parquet files: types stay as they are, several files must agree on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from penstock.domain.relation import Column
from penstock.domain.source import SourceTable
from penstock.embedded.failure import translate
from penstock.errors import DataError, DriverError, Location
from penstock.quoting import identifier, literal
from penstock.sources.files.naming import as_received, folded, renamed

if TYPE_CHECKING:
    from penstock.sources.files.intake import Ready

_WIDEST_DECIMAL = 38


@contextmanager
def readable(path: str) -> Iterator[None]:
    """Any failure to read the file is the file's fault, unless memory or disk ran out."""
    try:
        yield
    except duckdb.Error as error:
        known = translate(error)
        if isinstance(known, DriverError) and known.code != "ENGINE_IO":
            raise known from error
        raise DataError(
            "expected a Parquet file, found one that does not read as such",
            code="PARQUET_INVALID",
            location=Location(path),
            hint="transfer the file again, and rename it into place when it is complete; or correct `format:`",
        ) from error


def scan(ready: Ready) -> str:
    return f"read_parquet({literal(str(ready.path))}, hive_partitioning = false, filename = false)"


def columns(connection: duckdb.DuckDBPyConnection, ready: Ready) -> tuple[Column, ...]:
    """The file's own columns. Raises DataError when it is no Parquet file, or has what no warehouse holds exactly."""
    path = ready.found.path
    with readable(path):
        described = connection.execute(f"DESCRIBE SELECT * FROM {scan(ready)}").fetchall()
        elements = connection.execute(
            "SELECT name, coalesce(num_children, 0), coalesce(precision, 0) "
            f"FROM parquet_schema({literal(str(ready.path))})"
        ).fetchall()
    wide = [name for name, _, precision in elements if precision > _WIDEST_DECIMAL]
    if wide:
        raise DataError(
            f"decimals of more than {_WIDEST_DECIMAL} digits would be rounded: column {', '.join(wide)}",
            code="DECIMAL_TOO_WIDE",
            location=Location(path),
            hint="write them with at most 38 digits, or as text",
        )
    names = _top_level([(name, children) for name, children, _ in elements])
    return tuple(Column(name, row[1]) for name, row in zip(names, described, strict=True))


def _top_level(elements: Sequence[tuple[str, int]]) -> list[str]:
    """The columns' own names, from the file's schema in depth-first order: DuckDB renames those that differ in case
    only."""
    names, skip = [], 0
    for name, children in elements[1:]:
        if skip:
            skip += children - 1
        else:
            names.append(name)
            skip = children
    return names


def count(connection: duckdb.DuckDBPyConnection, ready: Ready) -> int:
    with readable(ready.found.path):
        row = connection.execute(f"SELECT count(*) FROM {scan(ready)}").fetchone()
    return int(row[0]) if row else 0


def select(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, files: Sequence[Ready]
) -> tuple[str, dict[str, str], bool]:
    """All rows of the files under the table's names, what columns land as, by these; and whether that
    is one file exactly as it stands."""
    scans, agreed, pairs = [], None, list[tuple[str, str]]()
    for ready in files:
        own = columns(connection, ready)
        names = renamed(table, [column.name for column in own], ready.found.path)
        shape = {folded(name): column.type for name, column in zip(names, own, strict=True)}
        if agreed is None:
            agreed, first = shape, ready.found.path
        elif shape != agreed:
            differing = sorted(dict(shape.items() ^ agreed.items()))
            raise DataError(
                f"expected the columns and types of {first}, found others in: {', '.join(differing)}",
                code="FILES_DIFFER",
                location=Location(ready.found.path),
                hint="write all files of a table alike; or make them tables of their own",
            )
        pairs += zip(names, (column.name for column in own), strict=True)
        wanted = ", ".join(f"{identifier(c.name)} AS {identifier(name)}" for c, name in zip(own, names, strict=True))
        scans.append(f"SELECT {wanted} FROM {scan(ready)}")
    back = as_received(table, pairs, files[0].found.path)
    whole = len(files) == 1 and all(back[name] == received for name, received in pairs)
    return " UNION ALL BY NAME ".join(scans), back, whole
