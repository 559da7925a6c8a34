"""Walks a plan: steps in parallel, each when what it depends on is done.

SQL runs in worker threads and the main thread only waits, so that a signal is acted on at once (DuckDB 2 does not let
Python see one while it executes in the main thread). A failed step skips what depends on it and nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime

from penstock.domain.backfill import Partition, PartitionStep
from penstock.domain.check_result import CheckResult
from penstock.domain.event import RunFinished, RunStarted, StepFinished, StepStarted
from penstock.domain.plan import BuildStep, ExportStep, LandStep, LoadStep, Plan, Step
from penstock.domain.run import RunReport, Status, StepResult
from penstock.errors import Cancelled, ChecksFailed, InternalError, PenstockError
from penstock.executor.work import Outcome
from penstock.ports import Emit

Do = Callable[[Step], Outcome]
PATIENCE = 0.2
"""Seconds after which the walk looks whether it was cancelled, and interrupts again what does not end."""


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


class Runner:
    """Runs one plan once. `do` carries a step out and may be called from several threads at the same time;
    `interrupt` stops what is running, as far as it can, and is called again until all has ended; `emit` is called from
    the thread that calls `run` only."""

    def __init__(
        self,
        do: Do,
        *,
        threads: int,
        emit: Emit,
        now: Callable[[], datetime],
        timer: Callable[[], float],
        interrupt: Callable[[], None],
    ) -> None:
        self._do = do
        self._threads = max(1, threads)
        self._emit = emit
        self._now = now
        self._timer = timer
        self._interrupt = interrupt
        self._results: dict[str, StepResult] = {}
        self._cancelled = False
        self._steps: dict[str, Step] = {}
        self._missing: dict[str, int] = {}
        self._readers: dict[str, list[str]] = {}
        self._ready: deque[str] = deque()

    def run(self, plan: Plan, run: str) -> RunReport:
        started = self._now()
        self._emit(RunStarted(run, plan.environment, len(plan.steps), started))
        self._prepare(plan)
        running: set[Future[StepResult]] = set()
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="step")
        try:
            while self._ready or running:
                try:
                    while self._ready and len(running) < self._threads:
                        self._start(run, pool, running)
                    if running:
                        self._wait(run, running)
                except KeyboardInterrupt:  # of a caller with a signal handler of its own
                    self.cancel()
        except BaseException:  # of a subscriber: what runs must end all the same, however late it is in beginning
            self._end(running)
            raise
        finally:
            pool.shutdown(cancel_futures=True)  # waits: nobody may close the warehouse under a step
        report = RunReport(run, plan.environment, self._status(), started, self._now(), tuple(self._results.values()))
        self._emit(RunFinished(report))
        return report

    def cancel(self) -> None:
        """Begin no further step, interrupt what is running, and end. May be called at any time, by a signal too."""
        self._cancelled = True

    def _wait(self, run: str, running: set[Future[StepResult]]) -> None:
        """For the next step to end. A cancelled run interrupts again and again: a step between two statements does not
        notice."""
        done, _ = wait(running, timeout=PATIENCE, return_when=FIRST_COMPLETED)
        for future in done:
            running.discard(future)
            self._settle(run, future.result())
        if self._cancelled and running:
            self._interrupt()

    def _end(self, running: set[Future[StepResult]]) -> None:
        while running:
            self._interrupt()
            running = wait(running, timeout=PATIENCE).not_done

    def _prepare(self, plan: Plan) -> None:
        self._steps = {step.id: step for step in plan.steps}
        for step in plan.steps:
            known = [other for other in step.depends_on if other in self._steps]
            self._missing[step.id] = len(known)
            for other in known:
                self._readers.setdefault(other, []).append(step.id)
            if not known:
                self._ready.append(step.id)

    def _start(self, run: str, pool: ThreadPoolExecutor, running: set[Future[StepResult]]) -> None:
        """Start the next ready step, or settle it at once when it can no longer start."""
        step = self._steps[self._ready.popleft()]
        stopped = next((other for other in step.depends_on if self._stops(other)), None)
        if self._cancelled:
            self._settle(run, _not_run(step, Status.CANCELLED, "the run was cancelled"))
        elif stopped is not None:
            self._settle(run, _not_run(step, Status.SKIPPED, f"{stopped} did not succeed"))
        else:
            running.add(pool.submit(self._one, step))
            self._emit(StepStarted(run, step.id, step.kind, target_of(step)))

    def _stops(self, step: str) -> bool:
        result = self._results.get(step)
        return result is not None and result.status in _STOPS

    def _settle(self, run: str, result: StepResult) -> None:
        """The books first: whoever is told may raise, Ctrl-C for instance."""
        self._results[result.step] = result
        for reader in self._readers.get(result.step, ()):
            self._missing[reader] -= 1
            if not self._missing[reader]:
                self._ready.append(reader)
        self._emit(StepFinished(run, result))

    def _one(self, step: Step) -> StepResult:
        begun = self._timer()
        try:
            outcome = self._do(step)
        except Cancelled:
            return self._failed(step, Status.CANCELLED, "interrupted", begun)
        except PenstockError as error:
            return self._failed(step, Status.FAILED, error.problem.message, begun, error)
        except Exception as error:
            bug = InternalError(f"{type(error).__name__}: {error}", code="BUG", hint="please report it")
            bug.__cause__ = error
            return self._failed(step, Status.FAILED, str(error), begun, bug)
        return StepResult(
            step.id, step.kind, target_of(step), outcome.status, outcome.reason, self._timer() - begun,
            outcome.rows, outcome.commit, outcome.accounting, output=outcome.output, mode=outcome.mode,
            checks=outcome.checks,
        )  # fmt: skip

    def _failed(
        self, step: Step, status: Status, reason: str, begun: float, error: PenstockError | None = None
    ) -> StepResult:
        return StepResult(
            step.id,
            step.kind,
            target_of(step),
            status,
            reason,
            self._timer() - begun,
            problems=error.problems if error else (),
            transient=error.transient if error else False,
            exit_code=error.exit_code if error else 0,
            checks=tuple(each for each in error.results if isinstance(each, CheckResult))
            if isinstance(error, ChecksFailed)
            else (),
        )

    def _status(self) -> Status:
        found = {result.status for result in self._results.values()}
        if self._cancelled or Status.CANCELLED in found:
            return Status.CANCELLED
        if found & {Status.FAILED, Status.SKIPPED}:
            return Status.FAILED
        return Status.SUCCESS if Status.SUCCESS in found else Status.UNCHANGED


def _not_run(step: Step, status: Status, reason: str) -> StepResult:
    return StepResult(step.id, step.kind, target_of(step), status, reason)


_STOPS = frozenset({Status.FAILED, Status.SKIPPED, Status.CANCELLED})
