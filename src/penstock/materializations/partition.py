"""One range of a time column: its rows as they should be, and the stored rows these replace. Everything is text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from penstock.domain.relation import RelationName
from penstock.materializations.maintain import NEW, OLD, ROW
from penstock.quoting import columns, identifier, literal, qualified

TIMES = {
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP",
    "TIMESTAMP_S": "TIMESTAMP_S",
    "TIMESTAMP_MS": "TIMESTAMP_MS",
    "TIMESTAMP_NS": "TIMESTAMP_NS",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
}
"""Types of columns that can be cut into ranges, and how a value of each is written."""


def within(column: str, kind: str, begin: datetime, end: datetime, prefix: str) -> str:
    """Whether a row's time lies in [begin, end). `kind`: the column's type; both times are UTC."""
    name = f"{prefix}.{identifier(column)}"
    low, high = (_at(value, kind) for value in (begin, end))
    return f"{name} >= {low} AND {name} < {high}"


def _at(value: datetime, kind: str) -> str:
    zone = "+00" if TIMES[kind] == "TIMESTAMPTZ" else ""
    return f"CAST({literal(value.isoformat(sep=' ') + zone)} AS {TIMES[kind]})"


def expected(select: str, condition: str) -> str:
    """NEW: the rows of the range as they should be. `condition` is about the alias `q`."""
    return f"CREATE OR REPLACE TEMP TABLE {NEW} AS SELECT * FROM (\n{select}\n) AS q WHERE {condition}"


def replaced(relation: RelationName, condition: str, key: Sequence[str], into: str = OLD) -> str:
    """OLD: the stored rows of the range, and those elsewhere that have the key of one which belongs to it now, with
    their places. `condition` is about the alias `m`."""
    same = " AND ".join(f"n.{identifier(name)} IS NOT DISTINCT FROM m.{identifier(name)}" for name in key)
    moved = f" OR EXISTS (SELECT 1 FROM (SELECT {columns(key)} FROM {NEW}) AS n WHERE {same})" if key else ""
    return (
        f"CREATE OR REPLACE TEMP TABLE {into} AS SELECT m.rowid AS {ROW}, m.* "
        f"FROM {qualified(relation.layer, relation.name)} AS m WHERE ({condition}){moved}"
    )
