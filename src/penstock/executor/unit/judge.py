"""What has come of a model, against what should: rows, rows set apart, checks, and what a rebuild gives."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from penstock.domain.check_result import CheckOutcome, CheckResult
from penstock.domain.maintenance import Maintenance
from penstock.domain.model import Model
from penstock.domain.quarantine import REASONS, is_split, table_of
from penstock.domain.relation import Column
from penstock.domain.strategy import VALIDITY
from penstock.domain.unit_test import SET_APART, Expected, Fixture, Mismatch, RowDifference, StepMade
from penstock.domain.verification import Difference, Verdict, Verified
from penstock.errors import Location
from penstock.executor import differences, python_model, quarantine
from penstock.executor.unit import compare
from penstock.executor.unit.reading import TEXT
from penstock.executor.unit.values import ROW, typed_rows
from penstock.executor.work import Work
from penstock.materializations.quarantine import FAILED, both
from penstock.materializations.quarantine import compared as held_apart
from penstock.ports import Session, Warehouse
from penstock.quoting import columns, identifier, qualified
from penstock.record import record
from penstock.sql.render import bind_parameters

EXPECTED = "_penstock_expected"
WISHED = "_penstock_wished"
_WHOLE = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DECIMAL\(\d+,\d+\)")
_COMPARED = ("BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIME", "UUID", "DOUBLE", "FLOAT", TEXT)
"""Types whose values Python holds without losing anything, beside numbers; all others are compared as text."""


@record
class Stage:
    """One build of the model: at first, or after a step (`name`)."""

    expected: Expected
    location: Location
    name: str | None = None

    def mismatch(self, message: str) -> Mismatch:
        return Mismatch(message, self.location, self.name)


@record
class _Wish:
    """Rows that are expected of a FROM item with the columns `output` (by lower-case name). `optional`: those that are
    compared only where a row names them."""

    rows: Fixture
    expected: Expected
    compared: tuple[str, ...]
    output: Mapping[str, Column]
    what: str
    optional: tuple[str, ...] = ()


class Judge:
    """Judges one build."""

    def __init__(self, model: Model, root: Path, warehouse: Warehouse, session: Session, work: Work) -> None:
        self._model = model
        self._root = root
        self._warehouse = warehouse
        self._session = session
        self._work = work
        self._table = qualified(model.relation.layer, model.relation.name)

    # Rows

    def rows(self, stage: Stage) -> Iterator[Mismatch]:
        expected, session = stage.expected, self._session
        if expected.rows is not None:
            output = _by_name(session.describe(f"SELECT * FROM {self._table}"))
            wish = _Wish(expected.rows, expected, expected.compared, output, str(self._model.relation))
            yield from self._against(stage, wish, self._table, ordered=expected.ordered)
        if expected.quarantine is not None:
            held = table_of(self._model.relation)
            names = f"list_sort(list_transform({REASONS}, lambda r: split_part(r, ': ', 1)))"
            own = columns(column.name for column in session.describe(f"SELECT * FROM {self._table}"))
            source = f"(SELECT {own}, {names} AS {SET_APART} FROM {qualified(held.layer, held.name)})"
            rows = _with_sorted_reasons(expected.quarantine)
            output = _by_name(session.describe(f"SELECT * FROM {source}"))
            what = f"the quarantine of {self._model.relation}"
            wish = _Wish(rows, expected, expected.apart, output, what, (SET_APART,))
            yield from self._against(stage, wish, source)

    def _against(self, stage: Stage, wish: _Wish, source: str, *, ordered: bool = False) -> Iterator[Mismatch]:
        session, output, model = self._session, wish.output, self._model
        own = {name.lower() for name in wish.rows.names}
        compared = [name.lower() for name in wish.compared] or [n for n in output if n not in wish.optional or n in own]
        message = _columns_differ(wish, compared)
        if message is not None:
            yield stage.mismatch(message)
            return
        shape = [output[name] for name in compared]
        read = typed_rows(session, WISHED, wish.rows, shape, wish.what)
        if isinstance(read, str):
            wished: Sequence[compare.Row] = session.query(f"SELECT {_listed(shape)} FROM {read} ORDER BY {ROW}").rows
        else:
            wished = read
        found = self._in_order(shape) if ordered else session.query(f"SELECT {_listed(shape)} FROM {source}").rows
        names = [column.name for column in shape]
        key = [output[name.lower()].name for name in model.key if name.lower() in compared]
        key = key if len(key) == len(model.key) and model.materialization != "history" else []
        this = compare.Comparing(names, key, wish.expected.tolerance, wish.rows.place)
        differing = (compare.in_order if ordered else compare.in_any_order)(this, wished, found)
        if differing:
            set_apart = " set apart" if wish.optional else ""
            said = f"expected {_count(len(wished))}{set_apart}, found {_count(len(found))}, {_differ(differing)}"
            yield replace(
                stage.mismatch(said),
                columns=tuple(names),
                key=tuple(key),
                differences=tuple(differing[: compare.SHOWN]),
                more=max(0, len(differing) - compare.SHOWN),
            )

    def _in_order(self, shape: Sequence[Column]) -> Sequence[compare.Row]:
        """Rows in the order that the model's own SELECT gives them in: a table has none."""
        with ExitStack() as stack:
            found = self._session.query(self._select(stack))
            if all(_held(column.type) for column in shape):
                places = [[each.name for each in found.columns].index(column.name) for column in shape]
                return [tuple(row[place] for place in places) for row in found.rows]
            return self._session.query(f"SELECT {_listed(shape)} FROM ({self._select(stack)}\n)").rows

    def _select(self, stack: ExitStack) -> str:
        """A SELECT of what the model gives now, all of it."""
        model, session = self._model, self._session
        if model.language == "python":
            rows = python_model.call(model, self._root, self._warehouse.session, stack)
            stack.enter_context(session.register(python_model.INPUT, rows))
            return python_model.check_columns(model, session)
        return bind_parameters(model.sql, self._work.parameters) if model.parameters else model.sql

    # Checks

    def checks(self, stage: Stage, results: Sequence[CheckResult]) -> Iterator[Mismatch]:
        found = {result.name: result for result in results}
        for name, wanted in stage.expected.checks.items():
            result = found.get(name)
            if result is None:
                yield stage.mismatch(f"the check {name} was not evaluated: no row of the model has changed")
                continue
            passed = result.outcome is CheckOutcome.PASSED
            if isinstance(wanted, int):
                right, is_ = (result.failing or 0) == wanted, f"{wanted} rows to fail the check {name}"
            else:
                right, is_ = passed == (wanted == "passed"), f"the check {name} to have {wanted}"
            if not right:
                verdict = "passed" if passed else "failed"
                yield stage.mismatch(f"expected {is_}, found: {verdict}: {result.message}")

    # What is kept, against what a rebuild gives

    def rebuild(self, stage: Stage, made: StepMade) -> Iterator[Mismatch]:
        """What the product has kept must be what making it anew gives."""
        session, model = self._session, self._model
        with ExitStack() as stack:
            session.execute(f"CREATE OR REPLACE TEMP TABLE {EXPECTED} AS {self._select(stack)}")
        split = is_split(model)
        if split:
            given = session.describe(f"SELECT * FROM {EXPECTED}")
            quarantine.split(session, model, EXPECTED, given, quarantine.compiled(model, given))
        elif model.materialization != "history" and _equal(session, EXPECTED, self._table):
            return
        own = session.describe(f"SELECT * FROM {self._table}")
        if model.materialization == "history":
            own = tuple(column for column in own if column.name not in VALIDITY)
        if model.language == "python":
            how = Maintenance(unit=model.key)
        else:
            how = self._work.compiler.analysis(model, session)
            how = replace(how, unit=model.key or how.unit)
        wanted = differences.Comparison(model, own, self._table, EXPECTED, how)
        held = table_of(model.relation)
        apart_there = qualified(held.layer, held.name)
        if split:
            given_rows, kept = both(own, EXPECTED, FAILED), both(own, self._table, apart_there)
            wanted = replace(wanted, given=given_rows, kept=kept)
        found = differences.of_model(session, wanted)
        if found.verdict is Verdict.WRONG:
            yield _not_as_rebuilt(stage, made, found, own, model.key, "what is kept step by step")
        if split:
            shape = held_apart(own)
            wanted = replace(wanted, shape=shape, stored=apart_there, expected=FAILED)
            apart = differences.of_apart(session, wanted)
            if apart.verdict is Verdict.WRONG:
                yield _not_as_rebuilt(stage, made, apart, shape, model.key, "what is set apart step by step")


def _not_as_rebuilt(
    stage: Stage, made: StepMade, found: Verified, shape: Sequence[Column], key: Sequence[str], what: str
) -> Mismatch:
    shown = tuple(_row_difference(each) for each in found.differences)
    how = "; ".join([f"{made.mode}: {made.reason}", *found.notes])
    return replace(
        stage.mismatch(f"{what} is not what a rebuild gives now ({how})"),
        columns=tuple(column.name for column in shape),
        key=tuple(key),
        differences=shown,
        more=max(0, found.missing + found.extra - len(shown)),
    )


def _by_name(found: Sequence[Column]) -> dict[str, Column]:
    return {column.name.lower(): column for column in found}


def _with_sorted_reasons(rows: Fixture) -> Fixture:
    """The names of checks are compared in the order of letters, whatever order they were declared in."""
    return replace(
        rows,
        rows=tuple(
            {n: sorted(map(str, v)) if n.lower() == SET_APART and isinstance(v, list) else v for n, v in row.items()}
            for row in rows.rows
        ),
    )


def _columns_differ(wish: _Wish, compared: Sequence[str]) -> str | None:
    """Why the columns of the expected rows cannot be compared with those that are there; None when they can."""
    rows, output = wish.rows, wish.output
    unknown = [name for name in dict.fromkeys([*rows.names, *wish.compared]) if name.lower() not in output]
    if unknown:
        names = ", ".join(column.name for column in output.values())
        return f"{wish.what} has no column {', '.join(unknown)}; it has {names}"
    own = {name.lower() for name in rows.names}
    left = [output[name].name for name in compared if name not in own]
    if rows.rows and left and not wish.compared:
        return (
            f"{wish.what} has columns that no expected row has: {', '.join(left)}; add them, or say which are "
            f"compared: `{{columns: [{', '.join(rows.names)}], rows: …}}`"
        )
    return None


def _held(kind: str) -> bool:
    """Whether Python holds values of the type without losing anything."""
    return kind in _COMPARED or _WHOLE.fullmatch(kind) is not None


def _listed(shape: Sequence[Column]) -> str:
    return ", ".join(
        identifier(column.name)
        if _held(column.type)
        else f"CAST({identifier(column.name)} AS VARCHAR) AS {identifier(column.name)}"
        for column in shape
    )


def _equal(session: Session, one: str, other: str) -> bool:
    """Whether two tables of the same columns surely hold the same rows."""
    (shape, rows), (found, others) = (
        (each.columns, each.rows) for each in (session.query(f"SELECT * FROM {name}") for name in (one, other))
    )
    if shape != found or len(rows) != len(others) or any(not _held(column.type) for column in shape):
        return False
    return Counter(rows) == Counter(others)


def _row_difference(each: Difference) -> RowDifference:
    sides = [None if side is None else {**each.key, **side} for side in (each.expected, each.found)]
    changed = tuple(each.expected) if each.expected is not None and each.found is not None else ()
    return RowDifference(sides[0], sides[1], changed, each.copies)


def _count(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows:,} rows"


def _differ(differing: Sequence[RowDifference]) -> str:
    changed = sum(each.expected is not None and each.found is not None for each in differing)
    missing = sum(each.found is None for each in differing)
    extra = sum(each.copies for each in differing if each.expected is None)
    parts = [(changed, "differ" if changed > 1 else "differs"), (missing, "missing"), (extra, "not expected")]
    return ", ".join(f"{number:,} {what}" for number, what in parts if number)
