"""Models that follow their inputs, end to end: only what is affected is touched, and whatever a log cannot tell is
made anew."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from penstock.domain.run import RunReport, StepResult

TOTALS = "SELECT region, sum(amount) AS total, count(*) AS n FROM raw.orders GROUP BY ALL"
LARGE = "SELECT region, CASE WHEN total > 30 THEN 'large' ELSE 'small' END AS size FROM stg.totals"
NOTED = "id,region,amount,note\n1,north,10,hello\n2,south,20,\n3,north,30,\n"


def orders(*rows: tuple[Any, ...]) -> str:
    return "id,region,amount\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)


MOVES = {"affected", "gone", "came"}


def steps(folder: Any, **options: Any) -> dict[str, StepResult]:
    """What builds and exports did; of the accounting what moved, without where all rows went."""
    report: RunReport = folder.project.run(**options)
    assert report.exit_code == 0, [problem for step in report.steps for problem in step.problems]
    return {
        step.target: replace(step, accounting={name: n for name, n in step.accounting.items() if name in MOVES})
        for step in report.steps
        if step.kind in {"build", "export"}
    }


@contextmanager
def opened(folder: Any) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(folder.root / "data/dev/warehouse.duckdb")) as connection:
        yield connection


def log(folder: Any, relation: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = folder.rows(
        f'SELECT _penstock_sign, * EXCLUDE (_penstock_sign, _penstock_commit) FROM _penstock."changes_{relation}"'
    )
    return rows


@pytest.fixture
def two(folder: Any) -> Any:
    """Totals by region and their sizes, built once."""
    folder.write("models/stg/totals.sql", TOTALS)
    folder.write("models/bus/sizes.sql", LARGE)
    folder.run()
    return folder


def test_only_the_affected_units_are_touched_and_what_stays_equal_stops_there(two: Any) -> None:
    two.write("inbox/orders.csv", orders((1, "north", 11), (2, "south", 20), (3, "north", 30)))
    done = steps(two)
    totals, sizes = done["stg.totals"], done["bus.sizes"]
    assert (totals.status, totals.mode, totals.accounting) == (
        "success",
        "maintained",
        {"affected": 1, "gone": 1, "came": 1},
    )
    assert totals.reason == "changed: raw.orders; maintained by (region), 1 unit affected"
    assert (sizes.status, sizes.mode) == ("unchanged", "maintained")
    assert log(two, "stg.totals") == [(-1, "north", 40, 2), (1, "north", 41, 2)]
    assert two.rows("FROM stg.totals") == [("north", 41, 2), ("south", 20, 1)]
    assert two.rows("SELECT DISTINCT relation FROM _penstock.logs WHERE relation LIKE 'bus%'") == [("bus.sizes",)]
    assert two.rows("SELECT count(*) FROM _penstock.commits WHERE relation = 'bus.sizes'") == [(1,)]


def test_the_history_logs_old_and_new_images_of_the_versions_that_moved(two: Any) -> None:
    two.write("inbox/orders.csv", orders((1, "north", 11), (3, "north", 30), (4, "east", 1)))
    two.run()
    rows = two.rows(
        "SELECT _penstock_sign, id, amount, is_current, valid_to IS NULL, _batch[-1:] "
        'FROM _penstock."changes_raw.orders_history"'
    )
    assert sorted(rows) == [
        (-1, 1, 10, True, True, "1"),
        (-1, 2, 20, True, True, "1"),
        (1, 1, 10, False, False, "1"),
        (1, 1, 11, True, True, "2"),
        (1, 2, 20, False, False, "1"),
        (1, 4, 1, True, True, "2"),
    ]
    with opened(two) as connection:
        apart = connection.execute(
            "SELECT count(*) FROM (SELECT * EXCLUDE (_penstock_sign, _penstock_commit) FROM "
            '_penstock."changes_raw.orders_history" WHERE _penstock_sign = 1 EXCEPT FROM raw.orders_history)'
        ).fetchone()
        assert apart == (0,), "what entered is in the table, column for column"


def test_several_commits_are_followed_at_once_by_what_is_left_of_them(two: Any) -> None:
    two.write("inbox/orders.csv", orders((1, "north", 99), (2, "south", 20), (3, "north", 30)))
    two.run(select=["raw.orders"])
    two.write("inbox/orders.csv", orders((1, "north", 10), (2, "south", 21), (3, "north", 30)))
    two.run(select=["raw.orders"])
    done = steps(two)["stg.totals"]
    assert (done.mode, done.accounting["gone"], done.accounting["came"]) == ("maintained", 1, 1)
    assert two.rows("FROM stg.totals") == [("north", 40, 2), ("south", 21, 1)]


@pytest.mark.parametrize(
    "edit",
    [
        'DELETE FROM _penstock."changes_raw.orders_history" WHERE amount = 10',
        'INSERT INTO _penstock."changes_raw.orders_history" SELECT * FROM _penstock."changes_raw.orders_history"',
        'ALTER TABLE _penstock."changes_raw.orders_history" DROP COLUMN region',
        'DROP TABLE _penstock."changes_raw.orders_history"',
    ],
)
def test_a_log_altered_by_hand_is_not_trusted(two: Any, edit: str) -> None:
    two.write("inbox/orders.csv", orders((1, "north", 11), (2, "south", 20), (3, "north", 30)))
    two.run(select=["raw.orders"])
    with opened(two) as connection:
        connection.execute(edit)
    done = steps(two)["stg.totals"]
    assert done.mode == "rebuilt"
    assert "the change log of raw.orders_history was altered" in done.reason
    assert two.rows("FROM stg.totals") == [("north", 41, 2), ("south", 20, 1)]
    for amount in (12, 13):
        two.write("inbox/orders.csv", orders((1, "north", amount), (2, "south", 20), (3, "north", 30)))
        done = steps(two)["stg.totals"]
        assert two.rows("SELECT total FROM stg.totals WHERE n = 2") == [(amount + 30,)]
    assert done.mode == "maintained", "it is followed again"


def test_a_pruned_log_that_a_reader_still_needs_means_a_rebuild(two: Any) -> None:
    two.write("inbox/orders.csv", orders((1, "north", 11), (2, "south", 20), (3, "north", 30)))
    two.run(select=["raw.orders"])
    with opened(two) as connection:
        connection.execute('DELETE FROM _penstock."changes_raw.orders_history"')
        connection.execute("UPDATE _penstock.logs SET since = 99 WHERE relation = 'raw.orders_history'")
    done = steps(two)["stg.totals"]
    assert done.reason.endswith("begins after commit 99, and 1 is the last one seen")
    assert two.rows("FROM stg.totals") == [("north", 41, 2), ("south", 20, 1)]


def test_a_changed_definition_is_compared_and_its_readers_get_what_differs(two: Any) -> None:
    two.write("exports/e.yml", "exports: {t: {format: csv, relation: serv.t, path: t.csv}}\n")
    two.write("models/serv/t.sql", "SELECT region, total FROM stg.totals")
    two.run()
    written = (two.root / "data/dev/exports/t.csv").stat().st_mtime_ns
    two.write("models/stg/totals.sql", TOTALS.replace("count(*)", "count(id)"))
    done = steps(two)
    assert (done["stg.totals"].status, done["stg.totals"].reason) == ("unchanged", "definition changed")
    assert done["bus.sizes"].status == done["t"].status == "unchanged"
    assert (two.root / "data/dev/exports/t.csv").stat().st_mtime_ns == written
    assert steps(two) == {}, "and that was that"
    two.write("models/stg/totals.sql", TOTALS.replace("count(*)", "count(*) FILTER (amount > 10)"))
    done = steps(two)
    assert (done["stg.totals"].status, done["stg.totals"].accounting) == ("success", {"gone": 1, "came": 1})
    assert (done["serv.t"].status, done["serv.t"].mode) == ("unchanged", "maintained")


def test_new_columns_flow_through_and_the_log_goes_on(folder: Any) -> None:
    folder.write("models/stg/copy.sql", "SELECT * FROM raw.orders")
    folder.write("models/stg/totals.sql", TOTALS)
    folder.run()
    folder.write("inbox/orders.csv", orders((1, "north", 10), (2, "south", 20), (3, "north", 31)))
    folder.run()
    folder.write("inbox/orders.csv", NOTED)
    done = steps(folder)
    assert done["stg.totals"].mode == "maintained"
    assert (done["stg.copy"].mode, "its columns have changed" in done["stg.copy"].reason) == ("rebuilt", True), done[
        "stg.copy"
    ].reason
    assert folder.rows("SELECT id, amount, note FROM stg.copy") == [(1, 10, "hello"), (2, 20, None), (3, 30, None)]
    folder.write("inbox/orders.csv", NOTED.replace("hello", "bye"))
    done = steps(folder)
    assert done["stg.copy"].mode == "maintained"
    assert folder.rows("SELECT note FROM stg.copy WHERE id = 1") == [("bye",)]


def test_a_table_loaded_again_begins_a_new_log(two: Any) -> None:
    source = (two.root / "sources/shop.yml").read_text()
    two.write("sources/shop.yml", source.replace("amount: bigint", "amount: integer"))
    done = steps(two)["stg.totals"]
    assert (done.status, done.mode) == ("unchanged", "rebuilt")
    assert "the change log of raw.orders_history begins" in done.reason
    two.write("inbox/orders.csv", orders((1, "north", 11), (2, "south", 20), (3, "north", 30)))
    assert steps(two)["stg.totals"].mode == "maintained"


def test_a_rebuilt_table_is_compared_corrected_or_swapped(folder: Any) -> None:
    rows = [(number, "north", number) for number in range(100)]
    folder.write("inbox/orders.csv", orders(*rows))
    folder.write(
        "models/stg/all.sql", "/*---\nmaterialization: rebuild\nkey: id\n---*/\nSELECT id, amount FROM raw.orders"
    )
    folder.write("models/bus/copy.sql", "SELECT id, amount FROM stg.all WHERE id < 50")
    folder.run()
    for changed in (3, 60, 0):
        rows = [(number, "south", amount + (number < changed)) for number, _, amount in rows]
        folder.write("inbox/orders.csv", orders(*rows))
        done = steps(folder)
        assert done["stg.all"].status == "success" if changed else "unchanged"
        assert done["stg.all"].accounting == ({"gone": changed, "came": changed} if changed else {})
        assert folder.rows("FROM stg.all") == sorted(((number, amount) for number, _, amount in rows), key=repr)
        assert folder.rows("SELECT sum(amount) FROM bus.copy") == [(sum(row[2] for row in rows[:50]),)]
        assert done["bus.copy"].mode == ("maintained" if changed else None)
    assert len(log(folder, "stg.all")) == 126


def test_columns_of_every_type_are_compared(folder: Any) -> None:
    folder.write(
        "models/stg/types.sql",
        "SELECT id, amount::DECIMAL(18,3) AS d, [region] AS l, {'a': amount, 'b': region} AS s, "
        "MAP([id], [region]) AS r, region::ENUM('north', 'south') AS e, amount::DOUBLE AS f, "
        "CASE WHEN id = 1 THEN 'NaN'::FLOAT END AS nan, "
        "encode(region) AS b, DATE '2026-01-01' + id::INTEGER AS day, INTERVAL 1 DAY AS i, NULL AS nothing, "
        "TIMESTAMPTZ '2026-01-01 00:00:00+00' AS tz, gen_random_uuid() IS NULL AS u, id::HUGEINT AS h, true AS t, "
        "TIME '12:00:00' AS c FROM raw.orders",
    )
    folder.run()
    folder.write("inbox/orders.csv", orders((1, "north", 10), (2, "south", 21), (3, "north", 30)))
    assert steps(folder)["stg.types"].accounting["gone"] == 1
    folder.write("penstock.yml", "name: test\nvariables: {unused: 1}\n")
    path = folder.root / "models/stg/types.sql"
    path.write_text(path.read_text().replace("true AS t", "NOT false AS t"))
    done = steps(folder)["stg.types"]
    assert (done.status, done.accounting) == ("unchanged", {"gone": 0, "came": 0})


def test_a_column_with_the_name_of_a_row_s_place_does_no_harm(folder: Any) -> None:
    source = (folder.root / "sources/shop.yml").read_text()
    folder.write("sources/shop.yml", source.replace("key: id", "key: rowid").replace("id: bigint", "rowid: bigint"))
    for name, kind in (("a", "auto"), ("b", "rebuild"), ("c", "append\nkey: rowid")):
        folder.write(
            f"models/stg/{name}.sql", f"/*---\nmaterialization: {kind}\n---*/\nSELECT rowid, amount FROM raw.orders"
        )
    folder.write("inbox/orders.csv", "rowid,amount\n3,1\n2,2\n1,3\n")
    folder.run()
    folder.write("inbox/orders.csv", "rowid,amount\n3,1\n2,9\n0,3\n")
    folder.run()
    rows = [(0, 3), (2, 9), (3, 1)]
    assert folder.rows("FROM stg.a") == folder.rows("FROM stg.b") == rows
    assert folder.rows("SELECT rowid, amount FROM raw.orders") == rows
    assert folder.rows("FROM stg.c") == [(0, 3), (1, 3), (2, 9), (3, 1)]


def test_python_and_appended_models_log_what_differs(folder: Any) -> None:
    head = '"""\n---\nreads: [raw.orders]\ncolumns: [id, amount]\n---\n"""\nimport pyarrow as pa\n'
    body = "def model(orders):\n    return pa.table(orders).select(['id', 'amount'])\n"
    folder.write("models/stg/py.py", head + body)
    folder.write(
        "models/stg/kept.sql", "/*---\nmaterialization: append\nkey: id\n---*/\nSELECT id, amount FROM raw.orders"
    )
    folder.write("models/bus/a.sql", "SELECT id, amount + 1 AS more FROM stg.py")
    folder.write("models/bus/b.sql", "SELECT id, amount + 1 AS more FROM stg.kept")
    folder.run()
    folder.write("inbox/orders.csv", orders((1, "north", 10), (2, "south", 21), (4, "north", 1)))
    done = steps(folder)
    assert (done["stg.py"].mode, done["stg.py"].accounting) == ("rebuilt", {"gone": 2, "came": 2})
    assert (done["stg.kept"].mode, done["stg.kept"].accounting) == ("appended", {"gone": 1, "came": 2})
    assert done["bus.a"].mode == done["bus.b"].mode == "maintained"
    assert folder.rows("FROM bus.a") == [(1, 11), (2, 22), (4, 2)]
    assert folder.rows("FROM bus.b") == [(1, 11), (2, 22), (3, 31), (4, 2)]


def test_an_appended_table_is_never_replaced_by_one_of_other_types(folder: Any) -> None:
    head = "/*---\nmaterialization: append\nkey: id\n---*/\n"
    folder.write("models/stg/kept.sql", f"{head}SELECT id, amount FROM raw.orders")
    folder.run()
    folder.write("inbox/orders.csv", orders((1, "north", 10)))
    folder.write("models/stg/kept.sql", f"{head}SELECT id, CAST(amount AS VARCHAR) AS amount FROM raw.orders")
    report = folder.project.run()
    problem = next(problem for step in report.steps for problem in step.problems)
    assert (problem.code, "amount BIGINT" in problem.message) == ("SCHEMA_CHANGED", True)
    assert len(folder.rows("FROM stg.kept")) == 3


def test_a_declared_key_that_stands_twice_is_refused_at_first_and_later(folder: Any) -> None:
    folder.write(
        "models/stg/m.sql", "/*---\nkey: region\n---*/\nSELECT region, amount FROM raw.orders WHERE amount > 10"
    )
    folder.run()
    folder.write("inbox/orders.csv", orders((1, "north", 11), (2, "south", 20), (3, "north", 30)))
    report = folder.project.run()
    codes = [problem.code for step in report.steps for problem in step.problems]
    assert (report.exit_code, codes) == (3, ["KEY_NOT_UNIQUE"])
    assert folder.rows("FROM stg.m") == [("north", 30), ("south", 20)]
    folder.write("inbox/orders.csv", orders((1, "east", 11), (2, "south", 20), (3, "north", 30)))
    assert steps(folder)["stg.m"].mode == "maintained"
    folder.write("models/stg/n.sql", "/*---\nkey: one\n---*/\nSELECT 1 AS one FROM raw.orders")
    assert folder.project.run().exit_code == 3


def test_where_most_of_a_table_may_differ_it_is_made_anew(folder: Any) -> None:
    rows = [(number, "north", number) for number in range(12_000)]
    folder.write("inbox/orders.csv", orders(*rows))
    folder.write("models/stg/copy.sql", "SELECT id, amount % 2 AS odd FROM raw.orders")
    folder.run()
    folder.write("inbox/orders.csv", orders(*((*row[:2], row[2] + 2) for row in rows)))
    done = steps(folder)["stg.copy"]
    assert (done.mode, done.status, done.accounting) == ("rebuilt", "unchanged", {"gone": 0, "came": 0})
    assert "of its 12,000 rows may differ" in done.reason or "units may differ" in done.reason
    folder.write("inbox/orders.csv", orders(*((*row[:2], row[2] + 2 + (row[0] == 7)) for row in rows)))
    assert steps(folder)["stg.copy"].accounting["gone"] == 1


def test_a_row_that_cannot_be_computed_is_told_by_the_models_own_sql(folder: Any) -> None:
    folder.write("models/stg/m.sql", "SELECT id, CAST(region AS BIGINT) AS n FROM raw.orders WHERE amount > 10")
    folder.write("inbox/orders.csv", orders((1, "x", 10), (2, "2", 20)))
    folder.run()
    folder.write("inbox/orders.csv", orders((1, "x", 11), (2, "2", 20)))
    report = folder.project.run()
    problem = next(problem for step in report.steps for problem in step.problems)
    assert problem.code == "SQL_FAILED"
    assert str(problem.location).startswith("models/stg/m.sql")
    assert folder.rows("FROM stg.m") == [(2, 2)]


@pytest.mark.parametrize("damage", ["", "{", '{"sha256": "", "entries": "{}"}', "\xff"])
def test_a_damaged_program_is_compiled_again(two: Any, damage: str) -> None:
    for path in (two.root / ".penstock/maintenance").glob("*"):
        path.write_text(damage)
    two.write("inbox/orders.csv", orders((1, "north", 11), (2, "south", 20), (3, "north", 30)))
    assert steps(two)["stg.totals"].mode == "maintained"
    for path in (two.root / ".penstock/maintenance").glob("*"):
        path.write_text(damage)
    two.write("inbox/orders.csv", orders((1, "north", 12), (2, "south", 20), (3, "north", 30)))
    assert steps(two)["stg.totals"].mode == "maintained"
    assert two.rows("SELECT total FROM stg.totals WHERE n = 2") == [(42,)]


def test_a_warm_run_never_imports_the_parser(two: Any) -> None:
    for amount in (11, 12):
        two.write("inbox/orders.csv", orders((1, "north", amount), (2, "south", 20), (3, "north", 30)))
        if amount == 11:
            two.run()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "penstock", "run", "--json"],
        cwd=two.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"mode": "maintained"' in done.stdout
    assert "sqlglot" not in done.stderr


def test_the_plan_says_what_is_maintained_and_what_is_not(two: Any) -> None:
    two.write("models/serv/one.sql", "SELECT sum(total) AS total FROM stg.totals")
    two.run()
    told = {step.id: str(step.maintenance) for step in two.project.plan().steps if step.kind == "build"}
    assert told["build:stg.totals"] == "maintained by (region)"
    assert told["build:serv.one"].startswith("rebuilt: ")


def test_old_changes_go_when_they_were_applied(two: Any) -> None:
    two.write("inbox/orders.csv", orders((1, "north", 11), (2, "south", 20), (3, "north", 30)))
    two.run()
    assert log(two, "stg.totals")
    with opened(two) as connection:
        connection.execute("UPDATE _penstock.commits SET committed_at = committed_at - INTERVAL 8 DAY")
    two.write("inbox/orders.csv", orders((1, "north", 12), (2, "south", 20), (3, "north", 30)))
    two.run()
    assert log(two, "stg.totals") == [(-1, "north", 41, 2), (1, "north", 42, 2)]
    two.write("inbox/orders.csv", orders((1, "north", 13), (2, "south", 20), (3, "north", 30)))
    assert steps(two)["bus.sizes"].mode == "maintained"


@pytest.mark.parametrize("clock", ["now()", "current_timestamp", "today()", "get_current_timestamp()"])
def test_what_the_clock_decides_is_asked_in_every_run(folder: Any, clock: str) -> None:
    folder.write(
        "models/stg/v.sql",
        f"/*---\nmaterialization: view\n---*/\nSELECT id, {clock} > '2026-01-01' AS late FROM raw.orders",
    )
    folder.write("models/stg/m.sql", f"SELECT id FROM raw.orders WHERE {clock} > TIMESTAMPTZ '2026-01-01'")
    folder.write("models/bus/n.sql", "SELECT id FROM stg.v WHERE late")
    folder.write("models/bus/o.sql", f"SELECT id, {clock} AS seen, 'not now()' AS word FROM raw.orders")
    now = datetime(2026, 11, 20, tzinfo=UTC)
    folder.run(now=now)
    done = {step.target: step for step in folder.project.run(now=now + timedelta(hours=1)).steps}
    assert (done["stg.m"].reason, done["stg.m"].status) == ("the time has moved", "unchanged")
    assert done["bus.n"].reason == "the time has moved"
    assert done["bus.o"].reason == "up to date", "a stamp, and a word in a text"
    assert folder.project.verify().exit_code == 0


def test_with_stamps_only_there_is_nothing_to_do_as_time_goes_by(folder: Any, tmp_path: Path) -> None:
    folder.write("models/stg/m.sql", "SELECT id, amount, $run_ts AS seen FROM raw.orders")
    now = datetime(2026, 11, 20, tzinfo=UTC)
    folder.run(now=now)
    assert folder.run(now=now + timedelta(days=1)) == {}, "not even looked at"
    folder.write("inbox/orders.csv", orders((1, "north", 10), (2, "south", 21), (3, "north", 30)))
    folder.run(now=now + timedelta(days=2))
    assert folder.rows("SELECT id, day(seen) FROM stg.m") == [(1, 20), (2, 22), (3, 20)]
    folder.write("models/stg/v.sql", "/*---\nmaterialization: view\n---*/\nSELECT id, $run_ts AS seen FROM raw.orders")
    folder.run(now=now + timedelta(days=3))
    assert folder.run(now=now + timedelta(days=4))["build:stg.v"] == "success"
