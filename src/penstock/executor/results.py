"""How a step ended, as a result that can be told and kept."""

from __future__ import annotations

from collections.abc import Callable

from penstock.domain.backfill import Partition, PartitionStep
from penstock.domain.check_result import CheckResult
from penstock.domain.plan import BuildStep, ExportStep, LandStep, LoadStep, Step
from penstock.domain.run import Status, StepResult
from penstock.errors import Cancelled, ChecksFailed, InternalError, PenstockError
from penstock.executor.work import Outcome

STOPS = frozenset({Status.FAILED, Status.SKIPPED, Status.CANCELLED})
"""What depends on a step that ended so is not begun."""


def target_of(step: Step) -> str:
    """What a step is about, in a person's words."""
    match step:
        case LandStep():
            return step.table.id
        case LoadStep():
            return str(step.table.relation)
        case PartitionStep(partition=Partition() as part):
            return f"{step.model.relation} {part.label}"
        case BuildStep():
            return str(step.model.relation)
        case ExportStep():
            return step.export.name


def carried_out(step: Step, do: Callable[[Step], Outcome], timer: Callable[[], float]) -> StepResult:
    """Do it and say how it went, whatever happens."""
    begun = timer()
    try:
        outcome = do(step)
    except Exception as error:
        return failed(step, error, timer() - begun)
    return done(step, outcome, timer() - begun)


def done(step: Step, outcome: Outcome, seconds: float) -> StepResult:
    return StepResult(
        step.id, step.kind, target_of(step), outcome.status, outcome.reason, seconds,
        outcome.rows, outcome.commit, outcome.accounting, output=outcome.output, mode=outcome.mode,
        checks=outcome.checks,
    )  # fmt: skip


def failed(step: Step, error: Exception, seconds: float) -> StepResult:
    """A step that raised: what is no PenstockError is a bug."""
    if isinstance(error, Cancelled):
        return not_done(step, Status.CANCELLED, "interrupted", seconds)
    if not isinstance(error, PenstockError):
        bug = InternalError(f"{type(error).__name__}: {error}", code="BUG", hint="please report it")
        bug.__cause__ = error
        return _failed(step, bug, str(error), seconds)
    return _failed(step, error, error.problem.message, seconds)


def _failed(step: Step, error: PenstockError, reason: str, seconds: float) -> StepResult:
    evaluated = error.results if isinstance(error, ChecksFailed) else ()
    return StepResult(
        step.id,
        step.kind,
        target_of(step),
        Status.FAILED,
        reason,
        seconds,
        problems=error.problems,
        transient=error.transient,
        exit_code=error.exit_code,
        checks=tuple(each for each in evaluated if isinstance(each, CheckResult)),
    )


def not_done(step: Step, status: Status, reason: str, seconds: float = 0.0) -> StepResult:
    """A step that came to nothing, for no fault of its own."""
    return StepResult(step.id, step.kind, target_of(step), status, reason, seconds)
