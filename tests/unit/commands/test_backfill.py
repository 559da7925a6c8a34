"""backfill: a range is what its definition gives, nothing else is touched, and what reads it follows."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from penstock.cli.main import run
from penstock.domain.event import StepStarted
from penstock.domain.run import RunReport, Status
from penstock.errors import PenstockError

SOURCE = """
root: inbox
tables:
  orders:
    path: orders.csv
    extract: full
    key: id
    columns: {id: bigint, day: date, taken: timestamp, amount: bigint}
"""
HEAD = "id,day,taken,amount\n"
DAYS = [f"{number},2026-01-{number:02},2026-01-{number:02} 05:30:00,{number}\n" for number in range(1, 11)]
DAILY = "SELECT day, sum(amount)::BIGINT AS total, count(*) AS orders FROM raw.orders GROUP BY day"
RANGED = f"/*---\nmaterialization: time_range\ntime_range: {{column: day, grain: day}}\n---*/ {DAILY}"
JANUARY = {"begin": "2026-01-01", "end": "2026-02-01"}


@pytest.fixture
def life(folder: Any) -> Any:
    folder.write("sources/shop.yml", SOURCE)
    folder.write("inbox/orders.csv", HEAD + "".join(DAYS))
    folder.write("models/stg/rows.sql", "/*---\nkey: id\n---*/ SELECT id, day, taken, amount FROM raw.orders")
    folder.write("models/bus/daily.sql", RANGED)
    folder.write(
        "models/serv/report.sql",
        "SELECT month(day) AS month, sum(total)::BIGINT AS total, count(*) AS days FROM bus.daily GROUP BY month(day)",
    )
    folder.write("models/serv/view.sql", "/*---\nmaterialization: view\n---*/ SELECT day FROM bus.daily")
    folder.run()
    return folder


def sabotage(folder: Any, *statements: str) -> None:
    with duckdb.connect(str(folder.root / "data" / "dev" / "warehouse.duckdb")) as connection:
        for sql in statements:
            connection.execute(sql)


def done(report: RunReport) -> Counter[str]:
    """How many partitions ended in which way, those done before as `skipped`."""
    assert report.exit_code == 0, [step.problems for step in report.steps]
    parts = [step for step in report.steps if step.step.count(":") > 1]
    return Counter("skipped" if "done before" in step.reason else step.status.value for step in parts)


def code(folder: Any, *select: str, **asked: Any) -> str:
    before = folder.rows("FROM _penstock.commits")
    with pytest.raises(PenstockError) as told:
        folder.project.backfill(*select, **{**JANUARY, **asked})
    assert told.value.problem.hint
    assert folder.rows("FROM _penstock.commits") == before
    return told.value.code


def test_a_range_is_made_anew_and_nothing_else(life: Any) -> None:
    sabotage(life, "UPDATE bus.daily SET total = 1000 + total")
    before = life.rows("SELECT max(number) FROM _penstock.commits")[0][0]
    report = life.project.backfill("bus.daily", begin="2026-01-03", end="2026-01-06")
    assert done(report) == {"success": 3}
    found = dict(life.rows("SELECT day(day), total FROM bus.daily"))
    assert found == {n: n if 3 <= n < 6 else 1000 + n for n in range(1, 11)}
    logged = life.rows(f"SELECT step, rows, changes FROM _penstock.commits WHERE number > {before}")
    assert logged == [(f"backfill:bus.daily:2026-01-0{n}", 10, 2) for n in (3, 4, 5)]


def test_what_reads_it_follows_in_the_next_run(life: Any) -> None:
    sabotage(life, "UPDATE bus.daily SET total = 1000 + total", "UPDATE serv.report SET total = total + 10000")
    life.project.backfill("bus.daily", **JANUARY)
    before = life.rows("SELECT total FROM serv.report")
    assert before == [(10055,)]
    assert life.project.verify("serv.report").relations[0].verdict == "stale"
    report = life.project.run()
    [step] = [step for step in report.steps if step.step == "build:serv.report"]
    assert (step.mode, life.rows("FROM serv.report")) == ("maintained", [(1, 55, 10)])
    assert life.project.verify().exit_code == 0
    assert life.project.run().status is Status.UNCHANGED


def test_rows_that_ought_not_to_be_there_go_and_missing_ones_come(life: Any) -> None:
    sabotage(
        life,
        "INSERT INTO bus.daily SELECT * FROM bus.daily WHERE day(day) = 2",
        "INSERT INTO bus.daily VALUES ('2026-01-20', 7, 7), (NULL, 1, 1)",
        "DELETE FROM bus.daily WHERE day(day) = 4",
    )
    report = life.project.backfill("bus.daily", **JANUARY)
    assert done(report) == {"success": 3, "unchanged": 28}
    gone_and_came = [(step.accounting["gone"], step.accounting["came"]) for step in report.steps if step.commit]
    assert sorted(gone_and_came) == [(0, 1), (1, 0), (1, 0)]
    assert life.rows("SELECT total FROM bus.daily WHERE day IS NULL") == [(1,)]
    assert life.rows("SELECT count(*), sum(total) FROM bus.daily WHERE day IS NOT NULL") == [(10, 55)]


def test_what_is_right_is_not_committed_again(life: Any) -> None:
    before = life.rows("FROM _penstock.commits")
    report = life.project.backfill("bus.daily", **JANUARY)
    assert (report.status, done(report)) == (Status.UNCHANGED, {"unchanged": 31})
    assert life.rows("FROM _penstock.commits") == before


def test_the_same_call_again_repeats_nothing_unless_it_is_told_to_or_something_changed(life: Any) -> None:
    first = life.project.backfill("bus.daily", **JANUARY)
    sabotage(life, "UPDATE bus.daily SET total = 0 WHERE day(day) = 1")
    again = life.project.backfill("bus.daily", **JANUARY)
    assert done(again) == {"skipped": 31}
    assert any(first.run in step.reason for step in again.steps)
    assert done(life.project.backfill("bus.daily", begin="2026-01-01", end="2026-01-03")) == {
        "success": 1, "unchanged": 1,
    }  # fmt: skip
    assert done(life.project.backfill("bus.daily", **JANUARY, restart=True)) == {"unchanged": 31}
    life.write("inbox/orders.csv", HEAD + "".join(DAYS[1:]))
    life.run()
    assert done(life.project.backfill("bus.daily", **JANUARY)) == {"unchanged": 31}
    assert done(life.project.backfill("bus.daily", **JANUARY)) == {"skipped": 31}


def test_the_table_need_not_be_up_to_date_and_its_next_build_is_right(life: Any) -> None:
    life.write("inbox/orders.csv", HEAD + "".join(DAYS[:8]) + "50,2026-01-02,2026-01-02 10:00:00,100\n")
    life.run(select=["raw.orders"])
    applied = life.rows("FROM _penstock.applied")
    life.project.backfill("bus.daily", begin="2026-01-01", end="2026-01-06")
    assert life.rows("FROM _penstock.applied") == applied
    assert life.rows("SELECT total FROM bus.daily WHERE day(day) = 2") == [(102,)]
    assert life.rows("SELECT count(*) FROM bus.daily") == [(10,)]
    life.run()
    assert life.rows("FROM serv.report") == [(1, 136, 8)]
    assert life.project.verify().exit_code == 0


@pytest.mark.parametrize("grain", ["hour", "day", "month"])
@pytest.mark.parametrize("column", ["taken", "day"])
def test_any_model_with_a_time_and_any_grain(life: Any, column: str, grain: str) -> None:
    sabotage(life, "UPDATE stg.rows SET amount = -1")
    asked = {"begin": "2026-01-02", "end": "2026-01-04", "column": column, "grain": grain}
    if (column, grain) == ("day", "hour"):
        assert code(life, "stg.rows", **asked) == "BACKFILL_RANGE"
        return
    report = life.project.backfill("stg.rows", **asked)
    assert len(report.steps) == {"hour": 48, "day": 2, "month": 1}[grain] + 1
    assert life.rows("SELECT id FROM stg.rows WHERE amount > 0") == [(2,), (3,)]


def test_a_range_may_begin_and_end_anywhere_and_has_a_zone_if_it_says_so(life: Any) -> None:
    sabotage(life, "UPDATE stg.rows SET amount = -1")
    plus_two = {"begin": "2026-01-02T07:30:00+02:00", "end": "2026-01-03T07:30:00+02:00"}
    report = life.project.backfill("stg.rows", column="taken", **plus_two)
    assert {step.target for step in report.steps[:2]} == {"stg.rows 2026-01-02T05:30:00", "stg.rows 2026-01-03"}
    assert life.rows("SELECT id FROM stg.rows WHERE amount > 0") == [(2,)]


def test_a_row_with_a_key_that_moved_into_the_range_is_there_once(life: Any) -> None:
    sabotage(
        life,
        "UPDATE stg.rows SET day = '2025-12-31' WHERE id = 4",
        "UPDATE stg.rows SET day = '2026-01-02' WHERE id = 3",
    )
    life.project.backfill("stg.rows", column="day", **JANUARY)
    assert sorted(life.rows("SELECT id, day(day) FROM stg.rows")) == [(n, n) for n in range(1, 11)]


def test_many_partitions_at_once_give_what_one_after_the_other_gives(life: Any) -> None:
    for threads in (1, 4):
        life.write("penstock.yml", f"name: test\nenvironments: {{dev: {{threads: {threads}}}}}\n")
        sabotage(life, "UPDATE stg.rows SET amount = -1", "DELETE FROM stg.rows WHERE id > 5")
        report = life.project.backfill("stg.rows", column="taken", grain="hour", **JANUARY)
        assert done(report) == {"success": 10, "unchanged": 734}
        assert sorted(life.rows("SELECT id, amount FROM stg.rows")) == [(n, n) for n in range(1, 11)]
        [(rows,)] = life.rows(
            "SELECT rows FROM _penstock.commits WHERE relation = 'stg.rows' ORDER BY number DESC LIMIT 1"
        )
        assert rows == 10
        life.write("inbox/orders.csv", HEAD + "".join(DAYS) + f"9{threads},2026-03-01,2026-03-01 05:30:00,1\n")
        life.run()
        life.write("inbox/orders.csv", HEAD + "".join(DAYS))
        life.run()
        assert life.project.verify().exit_code == 0


def test_several_models_each_after_what_it_reads(life: Any) -> None:
    sabotage(life, "UPDATE stg.rows SET amount = 0")
    life.write("models/bus/daily.sql", RANGED.replace("raw.orders", "stg.rows"))
    life.write("models/serv/view.sql", "SELECT 1 AS one FROM bus.daily")
    life.run(full_refresh=["bus.daily"])
    assert life.rows("SELECT sum(total) FROM bus.daily") == [(0,)]
    begun: list[str] = []
    report = life.project.backfill(
        "stg.rows", "bus.daily", column="day", begin="2026-01-01", end="2026-01-05",
        emit=lambda event: begun.append(event.step) if isinstance(event, StepStarted) else None,
    )  # fmt: skip
    assert done(report) == {"success": 8}
    assert max(begun.index(s) for s in begun if "stg" in s) < min(begun.index(s) for s in begun if "bus" in s)
    assert life.rows("SELECT sum(total) FROM bus.daily") == [(10,)]


def test_a_partition_that_fails_leaves_the_others_and_is_gone_on_with(life: Any) -> None:
    life.write(
        "models/bus/daily.sql",
        RANGED.replace(
            "sum(amount)::BIGINT",
            "sum(CASE WHEN amount = 4 THEN CAST('x' || amount AS BIGINT) ELSE amount END)::BIGINT",
        ),
    )
    report = life.project.backfill("bus.daily", begin="2026-01-01", end="2026-01-07")
    assert (report.status, report.exit_code) == (Status.FAILED, 2)
    failed = {step.target: step.problems[0].location.path for step in report.steps if step.status is Status.FAILED}
    assert failed == {"bus.daily 2026-01-04": "models/bus/daily.sql"}
    again = life.project.backfill("bus.daily", begin="2026-01-01", end="2026-01-07")
    assert Counter(step.status.value for step in again.steps) == {"unchanged": 5, "failed": 1, "skipped": 1}
    life.write("models/bus/daily.sql", RANGED)
    assert done(life.project.backfill("bus.daily", begin="2026-01-01", end="2026-01-07")) == {"unchanged": 6}


def test_a_definition_with_other_columns_is_refused(life: Any) -> None:
    life.write("models/bus/daily.sql", RANGED.replace("count(*) AS orders", "count(*) AS n"))
    report = life.project.backfill("bus.daily", **JANUARY)
    assert {step.problems[0].code for step in report.steps if step.problems} == {"SCHEMA_CHANGED"}
    assert life.rows("SELECT count(*) FROM bus.daily") == [(10,)]


def test_a_stamp_moves_only_on_rows_that_differ(life: Any) -> None:
    life.write("models/stg/made.sql", "/*---\nkey: id\n---*/ SELECT id, day, amount, $run_ts AS made FROM raw.orders")
    life.run(now=datetime(2026, 11, 20, tzinfo=UTC))
    sabotage(life, "UPDATE stg.made SET amount = 0 WHERE id = 3")
    life.project.backfill("stg.made", column="day", now=datetime(2026, 11, 21, tzinfo=UTC), **JANUARY)
    assert life.rows("SELECT id, amount FROM stg.made WHERE made > '2026-11-20'") == [(3, 3)]


@pytest.mark.parametrize(
    ("select", "asked", "wanted"),
    [
        ("serv.report", {}, "BACKFILL_COLUMN"),
        ("stg.rows", {}, "BACKFILL_COLUMN"),
        ("stg.rows", {"column": "moment"}, "BACKFILL_COLUMN"),
        ("stg.rows", {"column": "amount"}, "BACKFILL_COLUMN"),
        ("serv.view", {"column": "day"}, "BACKFILL_IMPOSSIBLE"),
        ("bus.*", {"begin": "2026-02-01"}, "BACKFILL_RANGE"),
        ("bus.*", {"begin": "2026-02-02"}, "BACKFILL_RANGE"),
        ("bus.*", {"begin": "2026-01-01T05:00"}, "BACKFILL_RANGE"),
        ("bus.*", {"grain": "fortnight"}, "BACKFILL_RANGE"),
        ("bus.*", {"begin": "0001-01-01", "end": "9999-01-01"}, "BACKFILL_RANGE"),
        ("bus.*", {"begin": "soon"}, "TIME_INVALID"),
        ("bus.*", {"end": "2026-01-99"}, "TIME_INVALID"),
        ("raw.orders", {}, "UNKNOWN_SELECTION"),
        ("bus.dayly", {}, "UNKNOWN_SELECTION"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_changed(
    life: Any, select: str, asked: dict[str, str], wanted: str
) -> None:
    assert code(life, select, **asked) == wanted


def test_the_end_of_time_is_no_bug(life: Any) -> None:
    report = life.project.backfill(
        "stg.rows", column="taken", grain="month", begin="9999-11-01", end="9999-12-31T23:59:59.999999"
    )
    assert done(report) == {"unchanged": 2}


def test_a_model_that_is_not_built_or_python_or_a_history(life: Any) -> None:
    life.write("models/bus/new.sql", RANGED)
    assert code(life, "bus.new") == "BACKFILL_IMPOSSIBLE"
    life.write("models/bus/new.sql", "/*---\nmaterialization: history\nkey: day\n---*/ SELECT * FROM bus.daily")
    assert code(life, "bus.new") == "BACKFILL_IMPOSSIBLE"
    (life.root / "models/bus/new.sql").unlink()
    life.write(
        "models/bus/new.py", '"""\n---\nreads: [bus.daily]\ncolumns: [day]\n---\n"""\n\n\ndef model(d):\n    return d\n'
    )
    assert code(life, "bus.new") == "BACKFILL_IMPOSSIBLE"


def test_before_anything_was_built(folder: Any) -> None:
    folder.write("sources/shop.yml", SOURCE)
    folder.write("inbox/orders.csv", HEAD + "".join(DAYS))
    folder.write("models/bus/daily.sql", RANGED)
    with pytest.raises(PenstockError) as told:
        folder.project.backfill("bus.daily", **JANUARY)
    assert told.value.code == "NOTHING_BUILT"
    assert not (folder.root / "data" / "dev" / "warehouse.duckdb").exists()


def test_on_the_command_line(life: Any, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["backfill", "bus.daily", "--project", str(life.root), "--from", "2026-01-01", "--to", "2026-01-04"]
    assert run([*arguments, "--dry-run"]) == 0
    assert "3 partitions to do, 0 done before" in capsys.readouterr().out
    assert run([*arguments, "--dry-run", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["partitions"]
    assert listed[0] == {
        "relation": "bus.daily",
        "column": "day",
        "from": "2026-01-01T00:00:00",
        "to": "2026-01-02T00:00:00",
        "needed": True,
        "reason": "day before 2026-01-02T00:00:00",
    }
    assert life.rows("SELECT 1 FROM information_schema.tables WHERE table_name = 'backfills'") == []
    sabotage(life, "UPDATE bus.daily SET total = 0 WHERE day(day) = 2")
    assert run(arguments) == 0
    told = capsys.readouterr()
    assert "bus.daily 2026-01-02" in told.err
    assert told.out.splitlines()[2].split() == ["bus.daily", "3", "0", "0", "1", "1"]
    assert run([*arguments, "--json", "--quiet"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["status"], document["exit_code"], len(document["steps"])) == ("unchanged", 0, 4)
    assert run([*arguments, "--column", "nothing"]) == 2
    assert "BACKFILL_COLUMN" in capsys.readouterr().err
