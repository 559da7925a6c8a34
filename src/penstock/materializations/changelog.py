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


def write(relation: RelationName, names: Sequence[str], number: int, rows: Sequence[tuple[int, str]]) -> str:
    """Log rows as changes of the commit `number`: signs and FROM items with the columns `names`."""
    listed = columns(names)
    parts = (f"SELECT {listed}, {int(number)}, {int(sign)} FROM {item}" for sign, item in rows)
    return f"INSERT INTO {table(relation)} ({listed}, {COMMIT}, {SIGN}) {' UNION ALL '.join(parts)}"


def told(relation: RelationName, place: int) -> str:
    """What ledger and log say of the commits after one: rows of `place`, a word, a number and a count.

    `since`: where the log begins; `ledger`: a commit and how many change rows it has; `log`: a commit and how many rows
    of it the log holds. Values: relation; relation, the commit after which and the last one up to which it is looked
    at; the commit again.
    """
    return (
        f"SELECT {place} AS place, 'since' AS what, since AS number, CAST(NULL AS BIGINT) AS count "
        "FROM _penstock.logs WHERE relation = ? "
        f"UNION ALL SELECT {place}, 'ledger', number, changes FROM _penstock.commits "
        "WHERE relation = ? AND number > ? AND number <= ? "
        f"UNION ALL SELECT {place}, 'log', {COMMIT}, count(*) FROM {table(relation)} WHERE {COMMIT} > ? "
        f"GROUP BY {COMMIT}"
    )


def prune(relation: RelationName) -> str:
    """Value: the last commit whose changes are deleted."""
    return f"DELETE FROM {table(relation)} WHERE {COMMIT} <= ?"


# What changed since a commit, under two names


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
    """Statements that make the temporary views `new_rows` and `old_rows`: the relation's changes after the commit
    `seen`, net over all commits. `found` are its columns; `several`: there may be more than one commit."""
    names = [column.name for column in found]
    log, listed = table(relation), columns(names)
    if not several:  # a log is net within one commit: its rows can be read where they are
        return tuple(
            _view(made(relation), f"SELECT {listed} FROM {log} WHERE {COMMIT} > {int(seen)} AND {SIGN} = {sign}")
            for made, sign in _SIGNS
        )
    netted = {_netted(made(relation)): (made(relation), sign) for made, sign in _SIGNS}
    return (
        f"CREATE OR REPLACE TEMP TABLE {NET} AS SELECT {images(found)}, sum({SIGN}) AS {COUNT} FROM {log} "
        f"WHERE {COMMIT} > {int(seen)} GROUP BY ALL HAVING sum({SIGN}) <> 0",
        # Made empty and filled, so that a column keeps a collation it may have.
        *(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {listed} FROM {log} LIMIT 0" for name in netted),
        *(f"INSERT INTO {name} {copied(names, NET, sign)}" for name, (_, sign) in netted.items()),
        f"DROP TABLE {NET}",
        *(_view(view, f"SELECT {listed} FROM {name}") for name, (view, _) in netted.items()),
    )


_SIGNS = ((new_rows, 1), (old_rows, -1))


def _view(name: str, select: str) -> str:
    return f"CREATE OR REPLACE TEMP VIEW {identifier(name)} AS {select}"


def _netted(view: str) -> str:
    return identifier(f"{view} {NET}")


def forget(relation: RelationName) -> tuple[str, ...]:
    names = [made(relation) for made, _ in _SIGNS]
    return (
        *(f"DROP VIEW IF EXISTS {identifier(name)}" for name in names),
        *(f"DROP TABLE IF EXISTS {_netted(name)}" for name in names),
    )
