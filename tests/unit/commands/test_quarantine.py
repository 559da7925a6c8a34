"""Rows of models that fail a check are set apart, and come back by themselves: run after run on real files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from penstock.cli.report import write_report
from penstock.domain.check_result import CheckOutcome
from penstock.domain.run import RunReport, Status, StepResult
from penstock.domain.verification import Verdict
from penstock.errors import PenstockError, ProjectError

START = datetime(2026, 11, 17, 6, tzinfo=UTC)
HEAD = "id,day,amount,kind\n"
ROWS = ["1,2026-11-01,10,a", "2,2026-11-01,-2,a", "3,2026-11-02,30,x", "4,2026-11-03,-4,y", "5,2026-11-03,50,b"]
SOURCE = """
root: inbox
tables:
  orders:
    path: orders.csv
    extract: full
    key: id
    columns: {id: bigint, day: date, amount: bigint, kind: varchar}
"""
CHECKS = """checks:
  - positive: {column: amount, on_fail: quarantine}
  - accepted_values: {column: kind, values: [a, b], on_fail: quarantine, description: unknown kind}"""
SELECT = "SELECT id, day, amount, kind FROM raw.orders WHERE id < 100"
HELD = '_penstock."quarantine_bus.m"'
NEGATIVE = "positive(amount): expected amount above zero"
UNKNOWN = "accepted_values(kind): unknown kind"


def orders(folder: Any, *rows: str) -> None:
    folder.write("inbox/orders.csv", HEAD + "".join(f"{row}\n" for row in rows))


def model(folder: Any, matter: str = CHECKS, select: str = SELECT) -> None:
    folder.write("models/bus/m.sql", f"/*---\nowner: sales\n{matter}\n---*/\n{select}\n")


@pytest.fixture
def shop(folder: Any) -> Any:
    """Five orders, three of which the model `bus.m` does not want."""
    folder.write("sources/shop.yml", SOURCE)
    orders(folder, *ROWS)
    model(folder)
    return folder


def run(folder: Any, at: int = 0, **options: Any) -> RunReport:
    report: RunReport = folder.project.run(now=START + timedelta(hours=at), **options)
    return report


def built(report: RunReport) -> StepResult:
    found = next(each for each in report.steps if each.step == "build:bus.m")
    assert found.status in (Status.SUCCESS, Status.UNCHANGED), found.problems
    return found


def ids(folder: Any) -> list[int]:
    return [row[0] for row in folder.rows("SELECT id FROM bus.m")]


def apart(folder: Any) -> dict[int, Sequence[str]]:
    return {row[0]: row[1] for row in folder.rows(f"SELECT id, _penstock_reasons FROM {HELD}")}


def tables(folder: Any) -> list[Any]:
    return folder.rows("SELECT 1 FROM information_schema.tables WHERE table_name = 'quarantine_bus.m'")  # type: ignore[no-any-return]


def write_to(folder: Any, sql: str) -> None:
    with duckdb.connect(str(folder.root / "data/dev/warehouse.duckdb")) as connection:
        connection.execute(sql)


def test_every_failed_check_is_a_reason(shop: Any) -> None:
    found = built(run(shop))
    assert ids(shop) == [1, 5]
    assert apart(shop) == {2: [NEGATIVE], 3: [UNKNOWN], 4: [NEGATIVE, UNKNOWN]}
    assert found.rows == 2
    told = {each.name: (each.outcome, each.failing, each.rows, each.on_fail) for each in found.checks}
    assert told == {
        "positive(amount)": (CheckOutcome.WARNED, 2, 5, "quarantine"),
        "accepted_values(kind)": (CheckOutcome.WARNED, 2, 5, "quarantine"),
    }
    columns = [row[0] for row in shop.project.query("DESCRIBE bus.m").rows]
    assert columns == ["id", "day", "amount", "kind"]


def test_what_is_corrected_at_the_source_comes_back_and_the_rest_stays(shop: Any) -> None:
    run(shop)
    since = shop.rows(f"SELECT id, _penstock_first_seen, _penstock_run, _penstock_commit FROM {HELD}")
    orders(shop, *(row.replace(",-2,", ",2,") for row in ROWS), "6,2026-11-04,-6,b")
    report = run(shop, 1)
    found = built(report)
    assert found.mode == "maintained"
    assert ids(shop) == [1, 2, 5]
    assert list(apart(shop)) == [3, 4, 6]
    now = shop.rows(f"SELECT id, _penstock_first_seen, _penstock_run, _penstock_commit FROM {HELD}")
    assert now[:2] == since[1:]
    assert now[2][2:] == (report.run, found.commit)


def test_new_rows_that_are_all_set_apart_change_nothing_for_readers(shop: Any) -> None:
    shop.write("models/serv/n.sql", "SELECT count(*) AS n FROM bus.m\n")
    first = built(run(shop))
    orders(shop, *ROWS, "6,2026-11-04,-6,b")
    report = run(shop, 1)
    found = built(report)
    assert (found.status, found.commit, found.rows) == (Status.SUCCESS, None, 2)
    assert shop.rows(f"SELECT _penstock_run, _penstock_commit FROM {HELD} WHERE id = 6") == [(report.run, first.commit)]
    assert next(each.status for each in report.steps if each.step == "build:serv.n") is Status.UNCHANGED
    assert run(shop, 2).status is Status.UNCHANGED


def test_rows_in_are_published_set_apart_or_filtered(shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    orders(shop, *ROWS, "100,2026-11-04,1,a")
    shop.write(
        "models/serv/sums.sql",
        "/*---\nchecks: [{range: {column: n, min: 2, on_fail: quarantine}}]\n---*/\n"
        "SELECT kind, count(*) AS n FROM bus.m GROUP BY kind\n",
    )
    report = run(shop)
    sums = {each.target: {**each.accounting} for each in report.steps if each.kind == "build"}
    assert sums["bus.m"] == {"rows_in": 6, "returned": 5, "published": 2, "quarantined": 3, "filtered": 1}
    assert sums["serv.sums"] == {"rows_in": 2, "returned": 2, "published": 0, "quarantined": 2}
    write_report(report, as_json=False)
    told = capsys.readouterr().out
    assert "bus.m: 6 rows in = 2 published + 3 quarantined + 1 filtered" in told
    assert "serv.sums: 2 rows made (it groups, joins or is Python) = 0 published + 2 quarantined" in told
    orders(shop, *ROWS, "100,2026-11-04,1,a", "101,2026-11-04,1,a", "7,2026-11-04,-1,a", "8,2026-11-04,1,a")
    later = built(run(shop, 1)).accounting
    assert later.items() >= {"rows_in": 9, "published": 3, "quarantined": 4, "filtered": 2}.items()


# Rules that change


def test_changed_rules_judge_all_rows_anew(shop: Any) -> None:
    run(shop)
    model(shop, CHECKS.replace("[a, b]", "[a, b, x]"))
    plan = shop.project.plan()
    assert [step.reason for step in plan.needed] == ["its quarantine rules have changed"]
    run(shop, 1)
    assert ids(shop) == [1, 3, 5]
    assert apart(shop) == {2: [NEGATIVE], 4: [NEGATIVE, UNKNOWN]}
    assert len(shop.rows(f"SELECT DISTINCT _penstock_rules FROM {HELD}")) == 1
    model(shop, CHECKS.replace("[a, b]", "[a, b, x, y]").replace("quarantine}", "quarantine, name: low}"))
    run(shop, 2)
    assert apart(shop) == {2: ["low: expected amount above zero"], 4: ["low: expected amount above zero"]}
    assert len(shop.rows(f"SELECT DISTINCT _penstock_first_seen FROM {HELD}")) == 1
    assert run(shop, 3).status is Status.UNCHANGED


def test_without_rules_all_is_published_and_nothing_is_left(shop: Any) -> None:
    run(shop)
    model(shop, "tags: x")
    assert [step.reason for step in shop.project.plan().needed] == ["its quarantine rules have changed"]
    run(shop, 1)
    assert ids(shop) == [1, 2, 3, 4, 5]
    assert not tables(shop)
    assert run(shop, 2).status is Status.UNCHANGED


@pytest.mark.parametrize(
    "matter",
    ["materialization: view", "materialization: history\nkey: id", "materialization: append\nkey: id"],
)
def test_what_was_set_apart_goes_when_rows_are_kept_otherwise(shop: Any, matter: str) -> None:
    run(shop)
    model(shop, matter)
    built(run(shop, 1))
    assert ids(shop) == [1, 2, 3, 4, 5]
    assert not tables(shop)


def test_rules_for_a_table_that_is_there_already(shop: Any) -> None:
    model(shop, "tags: x")
    run(shop)
    model(shop)
    run(shop, 1)
    assert (ids(shop), list(apart(shop))) == ([1, 5], [2, 3, 4])


def test_another_column_makes_both_tables_anew(shop: Any) -> None:
    run(shop)
    model(shop, select=SELECT.replace("kind FROM", "kind, amount * 2 AS twice FROM"))
    run(shop, 1)
    assert shop.rows(f"SELECT id, twice FROM {HELD}") == [(2, -4), (3, 60), (4, -8)]
    assert shop.rows("SELECT id, twice FROM bus.m") == [(1, 20), (5, 100)]


# What is judged


def test_gates_judge_what_is_published(shop: Any) -> None:
    fails = "\n  - expression: amount > 0\n  - row_count: {max: 2}\n  - not_null: {column: amount, on_fail: warn}"
    model(shop, f"key: kind\n{CHECKS}{fails}")
    orders(shop, *ROWS[1:])
    built(run(shop))
    assert ids(shop) == [5]  # two rows of kind a would be one too many, had one of them not been set apart
    orders(shop, *ROWS[1:], "6,2026-11-04,1,b")
    report = run(shop, 1)
    assert report.exit_code == 3
    assert [problem.code for each in report.steps for problem in each.problems] == ["KEY_NOT_UNIQUE"]
    assert (ids(shop), list(apart(shop))) == ([5], [2, 3, 4])


@pytest.mark.parametrize(
    ("limit", "stops"), [("60%", False), ("59%", True), ("3", False), ("2", True), ("0", True), ("100%", False)]
)
def test_too_many_rows_set_apart_stop_the_step(shop: Any, limit: str, stops: bool) -> None:
    model(shop, f"{CHECKS}\nquarantine: {{max: {limit}}}")
    report = run(shop)
    assert (report.exit_code == 3) is stops
    if not stops:
        assert ids(shop) == [1, 5]
        return
    (problem,) = (problem for each in report.steps for problem in each.problems)
    assert problem.code == "QUARANTINE_LIMIT"
    assert "found 3 of 5 rows" in problem.message
    assert NEGATIVE in problem.message
    assert not shop.rows("SELECT 1 FROM information_schema.tables WHERE table_schema = 'bus'")
    assert not tables(shop)


def test_a_share_is_asked_of_the_rows_that_come_too(shop: Any) -> None:
    good = [f"{number},2026-11-01,1,a" for number in range(10, 90)]
    model(shop, f"{CHECKS}\nquarantine: {{max: 20%}}")
    orders(shop, *good)
    run(shop)
    few = [f"{number},2026-11-02,-1,a" for number in range(1, 5)]  # 4 of 4: too few to say anything
    orders(shop, *good, *few)
    built(run(shop, 1))
    many = [f"{number},2026-11-02,{-1 if number % 3 else 1},a" for number in range(200, 230)]
    model(shop, f"{CHECKS}\nquarantine: {{max: 20%}}", SELECT.replace("100", "1000"))
    built(run(shop, 2))
    orders(shop, *good, *few, *many[:18])
    report = run(shop, 3)
    assert report.exit_code == 0  # 16 of 102, and 18 that came are too few
    before = (ids(shop), apart(shop))
    orders(
        shop,
        *good,
        *few,
        *many[:18],
        *(f"{number},2026-11-02,-1,a" for number in range(300, 304)),
        *(f"{number},2026-11-02,1,a" for number in range(400, 416)),
    )
    assert run(shop, 4).exit_code == 0  # 4 of 20 that came
    before = (ids(shop), apart(shop))
    orders(
        shop,
        *good,
        *few,
        *many,
        *(f"{number},2026-11-02,-1,a" for number in range(300, 312)),
        *(f"{number},2026-11-02,1,a" for number in range(400, 416)),
    )
    report = run(shop, 5)
    (problem,) = (problem for each in report.steps for problem in each.problems)
    assert problem.code == "QUARANTINE_LIMIT"
    assert "rows" in problem.message
    assert (ids(shop), apart(shop)) == before


def test_a_check_that_a_row_makes_fail_is_named(shop: Any) -> None:
    cast = "checks:\n  - expression: {expression: CAST(kind AS INTEGER) > 0, on_fail: quarantine, name: number}"
    model(shop, cast)
    report = run(shop)
    (problem,) = (problem for each in report.steps for problem in each.problems)
    assert (problem.code, str(problem.location)) == ("CHECK_INVALID", "models/bus/m.sql:4:5")
    assert "'a'" in problem.message
    model(shop, f"{cast}\npii: [kind]")
    (private,) = (problem for each in run(shop).steps for problem in each.problems)
    assert "Conversion Error" in private.message
    assert "'a'" not in private.message
    model(shop, cast)
    assert "the check number cannot be evaluated" in problem.message
    assert "TRY_CAST" in (problem.hint or "")
    orders(shop, "1,2026-11-01,10,7")
    built(run(shop, 1))
    orders(shop, "1,2026-11-01,10,7", "2,2026-11-01,10,b")
    report = run(shop, 2)
    assert [problem.code for each in report.steps for problem in each.problems] == ["CHECK_INVALID"]
    assert (ids(shop), apart(shop)) == ([1], {})
    model(shop, cast.replace("CAST", "TRY_CAST").replace("> 0,", "IS NOT NULL,"))
    built(run(shop, 3))
    assert (ids(shop), apart(shop)) == ([1], {2: ["number: expected TRY_CAST(kind AS INTEGER) IS NOT NULL"]})


@pytest.mark.parametrize("expression", ["sum(amount) > 0", "row_number() OVER () > 1"])
def test_a_check_is_about_single_rows(shop: Any, expression: str) -> None:
    model(shop, f"checks:\n  - expression: {{expression: {expression}, on_fail: quarantine}}")
    with pytest.raises(ProjectError) as error:
        run(shop)
    assert [problem.code for problem in error.value.problems] == ["CHECK_OPTION"]


# What cannot be


@pytest.mark.parametrize(
    ("matter", "code"),
    [
        ("materialization: view", "CHECK_NOT_HERE"),
        ("materialization: append\nkey: id", None),
        ("materialization: merge\nkey: id", None),
        ("materialization: history\nkey: id", None),
        ("materialization: time_range\ntime_range: {column: day, grain: day}", None),
        ("materialization: merge\nkey: id\ndeletes: remove", None),
        ("materialization: rebuild", None),
    ],
)
def test_where_rows_can_be_set_apart(shop: Any, matter: str, code: str | None) -> None:
    model(shop, f"{matter}\n{CHECKS}")
    if code is None:
        built(run(shop))
        assert (ids(shop), list(apart(shop))) == ([1, 5], [2, 3, 4])
        return
    with pytest.raises(ProjectError) as caught:
        run(shop)
    assert {problem.code for problem in caught.value.problems} == {code}


@pytest.mark.parametrize("expression", ["day <= current_date", "amount > random()", "day < now()"])
def test_a_check_that_moves_with_the_time_cannot_set_rows_apart(shop: Any, expression: str) -> None:
    model(shop, f"checks:\n  - expression: {{expression: {expression}, on_fail: quarantine}}")
    with pytest.raises(ProjectError) as caught:
        run(shop)
    assert [problem.code for problem in caught.value.problems] == ["CHECK_OPTION"]


def test_a_column_of_the_quarantine_cannot_be_one_of_the_model(shop: Any) -> None:
    model(shop, select=SELECT.replace("kind FROM", "kind, 1 AS _Penstock_Run FROM"))
    report = run(shop)
    assert [problem.code for each in report.steps for problem in each.problems] == ["RESERVED_NAME"]


# The other verbs


def test_verify_compares_both_tables(shop: Any) -> None:
    run(shop)

    def verdict() -> Any:
        return next(each for each in shop.project.verify().relations if str(each.relation) == "bus.m")

    assert verdict().verdict is Verdict.RIGHT
    write_to(shop, f"UPDATE {HELD} SET _penstock_reasons = ['other'] WHERE id = 2")
    found = verdict()
    assert (found.verdict, found.missing, found.extra) == (Verdict.WRONG, 1, 1)
    assert any("set apart" in note for note in found.notes)
    write_to(shop, f"UPDATE {HELD} SET _penstock_reasons = ['{NEGATIVE}'] WHERE id = 2")
    assert verdict().verdict is Verdict.RIGHT
    write_to(shop, f"DELETE FROM {HELD} WHERE id = 3")
    assert (verdict().verdict, verdict().missing) == (Verdict.WRONG, 1)
    write_to(shop, f"DROP TABLE {HELD}")
    assert verdict().verdict is Verdict.WRONG
    run(shop, 1, full_refresh=["bus.m"])
    assert verdict().verdict is Verdict.RIGHT


def test_a_quarantine_that_is_gone_is_made_again_when_rows_change(shop: Any) -> None:
    run(shop)
    write_to(shop, f"DROP TABLE {HELD}")
    orders(shop, *ROWS, "6,2026-11-04,-6,b")
    found = built(run(shop, 1))
    assert "what was set apart of it is not there" in found.reason
    assert list(apart(shop)) == [2, 3, 4, 6]


def test_a_full_refresh_keeps_since_when_and_a_rebuild_makes_all_of_it(shop: Any) -> None:
    run(shop)
    before = shop.rows(f"FROM {HELD}")
    run(shop, 1, full_refresh=["bus.m"])
    assert shop.rows(f"FROM {HELD}") == before
    shop.project.rebuild(now=START + timedelta(hours=2))
    assert (ids(shop), list(apart(shop))) == ([1, 5], [2, 3, 4])


def test_a_backfill_sets_rows_apart(shop: Any) -> None:
    run(shop)
    write_to(shop, f"DELETE FROM {HELD}; DELETE FROM bus.m WHERE id = 5; UPDATE bus.m SET amount = 9 WHERE id = 1")
    found = shop.project.backfill("bus.m", begin="2026-11-02", end="2026-11-04", column="day")
    assert found.exit_code == 0
    assert shop.rows("SELECT id, amount FROM bus.m") == [(1, 9), (5, 50)]
    assert apart(shop) == {3: [UNKNOWN], 4: [NEGATIVE, UNKNOWN]}
    assert all(None not in row for row in shop.rows(f"SELECT _penstock_commit, _penstock_run FROM {HELD}"))
    model(shop, CHECKS.replace("[a, b]", "[a]"))
    with pytest.raises(PenstockError) as caught:
        shop.project.backfill("bus.m", begin="2026-11-02", end="2026-11-04", column="day")
    assert caught.value.code == "BACKFILL_IMPOSSIBLE"


def test_a_backfill_may_find_too_much(shop: Any) -> None:
    model(shop, f"{CHECKS}\nquarantine: {{max: 2}}")
    orders(shop, *ROWS[:3])
    run(shop)
    write_to(shop, f"INSERT INTO {HELD} SELECT * FROM {HELD}; DELETE FROM bus.m")
    report = shop.project.backfill("bus.m", begin="2026-11-02", end="2026-11-03", column="day")
    assert report.exit_code == 3
    assert "QUARANTINE_LIMIT" in {problem.code for each in report.steps for problem in each.problems}


def test_what_it_was_and_what_is_exported_is_what_was_published(shop: Any) -> None:
    shop.write("exports/e.yml", "exports: {m: {format: csv, relation: serv.m, path: m.csv, order_by: [id]}}\n")
    shop.write("models/serv/m.sql", "SELECT * FROM bus.m\n")
    run(shop)
    orders(shop, *(row.replace("-", "", 1) if ",-" in row else row for row in ROWS), "6,2026-11-04,-6,b")
    first = shop.rows("SELECT max(number) FROM _penstock.commits")[0][0]
    orders(shop, *ROWS[:-1], "6,2026-11-04,6,b", "7,2026-11-04,-6,b")
    run(shop, 1)
    assert [row[0] for row in shop.project.show("bus.m", at=first).rows] == [1, 5]
    assert (shop.root / "data/dev/exports/m.csv").read_text().splitlines()[0] == "id,day,amount,kind"
    assert [line.split(",")[0] for line in (shop.root / "data/dev/exports/m.csv").read_text().splitlines()[1:]] == [
        "1",
        "6",
    ]


def test_no_private_value_is_told(shop: Any) -> None:
    model(shop, f"key: id\npii: [amount]\n{CHECKS}\nquarantine: {{max: 1}}")
    report = run(shop)
    told = json.dumps([str(problem) for each in report.steps for problem in each.problems])
    assert "QUARANTINE_LIMIT" in told
    assert "-4" not in told
    model(shop, f"key: id\npii: [amount]\n{CHECKS}")
    samples = [row for each in built(run(shop, 1)).checks for row in each.samples]
    assert {row["amount"] for row in samples if "amount" in row} == {"***"}


def test_what_is_published_together_is_set_apart_together(shop: Any) -> None:
    one = f"/*---\nowner: x\n{CHECKS}\n---*/\n{SELECT}\n"
    two = (
        "/*---\nchecks: [{range: {column: n, min: 2, on_fail: quarantine}}]\nquarantine: {max: 0}\n---*/\n"
        "SELECT kind, count(*) AS n FROM serv.one GROUP BY kind\n"
    )
    shop.write("models/serv/one.sql", one)
    shop.write("models/serv/two.sql", two)
    orders(shop, "1,2026-11-01,10,a", "2,2026-11-01,10,a", "3,2026-11-01,-1,a")
    assert run(shop).exit_code == 0
    held = '_penstock."quarantine_serv.one"'
    before = (shop.rows("FROM serv.one"), shop.rows(f"FROM {held}"))
    orders(
        shop, "1,2026-11-01,10,a", "2,2026-11-01,10,a", "3,2026-11-01,-1,a", "4,2026-11-01,10,b", "5,2026-11-01,-1,a"
    )
    report = run(shop, 1)
    assert [problem.code for each in report.steps for problem in each.problems] == ["QUARANTINE_LIMIT"]
    assert (shop.rows("FROM serv.one"), shop.rows(f"FROM {held}")) == before
    shop.write("models/serv/two.sql", two.replace("max: 0", "max: 1"))
    report = run(shop, 2)
    assert report.exit_code == 0
    commits = {each.target: each.commit for each in report.steps if each.kind == "build"}
    assert shop.rows(f"SELECT id, _penstock_commit FROM {held}")[1] == (5, commits["serv.one"])
    assert shop.rows("SELECT kind, n FROM serv.two") == [("a", 2)]
    assert shop.rows('SELECT kind, n FROM _penstock."quarantine_serv.two"') == [("b", 1)]
    assert {each.verdict for each in shop.project.verify().relations} == {Verdict.RIGHT}
