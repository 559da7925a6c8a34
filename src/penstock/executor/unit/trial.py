"""One test, carried out: inputs laid out, models built, steps followed, what comes of it compared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from penstock.domain.check_result import CheckOutcome, CheckResult
from penstock.domain.ledger import Ledger
from penstock.domain.maintenance import Maintenance
from penstock.domain.model import Model
from penstock.domain.plan import BuildStep
from penstock.domain.project import Parameter, Project
from penstock.domain.relation import Column
from penstock.domain.strategy import VALIDITY
from penstock.domain.unit_test import (
    Expected,
    Fixture,
    Mismatch,
    RowDifference,
    StepMade,
    UnitPlan,
    UnitResult,
    UnitStatus,
)
from penstock.domain.verification import Difference, Verdict
from penstock.errors import Cancelled, InternalError, Location, PenstockError
from penstock.executor import differences, python_model
from penstock.executor import ledger as ledgers
from penstock.executor.build import build
from penstock.executor.compiled import Compiler
from penstock.executor.unit import compare, inputs
from penstock.executor.unit.reading import TEXT
from penstock.executor.unit.values import ROW, typed_rows
from penstock.executor.work import Outcome, Work
from penstock.planner.reach import Reach
from penstock.ports import Landing, Session, Warehouse
from penstock.quoting import identifier, qualified
from penstock.sql.render import bind_parameters

EXPECTED = "_penstock_expected"
WISHED = "_penstock_wished"
CLOCK = datetime(2000, 1, 1, tzinfo=UTC)
"""Of tests of models that use no time."""
_LATER = timedelta(seconds=1)
_ENVIRONMENT = "test"
_WHOLE = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DECIMAL\(\d+,\d+\)")
_COMPARED = ("BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIME", "UUID", "DOUBLE", "FLOAT", TEXT)
"""Types whose values Python holds without losing anything, beside numbers; all others are compared as text."""


@dataclass(frozen=True, slots=True)
class Laboratory:
    """What the tests of a project share. `programs`: the folder of compiled maintenance programs; `environment`: the
    value of $environment; `landing` is an empty one."""

    project: Project
    root: Path
    environment: str
    programs: Path
    landing: Landing
    timer: Callable[[], float]


class _Compiler(Compiler):
    """Nothing is made for a next run: there is none."""

    def foresee(self, model: Model, session: Session) -> None:
        return


@dataclass(frozen=True, slots=True)
class _Stage:
    """One build of the model: at first, or after a step."""

    expected: Expected
    location: Location
    name: str | None = None


class Trial:
    """One test in an empty warehouse."""

    def __init__(self, plan: UnitPlan, laboratory: Laboratory, warehouse: Warehouse) -> None:
        self._plan = plan
        self._lab = laboratory
        self._warehouse = warehouse
        self._session = warehouse.session()
        self._project = _reduced(laboratory.project, plan)
        self._mismatches: list[Mismatch] = []
        self._made: list[StepMade] = []
        self._wish: tuple[str, ...] = ()

    def run(self) -> UnitResult:
        begun = self._lab.timer()
        test = self._plan.test
        try:
            self._all()
        except Cancelled:
            raise
        except PenstockError as error:
            self._failed(error, _Stage(test.expected, test.location))
        except Exception as error:
            bug = InternalError(f"{type(error).__name__}: {error}", code="BUG", hint="please report it")
            bug.__cause__ = error
            self._failed(bug, _Stage(test.expected, test.location))
        status = UnitStatus.FAILED if self._mismatches else UnitStatus.PASSED
        seconds = self._lab.timer() - begun
        return UnitResult(
            test.name, test.model, test.location, status, seconds, tuple(self._mismatches), tuple(self._made)
        )

    def _failed(self, error: PenstockError, stage: _Stage) -> None:
        message = "an error, where none is expected"
        self._mismatches.append(Mismatch(message, stage.location, stage.name, problems=error.problems))

    # Building

    def _all(self) -> None:
        test, session = self._plan.test, self._session
        ledgers.prepare(session, _ENVIRONMENT, tuple(layer.name for layer in self._lab.project.layers))
        now = at = _moment(test.now) or CLOCK
        given = inputs.laid_out(self._plan, session, _stamp(at))
        work = self._work(inputs.noted(given, session, now) if test.steps and given else Ledger(), now)
        if not self._stage(_Stage(test.expected, test.expected.location), work):
            return
        for step in test.steps:
            now = _moment(step.now) or now
            at = max(now, at + _LATER)
            work = self._work(ledgers.read(session), now)
            stage = _Stage(step.expected, step.expected.location, step.name)
            try:
                inputs.change(step, given, work, session, _stamp(at))
            except PenstockError as error:
                self._failed(error, replace(stage, location=step.location))
                return
            if not self._stage(stage, work):
                return
            if step.mode is not None and self._made[-1].mode != step.mode:
                made = self._made[-1]
                message = f"expected the model to be {step.mode}, found {made.mode}: {made.reason}"
                self._mismatches.append(Mismatch(message, step.location, step.name))

    def _work(self, ledger: Ledger, now: datetime) -> Work:
        project = self._project
        parameters: dict[str, Parameter] = {**project.variables, **self._plan.test.variables}
        utc = now.astimezone(UTC).replace(tzinfo=None)
        parameters |= {"run_ts": utc, "run_date": utc.date(), "environment": self._lab.environment}
        return Work(
            run=_ENVIRONMENT,
            root=self._lab.root,
            home=self._lab.root,
            landing=self._lab.landing,
            roots={},
            parameters=parameters,
            ledger=ledger,
            now=lambda: now,
            started=now,
            warehouse=self._warehouse,
            committer=ledgers.Committer(self._warehouse, _ENVIRONMENT, ledger, lambda: now),
            reach=Reach(project, parameters),
            compilers=lambda reach, catalogue: _Compiler(self._lab.programs, reach, catalogue),
        )

    def _stage(self, stage: _Stage, work: Work) -> bool:
        """Build, and compare. False when what follows would say nothing."""
        try:
            outcome = self._built(work)
        except Cancelled:
            raise
        except PenstockError as error:
            return self._refused(error, stage)
        if stage.expected.is_error:
            wanted = stage.expected.error_code or repr(stage.expected.error_text)
            self._mismatches.append(Mismatch(f"expected the error {wanted}, found none", stage.location, stage.name))
            return True
        rows = outcome.rows
        mode = outcome.mode or outcome.status.value
        self._made.append(StepMade(stage.name, mode, outcome.reason, rows))
        if stage.expected.rows is not None:
            self._rows(stage, work)
        if stage.expected.checks:
            self._checks(stage, outcome.checks)
        if stage.name is not None and not work.reach.is_view(self._plan.model):
            self._rebuild(stage, work)
        return True

    def _built(self, work: Work) -> Outcome:
        for model in self._plan.built:
            reach = work.reach
            outcome = build(
                BuildStep(
                    f"build:{model.relation}",
                    model,
                    reach.materialization(model),
                    reach.inputs(model),
                    reach.fingerprint(model),
                    True,
                    "",
                    (),
                    reach.moment(model),
                ),
                work,
            )
        return outcome

    def _refused(self, error: PenstockError, stage: _Stage) -> bool:
        wanted = stage.expected
        if not wanted.is_error:
            self._failed(error, stage)
            return False
        codes = [problem.code for problem in error.problems]
        texts = " ".join(problem.message for problem in error.problems).lower()
        right = (wanted.error_code in {None, *codes}) and (wanted.error_text or "").lower() in texts
        if not right:
            what = wanted.error_code or repr(wanted.error_text)
            message = f"expected the error {what}, found another"
            self._mismatches.append(Mismatch(message, stage.location, stage.name, problems=error.problems))
        self._made.append(StepMade(stage.name, "refused", codes[0], None))
        return right

    # Comparing

    def _rows(self, stage: _Stage, work: Work) -> None:
        wanted, session, model = stage.expected, self._session, self._plan.model
        rows = wanted.rows
        if rows is None:
            return
        table = qualified(model.relation.layer, model.relation.name)
        output = {column.name.lower(): column for column in session.describe(f"SELECT * FROM {table}")}
        compared = [name.lower() for name in wanted.compared] or list(output)
        message = _columns_differ(rows, wanted, output, model)
        if message is not None:
            self._mismatches.append(Mismatch(message, stage.location, stage.name))
            return
        shape = [output[name] for name in compared]
        listed = _listed(shape)
        read = typed_rows(session, WISHED, rows, shape, str(model.relation))
        if isinstance(read, str):
            wished: Sequence[compare.Row] = session.query(f"SELECT {listed} FROM {read} ORDER BY {ROW}").rows
        else:
            wished = read
        with ExitStack() as stack:
            source = self._select(work, stack) if wanted.ordered else f"SELECT * FROM {table}"
            found = session.query(f"SELECT {listed} FROM ({source}\n)").rows
        names = [column.name for column in shape]
        key = [output[name.lower()].name for name in model.key if name.lower() in compared]
        key = key if len(key) == len(model.key) and model.materialization != "history" else []
        this = compare.Comparing(names, key, wanted.tolerance, rows.place)
        differing = (compare.in_order if wanted.ordered else compare.in_any_order)(this, wished, found)
        if differing:
            self._mismatches.append(
                Mismatch(
                    f"expected {_count(len(wished))}, found {_count(len(found))}, {_differ(differing)}",
                    stage.location,
                    stage.name,
                    tuple(names),
                    tuple(key),
                    tuple(differing[: compare.SHOWN]),
                    max(0, len(differing) - compare.SHOWN),
                )
            )

    def _select(self, work: Work, stack: ExitStack) -> str:
        """The model's own SELECT: its order is no part of a table."""
        model, session = self._plan.model, self._session
        if model.language == "python":
            rows = python_model.call(model, self._lab.root, self._warehouse.session, stack)
            stack.enter_context(session.register(python_model.INPUT, rows))
            return python_model.check_columns(model, session)
        return bind_parameters(model.sql, work.parameters) if model.parameters else model.sql

    def _checks(self, stage: _Stage, results: Sequence[CheckResult]) -> None:
        found = {result.name: result for result in results}
        for name, wanted in stage.expected.checks.items():
            result = found.get(name)
            if result is None:
                message = f"the check {name} was not evaluated: no row of the model has changed"
                self._mismatches.append(Mismatch(message, stage.location, stage.name))
                continue
            passed = result.outcome is CheckOutcome.PASSED
            if isinstance(wanted, int):
                right, is_ = (result.failing or 0) == wanted, f"{wanted} rows to fail the check {name}"
            else:
                right, is_ = passed == (wanted == "passed"), f"the check {name} to have {wanted}"
            if not right:
                message = f"expected {is_}, found: {'passed' if passed else 'failed'}: {result.message}"
                self._mismatches.append(Mismatch(message, stage.location, stage.name))

    def _rebuild(self, stage: _Stage, work: Work) -> None:
        """What the product has kept must be what making it anew gives."""
        session, model = self._session, self._plan.model
        table = qualified(model.relation.layer, model.relation.name)
        with ExitStack() as stack:
            select = self._select(work, stack)
            session.execute(f"CREATE OR REPLACE TEMP TABLE {EXPECTED} AS {select}")
        if model.materialization != "history" and _equal(session, EXPECTED, table):
            return
        own = session.describe(f"SELECT * FROM {table}")
        if model.materialization == "history":
            own = tuple(column for column in own if column.name not in VALIDITY)
        if model.language == "python":
            how = Maintenance(unit=model.key)
        else:
            how = work.compiler.analysis(model, session)
            how = replace(how, unit=model.key or how.unit)
        verified = differences.of_model(session, differences.Comparison(model, own, table, EXPECTED, how))
        if verified.verdict is Verdict.WRONG:
            shown = tuple(_row_difference(each) for each in verified.differences)
            how_made = "; ".join([f"{self._made[-1].mode}: {self._made[-1].reason}", *verified.notes])
            self._mismatches.append(
                Mismatch(
                    f"what is kept step by step is not what a rebuild gives now ({how_made})",
                    stage.location,
                    stage.name,
                    tuple(column.name for column in own),
                    tuple(model.key),
                    shown,
                    max(0, verified.missing + verified.extra - len(shown)),
                )
            )


def _reduced(project: Project, plan: UnitPlan) -> Project:
    """The project as far as the test is concerned: the models that are built, and those whose rows are given, which
    stand there as tables."""
    given = {each.relation for each in plan.inputs}
    models = [*plan.built]
    for model in project.models:
        if model.relation in given:
            view = model.materialization == "view"
            kept = "rebuild" if view or model.language == "python" else model.materialization
            models.append(replace(model, materialization=kept, key=() if view else model.key, checks=(), contract=None))
    return replace(project, models=tuple(models))


def _columns_differ(rows: Fixture, wanted: Expected, output: Mapping[str, Column], model: Model) -> str | None:
    """Why the columns of the expected rows cannot be compared with those of the model; None when they can."""
    given = [*rows.names, *wanted.compared]
    unknown = [name for name in dict.fromkeys(given) if name.lower() not in output]
    names = ", ".join(column.name for column in output.values())
    if unknown:
        return f"{model.relation} gives no column {', '.join(unknown)}; it gives {names}"
    own = {name.lower() for name in rows.names}
    left = [column.name for low, column in output.items() if low not in own]
    if rows.rows and left and not wanted.compared:
        return (
            f"{model.relation} gives columns that no expected row has: {', '.join(left)}; add them, or say which are "
            f"compared: `expect: {{columns: [{', '.join(rows.names)}], rows: …}}`"
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


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _stamp(at: datetime) -> str:
    """As SQL, in UTC without a zone."""
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    return f"TIMESTAMP '{text}'"


def _count(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows:,} rows"


def _differ(differing: Sequence[RowDifference]) -> str:
    changed = sum(each.expected is not None and each.found is not None for each in differing)
    missing = sum(each.found is None for each in differing)
    extra = sum(each.copies for each in differing if each.expected is None)
    parts = [(changed, "differ" if changed > 1 else "differs"), (missing, "missing"), (extra, "not expected")]
    return ", ".join(f"{number:,} {what}" for number, what in parts if number)
