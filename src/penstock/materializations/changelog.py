"""The change log of a relation: a table of the row images that left (-1) and entered (+1) it, commit by commit.

It is net within one commit: a row that is as it was is not in it. Everything here is text.
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock.domain.maintenance import new_rows, old_rows
from penstock.domain.relation import Column, RelationName
from penstock.quoting import columns, identifier, qualified

SCHEMA = "_penstock"
COMMIT = "_penstock_commit"
SIGN = "_penstock_sign"
META = (Column(COMMIT, "BIGINT"), Column(SIGN, "TINYINT"))
NET = "_penstock_net"
COUNT = "_penstock_n"


def name_of(relation: RelationName) -> RelationName:
    """The relation that is the change log of `relation`."""
    return RelationName(SCHEMA, f"changes_{relation}")


def table(relation: RelationName) -> str:
    return qualified(SCHEMA, name_of(relation).name)


def create(relation: RelationName) -> str:
    """An empty log with the columns the relation has now."""
    stored = qualified(relation.layer, relation.name)
    return (
        f"CREATE TABLE IF NOT EXISTS {table(relation)} AS "
        f"SELECT *, CAST(0 AS BIGINT) AS {COMMIT}, CAST(0 AS TINYINT) AS {SIGN} FROM {stored} LIMIT 0"
    )


def drop(relation: RelationName) -> str:
    return f"DROP TABLE IF EXISTS {table(relation)}"


def add_column(relation: RelationName, column: Column) -> str:
    return f"ALTER TABLE {table(relation)} ADD COLUMN {identifier(column.name)} {column.type}"


def write(relation: RelationName, names: Sequence[str], number: int, sign: int, rows: str) -> str:
    """Log `rows`, a FROM item with the columns `names`, as changes of the commit `number`."""
    listed = columns(names)
    return (
        f"INSERT INTO {table(relation)} ({listed}, {COMMIT}, {SIGN}) SELECT {listed}, {int(number)}, {int(sign)} "
        f"FROM {rows}"
    )


def altered(relation: RelationName) -> str:
    """Commits whose change rows are not as many as the ledger says, at most one. Values: relation, and twice the commit
    after which and the last commit up to which it is looked at."""
    return (
        f"SELECT coalesce(c.number, l.{COMMIT}) FROM "
        "(SELECT number, changes FROM _penstock.commits WHERE relation = ? AND number > ? AND number <= ?) AS c "
        f"FULL JOIN (SELECT {COMMIT}, count(*) AS n FROM {table(relation)} WHERE {COMMIT} > ? AND {COMMIT} <= ? "
        f"GROUP BY {COMMIT}) AS l "
        f"ON l.{COMMIT} = c.number WHERE c.changes IS DISTINCT FROM coalesce(l.n, 0) LIMIT 1"
    )


def prune(relation: RelationName) -> str:
    """Value: the last commit whose changes are deleted."""
    return f"DELETE FROM {table(relation)} WHERE {COMMIT} <= ?"


# What changed since a commit, as two temporary tables


def extent(relation: RelationName) -> str:
    """One row: how many commits have change rows after a commit (the value), and how many rows these are."""
    return f"SELECT count(DISTINCT {COMMIT}), count(*) FROM {table(relation)} WHERE {COMMIT} > ?"


def any_rows(relation: RelationName) -> str:
    """One row: how many rows left and entered, all in all."""
    counts = " + ".join(f"(SELECT count(*) FROM {identifier(made(relation))})" for made in (new_rows, old_rows))
    return f"SELECT {counts}"


def exact(column: Column, prefix: str = "") -> str:
    """A column to be compared byte by byte, whatever collation it has been given."""
    name = f"{prefix}{identifier(column.name)}"
    return f'{name} COLLATE "binary"' if column.type == "VARCHAR" else name


def images(found: Sequence[Column]) -> str:
    return ", ".join(f"{exact(column)} AS {identifier(column.name)}" for column in found)


def copied(names: Sequence[str], source: str, sign: int) -> str:
    """A SELECT of the rows that `source` counts, as often as it counts them, of one sign."""
    listed = columns(names)
    return (
        f"SELECT {listed} FROM (SELECT {listed}, unnest(range(CAST({sign} * {COUNT} AS BIGINT))) FROM {source} "
        f"WHERE {sign} * {COUNT} > 0)"
    )


def net(relation: RelationName, found: Sequence[Column], seen: int, *, several: bool) -> tuple[str, ...]:
    """Statements that make the temporary tables `new_rows` and `old_rows`: the relation's changes after the commit
    `seen`, net over all commits. `found` are its columns; `several`: there may be more than one commit."""
    names = [column.name for column in found]
    log, listed = table(relation), columns(names)
    made = {new_rows(relation): 1, old_rows(relation): -1}
    # Made empty and filled, so that a column keeps a collation it may have.
    shapes = tuple(
        f"CREATE OR REPLACE TEMP TABLE {identifier(name)} AS SELECT {listed} FROM {log} LIMIT 0" for name in made
    )
    if not several:
        return tuple(
            f"CREATE OR REPLACE TEMP TABLE {identifier(name)} AS SELECT {listed} FROM {log} "
            f"WHERE {COMMIT} > {int(seen)} AND {SIGN} = {sign}"
            for name, sign in made.items()
        )
    return (
        f"CREATE OR REPLACE TEMP TABLE {NET} AS SELECT {images(found)}, sum({SIGN}) AS {COUNT} FROM {log} "
        f"WHERE {COMMIT} > {int(seen)} GROUP BY ALL HAVING sum({SIGN}) <> 0",
        *shapes,
        *(f"INSERT INTO {identifier(name)} {copied(names, NET, sign)}" for name, sign in made.items()),
        f"DROP TABLE {NET}",
    )


def forget(relation: RelationName) -> tuple[str, ...]:
    return tuple(f"DROP TABLE IF EXISTS {identifier(name)}" for name in (new_rows(relation), old_rows(relation)))
