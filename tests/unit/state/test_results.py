"""What came of checks is kept: the last result whole, of the others what a trend needs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from penstock.domain.check_result import CheckOutcome, CheckResult, folded
from penstock.domain.relation import RelationName
from penstock.domain.run import RunReport, Status, StepResult
from penstock.errors import Location
from penstock.state.results import REMEMBERED
from penstock.state.sqlite import FILE, SqliteState

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE


@pytest.fixture
def state(path: Path) -> Iterator[SqliteState]:
    with closing(SqliteState(path)) as made:
        yield made


def found(
    failing: int = 0, rows: int | None = 10, *, outcome: CheckOutcome | None = None, scope: str = "all", name: str = "n"
) -> CheckResult:
    return CheckResult(
        relation=RelationName("stg", "a"),
        name=name,
        kind="not_null",
        dimension="completeness",
        on_fail="fail",
        outcome=outcome or (CheckOutcome.FAILED if failing else CheckOutcome.PASSED),
        message=f"{failing} of {rows} rows fail",
        location=Location("models/stg/a.sql", 3),
        scope=scope,  # type: ignore[arg-type]
        rows=rows,
        failing=failing,
        values={"mean": Decimal("1.50"), "at": NOW},
        samples=({"id": 1, "why": None},) if failing else (),
    )


def step(*checks: CheckResult, status: Status = Status.SUCCESS, **more: object) -> StepResult:
    return StepResult("build:stg.a", "build", "stg.a", status, "new", checks=checks, **more)  # type: ignore[arg-type]


def give(state: SqliteState, run: str, *checks: CheckResult, after: float = 0.0) -> None:
    now = NOW + timedelta(hours=after)
    state.start_run(run, "dev", "run", None, now)
    state.finish_step(run, step(*checks, status=Status.SUCCESS), now)
    state.finish_run(RunReport(run, "dev", Status.SUCCESS, now, now, ()))


def test_the_last_result_and_those_before_it(state: SqliteState) -> None:
    give(state, "r1", found(), found(name="other"))
    give(state, "r2", found(3), after=1)
    last, other = state.checks(30)
    assert (last["relation"], last["name"], last["run"], last["outcome"]) == ("stg.a", "n", "r2", "failed")
    assert (last["rows"], last["failing"], last["samples"]) == (10, 3, [{"id": 1, "why": None}])
    assert last["figures"] == {"mean": 1.5, "at": "2026-11-21T06:00:00Z"}
    assert last["location"] == "models/stg/a.sql:3"
    assert [(point["run"], point["outcome"], point["failing"]) for point in last["points"]] == [
        ("r1", "passed", 0), ("r2", "failed", 3),
    ]  # fmt: skip
    assert (other["run"], len(other["points"])) == ("r1", 1), "what did not run keeps its last result"
    assert [point["run"] for point in state.checks(1)[0]["points"]] == ["r2"]


def test_a_check_that_failed_its_step_is_kept_too(state: SqliteState) -> None:
    state.start_run("r1", "dev", "run", None, NOW)
    state.finish_step("r1", step(found(3), status=Status.FAILED), NOW)
    state.close()
    with closing(SqliteState(state._path)) as again:
        assert again.checks(1)[0]["outcome"] == "failed"


def test_steps_of_one_run_are_one_result(state: SqliteState) -> None:
    """A backfill makes its partitions one by one, and they are written while it works."""
    state.start_run("r1", "dev", "backfill", None, NOW)
    for number in range(5):
        late = NOW + timedelta(seconds=2 * number)
        state.finish_step("r1", step(found(1, 10, scope="came", outcome=CheckOutcome.WARNED)), late)
        state.finish_step("r1", step(found(0, 10, scope="came")), late)
    state.finish_run(RunReport("r1", "dev", Status.SUCCESS, NOW, NOW, ()))
    (last,) = state.checks(30)
    assert (last["rows"], last["failing"], last["outcome"]) == (100, 5, "warned")
    assert len(last["points"]) == 1


def test_of_what_came_all_counts_and_of_the_whole_the_last() -> None:
    came = [found(1, 10, scope="came", outcome=CheckOutcome.WARNED), found(0, 5, scope="came")]
    assert (folded(came).rows, folded(came).failing, folded(came).outcome) == (15, 1, CheckOutcome.WARNED)
    assert folded(came).message == "1 of 10 rows fail", "the others have nothing to add"
    assert folded([found(1), found(0, 20)]) == found(0, 20)
    both = folded([came[0], replace(came[0], failing=2)])
    assert both.message.endswith("3 of 20 in all that came")
    assert folded([found(0, 100), came[0]]).rows == 10, "what was judged as a whole before is not counted twice"


def test_old_results_are_forgotten(state: SqliteState) -> None:
    for number in range(REMEMBERED + 5):
        state.start_run(f"r{number}", "dev", "run", None, NOW)
        state.finish_step(f"r{number}", step(found()), NOW + timedelta(hours=number))
    state.finish_run(RunReport("r", "dev", Status.SUCCESS, NOW, NOW, ()))
    points = state.checks(10_000)[0]["points"]
    assert [points[0]["run"], points[-1]["run"], len(points)] == ["r5", f"r{REMEMBERED + 4}", REMEMBERED]


def test_where_rows_went_stays_known_when_nothing_has_changed(state: SqliteState) -> None:
    state.start_run("r1", "dev", "run", None, NOW)
    state.finish_step("r1", step(accounting={"rows_in": 3}), NOW)
    state.finish_step("r1", step(status=Status.UNCHANGED), NOW)
    state.finish_step("r1", step(status=Status.SUCCESS), NOW)
    state.finish_run(RunReport("r1", "dev", Status.SUCCESS, NOW, NOW, ()))
    assert state.targets()[0]["accounting"] == '{"rows_in": 3}'


KILLED = """
import os, signal, sys
sys.path.insert(0, {here!r})
from test_results import *
state = SqliteState(Path({path!r}))
give(state, "r1", found(3))
state.start_run("r2", "dev", "run", None, NOW)
state.finish_step("r2", step(found()), NOW)
state.finish_step("r2", step(found(name="b")), NOW + timedelta(seconds=1))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_results_survive_kill_9_with_their_steps(path: Path) -> None:
    code = KILLED.format(here=str(Path(__file__).parent), path=str(path))
    done = subprocess.run([sys.executable, "-c", code], check=False, env=dict(os.environ))
    assert done.returncode == -signal.SIGKILL
    with closing(SqliteState(path)) as state:
        assert [(row["name"], row["run"], len(row["points"])) for row in state.checks(9)] == [
            ("b", "r2", 1),
            ("n", "r2", 2),
        ]
        assert len(state.steps("r2")) == 2
