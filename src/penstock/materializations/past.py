"""A relation as it was after a commit: its rows now, without those that entered since, with those that left since.

As a multiset, exactly: a row that entered and left again is in neither, and of several equal rows as many go as came.
Written for a session that has the warehouse beside a database of its own (see ports.WAREHOUSE). Everything is text.
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock.domain.relation import Column, RelationName
from penstock.materializations.changelog import COMMIT, COUNT, SIGN, exact, images, name_of
from penstock.ports import WAREHOUSE
from penstock.quoting import columns, identifier, qualified

SCHEMA = "_penstock"
GROUP = "_penstock_group"
_COPY = "_penstock_copy"
_THERE = "_penstock_there"


def stored(relation: RelationName) -> str:
    """The relation in the warehouse, from wherever it is named."""
    return qualified(WAREHOUSE, relation.layer, relation.name)


def net_of(relation: RelationName) -> str:
    """The table of what has changed in a relation since, net."""
    return qualified(SCHEMA, f"net_{relation}")


def net(relation: RelationName, found: Sequence[Column], number: int) -> str:
    """Each row image that entered more often than it left after the commit `number`, or less often, and by how much."""
    log = stored(name_of(relation))
    return (
        f"CREATE OR REPLACE TABLE {net_of(relation)} AS SELECT *, row_number() OVER () AS {GROUP} FROM "
        f"(SELECT {images(found)}, CAST(sum({SIGN}) AS BIGINT) AS {COUNT} FROM {log} WHERE {COMMIT} > {int(number)} "
        f"GROUP BY ALL HAVING sum({SIGN}) <> 0)"
    )


def absent(relation: RelationName, found: Sequence[Column]) -> str:
    """One row: how many row images have entered, by the log, and are not in the relation."""
    return (
        f"SELECT count(*) FROM (SELECT n.{GROUP} FROM (SELECT * FROM {net_of(relation)} WHERE {COUNT} > 0) AS n "
        f"LEFT JOIN (SELECT *, true AS {_THERE} FROM {stored(relation)}) AS r ON {_same(found)} "
        f"GROUP BY n.{GROUP} HAVING count(r.{_THERE}) < any_value(n.{COUNT}))"
    )


def view(relation: RelationName, found: Sequence[Column], number: int, *, changed: bool) -> str:
    """The relation by its own name, as it was. `changed`: `net` holds anything."""
    return f"CREATE OR REPLACE VIEW {qualified(relation.layer, relation.name)} AS " + (
        _then(relation, found, number) if changed else f"SELECT * FROM {stored(relation)}"
    )


def _then(relation: RelationName, found: Sequence[Column], number: int) -> str:
    names = [column.name for column in found]
    listed, mine, same = columns(names), columns(names, "r"), _same(found)
    entered = f"(SELECT * FROM {net_of(relation)} WHERE {COUNT} > 0)"
    left = f"(SELECT * FROM {net_of(relation)} WHERE {COUNT} < 0)"
    log = f"(SELECT * FROM {stored(name_of(relation))} WHERE {COMMIT} > {int(number)} AND {SIGN} = -1)"

    def numbered(rows: str, among: str, kept: str) -> str:
        return (
            f"SELECT {listed} FROM (SELECT {mine}, n.{COUNT} AS {COUNT}, row_number() OVER (PARTITION BY n.{GROUP}) "
            f"AS {_COPY} FROM {rows} AS r JOIN {among} AS n ON {same}) WHERE {kept}"
        )

    return " UNION ALL ".join(
        (
            f"SELECT {mine} FROM {stored(relation)} AS r ANTI JOIN {entered} AS n ON {same}",
            numbered(stored(relation), entered, f"{_COPY} > {COUNT}"),
            numbered(log, left, f"{_COPY} <= -{COUNT}"),
        )
    )


def _same(found: Sequence[Column]) -> str:
    return " AND ".join(f"{exact(column, 'r.')} IS NOT DISTINCT FROM {exact(column, 'n.')}" for column in found)


def schema(name: str) -> str:
    return f"CREATE SCHEMA IF NOT EXISTS {identifier(name)}"


def inside() -> str:
    """Statements that follow name the warehouse's relations by layer and name."""
    return f"USE {identifier(WAREHOUSE)}"


OUTSIDE = 'USE "memory"'
"""Statements that follow name those of the database beside it."""
