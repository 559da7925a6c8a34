"""Publish groups: relations that become visible together, or not at all.

Those of a group that change are built one after another in one transaction, so that each sees what those before it have
made and a reader sees all of them at once. One that fails takes all of them back. A group in which one relation changes
is a step like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from penstock.domain.plan import BuildStep, LandStep, LoadStep, Plan, Step
from penstock.domain.relation import RelationName
from penstock.domain.run import Status, StepResult
from penstock.errors import InternalError, PenstockError
from penstock.executor.build import build
from penstock.executor.results import STOPS, carried_out, done, failed, not_done
from penstock.executor.retry import ATTEMPTS, CONFLICT
from penstock.executor.together import Again, together
from penstock.executor.work import Outcome, Work
from penstock.planner.plan import positions, stale

Begin = Callable[[Step], None]


class Publishing:
    """The groups of one run. `alone` carries out a step by itself; `timer` gives seconds."""

    def __init__(self, plan: Plan, work: Work, alone: Callable[[Step], Outcome], timer: Callable[[], float]) -> None:
        self._steps = {step.id: step for step in plan.steps}
        self._work = work
        self._alone = alone
        self._timer = timer

    def __call__(self, members: Sequence[BuildStep], ended: Mapping[str, StepResult], begin: Begin) -> list[StepResult]:
        """Publish one group; `members` in the order in which they may read each other. A result for each."""
        results: dict[str, StepResult] = {}
        for step in members:
            self._stopped(step, ended, results)
        going = [step for step in members if step.id not in results]
        moving = self._moving(going)
        held = next((self._steps[name] for name in results if self._behind(name, {**ended, **results})), None)
        if moving and isinstance(held, BuildStep):
            why = f"not published: {held.model.relation} of its publish group could not be made"
            results |= {step.id: not_done(step, Status.SKIPPED, why) for step in moving}
        elif len(moving) > 1:
            results |= {result.step: result for result in self._together(moving, begin)}
        for step in going:
            if step.id not in results and not self._stopped(step, ended, results):
                begin(step)
                results[step.id] = carried_out(step, self._alone, self._timer)
        return [results[step.id] for step in members]

    @staticmethod
    def _stopped(step: BuildStep, ended: Mapping[str, StepResult], results: dict[str, StepResult]) -> bool:
        """Whether something it depends on did not succeed: it has its result then."""
        for other in step.depends_on:
            result = results.get(other) or ended.get(other)
            if result is not None and result.status in STOPS:
                results[step.id] = not_done(step, Status.SKIPPED, f"{other} did not succeed")
                return True
        return False

    def _is_stale(self, step: BuildStep) -> bool:
        ledger = self._work.ledger
        inputs = positions(ledger, step.inputs, self._work.committer.numbers)
        return stale(ledger, step.model.relation, step.fingerprint, step.moment, inputs) is not None

    def _moving(self, steps: Sequence[BuildStep]) -> list[BuildStep]:
        """Those that may change, by themselves or because they read one that may."""
        found: dict[RelationName, BuildStep] = {}
        for step in steps:
            relation = step.model.relation
            if relation in self._work.refresh or not found.keys().isdisjoint(step.inputs) or self._is_stale(step):
                found[relation] = step
        return list(found.values())

    def _behind(self, name: str, ended: Mapping[str, StepResult]) -> bool:
        """Whether a step did not succeed that had something to do: its relation does not show what is there to be
        shown. Where nothing could be landed, nothing is there."""
        step, result = self._steps.get(name), ended.get(name)
        if step is None or result is None or result.status not in STOPS or isinstance(step, LandStep):
            return False
        if result.status is not Status.SKIPPED:
            return True
        if isinstance(step, LoadStep):
            return bool(step.batches) or step.reload
        if isinstance(step, BuildStep) and self._is_stale(step):
            return True
        return any(self._behind(other, ended) for other in step.depends_on)

    # Several in one transaction

    def _together(self, members: Sequence[BuildStep], begin: Begin) -> list[StepResult]:
        """Again from the beginning after a conflict with another transaction, and where a member has to be made in
        another way than was tried."""
        given_up: dict[tuple[RelationName, str], str] = {}
        told: set[str] = set()
        attempts = 1

        def once(step: Step) -> None:
            if step.id not in told:
                told.add(step.id)
                begin(step)

        while True:
            attempt = _Attempt(self._work, members, given_up, self._timer, once)
            try:
                return attempt.results()
            except Again as again:
                if (again.relation, again.attempt) in given_up:
                    bug = InternalError(f"{again.relation}: {again.attempt} was tried twice", code="BUG")
                    return attempt.taken_back(bug)
                given_up[again.relation, again.attempt] = again.why
            except Exception as error:
                if not isinstance(error, PenstockError) or error.code != CONFLICT or attempts == ATTEMPTS:
                    return attempt.taken_back(error)
                attempts += 1


class _Attempt:
    def __init__(
        self,
        work: Work,
        members: Sequence[BuildStep],
        given_up: Mapping[tuple[RelationName, str], str],
        timer: Callable[[], float],
        begin: Begin,
    ) -> None:
        self._work = work
        self._members = members
        self._given_up = given_up
        self._timer = timer
        self._begin = begin
        self._current = members[0]
        self._begun = timer()
        self._built: dict[str, tuple[Outcome, float]] = {}
        self._later: dict[str, list[Callable[[], None]]] = {}

    def results(self) -> list[StepResult]:
        """Build all of them and commit."""
        work = self._work
        with together(work.committer, work.session) as committer:
            inner = work.within(committer, self._given_up)
            for step in self._members:
                self._current, self._begun = step, self._timer()
                self._begin(step)
                work.interruption.check()
                outcome = build(step, inner)
                self._built[step.id] = outcome, self._timer() - self._begun
                self._later[step.id] = inner.take_later()
            work.interruption.check()
        work.catalogue.join(inner.catalogue)
        results = []
        for step in self._members:
            outcome, seconds = self._built[step.id]
            if outcome.commit is not None:
                outcome = replace(outcome, commit=outcome.commit + committer.moved)
            results.append(self._after(step, outcome, seconds))
        return results

    def _after(self, step: BuildStep, outcome: Outcome, seconds: float) -> StepResult:
        """It is committed; what could not be written down about it is made good by the next run."""
        try:
            for then in self._later[step.id]:
                then()
        except Exception as error:
            return failed(step, error, seconds)
        return done(step, outcome, seconds)

    def taken_back(self, error: Exception) -> list[StepResult]:
        """Nothing of the group is published: the step that raised has the error, the others say so."""
        culprit = failed(self._current, error, self._timer() - self._begun)
        status, why = Status.SKIPPED, f"not published: {culprit.target} of its publish group failed"
        if culprit.status is Status.CANCELLED:
            status, why = Status.CANCELLED, "the run was cancelled"
        results = []
        for step in self._members:
            outcome, seconds = self._built.get(step.id, (None, 0.0))
            result = not_done(step, status, why, seconds)
            if outcome is not None:
                result = replace(result, checks=outcome.checks)
            results.append(culprit if step is self._current else result)
        return results
