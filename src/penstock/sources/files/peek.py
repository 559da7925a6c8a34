"""The columns of a source as it is now, from a header or a Parquet footer."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from penstock.domain.relation import Column
from penstock.domain.source import SourceTable
from penstock.sources.files import parquet
from penstock.sources.files.intake import Ready, opened, steady
from penstock.sources.files.listing import find, format_of
from penstock.sources.files.naming import in_relation, renamed
from penstock.sources.files.text import DELIMITED, column_names, csv_check

_HEAD = 1 << 20


def columns(table: SourceTable, root: Path) -> tuple[Column, ...] | None:
    """Those of the first file in name order, under the table's names. None without a file, for an empty one, and for
    formats whose columns are known only at the end (JSON, compressed Parquet)."""
    found = next(iter(find(table, root)), None)
    if found is None or not found.size:
        return None
    kind, compression = format_of(table, found.path)
    if kind in DELIMITED:
        check = csv_check(table, found, kind)
        size = 0
        with steady([found]):
            for chunk in chain(opened(table, found), (b"\n",)):
                check.feed(chunk)
                size += len(chunk)
                if check.first is not None or size > _HEAD:
                    break
        if check.first is None:
            return None
        received = column_names(table, kind, check.first, found.path)
        return tuple(Column(name, "VARCHAR") for name in in_relation(table, received))
    if kind != "parquet" or compression != "none":
        return None
    from penstock.embedded.connection import connect

    connection = connect(allowed=[root], threads=1, memory_limit="512MB")
    try:
        own = parquet.columns(connection, Ready(found, kind, found.full, "", found.size))
    finally:
        connection.close()
    names = renamed(table, [column.name for column in own], found.path)
    return tuple(Column(name, column.type) for name, column in zip(names, own, strict=True))
