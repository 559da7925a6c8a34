"""Checks that look back, run after run: what was published before is the measure, and incidents are left out of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from penstock.domain.check_result import CheckOutcome, CheckResult
from penstock.domain.run import Status
from penstock.errors import ProjectError

START = datetime(2026, 10, 5, 6, tzinfo=UTC)  # a Monday
ROWS = [100, 104, 99, 101, 103, 98, 100, 102, 101, 99]


@pytest.fixture
def life(folder: Any) -> Any:
    checked(folder, "[{anomaly: {}}]")
    return folder


def checked(folder: Any, checks: str, more: str = "") -> None:
    matter = f"owner: sales-analytics\nchecks: {checks}\n{more}"
    folder.write("models/stg/m.sql", f"/*---\n{matter}\n---*/ SELECT id, region, amount FROM raw.orders")


def day(folder: Any, at: int, rows: int, amount: int = 10) -> Any:
    """A run on a day with so many orders; gives the step of stg.m."""
    listed = "".join(f"{number},north,{amount + at % 2}\n" for number in range(rows))
    folder.write("inbox/orders.csv", f"id,region,amount\n{listed}")
    report = folder.project.run(now=START + timedelta(days=at))
    return next(step for step in report.steps if step.step == "build:stg.m")


def days(folder: Any, rows: Sequence[int], begin: int = 0) -> list[CheckResult]:
    found = []
    for at, number in enumerate(rows, begin):
        step = day(folder, at, number)
        assert step.status is not Status.FAILED, step.problems
        found += [each for each in step.checks if each.kind == "anomaly"]
    return found


def incident(folder: Any, text: str) -> None:
    folder.write("checks/incidents.yml", f"incidents:\n  - relation: stg.m\n    why: a test\n{text}")


def test_a_sudden_drop_to_the_half_halts_and_names_the_owner(life: Any) -> None:
    told = days(life, ROWS)
    assert "too little history: 6 of 7 figures yet" in told[6].message
    assert "expected about" in told[8].message
    step = day(life, 10, 50)
    assert step.status is Status.FAILED
    [problem] = step.problems
    assert problem.code == "CHECK_FAILED"
    assert problem.message.startswith("stg.m (owner: sales-analytics): anomaly(rows): expected about 102 (92 to 112), ")
    assert problem.message.endswith("found 50, 51 % less")
    assert life.rows("SELECT count(*) FROM stg.m") == [(99,)]
    assert day(life, 11, 50).status is Status.FAILED, "it is no measure for itself"
    assert day(life, 12, 101).status is Status.SUCCESS


def test_a_new_normal_is_accepted_by_a_person(life: Any) -> None:
    days(life, ROWS)
    assert day(life, 10, 50).status is Status.FAILED
    incident(life, "    to: 2026-10-16\n")
    told = days(life, [50, 51], 11)
    assert "too little history: 0 of 7" in told[0].message


def test_an_incident_that_was_published_is_left_out_once_it_is_marked(life: Any) -> None:
    checked(life, "[{mean_drift: {column: amount, max: 10%, runs: 1, min_runs: 1, on_fail: warn}}]")
    for at, amount in enumerate([10, 10, 1000, 10]):
        step = day(life, at, 5, amount)
    [warned] = step.checks
    assert warned.outcome is CheckOutcome.WARNED
    incident(life, "    from: 2026-10-07\n    to: 2026-10-08T00:00Z\n    check: mean_drift(amount)\n")
    [again] = life.project.check(now=START + timedelta(days=4)).results
    assert again.outcome is CheckOutcome.PASSED
    assert "11, 11 before" in again.message


def test_what_was_measured_otherwise_is_no_measure(life: Any) -> None:
    checked(life, "[{anomaly: {column: amount, measure: mean, name: it}}]")
    days(life, [10] * 8)
    checked(life, "[{anomaly: {column: amount, measure: sum, name: it}}]")
    assert "too little history: 0 of 7" in days(life, [10], 8)[0].message
    checked(life, "[{anomaly: {column: amount, measure: mean, name: it, threshold: 4}}]")
    assert "by 8 earlier figures" in days(life, [10], 9)[0].message


def test_looking_at_it_asks_the_runs_before_the_last_one(life: Any) -> None:
    days(life, ROWS)
    [found] = life.project.check(now=START + timedelta(days=9)).results
    assert found.outcome is CheckOutcome.PASSED
    assert "by 9 earlier figures" in found.message


def test_one_figure_of_each_run(life: Any) -> None:
    """Several batches of a source table are several commits of one run."""
    life.write("models/stg/m.sql", "SELECT id FROM raw.events")
    life.write(
        "sources/more.yml",
        "root: inbox\ntables:\n"
        "  events: {path: 'e*.csv', extract: append, checks: [{row_count: {max_growth: 250%}}]}\n",
    )
    life.write("inbox/e1.csv", "id\n1\n2\n")
    assert day(life, 0, 1).status is Status.SUCCESS
    life.write("inbox/e2.csv", "id\n3\n4\n5\n")
    life.write("inbox/e3.csv", "id\n6\n7\n")
    assert day(life, 1, 1).status is Status.SUCCESS, "from 2 to 7 rows, in two steps"
    life.write("inbox/e4.csv", "id\n" + "".join(f"{number}\n" for number in range(20)))
    assert day(life, 2, 1).status is Status.SKIPPED


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("    to: soon\n", 4, "expected a date or a time"),
        ("    from: 2026-10-07\n", 2, "to"),
        ("    from: 2026-10-07\n    to: 2026-10-07\n", 5, "is over"),
        ("    to: 2026-10-07\n    check: nothing\n", 2, "no check 'nothing'"),
        ("    to: 2026-10-07\n    until: x\n", 5, "until"),
    ],
)
def test_what_is_wrong_with_an_incident_is_told(life: Any, text: str, line: int, message: str) -> None:
    incident(life, text)
    with pytest.raises(ProjectError) as error:
        life.project.validate()
    [problem] = error.value.problems
    assert problem.location
    assert (problem.location.path, problem.location.line) == ("checks/incidents.yml", line)
    assert message in problem.message


def test_an_incident_of_what_does_not_look_back_is_told(life: Any) -> None:
    checked(life, "[{not_null: id}]")
    incident(life, "    to: 2026-10-07\n  - {relation: stg.gone, to: 2026-10-07, why: x}\n")
    with pytest.raises(ProjectError) as error:
        life.project.validate()
    assert [each.code for each in error.value.problems] == ["CHECK_OPTION", "UNKNOWN_RELATION"]


def test_figures_that_nobody_looks_at_any_more_are_taken_away(life: Any) -> None:
    """Years of hourly runs: what checks are judged by stays as it was."""
    checked(life, "[{anomaly: {min_runs: 50}}, {row_count: {max_drop: 50%}}]")
    day(life, 0, 20)
    with duckdb.connect(str(life.root / "data/dev/warehouse.duckdb")) as warehouse:
        warehouse.execute(
            "INSERT INTO _penstock.measures SELECT relation, name, "
            "regexp_replace(figures, '(\"figure\"|\"rows\"): 20', '\\1: ' || (10 + hash(n) % 10)), 'r' || n // 2, "
            "measured_at - n * INTERVAL 1 HOUR FROM _penstock.measures, range(1, 9000) AS r(n)"
        )
        before = warehouse.execute("SELECT count(*) FROM _penstock.measures").fetchone()
    wanted = [each.message for each in life.project.check(now=START + timedelta(days=1)).results]
    assert any("earlier figures" in message for message in wanted)
    life.write("models/serv/other.sql", "SELECT 1 AS a")  # a run that looks at the warehouse
    life.project.run(now=START + timedelta(hours=1))
    assert before == (2 * 9000,)
    after = life.rows("SELECT count(*) FROM _penstock.measures")[0][0]
    assert 2 * 100 < after < 2 * 160
    assert [each.message for each in life.project.check(now=START + timedelta(days=1)).results] == wanted
