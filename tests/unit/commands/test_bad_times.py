"""What comes at the wrong time or no longer comes: late rows, columns that are gone, cursors and clocks set back."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

START = datetime(2026, 11, 17, 6, tzinfo=UTC)
DATED = """
root: inbox
tables:
  orders:
    path: orders_*.csv
    extract: incremental
    key: id
    effective: changed
    columns: {id: bigint, amount: bigint, changed: timestamp}
"""
VERSIONS = "SELECT id, amount, valid_from, valid_to, is_current FROM raw.orders_history"


def run(folder: Any, hour: int) -> Any:
    report = folder.project.run(now=START + timedelta(hours=hour))
    assert report.exit_code == 0, [problem for step in report.steps for problem in step.problems]
    return {step.step: step for step in report.steps}


def test_files_in_any_order_end_in_the_same_tables(folder: Any, tmp_path_factory: Any) -> None:
    days = {
        "a": "1,10,2026-11-01 08:00:00\n2,20,2026-11-01 08:00:00\n",
        "b": "1,11,2026-11-02 08:00:00\n",
        "c": "1,12,2026-11-03 08:00:00\n2,22,2026-11-02 08:00:00\n",
    }
    found = []
    for order in itertools.permutations(days):
        one = type(folder)(tmp_path_factory.mktemp("shop"))
        one.write("sources/shop.yml", DATED)
        one.write("models/stg/big.sql", "SELECT id, amount FROM raw.orders WHERE amount > 11")
        one.write("models/stg/then.sql", "SELECT id, max(valid_to) AS ended FROM raw.orders_history GROUP BY id")
        for hour, day in enumerate(order):
            one.write(f"inbox/orders_{day}.csv", f"id,amount,changed\n{days[day]}")
            done = run(one, hour)
        assert done["build:stg.then"].mode == "maintained"
        found.append([one.rows(sql) for sql in (VERSIONS, "FROM stg.big", "FROM stg.then")])
    assert all(each == found[0] for each in found)
    assert found[0][1] == [(1, 12), (2, 22)]


def test_a_replayed_file_changes_nothing(folder: Any) -> None:
    folder.write("sources/shop.yml", DATED)
    folder.write("inbox/orders_a.csv", "id,amount,changed\n1,10,2026-11-01 08:00:00\n")
    folder.write("inbox/orders_b.csv", "id,amount,changed\n1,11,2026-11-02 08:00:00\n")
    run(folder, 0)
    before = folder.rows("FROM raw.orders_history")
    folder.write("inbox/orders_c.csv", "id,amount,changed\n1,10,2026-11-01 08:00:00\n")
    assert run(folder, 1)["load:shop.orders"].status == "unchanged"
    assert folder.rows("FROM raw.orders_history") == before


def test_history_is_dated_otherwise_when_it_is_declared_otherwise(folder: Any) -> None:
    folder.write("sources/shop.yml", DATED.replace("    effective: changed\n", ""))
    folder.write("inbox/orders_a.csv", "id,amount,changed\n1,10,2026-11-01 08:00:00\n")
    run(folder, 0)
    folder.write("sources/shop.yml", DATED)
    run(folder, 1)
    assert folder.rows("SELECT valid_from FROM raw.orders_history") == [(datetime(2026, 11, 1, 8),)]


def test_what_dates_a_version_must_be_a_time(folder: Any) -> None:
    folder.write("sources/shop.yml", DATED.replace(", changed: timestamp", ""))
    folder.write("inbox/orders_a.csv", "id,amount,changed\n1,10,2026-11-01 08:00:00\n")
    (problem,) = [p for step in folder.project.run().steps for p in step.problems]
    assert problem.code == "EFFECTIVE_TYPE"


GONE = "root: inbox\ntables:\n  orders: {path: orders.csv, extract: full, key: id}\n"


def test_a_column_that_is_gone_is_told_with_what_reads_it(folder: Any) -> None:
    folder.write("sources/shop.yml", GONE)
    folder.write("models/stg/all.sql", "SELECT * FROM raw.orders")
    folder.write("models/stg/regions.sql", "SELECT DISTINCT region FROM raw.orders")
    folder.write("models/bus/sums.sql", 'SELECT sum("amount"::INT) AS s FROM stg.all')
    run(folder, 0)
    folder.write("inbox/orders.csv", "id,region\n1,north\n")
    (problem,) = [p for step in folder.project.run().steps for p in step.problems]
    assert problem.code == "COLUMN_GONE"
    assert "read by bus.sums, stg.all" in problem.message
    assert "stg.regions" not in problem.message


def test_a_column_that_is_gone_can_be_read_as_null(folder: Any) -> None:
    folder.write("sources/shop.yml", GONE.replace("key: id", "key: id, on_missing_column: null"))
    folder.write("models/stg/sums.sql", "SELECT region, sum(amount::INT) AS s FROM raw.orders GROUP BY region")
    run(folder, 0)
    folder.write("inbox/orders.csv", "id,region\n1,north\n2,south\n")
    done = run(folder, 1)
    assert done["load:shop.orders"].accounting["updated"] == 2
    assert done["build:stg.sums"].mode == "maintained"
    assert folder.rows("SELECT id, amount FROM raw.orders") == [("1", None), ("2", None)]
    assert folder.rows("FROM stg.sums") == [("north", None), ("south", None)]
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,7\n2,south,20\n")
    run(folder, 2)
    assert folder.rows("FROM stg.sums") == [("north", 7), ("south", 20)]
    before = folder.rows("FROM raw.orders_history")
    assert folder.project.rebuild().exit_code == 0
    assert folder.rows("FROM raw.orders_history") == before


def test_a_declared_column_that_is_gone_can_be_read_as_null_too(folder: Any) -> None:
    columns = "columns: {amount: bigint}"
    folder.write("sources/shop.yml", GONE.replace("key: id", f"key: id, {columns}"))
    run(folder, 0)
    folder.write("inbox/orders.csv", "id,region\n1,north\n")
    [problem] = next(step for step in folder.project.run().steps if step.kind == "land").problems
    assert problem.code == "COLUMN_MISSING"
    assert "on_missing_column: null" in str(problem.hint)
    folder.write("sources/shop.yml", GONE.replace("key: id", f"key: id, {columns}, on_missing_column: null"))
    run(folder, 1)
    assert folder.rows("SELECT id, amount FROM raw.orders") == [("1", None)]


CURSOR = """
root: inbox
tables:
  orders:
    path: orders_*.csv
    extract: incremental
    key: id
    cursor: {column: n, type: bigint}
    columns: {id: bigint, n: bigint}
"""


def test_a_file_below_the_cursor_is_late_and_not_lost(folder: Any) -> None:
    folder.write("sources/shop.yml", CURSOR)
    for hour, rows in enumerate(("1,100,a\n", "2,50,b\n", "3,101,c\n4,100,d\n", "1,99,older\n2,60,newer\n")):
        folder.write(f"inbox/orders_{hour}.csv", f"id,n,what\n{rows}")
        run(folder, hour)
    wanted = [(1, 100, "a"), (2, 60, "newer"), (3, 101, "c"), (4, 100, "d")]
    assert folder.rows("SELECT id, n, what FROM raw.orders") == wanted
    assert run(folder, 9) == {}, "each file once"
    # A file that grows is read from the highest value on: what came below did not take the cursor with it.
    folder.write("inbox/orders_3.csv", "id,n,what\n1,99,older\n2,60,newer\n5,100,lost\n6,101,e\n")
    run(folder, 10)
    assert folder.rows("SELECT id, n, what FROM raw.orders") == [*wanted, (6, 101, "e")]
    before = folder.rows("FROM raw.orders_history")
    assert folder.project.rebuild().exit_code == 0
    assert folder.rows("FROM raw.orders_history") == before


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["bigint", "timestamp"])
def test_with_a_cursor_files_may_come_in_any_order(folder: Any, seed: int, kind: str) -> None:
    dice = random.Random(seed)
    untyped = CURSOR.replace("type: bigint", f"type: {kind}").replace(", n: bigint", "")
    folder.write("sources/shop.yml", untyped)
    latest: dict[int, int] = {}
    for file in range(6):
        values = {key: dice.randrange(8, 1200) for key in dice.sample(range(4), 2)}
        latest = {key: max(latest.get(key, 0), values.get(key, 0)) for key in {*latest, *values}}
        listed = [f"{key},{_moment(value) if kind == 'timestamp' else value}\n" for key, value in values.items()]
        folder.write(f"inbox/orders_{file}.csv", "id,n\n" + "".join(listed))
        if dice.random() < 0.5:
            run(folder, file)
    run(folder, 9)
    wanted = {key: _moment(value) if kind == "timestamp" else str(value) for key, value in latest.items()}
    assert dict(folder.rows("SELECT id, n FROM raw.orders")) == wanted


def _moment(minutes: int) -> str:
    return f"{datetime(2026, 11, 1) + timedelta(minutes=minutes)}"


def test_a_clock_set_back_gives_batches_in_order(folder: Any) -> None:
    for hour, amount in enumerate((1, 2, 3)):
        folder.write("inbox/orders.csv", f"id,region,amount\n1,north,{amount}\n")
        run(folder, 10 - hour)
    found = folder.rows("SELECT valid_from, valid_to, amount FROM raw.orders_history")
    assert [row[2] for row in found] == [1, 2, 3]
    assert all(one[0] < one[1] == following[0] for one, following in itertools.pairwise(found))
