"""A laboratory for maintained queries: tables, changes, and the one question whether what is kept equals a rebuild.

`follow` makes the model's table with the query itself, then lets the engine's statements follow every change of its
inputs, and compares with what DuckDB says the query gives now: as multisets, stamps left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import duckdb

from penstock.domain.maintenance import AFFECTED, BELOW, Maintenance, new_rows, old_rows
from penstock.domain.relation import RelationName
from penstock.embedded.connection import NO_COMMON_SUBPLANS, version
from penstock.incremental.catalog import Catalog
from penstock.incremental.nodes import relations
from penstock.incremental.program import analyse, program
from penstock.incremental.reasons import Rebuild
from penstock.incremental.resolve import resolve
from penstock.quoting import identifier, literal, qualified

Row = tuple[Any, ...]
State = Mapping[str, Sequence[Row]]
"""The rows of every table (`"raw.a"`), as they stand between two looks."""
MODEL = "stg.model"
"""The table that is kept."""


@dataclass(frozen=True)
class Table:
    """`columns`: name → DuckDB type. `key`: columns that tell its rows apart, if there are any."""

    columns: Mapping[str, str]
    key: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """One query, what it reads, and all that may be known of it."""

    sql: str
    tables: Mapping[str, Table]
    views: Mapping[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    families: frozenset[str] = frozenset()

    @property
    def catalog(self) -> Catalog:
        name = RelationName.parse
        return Catalog(
            {name(table): tuple(known.columns) for table, known in self.tables.items()},
            {name(view): sql for view, sql in self.views.items()},
            {name(table): known.key for table, known in self.tables.items() if known.key},
        )


class Different(AssertionError):
    """The maintained table is not what a rebuild gives."""


class Refused(Exception):
    """DuckDB itself does not take the query: the case says nothing."""


@dataclass(frozen=True)
class Followed:
    """`reason`: why the model is rebuilt, None when it is maintained. `steps`: how many states were followed."""

    reason: str | None
    steps: int = 0


@contextmanager
def laboratory() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory with one thread."""
    connection = duckdb.connect(":memory:", config={"threads": 1})
    try:
        if version() >= (2,):
            connection.execute(NO_COMMON_SUBPLANS)
        connection.execute("CREATE SCHEMA raw; CREATE SCHEMA stg")
        yield connection
    finally:
        connection.close()


def follow(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    states: Sequence[State],
    *,
    always: bool = False,
    tolerance: float | None = None,
) -> Followed:
    """Let the model's table follow `states` one after the other. With `always` every input counts as changed at every
    step, also those that did not. `tolerance`: relative, for floating point. Raises Different, Refused."""
    try:
        _build(connection, model, states[0])
        found = analyse(model.sql, model.catalog, model.key)
        if found.reason is not None:
            return Followed(found.reason)
        if found.below:
            connection.execute(f"CREATE OR REPLACE TABLE {MODEL} AS {found.below}")
        inputs = sorted(relations(resolve(model.sql, model.catalog)))
        for before, after in pairwise(states):
            changed = [one for one in inputs if always or Counter(before[str(one)]) != Counter(after[str(one)])]
            _change(connection, model, before, after)
            if changed:
                maintain(connection, model, found, changed)
            compare(connection, model, found, tolerance=tolerance)
        return Followed(None, len(states) - 1)
    finally:
        _clear(connection, model)


def built(connection: duckdb.DuckDBPyConnection, model: Model, state: State) -> list[tuple[str, str]]:
    """The names and types of the columns that the query gives. Raises Refused."""
    try:
        _build(connection, model, state)
        return [(row[0], row[1]) for row in connection.execute(f"DESCRIBE {MODEL}").fetchall()]
    finally:
        _clear(connection, model)


def _build(connection: duckdb.DuckDBPyConnection, model: Model, state: State) -> None:
    for name, table in model.tables.items():
        columns = ", ".join(f"{identifier(column)} {kind}" for column, kind in table.columns.items())
        connection.execute(f"CREATE OR REPLACE TABLE {_address(name)} ({columns})")
        _fill(connection, _address(name), state[name])
    try:
        for name, sql in model.views.items():
            connection.execute(f"CREATE OR REPLACE VIEW {_address(name)} AS {sql}")
        connection.execute(f"CREATE OR REPLACE TABLE {MODEL} AS {model.sql}")
    except duckdb.Error as error:
        raise Refused(str(error)) from error


def _address(name: str) -> str:
    relation = RelationName.parse(name)
    return qualified(relation.layer, relation.name)


def _fill(connection: duckdb.DuckDBPyConnection, address: str, rows: Sequence[Row]) -> None:
    if rows:
        values = ", ".join("(" + ", ".join(_literal(value) for value in row) + ")" for row in rows)
        connection.execute(f"INSERT INTO {address} VALUES {values}")


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return literal(str(value))


def _change(connection: duckdb.DuckDBPyConnection, model: Model, before: State, after: State) -> None:
    """Give the tables their next rows, and say what entered and what left, net."""
    for name in model.tables:
        relation = RelationName.parse(name)
        was, now = Counter(before[name]), Counter(after[name])
        for table, rows in ((new_rows(relation), now - was), (old_rows(relation), was - now)):
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {identifier(table)} AS FROM {_address(name)} WHERE false")
            _fill(connection, identifier(table), list(rows.elements()))
        if was != now:
            connection.execute(f"DELETE FROM {_address(name)}")
            _fill(connection, _address(name), after[name])


def maintain(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    found: Maintenance,
    changed: Sequence[RelationName],
    table: str = MODEL,
) -> None:
    """Let `table`, which is what `model` (or what is below its LIMIT) gave, follow the changes of its inputs."""
    try:
        made = program(found.below or model.sql, model.catalog, changed, model.key)
    except Rebuild as why:
        raise Different(f"analysis says maintained, the program says rebuilt: {why.reason}") from why
    try:
        for statement in made.prepare:
            connection.execute(statement)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS {made.select}")
        nulls = " OR ".join(f"u{at} IS NULL" for at in range(len(made.unit)))
        if not connection.sql(f"FROM {identifier(AFFECTED)} WHERE {nulls}").fetchall():
            quicker = f"CREATE OR REPLACE TEMP TABLE quicker AS {made.select_without_nulls}"
            connection.execute(quicker)
            _same_rows(connection, "quicker", "fresh", made.stamps)
    except duckdb.Error as error:
        raise Different(f"DuckDB refuses what was made of the query: {error}") from error
    within = " AND ".join(
        f"kept.{identifier(name)} IS NOT DISTINCT FROM units.u{at}" for at, name in enumerate(made.unit)
    )
    connection.execute(
        f"DELETE FROM {table} AS kept WHERE EXISTS (SELECT 1 FROM {identifier(AFFECTED)} AS units WHERE {within})"
    )
    connection.execute(f"INSERT INTO {table} SELECT * FROM fresh")
    for left in made.temporary:
        connection.execute(f"DROP TABLE temp.{identifier(left)}")


def compare(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    found: Maintenance,
    table: str = MODEL,
    *,
    tolerance: float | None = None,
) -> None:
    """Raises Different when `table` is not what the model's query gives now."""
    kept = table
    if found.above:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {identifier(BELOW)} AS FROM {table}")
        kept = f"({found.above})"
    if tolerance is None:
        _same_rows(connection, kept, f"({model.sql})", found.stamps)
    else:
        _close(connection.sql(f"FROM {kept}").fetchall(), connection.sql(model.sql).fetchall(), tolerance)


def _same_rows(connection: duckdb.DuckDBPyConnection, mine: str, theirs: str, stamps: Sequence[str]) -> None:
    left_out = f"EXCLUDE ({', '.join(identifier(name) for name in stamps)})" if stamps else ""
    kept = connection.sql(f"SELECT * {left_out} FROM {mine}").fetchall()
    rebuilt = connection.sql(f"SELECT * {left_out} FROM {theirs}").fetchall()
    mine, theirs = Counter(map(_hashable, kept)), Counter(map(_hashable, rebuilt))
    if mine != theirs:
        wrong, missing = list((mine - theirs).elements()), list((theirs - mine).elements())
        raise Different(f"rows that should not be there: {wrong}; rows that are missing: {missing}")


def _hashable(row: Row) -> Row:
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)


def _close(kept: list[Row], rebuilt: list[Row], tolerance: float) -> None:
    """Rows equal but for the last bits of their floating-point values."""

    def order(row: Row) -> str:
        return repr([round(value, 6) if isinstance(value, float) else value for value in row])

    if len(kept) != len(rebuilt):
        raise Different(f"{len(kept)} rows, {len(rebuilt)} in a rebuild")
    for mine, theirs in zip(sorted(kept, key=order), sorted(rebuilt, key=order), strict=True):
        for one, other in zip(mine, theirs, strict=True):
            near = isinstance(one, float) and isinstance(other, float)
            if one != other and not (near and abs(one - other) <= tolerance * max(1.0, abs(other))):
                raise Different(f"{mine} is {theirs} in a rebuild")


def _clear(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    for name in reversed(model.views):
        connection.execute(f"DROP VIEW IF EXISTS {_address(name)}")
    connection.execute(f"DROP TABLE IF EXISTS {MODEL}")
