"""One test, carried out: inputs laid out, models built, steps followed, what comes of it compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from penstock.domain.ledger import Ledger
from penstock.domain.model import Model
from penstock.domain.plan import BuildStep
from penstock.domain.project import Parameter, Project
from penstock.domain.unit_test import Mismatch, StepMade, UnitPlan, UnitResult, UnitStatus
from penstock.errors import Cancelled, InternalError, PenstockError
from penstock.executor import ledger as ledgers
from penstock.executor.build import build
from penstock.executor.compiled import Compiler
from penstock.executor.unit import inputs
from penstock.executor.unit.judge import Judge, Stage
from penstock.executor.work import Outcome, Work
from penstock.planner.reach import Reach
from penstock.ports import Landing, Session, Warehouse
from penstock.record import record

CLOCK = datetime(2000, 1, 1, tzinfo=UTC)
"""Of tests of models that use no time."""
_LATER = timedelta(seconds=1)
_ENVIRONMENT = "test"


@record
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

    def run(self) -> UnitResult:
        begun = self._lab.timer()
        test = self._plan.test
        try:
            self._all()
        except Cancelled:
            raise
        except PenstockError as error:
            self._failed(error, Stage(test.expected, test.location))
        except Exception as error:
            bug = InternalError(f"{type(error).__name__}: {error}", code="BUG", hint="please report it")
            bug.__cause__ = error
            self._failed(bug, Stage(test.expected, test.location))
        status = UnitStatus.FAILED if self._mismatches else UnitStatus.PASSED
        seconds = self._lab.timer() - begun
        return UnitResult(
            test.name, test.model, test.location, status, seconds, tuple(self._mismatches), tuple(self._made)
        )

    def _failed(self, error: PenstockError, stage: Stage) -> None:
        message = "an error, where none is expected"
        self._mismatches.append(Mismatch(message, stage.location, stage.name, problems=error.problems))

    # Building

    def _all(self) -> None:
        test, session = self._plan.test, self._session
        ledgers.prepare(session, _ENVIRONMENT, tuple(layer.name for layer in self._lab.project.layers))
        now = at = _moment(test.now) or CLOCK
        given = inputs.laid_out(self._plan, session, _stamp(at))
        work = self._work(inputs.noted(given, session, now) if test.steps and given else Ledger(), now)
        if not self._stage(Stage(test.expected, test.expected.location), work):
            return
        for step in test.steps:
            now = _moment(step.now) or now
            at = max(now, at + _LATER)
            work = self._work(ledgers.read(session), now)
            stage = Stage(step.expected, step.expected.location, step.name)
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

    def _stage(self, stage: Stage, work: Work) -> bool:
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
        judge = Judge(self._plan.model, self._lab.root, self._warehouse, self._session, work)
        self._mismatches += [*judge.rows(stage), *judge.checks(stage, outcome.checks)]
        if stage.name is not None and not work.reach.is_view(self._plan.model):
            self._mismatches += judge.rebuild(stage, self._made[-1])
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

    def _refused(self, error: PenstockError, stage: Stage) -> bool:
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


def _reduced(project: Project, plan: UnitPlan) -> Project:
    """The project as far as the test is concerned: the models that are built, and those whose rows are given, which
    stand there as tables."""
    given = {each.relation for each in plan.inputs}
    models = [*plan.built]
    for model in project.models:
        if model.relation in given:
            view = model.materialization == "view"
            kept = "rebuild" if view or model.language == "python" else model.materialization
            plain = replace(model, checks=(), contract=None, max_quarantined=None)
            models.append(replace(plain, materialization=kept, key=() if view else model.key))
    return replace(project, models=tuple(models))


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _stamp(at: datetime) -> str:
    """As SQL, in UTC without a zone."""
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    return f"TIMESTAMP '{text}'"
