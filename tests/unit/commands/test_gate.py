"""The gate, run after run on real files: whatever a relation is kept by, a row that fails a check is never seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from penstock.domain.check_result import CheckOutcome
from penstock.domain.run import Status
from penstock.errors import ProjectError

START = datetime(2026, 11, 17, 6, tzinfo=UTC)
SOURCE = """
root: inbox
tables:
  orders:
    path: orders.csv
    extract: {extract}
    key: id
    owner: shop-platform
    columns: {{id: bigint, day: date, amount: bigint, mail: varchar, changed: timestamp}}
    checks: {checks}
"""
HEAD = "id,day,amount,mail,changed\n"
GOOD = ["1,2026-11-01,10,a@x,", "2,2026-11-02,20,b@x,", "3,2026-11-02,30,c@x,", "4,2026-11-03,40,d@x,"]
BAD = [*GOOD, "5,2026-11-03,-1,e@x,"]
MENDED = [*GOOD, "5,2026-11-03,1,e@x,"]
ROWS = "SELECT id, day, amount, mail FROM raw.orders"
PYTHON = '''
"""Rows.

---
reads: [raw.orders]
columns: [id, day, amount, mail]
owner: sales
checks: [{positive: amount}]
---
"""
import pyarrow as pa
def model(orders):
    return pa.table(orders).select(["id", "day", "amount", "mail"])
'''
KEPT = {
    "auto": "materialization: auto",
    "rebuild": "materialization: rebuild",
    "append": "materialization: append\nkey: id",
    "merge": "materialization: merge\nkey: id",
    "merge that removes": "materialization: merge\nkey: id\ndeletes: remove",
    "time_range": "materialization: time_range\ntime_range: {column: day, grain: day}",
    "history": "materialization: history\nkey: id",
}
POSITIVE = "checks: [{positive: amount}]"
CURRENT = "checks: [{positive: {column: amount, where: is_current}}]"


def orders(folder: Any, *rows: str) -> None:
    folder.write("inbox/orders.csv", HEAD + "".join(f"{row}\n" for row in rows))


def source(folder: Any, checks: str = "[]", extract: str = "full") -> None:
    folder.write("sources/shop.yml", SOURCE.format(checks=checks, extract=extract))


def model(folder: Any, matter: str, select: str = ROWS, name: str = "bus/m") -> None:
    folder.write(f"models/{name}.sql", f"/*---\n{matter}\nowner: sales\n---*/\n{select}\n")


def run(folder: Any, at: int, **options: Any) -> Any:
    return folder.project.run(now=START + timedelta(days=at), **options)


def step(report: Any, name: str = "build:bus.m") -> Any:
    return next(each for each in report.steps if each.step == name)


def failed(report: Any, name: str = "build:bus.m") -> Any:
    """The one problem of a step that its gate stopped."""
    found = step(report, name)
    assert (report.exit_code, found.status) == (3, Status.FAILED), found
    [problem] = found.problems
    assert problem.code == "CHECK_FAILED"
    return problem


def passed(report: Any, name: str = "build:bus.m") -> Any:
    assert report.exit_code == 0, [problem for each in report.steps for problem in each.problems]
    return step(report, name)


@pytest.mark.parametrize("how", [*KEPT, "python"])
def test_what_fails_is_never_published_however_rows_are_kept(folder: Any, how: str) -> None:
    source(folder)
    if how == "python":
        folder.write("models/bus/m.py", PYTHON.strip())
    else:
        model(folder, f"{KEPT[how]}\n{CURRENT if how == 'history' else POSITIVE}")
    folder.write("models/serv/below.sql", "SELECT count(DISTINCT id) AS rows FROM bus.m")
    orders(folder, *GOOD)
    first = passed(run(folder, 0))
    assert [(each.name, each.outcome, each.rows) for each in first.checks] == [("positive(amount)", "passed", 4)]
    before = folder.rows("FROM bus.m")
    commits = folder.rows("SELECT max(number) FROM _penstock.commits WHERE relation = 'bus.m'")

    orders(folder, *BAD)
    report = run(folder, 1)
    problem = failed(report)
    assert "positive(amount): expected amount above zero: 1 of " in problem.message
    assert "amount = -1" in problem.message
    assert problem.location.path == f"models/bus/m.{'py' if how == 'python' else 'sql'}"
    assert step(report, "build:serv.below").status is Status.SKIPPED
    assert [(each.outcome, each.failing) for each in step(report).checks] == [(CheckOutcome.FAILED, 1)]
    assert folder.rows("FROM bus.m") == before
    assert folder.rows("SELECT max(number) FROM _penstock.commits WHERE relation = 'bus.m'") == commits

    assert failed(run(folder, 2)).message == problem.message, "asked again, and not forgotten"
    orders(folder, *MENDED)
    passed(run(folder, 3))
    assert len(folder.rows("SELECT DISTINCT id FROM bus.m")) == 5
    assert folder.rows("FROM serv.below") == [(5,)]


@pytest.mark.parametrize("how", KEPT)
def test_the_first_time_nothing_is_published_either(folder: Any, how: str) -> None:
    source(folder)
    model(folder, f"{KEPT[how]}\n{CURRENT if how == 'history' else POSITIVE}")
    orders(folder, *BAD)
    failed(run(folder, 0))
    assert folder.rows("SELECT count(*) FROM information_schema.tables WHERE table_name = 'm'") == [(0,)]
    orders(folder, *MENDED)
    passed(run(folder, 1))
    assert len(folder.rows("SELECT DISTINCT id FROM bus.m")) == 5


def test_of_a_history_every_version_is_judged(folder: Any) -> None:
    """What was wrong for a day was: a version that is closed is not corrected by the next one."""
    source(folder)
    model(folder, f"{KEPT['history']}\n{POSITIVE}")
    orders(folder, *BAD)
    failed(run(folder, 0))
    orders(folder, *MENDED)
    assert "1 of 6 rows fails" in failed(run(folder, 1)).message
    model(folder, f"{KEPT['history']}\n{CURRENT}")
    passed(run(folder, 2))
    assert folder.rows("SELECT amount, is_current FROM bus.m WHERE id = 5") == [(-1, False), (1, True)]


@pytest.mark.parametrize("extract", ["full", "incremental"])
def test_at_a_source_table_the_batch_waits(folder: Any, extract: str) -> None:
    source(folder, "[{positive: amount}]", extract)
    model(folder, "materialization: auto")
    orders(folder, *GOOD)
    found = passed(run(folder, 0), "load:shop.orders")
    assert [each.rows for each in found.checks] == [4]
    orders(folder, *BAD)
    report = run(folder, 1)
    problem = failed(report, "load:shop.orders")
    assert problem.location.path == "sources/shop.yml"
    assert step(report).status is Status.SKIPPED
    assert len(folder.rows("FROM raw.orders")) == len(folder.rows("FROM bus.m")) == 4


def test_a_backfill_asks_too(folder: Any) -> None:
    source(folder)
    model(folder, f"{KEPT['time_range']}\n{POSITIVE}")
    orders(folder, *GOOD)
    passed(run(folder, 0))
    with duckdb.connect(str(folder.root / "data" / "dev" / "warehouse.duckdb")) as connection:
        connection.execute("UPDATE raw.orders_history SET amount = -7 WHERE id = 4")
    report = folder.project.backfill("bus.m", begin="2026-11-01", end="2026-11-05")
    assert report.exit_code == 3
    [problem] = [problem for each in report.steps for problem in each.problems]
    assert problem.code == "CHECK_FAILED"
    assert folder.rows("SELECT amount FROM bus.m WHERE id = 4") == [(40,)]


@pytest.mark.parametrize("how", [*KEPT, "view"])
def test_a_warning_lets_it_through_and_is_told(folder: Any, how: str) -> None:
    source(folder)
    model(
        folder, f"{KEPT.get(how, 'materialization: view')}\nchecks: [{{positive: {{column: amount, on_fail: warn}}}}]"
    )
    orders(folder, *BAD)
    [found] = passed(run(folder, 0)).checks
    assert (found.outcome, found.failing, found.samples) == (CheckOutcome.WARNED, 1, ({"amount": -1},)) or (
        found.samples[0]["id"] == 5  # with a key, the key is shown too
    )
    assert len(folder.rows("FROM bus.m")) == 5


def test_only_rows_that_came_are_judged_until_the_checks_change(folder: Any) -> None:
    source(folder)
    model(folder, f"key: id\n{POSITIVE}")
    orders(folder, *GOOD)
    assert [(c.scope, c.rows) for c in passed(run(folder, 0)).checks] == [("all", 4)]
    orders(folder, *GOOD, "5,2026-11-04,50,e@x,")
    assert [(c.scope, c.rows) for c in passed(run(folder, 1)).checks] == [("came", 1)]
    model(folder, "key: id\nchecks:\n- positive: amount\n- range: {column: amount, max: 45}")
    orders(folder, *GOOD, "5,2026-11-04,50,e@x,", "6,2026-11-04,1,f@x,")
    assert "max" not in (problem := failed(run(folder, 2))).message
    assert "expected amount at most 45: 1 of 6 rows fails: id = 5, amount = 50" in problem.message


@pytest.mark.parametrize(
    ("check", "rows", "message"),
    [
        ("unique: mail", ["5,2026-11-04,50,a@x,"], "expected each mail once: 2 rows fail: mail = a@x"),
        ("row_count: {max_drop: 50%}", None, "expected at most 50 % fewer rows than the 4 before, found 1"),
        ("row_count: {max: 4}", ["5,2026-11-04,50,e@x,"], "expected at most 4 rows, found 5"),
        ("freshness: {column: day, error_after: 20 days}", ["5,2025-11-04,50,e@x,"], "expected day of the last 20 d"),
        ("relationships: {column: day, to: stg.days}", ["5,2020-11-04,50,e@x,"], "expected every day in stg.days"),
        (
            "positive: {column: amount, max_failures: 40%}",
            [f"{n},2026-11-04,-1,," for n in range(5, 9)],
            "at most 40 %",
        ),
    ],
)
def test_checks_that_look_at_more_than_the_row(folder: Any, check: str, rows: list[str] | None, message: str) -> None:
    source(folder)
    folder.write("models/stg/days.sql", "SELECT DISTINCT day FROM raw.orders WHERE day > '2026-01-01'")
    model(folder, f"key: id\nchecks:\n- {check}")
    orders(folder, *GOOD)
    passed(run(folder, 0))
    at = 30 if "freshness" in check else 1
    orders(folder, *(GOOD[:1] if rows is None else [*GOOD, *rows]))
    assert message in failed(run(folder, at)).message
    assert len(folder.rows("FROM bus.m")) == 4


def test_a_relation_a_check_looks_at_is_made_first(folder: Any) -> None:
    source(folder)
    model(folder, "checks: [{relationships: {column: day, to: bus.z_days}}]")
    folder.write("models/bus/z_days.sql", "SELECT DISTINCT day FROM raw.orders")
    orders(folder, *GOOD)
    report = run(folder, 0)
    passed(report)
    order = [each.step for each in report.steps]
    assert order.index("build:bus.z_days") < order.index("build:bus.m")


def test_a_check_in_a_file_of_its_own_gates_too(folder: Any) -> None:
    source(folder)
    model(folder, "key: id")
    folder.write(
        "checks/day_total.sql",
        "/*---\nrelation: bus.m\ndescription: no day above $most\nkey: day\n---*/\n"
        "SELECT day, sum(amount) AS total FROM bus.m GROUP BY day HAVING sum(amount) > $most\n",
    )
    folder.write("penstock.yml", "name: test\nvariables: {most: 60}\n")
    orders(folder, *GOOD)
    passed(run(folder, 0))
    orders(folder, *GOOD, "5,2026-11-02,50,e@x,")
    problem = failed(run(folder, 1))
    assert "day_total: expected no day above $most: 1 row fails: day = 2026-11-02" in problem.message
    assert (problem.location.path, problem.location.line) == ("checks/day_total.sql", 6)
    assert len(folder.rows("FROM bus.m")) == 4


def test_private_values_are_not_shown(folder: Any) -> None:
    source(folder)
    model(folder, "key: id\npii: [mail]\nchecks: [{regex: {column: mail, pattern: '.@x'}}]")
    orders(folder, *GOOD, "5,2026-11-02,50,secret@elsewhere,")
    report = run(folder, 0)
    problem = failed(report)
    assert "mail = ***" in problem.message
    assert "secret" not in repr(report)
    model(folder, "key: id\ntags: [pii]\nchecks: [{regex: {column: mail, pattern: '.@x'}}]")
    report = run(folder, 1)
    assert "id = ***, mail = ***" in failed(report).message
    assert "secret" not in repr(report)


def test_what_is_said_of_a_private_column_is_no_value_of_it(folder: Any) -> None:
    source(folder)
    told = "[{freshness: {column: day, error_after: 1 day}}, {completeness: {column: day}}]"
    model(folder, f"key: id\npii: [day, amount]\nchecks: {told}")
    orders(folder, GOOD[0], GOOD[3])
    report = run(folder, 0)
    assert [problem.code for problem in step(report).problems] == ["CHECK_FAILED"] * 2
    assert "2026-11-0" not in repr(step(report))
    assert "datetime.datetime(2026, 11, 3" not in repr(step(report))
    kept = "{quantile_drift: {column: amount, max: 1%}}, {anomaly: {column: amount, measure: max}}"
    model(folder, f"key: id\npii: [day, amount]\nchecks: [{kept}]")
    with pytest.raises(ProjectError) as error:
        folder.project.validate()
    assert [each.code for each in error.value.problems] == ["CHECK_OPTION"] * 2


def test_every_failing_check_is_told_at_once(folder: Any) -> None:
    source(folder)
    model(folder, "key: id\nchecks:\n- positive: amount\n- not_null: mail\n- row_count: {max: 4}")
    orders(folder, *GOOD, "5,2026-11-02,-50,,")
    found = step(run(folder, 0))
    assert [problem.message.split("): ", 1)[1].split(": ")[0] for problem in found.problems] == [
        "positive(amount)", "not_null(mail)", "row_count",
    ]  # fmt: skip
    assert [problem.location.line for problem in found.problems] == [4, 5, 6]


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ("expression: mail::INTEGER > 0", "cannot be evaluated"),
        ("not_null: {column: day, where: mail::INTEGER > 0}", "cannot be evaluated"),
        ("expression: nothing > 0", "cannot be evaluated"),
        ("range: {column: day, min: soon}", "cannot be evaluated"),
        ("regex: {column: mail, pattern: '(a'}", ""),
    ],
)
def test_a_check_that_cannot_be_evaluated_publishes_nothing(folder: Any, check: str, message: str) -> None:
    source(folder)
    model(folder, f"materialization: rebuild\nchecks:\n- {check}")
    orders(folder, *GOOD)
    try:
        report = run(folder, 0)
    except Exception as error:  # told before anything is run, which is better still
        assert "models/bus/m.sql:4" in str(error), error
        return
    [problem] = step(report).problems
    assert (report.exit_code, problem.code) == (3, "CHECK_INVALID")
    assert message in problem.message
    assert (problem.location.path, problem.location.line) == ("models/bus/m.sql", 4)
    assert folder.rows("SELECT count(*) FROM information_schema.tables WHERE table_name = 'm'") == [(0,)]
