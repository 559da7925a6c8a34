"""The walk: order, parallel work, what a failure takes with it, what a signal stops. Steps are plain functions here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.domain.event import RunFinished, RunStarted, StepFinished, StepStarted
from penstock.domain.model import Model
from penstock.domain.plan import BuildStep, Plan, Step
from penstock.domain.relation import RelationName
from penstock.domain.run import RunReport, Status
from penstock.errors import Cancelled, DataError, DriverError, Location, PenstockError, UserError
from penstock.executor.results import done, not_done
from penstock.executor.retry import ATTEMPTS, retried
from penstock.executor.runner import Runner
from penstock.executor.work import Outcome, unchanged

NOW = datetime(2026, 11, 21, tzinfo=UTC)
DONE = Outcome(Status.SUCCESS, "done", rows=1)


def step(name: str, *depends_on: str) -> BuildStep:
    model = Model(RelationName("stg", name), "sql", "rebuild", Location(f"{name}.sql"), "fingerprint")
    return BuildStep(name, model, "rebuild", (), "fingerprint", True, "", tuple(depends_on))


DIAMOND = (step("top"), step("left", "top"), step("right", "top"), step("bottom", "left", "right"), step("apart"))


class Walk:
    """One run of `steps`. `do` is called with a step's id; what it raises is the step's failure."""

    def __init__(self, steps: Sequence[Step], do: Callable[[str], Outcome], threads: int = 2, **more: Any) -> None:
        self.events: list[Any] = []
        self.interrupts = 0
        self.plan = Plan("dev", tuple(steps))
        self.runner = Runner(
            lambda step: do(step.id),
            threads=threads,
            emit=more.get("emit", self.events.append),
            now=lambda: NOW,
            timer=lambda: 0.0,
            interrupt=more.get("interrupt", self._interrupt),
            together=more.get("together"),
        )

    def _interrupt(self) -> None:
        self.interrupts += 1

    def run(self) -> RunReport:
        return self.runner.run(self.plan, "run")


def outcome(report: RunReport) -> dict[str, str]:
    return {result.step: result.status.value for result in report.steps}


def failing(*names: str, error: PenstockError | Exception | None = None) -> Callable[[str], Outcome]:
    def do(name: str) -> Outcome:
        if name in names:
            raise error or UserError("it is wrong", code="SQL_FAILED", hint="mend it")
        return DONE

    return do


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_a_step_begins_when_all_it_depends_on_has_ended(threads: int) -> None:
    ended: list[str] = []
    guard = threading.Lock()

    def do(name: str) -> Outcome:
        with guard:
            before = {"left": {"top"}, "right": {"top"}, "bottom": {"left", "right"}}.get(name, set())
            assert before <= set(ended), name
            ended.append(name)
        return DONE

    report = Walk(DIAMOND, do, threads).run()
    assert outcome(report) == dict.fromkeys(("top", "left", "right", "bottom", "apart"), "success")
    assert report.status is Status.SUCCESS
    assert report.exit_code == 0


def test_as_many_at_once_as_there_are_threads_and_no_more() -> None:
    together = threading.Barrier(3, timeout=60)
    guard, running, most = threading.Lock(), [0], [0]

    def do(name: str) -> Outcome:
        with guard:
            running[0] += 1
            most[0] = max(most[0], running[0])
        together.wait()  # comes back when three are here, and fails when they never are
        with guard:
            running[0] -= 1
        return DONE

    report = Walk([step(f"s{n}") for n in range(9)], do, threads=3).run()
    assert set(outcome(report).values()) == {"success"}
    assert most == [3]


def test_a_failure_skips_what_is_below_it_and_nothing_else() -> None:
    report = Walk(DIAMOND, failing("left")).run()
    assert outcome(report) == {
        "top": "success", "left": "failed", "right": "success", "bottom": "skipped", "apart": "success",
    }  # fmt: skip
    results = {result.step: result for result in report.steps}
    assert results["bottom"].reason == "left did not succeed"
    assert [problem.code for problem in results["left"].problems] == ["SQL_FAILED"]
    assert report.status is Status.FAILED
    assert report.exit_code == 2


def test_a_failure_goes_all_the_way_down() -> None:
    chain = [step("a"), step("b", "a"), step("c", "b"), step("d", "c")]
    assert outcome(Walk(chain, failing("a")).run()) == {"a": "failed", "b": "skipped", "c": "skipped", "d": "skipped"}


def test_the_exit_code_is_the_most_actionable_one() -> None:
    def do(name: str) -> Outcome:
        raise {
            "a": DriverError("disk", code="DISK_FULL", transient=True),
            "b": DataError("data", code="KEY_NOT_UNIQUE"),
            "c": RuntimeError("a bug"),
        }[name]

    report = Walk([step("a"), step("b"), step("c")], do).run()
    assert report.exit_code == 3
    results = {result.step: result for result in report.steps}
    assert results["a"].transient
    assert results["c"].exit_code == 70
    assert results["c"].problems[0].code == "BUG"
    assert "RuntimeError: a bug" in results["c"].problems[0].message


def test_a_dependency_that_is_not_in_the_plan_is_taken_as_done() -> None:
    assert outcome(Walk([step("b", "a")], failing()).run()) == {"b": "success"}


def test_a_run_in_which_nothing_changed_says_so() -> None:
    report = Walk(DIAMOND, lambda name: unchanged("up to date", 7)).run()
    assert report.status is Status.UNCHANGED
    assert {result.rows for result in report.steps} == {7}
    assert Walk((), failing()).run().status is Status.UNCHANGED


def test_events_come_in_order_and_from_the_thread_that_runs() -> None:
    threads, walk = set(), Walk(DIAMOND, failing("left"))

    def emit(event: object) -> None:
        threads.add(threading.get_ident())
        walk.events.append(event)

    walk = Walk(DIAMOND, failing("left"), emit=emit)
    report = walk.run()
    assert threads == {threading.get_ident()}
    first, *between, last = walk.events
    assert isinstance(first, RunStarted)
    assert first.steps == 5
    assert last == RunFinished(report)
    begun = [event.step for event in between if isinstance(event, StepStarted)]
    ended = [event.result.step for event in between if isinstance(event, StepFinished)]
    assert sorted(begun) == ["apart", "left", "right", "top"], "a step that is skipped never begins"
    assert ended == [result.step for result in report.steps]
    for name in begun:
        told = [
            type(event).__name__
            for event in between
            if name in (getattr(event, "step", ""), getattr(getattr(event, "result", None), "step", ""))
        ]
        assert told == ["StepStarted", "StepFinished"]


def test_cancel_begins_nothing_more_and_interrupts_again_and_again() -> None:
    """The first interrupts miss a step that is between two statements."""
    walk: Any = None
    reached = threading.Event()

    def interrupt() -> None:
        walk.interrupts += 1
        if walk.interrupts == 3:
            reached.set()

    def do(name: str) -> Outcome:
        walk.runner.cancel()
        assert reached.wait(60)
        raise Cancelled("interrupted", code="CANCELLED")

    walk = Walk(DIAMOND, do, threads=1, interrupt=interrupt)
    report = walk.run()
    assert set(outcome(report).values()) == {"cancelled"}
    assert sorted(outcome(report)) == ["apart", "bottom", "left", "right", "top"], "each step has an end"
    assert report.status is Status.CANCELLED
    assert report.exit_code == 130


def test_a_step_that_ends_well_after_the_cancel_has_ended_well() -> None:
    walk: Any = None

    def do(name: str) -> Outcome:
        walk.runner.cancel()
        return DONE

    walk = Walk(DIAMOND, do, threads=1)
    report = walk.run()
    assert outcome(report)["top"] == "success"
    assert outcome(report)["left"] == "cancelled"
    assert report.status is Status.CANCELLED


def test_ctrl_c_in_a_subscriber_is_a_cancel() -> None:
    """Of a caller with a signal handler of its own."""
    raised = []

    def emit(event: object) -> None:
        if isinstance(event, StepFinished) and not raised:
            raised.append(event)
            raise KeyboardInterrupt

    report = Walk(DIAMOND, failing(), threads=1, emit=emit).run()
    assert report.status is Status.CANCELLED
    assert len(report.steps) == 5


def test_a_subscriber_that_fails_leaves_nothing_running() -> None:
    """Whatever runs is interrupted until it has ended: also a step that begins its statement late."""
    walk: Any = None
    reached, ended = threading.Event(), threading.Event()

    def interrupt() -> None:
        walk.interrupts += 1
        if walk.interrupts == 3:
            reached.set()

    def do(name: str) -> Outcome:
        if name == "top":
            assert reached.wait(60)
            ended.set()
            raise Cancelled("interrupted", code="CANCELLED")
        return DONE

    def emit(event: object) -> None:
        if isinstance(event, StepFinished):
            raise ZeroDivisionError

    walk = Walk((step("top"), step("apart")), do, threads=2, emit=emit, interrupt=interrupt)
    with pytest.raises(ZeroDivisionError):
        walk.run()
    assert ended.is_set(), "it came back while a step was still running"


def conflict(code: str = "CONFLICT") -> DriverError:
    return DriverError("two transactions met", code=code, transient=True)


@pytest.mark.parametrize("conflicts", range(ATTEMPTS))
def test_a_conflict_is_tried_again(conflicts: int) -> None:
    calls = []

    def do() -> Outcome:
        calls.append(1)
        if len(calls) <= conflicts:
            raise conflict()
        return DONE

    assert retried(do) is DONE
    assert len(calls) == conflicts + 1


def test_a_conflict_that_stays_is_told_in_the_end() -> None:
    calls = []

    def do() -> Outcome:
        calls.append(1)
        raise conflict()

    with pytest.raises(DriverError):
        retried(do)
    assert len(calls) == ATTEMPTS


@pytest.mark.parametrize(
    "error", [conflict("DISK_FULL"), conflict("COMMIT_UNKNOWN"), Cancelled("stop", code="CANCELLED")]
)
def test_nothing_else_is_tried_again(error: PenstockError) -> None:
    calls = []

    def do() -> Outcome:
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        retried(do)
    assert len(calls) == 1


# Publish groups: steps that are one piece of work


def member(name: str, *depends_on: str) -> BuildStep:
    return replace(step(name, *depends_on), group="serving")


GROUPED = (step("a"), step("b"), member("p", "a"), member("c", "p", "b"), step("below", "c"), step("apart", "a"))


def test_a_group_begins_when_all_its_inputs_are_done_and_its_readers_come_after() -> None:
    ended: list[str] = []
    met: dict[str, Any] = {}

    def do(name: str) -> Outcome:
        ended.append(name)
        return DONE

    def together(members: Sequence[BuildStep], so_far: Any, begin: Callable[[Step], None]) -> list[Any]:
        met.update(members=[each.id for each in members], so_far=sorted(so_far), ended=list(ended))
        begin(members[0])
        begin(members[1])
        ended.append("group")
        return [done(each, DONE, 2.0) for each in members]

    walk = Walk(GROUPED, do, together=together)
    report = walk.run()
    assert set(outcome(report).values()) == {"success"}
    assert met["members"] == ["p", "c"]
    assert {"a", "b"} <= set(met["ended"])
    assert {"a", "b"} <= set(met["so_far"])
    assert ended.index("below") > ended.index("group")
    begun = [event.step for event in walk.events if isinstance(event, StepStarted)]
    assert sorted(begun) == ["a", "apart", "b", "below", "c", "p"]
    assert begun.index("p") < begun.index("below")
    assert {result.step: result.seconds for result in report.steps}["c"] == 2.0


def test_a_group_is_told_what_failed_before_it() -> None:
    """It decides itself what that means for the others."""

    def together(members: Sequence[BuildStep], so_far: Any, begin: Callable[[Step], None]) -> list[Any]:
        assert so_far["b"].status.value == "failed"
        return [not_done(each, Status.SKIPPED, "held back") for each in members]

    report = Walk(GROUPED, failing("b"), together=together).run()
    assert outcome(report) == {
        "a": "success", "b": "failed", "p": "skipped", "c": "skipped", "below": "skipped", "apart": "success",
    }  # fmt: skip


def test_a_group_that_breaks_gives_each_step_an_end() -> None:
    def together(members: Sequence[BuildStep], so_far: Any, begin: Callable[[Step], None]) -> list[Any]:
        raise RuntimeError("a bug")

    report = Walk(GROUPED, failing(), together=together).run()
    results = {result.step: result for result in report.steps}
    assert [problem.code for name in "pc" for problem in results[name].problems] == ["BUG", "BUG"]
    assert results["below"].status is Status.SKIPPED


def test_a_cancelled_run_begins_no_group() -> None:
    walk: Any = None

    def do(name: str) -> Outcome:
        walk.runner.cancel()
        return DONE

    walk = Walk(GROUPED, do, threads=1, together=lambda *_: pytest.fail("begun"))
    report = walk.run()
    assert outcome(report)["p"] == outcome(report)["c"] == "cancelled"


def test_without_somebody_to_publish_groups_their_steps_are_like_others() -> None:
    assert set(outcome(Walk(GROUPED, failing()).run()).values()) == {"success"}
