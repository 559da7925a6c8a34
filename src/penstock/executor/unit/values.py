"""Rows that people wrote → typed rows in a temporary table. A value that does not fit its type is told with its place,
never changed: `two` is no number, and 1.9 no whole one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock.domain.relation import Column
from penstock.domain.source import SourceColumn
from penstock.domain.unit_test import Fixture
from penstock.errors import PenstockError, Problem, ProjectError
from penstock.executor.unit.reading import DATE, TEXT, TIME, ready, text
from penstock.materializations.typing import normal, typed
from penstock.ports import Session
from penstock.quoting import columns as columns_of
from penstock.quoting import identifier, literal
from penstock.record import record

ROW = "_penstock_row"
BAD = "_penstock_bad"
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9]\d*)(\.\d+([eE][-+]?\d+)?|[eE][-+]?\d+)")
_PLAIN = re.compile(r"[A-Z0-9_ ]+(\(\d+(, ?\d+)?\))?")
_GENEROUS = frozenset({"DOUBLE", "FLOAT", "JSON", "BLOB", "INTERVAL", "BIT"})
"""Types whose own reading of text is taken as it is."""


def inferred(values: Iterable[Any], *, is_text: bool) -> str:
    """The type of a column nobody has stated, by its values. Text that is a date or a time is one."""
    found = [value for value in values if value is not None]
    if not found:
        return TEXT
    if any(isinstance(value, (list, dict)) for value in found):
        return "JSON"
    if is_text or all(isinstance(value, str) for value in found):
        return _of_text([str(value) for value in found], is_text=is_text)
    if all(isinstance(value, bool) for value in found):
        return "BOOLEAN"
    if any(isinstance(value, (str, bool)) for value in found):
        return TEXT
    if any(isinstance(value, float) for value in found):
        return "DOUBLE"
    return "BIGINT" if all(abs(value) < 2**63 for value in found) else "HUGEINT"


def _of_text(found: Sequence[str], *, is_text: bool) -> str:
    """In CSV all is text: what looks like a number is one there, and `007` does not."""
    if all(map(DATE.fullmatch, found)):
        return "DATE"
    if all(map(TIME.fullmatch, found)):
        return "TIMESTAMP"
    if not is_text:
        return TEXT
    if all(map(_INTEGER.fullmatch, found)):
        return "BIGINT"
    if all(_INTEGER.fullmatch(each) or _FLOAT.fullmatch(each) for each in found):
        return "DOUBLE"
    return "BOOLEAN" if all(each in {"true", "false"} for each in found) else TEXT


def types(known: Mapping[str, str], fixtures: Sequence[Fixture]) -> dict[str, str]:
    """The columns of a relation that is given by these rows: stated types first, then those that are known of the
    relation (empty text: the name only), then those of the file, then what the values look like."""
    stated = {name.lower(): normal(kind) for each in fixtures for name, kind in each.columns.items()}
    read = {name.lower(): kind for each in fixtures for name, kind in each.kinds.items()}
    names = {name.lower(): name for each in fixtures for name in (*each.columns, *each.names)}
    names |= {name.lower(): name for name in known}
    kinds = {name.lower(): kind for name, kind in known.items()}
    ordered = dict.fromkeys([*kinds, *names])
    found: dict[str, str] = {}
    for low in ordered:
        kind = stated.get(low) or kinds.get(low) or read.get(low)
        if not kind:
            is_text = any(each.is_text for each in fixtures)
            kind = inferred((_of(row, low) for each in fixtures for row in each.rows), is_text=is_text)
        found[names[low]] = kind
    return found


def _of(row: Mapping[str, Any], low: str) -> Any:
    return next((value for name, value in row.items() if name.lower() == low), None)


@record
class Staged:
    """Typed rows as a FROM item: ROW (their number, from 0) and the columns `names`, in lower case. `values` are those
    to be bound in it, None for every column that the rows leave out."""

    source: str
    values: tuple[Any, ...]
    names: frozenset[str]
    rows: int

    def column(self, name: str) -> str:
        return identifier(name) if name.lower() in self.names else "NULL"


def staged(session: Session, table: str, fixture: Fixture, columns: Mapping[str, str], what: str) -> Staged:
    """The rows by the types of `columns`. Values that Python can read surely are bound as they are; where others are
    among them, the engine reads all, into the temporary table `table`. Raises ProjectError with every value that does
    not fit."""
    kinds = {name.lower(): kind for name, kind in columns.items()}
    given = [name for name in fixture.names if name.lower() in kinds]
    lowered = [{name.lower(): value for name, value in row.items()} for row in fixture.rows]
    read = {name: ready(kinds[name.lower()], [row.get(name.lower()) for row in lowered]) for name in given}
    names = frozenset(name.lower() for name in given)
    if not fixture.rows:
        return Staged(f"(SELECT 0 AS {ROW} LIMIT 0)", (), frozenset(), 0)
    if all(found is not None for found in read.values()):
        mark = "(" + ", ".join(["?", *(f"CAST(? AS {kinds[name.lower()]})" for name in given)]) + ")"
        source = f"(VALUES {', '.join([mark] * len(lowered))})"
        columns_read = [found for found in read.values() if found is not None]
        values = [value for place in range(len(lowered)) for value in (place, *(each[place] for each in columns_read))]
        return Staged(f"(SELECT * FROM {source} AS v({columns_of((ROW, *given))}))", tuple(values), names, len(lowered))
    _stage(session, table, fixture, {name: kinds[name.lower()] for name in given}, what)
    return Staged(identifier(table), (), names, len(lowered))


def typed_rows(session: Session, table: str, fixture: Fixture, shape: Sequence[Column], what: str) -> list[Any] | str:
    """The rows as Python holds them when it has read them as these columns; the temporary table that holds them, where
    some value can only be read by the engine. Raises as `staged` does."""
    lowered = [{name.lower(): value for name, value in row.items()} for row in fixture.rows]
    read = [ready(column.type, [row.get(column.name.lower()) for row in lowered]) for column in shape]
    sure = [each for each in read if each is not None]
    if len(sure) == len(shape):
        return list(zip(*sure, strict=True)) if shape else [()] * len(lowered)
    _stage(session, table, fixture, {column.name: column.type for column in shape}, what)
    return table


def _stage(session: Session, table: str, fixture: Fixture, columns: Mapping[str, str], what: str) -> None:
    """Have the engine read the rows: into the temporary table `table`, with ROW and `columns`."""
    declared = [f"{ROW} BIGINT", f"{BAD} VARCHAR", *(f"{identifier(name)} {kind}" for name, kind in columns.items())]
    session.execute(f"CREATE OR REPLACE TEMP TABLE {identifier(table)} ({', '.join(declared)})")
    own = {name.lower() for name in fixture.names}
    given = [name for name in columns if name.lower() in own]
    readings = {name: _reading(name, columns[name]) for name in given}
    bad = " ".join(f"WHEN {wrong} THEN {literal(name)}" for name, (_, wrong) in readings.items() if wrong)
    mark = "(?" + ", CAST(? AS VARCHAR)" * len(given) + ")"
    selected = ", ".join([ROW, f"CASE {bad} END" if bad else "NULL", *(value for value, _ in readings.values())])
    values: list[Any] = []
    for place, row in enumerate(fixture.rows):
        values.extend((place, *(text(_of(row, name.lower())) for name in given)))
    sql = (
        f"INSERT INTO {identifier(table)} ({columns_of((ROW, BAD, *given))}) SELECT {selected} "
        f"FROM (VALUES {', '.join([mark] * len(fixture.rows))}) AS given({columns_of((ROW, *given))})"
    )
    try:
        session.execute(sql, values)
    except PenstockError as error:
        raise ProjectError(
            [Problem("TEST_VALUE", f"{what}: {error.problem.message}", fixture.location, "state its type: `columns:`")]
        ) from error
    if bad:
        _check(session, table, fixture, columns, what)


def _check(session: Session, table: str, fixture: Fixture, columns: Mapping[str, str], what: str) -> None:
    wrong = session.query(
        f"SELECT {ROW}, {BAD} FROM {identifier(table)} WHERE {BAD} IS NOT NULL ORDER BY {ROW} LIMIT 20"
    ).rows
    if wrong:
        raise ProjectError(
            [
                Problem(
                    "TEST_VALUE",
                    f"{what}.{name}: expected {columns[name]}, found {_of(fixture.rows[row], name.lower())!r}",
                    fixture.place(row),
                    "correct the value, or state another type under `columns:`",
                )
                for row, name in wrong
            ]
        )


def _reading(name: str, kind: str) -> tuple[str, str | None]:
    """SQL of a text column as its type, and of whether a value does not fit (None: all do)."""
    column = identifier(name)
    if kind == TEXT:
        return column, None
    if kind in _GENEROUS or not _PLAIN.fullmatch(kind):
        value = f"TRY_CAST({column} AS {kind})"
        if kind not in _GENEROUS:  # lists and records are written in YAML, and come here as JSON
            value = f"coalesce(TRY_CAST(TRY_CAST({column} AS JSON) AS {kind}), {value})"
        # Inside a list, what does not fit becomes NULL: no NULL may be there that nobody wrote.
        lost = f"(contains(CAST(to_json({value}) AS VARCHAR), 'null') AND NOT contains({column}, 'null'))"
        return value, f"({column} IS NOT NULL AND ({value} IS NULL{'' if kind in _GENEROUS else f' OR {lost}'}))"
    found = typed(Column(name, TEXT), SourceColumn(name, kind))
    return found.value, found.bad
