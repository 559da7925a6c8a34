"""Walks a plan: steps in parallel, each when what it depends on is done.

SQL runs in worker threads and the main thread only waits, so that a signal is acted on at once (DuckDB 2 does not let
Python see one while it executes in the main thread). A failed step skips what depends on it and nothing else. Steps of
one publish group are one piece of work, which begins when all that any of them depends on is done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime

from penstock.domain.event import RunFinished, RunStarted, StepFinished, StepStarted
from penstock.domain.plan import BuildStep, Plan, Step
from penstock.domain.run import RunReport, Status, StepResult
from penstock.executor.results import STOPS, carried_out, failed, not_done, target_of
from penstock.executor.work import Outcome
from penstock.ports import Emit

Do = Callable[[Step], Outcome]
Together = Callable[[Sequence[BuildStep], Mapping[str, StepResult], Callable[[Step], None]], list[StepResult]]
"""Carries out the steps of one publish group: given those, how the steps so far have ended, and whom to tell of each
that is begun. Gives a result for each."""
PATIENCE = 0.2
"""Seconds after which the walk looks whether it was cancelled, and interrupts again what does not end."""


class Runner:
    """Runs one plan once. `do` carries a step out and may be called from several threads at the same time, and so may
    `together`, without which steps of a group are steps like others; `interrupt` stops what is running, as far as it
    can, and is called again until all has ended; `emit` is called from the thread that calls `run` only."""

    def __init__(
        self,
        do: Do,
        *,
        threads: int,
        emit: Emit,
        now: Callable[[], datetime],
        timer: Callable[[], float],
        interrupt: Callable[[], None],
        together: Together | None = None,
    ) -> None:
        self._do = do
        self._together = together
        self._threads = max(1, threads)
        self._emit = emit
        self._now = now
        self._timer = timer
        self._interrupt = interrupt
        self._results: dict[str, StepResult] = {}
        self._cancelled = False
        self._units: dict[str, list[Step]] = {}
        self._begun: deque[Step] = deque()
        self._missing: dict[str, int] = {}
        self._readers: dict[str, list[str]] = {}
        self._ready: deque[str] = deque()

    def run(self, plan: Plan, run: str) -> RunReport:
        started = self._now()
        self._emit(RunStarted(run, plan.environment, len(plan.steps), started))
        self._prepare(plan)
        running: set[Future[list[StepResult]]] = set()
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

    def _wait(self, run: str, running: set[Future[list[StepResult]]]) -> None:
        """For the next step to end. A cancelled run interrupts again and again: a step between two statements does not
        notice."""
        done, _ = wait(running, timeout=PATIENCE, return_when=FIRST_COMPLETED)
        self._tell(run)
        for future in done:
            running.discard(future)
            for result in future.result():
                self._settle(run, result)
        if self._cancelled and running:
            self._interrupt()

    def _end(self, running: set[Future[list[StepResult]]]) -> None:
        while running:
            self._interrupt()
            running = wait(running, timeout=PATIENCE).not_done

    def _tell(self, run: str) -> None:
        """Of the steps of groups that have begun: by the thread that may."""
        while self._begun:
            step = self._begun.popleft()
            self._emit(StepStarted(run, step.id, step.kind, target_of(step)))

    def _prepare(self, plan: Plan) -> None:
        known = {step.id for step in plan.steps}
        for step in plan.steps:
            grouped = isinstance(step, BuildStep) and step.group and self._together is not None
            self._units.setdefault(f"group {step.group}" if grouped else step.id, []).append(step)  # type: ignore[union-attr]
        for unit, steps in self._units.items():
            inside = {step.id for step in steps}
            needed = dict.fromkeys(other for step in steps for other in step.depends_on)
            outside = [other for other in needed if other in known and other not in inside]
            self._missing[unit] = len(outside)
            for other in outside:
                self._readers.setdefault(other, []).append(unit)
            if not outside:
                self._ready.append(unit)

    def _start(self, run: str, pool: ThreadPoolExecutor, running: set[Future[list[StepResult]]]) -> None:
        """Start what is ready next, or settle it at once when it can no longer start."""
        steps = self._units[self._ready.popleft()]
        stopped = next((other for other in steps[0].depends_on if self._stops(other)), None)
        if self._cancelled:
            for step in steps:
                self._settle(run, not_done(step, Status.CANCELLED, "the run was cancelled"))
        elif len(steps) > 1:
            running.add(pool.submit(self._all, steps, dict(self._results)))
        elif stopped is not None:
            self._settle(run, not_done(steps[0], Status.SKIPPED, f"{stopped} did not succeed"))
        else:
            running.add(pool.submit(self._one, steps[0]))
            self._emit(StepStarted(run, steps[0].id, steps[0].kind, target_of(steps[0])))

    def _stops(self, step: str) -> bool:
        result = self._results.get(step)
        return result is not None and result.status in STOPS

    def _settle(self, run: str, result: StepResult) -> None:
        """The books first: whoever is told may raise, Ctrl-C for instance."""
        self._results[result.step] = result
        for reader in self._readers.get(result.step, ()):
            self._missing[reader] -= 1
            if not self._missing[reader]:
                self._ready.append(reader)
        self._emit(StepFinished(run, result))

    def _one(self, step: Step) -> list[StepResult]:
        return [carried_out(step, self._do, self._timer)]

    def _all(self, steps: Sequence[Step], ended: Mapping[str, StepResult]) -> list[StepResult]:
        members = [step for step in steps if isinstance(step, BuildStep)]
        try:
            return self._together(members, ended, self._begun.append) if self._together else []
        except Exception as error:  # each must have a result
            return [failed(step, error, 0.0) for step in members]

    def _status(self) -> Status:
        found = {result.status for result in self._results.values()}
        if self._cancelled or Status.CANCELLED in found:
            return Status.CANCELLED
        if found & {Status.FAILED, Status.SKIPPED}:
            return Status.FAILED
        return Status.SUCCESS if Status.SUCCESS in found else Status.UNCHANGED
