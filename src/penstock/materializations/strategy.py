"""Statements of the strategies a person can choose, and what they ask of a model's output. Everything here is text."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.domain.maintenance import AFFECTED
from penstock.domain.model import Model
from penstock.domain.relation import Column, RelationName
from penstock.domain.strategy import VALIDITY, TimeRange
from penstock.errors import DataError, UserError
from penstock.materializations.maintain import GONE, NEW, OLD, ROW, name_of, placeless
from penstock.materializations.quarantine import FAILED
from penstock.quoting import columns, identifier, literal

RANGE = "_penstock_range"
KEPT = "_penstock_kept"
_VALIDITY_TYPES = ("TIMESTAMP", "TIMESTAMP", "BOOLEAN")
VALID = tuple(Column(name, kind) for name, kind in zip(VALIDITY, _VALIDITY_TYPES, strict=True))
"""The columns of a history that are not its SELECT's."""
_TIMES = ("DATE", "TIMESTAMP")


# What is asked of the output


def check_named(model: Model, found: Sequence[Column]) -> None:
    """The columns that front matter names are in the output, and those that date something are times. Raises
    UserError."""
    types = {column.name.lower(): column.type for column in found}
    listed = ", ".join(column.name for column in found)
    span, versions = model.strategy.time_range, model.strategy.history
    for what, names in (
        ("key", model.key),
        ("group", model.strategy.group),
        ("time_range", (span.column,) if span else ()),
        ("history", (*((versions.column,) if versions.column else ()), *versions.columns) if versions else ()),
    ):
        absent = [name for name in names if name.lower() not in types]
        if absent:
            raise UserError(
                f"{model.relation}: expected the columns of its {what} in the output, found no {', '.join(absent)}",
                code="KEY_NOT_IN_OUTPUT" if what == "key" else "COLUMN_NOT_IN_OUTPUT",
                hint=f"select it, or name another; the output has: {listed}",
            )
    time = span.column if span else versions.column if versions else None
    if time is not None and not types[time.lower()].startswith(_TIMES):
        raise UserError(
            f"{model.relation}.{time}: expected a date or a timestamp, found {types[time.lower()]}",
            code="NOT_A_TIME",
            hint=f"CAST({time} AS TIMESTAMP), or name another column",
        )
    if model.materialization in ("merge", "time_range", "history") and placeless(found):
        raise UserError(
            f"{model.relation}: a column is named rowid, by which the place of a row in its table is known",
            code="RESERVED_NAME",
            hint="name it otherwise with AS",
        )
    taken = [column.name for column in found if column.name.lower() in VALIDITY]
    if taken and model.materialization == "history":
        raise UserError(
            f"{model.relation}: its SELECT gives {', '.join(taken)}, which a history adds itself",
            code="RESERVED_NAME",
            hint="name it otherwise with AS, or leave it out",
        )


def widened(model: Model, found: Sequence[Column], before: Sequence[Column]) -> str | None:
    """A statement that gives the table the columns `found`, when that loses nothing; None when it has them. Raises
    DataError for columns that are gone or of another type. `before` and `found` without those a history adds."""
    if list(found) == list(before):
        return None
    types = {column.name.lower(): column.type for column in found}
    lost = [f"{column.name} ({column.type})" for column in before if types.get(column.name.lower()) != column.type]
    if lost:
        raise DataError(
            f"{model.relation}: expected the columns it has, found {', '.join(f'{c.name} ({c.type})' for c in found)}; "
            f"gone or of another type: {', '.join(lost)}",
            code="SCHEMA_CHANGED",
            hint="its rows cannot all be made anew: give the column again (NULL is fine). To begin anew and lose what "
            f"only this table holds: penstock run --full-refresh {model.relation}",
        )
    had = {column.name.lower(): column.name for column in before}
    listed = ", ".join(
        f"{identifier(had[column.name.lower()])} AS {identifier(column.name)}"
        if column.name.lower() in had
        else f"CAST(NULL AS {column.type}) AS {identifier(column.name)}"
        for column in found
    )
    valid = f", {columns(VALIDITY)}" if model.materialization == "history" else ""
    table = name_of(model.relation)
    return f"CREATE OR REPLACE TABLE {table} AS SELECT {listed}{valid} FROM {table}"


# merge


def given(key: Sequence[str], row: str) -> str:
    """Whether NEW has a row with the key of `row`."""
    same = " AND ".join(f"n.{identifier(name)} IS NOT DISTINCT FROM {row}.{identifier(name)}" for name in key)
    return f"EXISTS (SELECT 1 FROM (SELECT {columns(key)} FROM {NEW}) AS n WHERE {same})"


def failing_keys(relation: RelationName, found: Sequence[Column], key: Sequence[str]) -> str:
    """Rows into GONE of which the SELECT now gives only ones that are set apart."""
    same = " AND ".join(f"f.{identifier(name)} IS NOT DISTINCT FROM t.{identifier(name)}" for name in key)
    return (
        f"INSERT INTO {GONE} SELECT t.rowid AS {ROW}, {columns((c.name for c in found), 't')} "
        f"FROM {name_of(relation)} AS t "
        f"WHERE EXISTS (SELECT 1 FROM (SELECT {columns(key)} FROM {FAILED}) AS f WHERE {same}) "
        f"AND NOT {given(key, 't')}"
    )


def held_keys(held: RelationName, key: Sequence[str], into: str) -> str:
    """The rows that are set apart with a key that NEW has, with their places."""
    return (
        f"CREATE OR REPLACE TEMP TABLE {into} AS SELECT q.rowid AS {ROW}, q.* FROM {name_of(held)} AS q "
        f"WHERE {given(key, 'q')}"
    )


def kept(
    relation: RelationName,
    found: Sequence[Column],
    held: RelationName | None,
    shared: Sequence[Column],
    condition: str,
) -> tuple[str, ...]:
    """Statements that add rows of the table (columns `found`) and of its quarantine (of these it has `shared`) to NEW:
    those for which the condition, on the alias `k`, is true."""
    rows = f"SELECT {columns((c.name for c in found), 'k')} FROM {name_of(relation)} AS k WHERE {condition}"
    if held is not None and shared:
        names = columns((column.name for column in shared), "k")
        rows += f" UNION ALL BY NAME SELECT {names} FROM {name_of(held)} AS k WHERE {condition}"
    return (
        f"CREATE OR REPLACE TEMP TABLE {KEPT} AS {rows}",
        f"INSERT INTO {NEW} BY NAME SELECT * FROM {KEPT}",
        f"DROP TABLE {KEPT}",
    )


# time_range


def ranged(select: str, span: TimeRange) -> str:
    """The SELECT with the range each of its rows is in."""
    return f"SELECT *, {_range(span)} AS {identifier(RANGE)} FROM ({select}\n) AS _rows"


def _range(span: TimeRange, prefix: str = "") -> str:
    lead = f"{prefix}." if prefix else ""
    return f"date_trunc('{span.grain}', CAST({lead}{identifier(span.column)} AS TIMESTAMP))"


def in_ranges(span: TimeRange, row: str) -> str:
    """Whether `row` is in an affected range."""
    return f"EXISTS (SELECT 1 FROM {AFFECTED} AS a WHERE a.u0 IS NOT DISTINCT FROM {_range(span, row)})"


def old_ranges(relation: RelationName, span: TimeRange, into: str = OLD) -> str:
    """The rows in the affected ranges as they are, with their places in the table."""
    return (
        f"CREATE OR REPLACE TEMP TABLE {into} AS SELECT m.rowid AS {ROW}, m.* FROM {name_of(relation)} AS m "
        f"SEMI JOIN {AFFECTED} AS a ON a.u0 IS NOT DISTINCT FROM {_range(span, 'm')}"
    )


def bound(relations: Sequence[RelationName], span: TimeRange, now: str) -> str:
    """One value: where the ranges begin that are made anew when nobody can tell which have changed, as text; NULL for
    empty tables (`relations`: what is published and what is set apart). A time later than `now` is not believed: it
    would leave everything before it alone."""
    micros = round(span.lookback * 1_000_000)
    seen = f"max(CAST({identifier(span.column)} AS TIMESTAMP))"
    latest = f"CASE WHEN {seen} IS NOT NULL THEN least({seen}, CAST({literal(now)} AS TIMESTAMP)) END"
    return (
        f"SELECT CAST(date_trunc('{span.grain}', {latest} - to_microseconds({micros})) AS VARCHAR) "
        f"FROM ({' UNION ALL '.join(f'SELECT {identifier(span.column)} FROM {name_of(each)}' for each in relations)})"
    )


def since(rows: str, span: TimeRange, lowest: str) -> str:
    """The rows of a FROM item in ranges that begin at `lowest` or later, and those without a time."""
    at = f"CAST({identifier(span.column)} AS TIMESTAMP)"
    return f"SELECT * FROM {rows} WHERE {at} >= CAST({literal(lowest)} AS TIMESTAMP) OR {at} IS NULL"


def before(span: TimeRange, lowest: str) -> str:
    """Whether a row `k` is in none of the ranges that `since` gives."""
    return f"CAST(k.{identifier(span.column)} AS TIMESTAMP) < CAST({literal(lowest)} AS TIMESTAMP)"


def old_since(relation: RelationName, span: TimeRange, lowest: str, into: str = OLD) -> str:
    rows = f"(SELECT rowid AS {ROW}, * FROM {name_of(relation)})"
    return f"CREATE OR REPLACE TEMP TABLE {into} AS {since(rows, span, lowest)}"


def old_all(relation: RelationName) -> str:
    return f"CREATE OR REPLACE TEMP TABLE {OLD} AS SELECT rowid AS {ROW}, * FROM {name_of(relation)}"


# history


def empty_history(relation: RelationName, found: Sequence[Column]) -> str:
    listed = ", ".join(f"{identifier(column.name)} {column.type}" for column in (*found, *VALID))
    return f"CREATE OR REPLACE TABLE {name_of(relation)} ({listed})"


def concerned(unit: Sequence[str]) -> str:
    """A condition on a stored version `h`: it belongs to an affected unit."""
    same = " AND ".join(
        f"a.{identifier(f'u{place}')} IS NOT DISTINCT FROM h.{identifier(name)}" for place, name in enumerate(unit)
    )
    return f"EXISTS (SELECT 1 FROM {AFFECTED} AS a WHERE {same or 'true'})"


def undated(column: str) -> str:
    """One row: how many rows of NEW do not say since when they are valid."""
    return f"SELECT count(*) FROM {NEW} WHERE {identifier(column)} IS NULL"
