"""merge, time_range and history, run after run on real files: each guarantee against a rebuild or by hand."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

START = datetime(2026, 11, 17, 6, tzinfo=UTC)
SOURCE = """
root: inbox
tables:
  orders:
    path: orders.csv
    extract: {extract}
    key: id
    columns: {{id: bigint, day: date, region: varchar, amount: bigint, changed: timestamp}}
"""
HEAD = "id,day,region,amount,changed\n"


def orders(folder: Any, *rows: str) -> None:
    folder.write("inbox/orders.csv", HEAD + "".join(f"{row}\n" for row in rows))


def source(folder: Any, extract: str = "full") -> None:
    folder.write("sources/shop.yml", SOURCE.format(extract=extract))


def model(folder: Any, matter: str, select: str, name: str = "bus/m") -> None:
    folder.write(f"models/{name}.sql", f"/*---\n{matter}\n---*/\n{select}\n")


def run(folder: Any, at: int, **options: Any) -> Any:
    """Run at an hour and give the step that builds bus.m."""
    report = folder.project.run(now=START + timedelta(hours=at), **options)
    assert report.exit_code == 0, [problem for step in report.steps for problem in step.problems]
    return next((step for step in report.steps if step.step == "build:bus.m"), None)


def refused(folder: Any, at: int, **options: Any) -> Any:
    report = folder.project.run(now=START + timedelta(hours=at), **options)
    return next(problem for step in report.steps for problem in step.problems)


# merge

MERGE = "materialization: merge\nkey: region"
TOTALS = "SELECT region, sum(amount) AS total, max(changed) AS changed FROM raw.orders GROUP BY region"


def test_merge_adds_and_corrects_and_keeps_what_the_select_no_longer_gives(folder: Any) -> None:
    source(folder)
    model(folder, MERGE, TOTALS)
    orders(folder, "1,2026-11-01,north,1,", "2,2026-11-01,south,2,", "3,2026-11-01,west,3,")
    assert run(folder, 0).mode == "built"
    orders(folder, "1,2026-11-01,north,5,", "3,2026-11-01,west,3,", "4,2026-11-01,east,4,")
    done = run(folder, 1)
    assert done.mode == "merged"
    assert "maintained by (region)" in done.reason
    assert done.accounting == {"gone": 1, "came": 2}
    expected = [("east", 4), ("north", 5), ("south", 2), ("west", 3)]
    assert folder.rows("SELECT region, total FROM bus.m") == expected


def test_merge_can_remove_what_the_select_no_longer_gives(folder: Any) -> None:
    source(folder)
    model(folder, f"{MERGE}\ndeletes: remove", TOTALS)
    orders(folder, "1,2026-11-01,north,1,", "2,2026-11-01,south,2,")
    run(folder, 0)
    orders(folder, "1,2026-11-01,north,1,", "4,2026-11-01,,4,")
    assert run(folder, 1).mode == "maintained"
    assert folder.rows("SELECT region, total FROM bus.m") == [("north", 1), (None, 4)]


def test_readers_follow_what_a_merge_has_changed(folder: Any) -> None:
    source(folder)
    model(folder, MERGE, TOTALS)
    model(folder, "owner: x", "SELECT region, total * 2 AS twice FROM bus.m WHERE total > 1", "serv/r")
    orders(folder, "1,2026-11-01,north,1,", "2,2026-11-01,south,2,")
    run(folder, 0)
    orders(folder, "1,2026-11-01,north,7,")
    report = folder.project.run(now=START + timedelta(hours=1))
    assert {step.step: step.mode for step in report.steps}["build:serv.r"] == "maintained"
    assert folder.rows("FROM serv.r") == [("north", 14), ("south", 4)]


def test_a_merge_whose_units_cut_through_its_key_looks_at_everything(folder: Any) -> None:
    source(folder)
    select = "SELECT region, day, sum(amount) AS total FROM raw.orders GROUP BY ALL"
    model(folder, MERGE, select)
    orders(folder, "1,2026-11-01,north,1,")
    run(folder, 0)
    orders(folder, "1,2026-11-02,north,2,")
    assert "its units cut through its key" in run(folder, 1).reason
    assert folder.rows("SELECT region, total FROM bus.m") == [("north", 2)]
    orders(folder, "1,2026-11-02,north,2,", "2,2026-11-03,north,2,")
    problem = refused(folder, 2)
    assert problem.code == "KEY_NOT_UNIQUE"
    assert folder.rows("SELECT region, total FROM bus.m") == [("north", 2)]


def test_a_merge_keeps_a_stamp_until_the_row_changes(folder: Any) -> None:
    source(folder)
    model(folder, MERGE, "SELECT region, sum(amount) AS total, $run_ts AS made_at FROM raw.orders GROUP BY region")
    orders(folder, "1,2026-11-01,north,1,", "2,2026-11-01,south,2,")
    run(folder, 0)
    orders(folder, "1,2026-11-01,north,1,", "2,2026-11-01,south,9,")
    run(folder, 5)
    first, later = START.replace(tzinfo=None), (START + timedelta(hours=5)).replace(tzinfo=None)
    assert folder.rows("SELECT region, total, made_at FROM bus.m") == [("north", 1, first), ("south", 9, later)]


def test_a_merged_table_takes_new_columns_and_refuses_to_lose_one(folder: Any) -> None:
    source(folder)
    model(folder, MERGE, "SELECT region, sum(amount) AS total FROM raw.orders GROUP BY region")
    orders(folder, "1,2026-11-01,north,1,", "2,2026-11-01,south,2,")
    run(folder, 0)
    orders(folder, "1,2026-11-01,north,1,")
    model(folder, MERGE, "SELECT region, count(*) AS n, sum(amount) AS total FROM raw.orders GROUP BY region")
    run(folder, 1)
    assert folder.rows("SELECT region, n, total FROM bus.m") == [("north", 1, 1), ("south", None, 2)]
    model(folder, MERGE, "SELECT region, count(*) AS n FROM raw.orders GROUP BY region")
    assert refused(folder, 2).code == "SCHEMA_CHANGED"
    run(folder, 3, full_refresh=["bus.m"])
    assert folder.rows("FROM bus.m") == [("north", 1)]


# time_range

RANGE = "materialization: time_range\ntime_range: {column: day, grain: month, lookback: 3 days}"
MONTHS = "SELECT region, day, sum(amount) AS total FROM raw.orders GROUP BY ALL"


def test_a_late_row_replaces_its_own_range_and_no_other(folder: Any) -> None:
    source(folder, "incremental")
    model(folder, RANGE, MONTHS)
    orders(folder, "1,2026-09-01,north,1,", "2,2026-10-01,south,2,", "3,2026-11-05,west,3,")
    run(folder, 0)
    orders(folder, "4,2026-09-20,north,4,")
    done = run(folder, 1)
    assert done.mode == "replaced"
    assert "the months of day that changed (1)" in done.reason
    assert done.accounting["came"] == 1
    assert folder.rows("SELECT total, region FROM bus.m") == [(1, "north"), (2, "south"), (3, "west"), (4, "north")]


def test_a_row_that_moves_to_another_range_leaves_the_one_it_was_in(folder: Any) -> None:
    source(folder)
    model(folder, RANGE, MONTHS)
    orders(folder, "1,2026-09-01,north,1,", "2,,south,2,")
    run(folder, 0)
    orders(folder, "1,2026-11-01,north,1,", "2,,south,3,")
    assert "the months of day that changed (3)" in run(folder, 1).reason
    assert folder.rows("SELECT total, month(day) FROM bus.m") == [(1, 11), (3, None)]


def test_without_a_change_log_ranges_are_replaced_from_the_lookback_on(folder: Any) -> None:
    source(folder)
    model(folder, RANGE.replace("month", "day"), f"{MONTHS} HAVING sum(amount) > 0 ORDER BY 1 LIMIT 100")
    orders(folder, "1,2026-09-01,north,1,", "2,2026-11-10,south,2,", "3,2026-11-14,west,3,")
    run(folder, 0)
    orders(folder, "2,2026-11-10,south,5,", "3,2026-11-14,west,6,", "4,,east,4,")
    done = run(folder, 1)
    assert "since 2026-11-11 00:00:00" in done.reason
    assert folder.rows("SELECT total, month(day), day(day) FROM bus.m") == [
        (1, 9, 1),
        (2, 11, 10),
        (4, None, None),
        (6, 11, 14),
    ]


def test_a_time_that_has_not_come_does_not_narrow_the_lookback(folder: Any) -> None:
    source(folder)
    model(folder, RANGE.replace("month", "day"), f"{MONTHS} LIMIT 100")
    orders(folder, "1,2026-11-16,north,1,", "2,2099-01-01,south,2,")
    run(folder, 0)
    orders(folder, "1,2026-11-16,north,5,", "2,2099-01-01,south,2,")
    assert "since 2026-11-14 00:00:00" in run(folder, 1).reason
    assert folder.rows("SELECT total FROM bus.m") == [(2,), (5,)]


def test_what_dates_a_range_must_be_a_time(folder: Any) -> None:
    source(folder)
    model(folder, RANGE.replace("column: day", "column: amount"), "SELECT * FROM raw.orders")
    orders(folder, "1,2026-11-16,north,1,")
    with pytest.raises(Exception, match="NOT_A_TIME"):
        folder.project.run()


# history

HISTORY = "materialization: history\nkey: region"
SUMS = "SELECT region, sum(amount) AS total, count(*) AS n FROM raw.orders GROUP BY region"
VERSIONS = "SELECT region, total, hour(valid_from) - 6, hour(valid_to) - 6, is_current FROM bus.m"


def test_history_keeps_versions_ends_deleted_keys_and_begins_them_again(folder: Any) -> None:
    source(folder)
    model(folder, HISTORY, SUMS)
    orders(folder, "1,2026-11-01,north,1,", "2,2026-11-01,south,2,")
    run(folder, 0)
    orders(folder, "1,2026-11-01,north,1,")
    assert run(folder, 1).mode == "versioned"
    orders(folder, "1,2026-11-01,north,5,", "2,2026-11-01,south,2,")
    done = run(folder, 2)
    assert "maintained by (region)" in done.reason
    assert done.accounting == {"gone": 1, "came": 3}
    expected = [
        ("north", 1, 0, 2, False),
        ("north", 5, 2, None, True),
        ("south", 2, 0, 1, False),
        ("south", 2, 2, None, True),
    ]
    assert folder.rows(VERSIONS) == expected
    assert run(folder, 3) is None


BETWEEN = {
    "view": "materialization: view",
    "auto": "description: kept as a table",
    "quarantine": "checks: [{range: {column: amount, max: 4, on_fail: quarantine}}]",
}


@pytest.mark.parametrize("between", BETWEEN)
def test_history_is_replayed_by_a_rebuild(folder: Any, between: str) -> None:
    source(folder)
    model(folder, BETWEEN[between], "SELECT region, amount FROM raw.orders", "stg/v")
    model(folder, HISTORY, "SELECT region, sum(amount) AS total FROM stg.v GROUP BY region")
    days: list[tuple[str, ...]] = [
        ("1,2026-11-01,north,1,", "2,2026-11-01,south,2,"),
        ("1,2026-11-01,north,1,",),
        ("1,2026-11-01,north,1,",),
        ("1,2026-11-01,north,5,", "2,2026-11-01,south,2,"),
        ("1,2026-11-01,north,1,", "2,2026-11-01,south,2,", "3,2026-11-01,south,3,"),
    ]
    for hour, rows in enumerate(days):
        orders(folder, *rows)
        run(folder, hour)
    before = folder.rows("FROM bus.m")
    assert len(before) == (5 if between == "quarantine" else 6)
    assert folder.project.rebuild(now=START + timedelta(days=30)).exit_code == 0
    assert folder.rows("FROM bus.m") == before


def test_landings_that_were_not_built_at_once_are_looked_at_one_by_one(folder: Any) -> None:
    source(folder)
    model(folder, HISTORY, SUMS)
    for hour, amount in enumerate((1, 2, 3, 1)):
        orders(folder, f"1,2026-11-01,north,{amount},")
        assert folder.project.land(now=START + timedelta(hours=hour)).exit_code == 0
    run(folder, 9)
    found = [(1, 0, 1), (2, 1, 2), (3, 2, 3), (1, 3, None)]
    assert sorted(row[1:4] for row in folder.rows(VERSIONS)) == sorted(found, key=repr)


def test_history_by_updated_at_puts_late_rows_where_they_belong(folder: Any) -> None:
    source(folder, "incremental")
    matter = "materialization: history\nkey: region\nhistory: {by: updated_at, column: changed, deletes: ignore}"
    select = "SELECT region, amount AS total, changed FROM raw.orders"
    model(folder, matter, select)
    times = ["2026-11-01 08:00:00", "2026-11-01 10:00:00", "2026-11-01 09:00:00"]
    for hour, at in enumerate(times):
        orders(folder, f"1,2026-11-01,north,{hour},{at}")
        run(folder, hour)
    assert folder.rows(VERSIONS) == [
        ("north", 0, 2, 3, False),
        ("north", 1, 4, None, True),
        ("north", 2, 3, 4, False),
    ]
    orders(folder, "1,2026-11-01,north,9,")
    assert refused(folder, 8).code == "HISTORY_UNDATED"
    assert len(folder.rows(VERSIONS)) == 3


def test_only_compared_columns_make_versions(folder: Any) -> None:
    source(folder)
    model(folder, f"{HISTORY}\nhistory: {{columns: n, deletes: ignore}}", SUMS)
    orders(folder, "1,2026-11-01,north,1,", "2,2026-11-01,south,1,")
    run(folder, 0)
    orders(folder, "1,2026-11-01,north,9,")
    run(folder, 1)
    assert folder.rows("SELECT region, total, is_current FROM bus.m") == [("north", 1, True), ("south", 1, True)]
    orders(folder, "1,2026-11-01,north,9,", "3,2026-11-01,north,1,")
    run(folder, 2)
    assert [row[1] for row in folder.rows("SELECT region, total FROM bus.m")] == [1, 10, 1]


def test_a_clock_set_back_ends_no_version_before_it_begins(folder: Any) -> None:
    source(folder)
    model(folder, HISTORY, SUMS)
    for hour, amount in ((20, 1), (3, 2), (2, 3)):
        orders(folder, f"1,2026-11-01,north,{amount},")
        run(folder, hour)
    model(folder, HISTORY, SUMS.replace("sum", "10 * sum"))
    run(folder, 1)
    found = folder.rows("SELECT valid_from, valid_to, total FROM bus.m")
    assert [row[2] for row in found] == [1, 2, 3, 30]
    for one, following in itertools.pairwise(found):
        assert one[0] < one[1] == following[0]
    raw = folder.rows("SELECT valid_from, valid_to FROM raw.orders_history")
    assert all(one[1] is None or one[0] < one[1] for one in raw)
    assert len(raw) == 3


def test_readers_follow_a_history(folder: Any) -> None:
    source(folder)
    model(folder, HISTORY, SUMS)
    model(folder, "owner: x", "SELECT region, total FROM bus.m WHERE is_current", "serv/now")
    for hour, amount in enumerate((1, 2, 3)):
        orders(folder, f"1,2026-11-01,north,{amount},", "2,2026-11-01,south,1,")
        report = folder.project.run(now=START + timedelta(hours=hour))
    assert {step.step: step.mode for step in report.steps}["build:serv.now"] == "maintained"
    assert folder.rows("FROM serv.now") == [("north", 3), ("south", 1)]


def test_a_history_takes_new_columns(folder: Any) -> None:
    source(folder)
    model(folder, HISTORY, "SELECT region, sum(amount) AS total FROM raw.orders GROUP BY region")
    orders(folder, "1,2026-11-01,north,1,", "2,2026-11-01,south,2,")
    run(folder, 0)
    orders(folder, "1,2026-11-01,north,1,")
    model(folder, HISTORY, SUMS)
    run(folder, 1)
    assert folder.rows("SELECT region, total, n, is_current FROM bus.m") == [
        ("north", 1, 1, True),
        ("north", 1, None, False),
        ("south", 2, None, False),
    ]


def test_two_rows_for_one_key_are_refused_and_nothing_changes(folder: Any) -> None:
    source(folder)
    model(folder, HISTORY, "SELECT region, amount FROM raw.orders")
    orders(folder, "1,2026-11-01,north,1,")
    run(folder, 0)
    before = folder.rows("FROM bus.m")
    orders(folder, "1,2026-11-01,north,1,", "2,2026-11-01,north,2,")
    assert refused(folder, 1).code == "KEY_NOT_UNIQUE"
    assert folder.rows("FROM bus.m") == before
    orders(folder, "1,2026-11-01,north,3,")
    run(folder, 2)
    assert len(folder.rows("FROM bus.m")) == 2


def test_a_history_made_anew_looks_at_every_landing_again(folder: Any) -> None:
    source(folder)
    model(folder, HISTORY, SUMS)
    for hour, amount in enumerate((1, 2, 3)):
        orders(folder, f"1,2026-11-01,north,{amount},")
        run(folder, hour)
    before = folder.rows("FROM bus.m")
    assert "3 landings" in run(folder, 9, full_refresh=["bus.m"]).reason
    assert folder.rows("FROM bus.m") == before


@pytest.mark.parametrize(
    ("matter", "code"),
    [
        ("materialization: merge\nkey: place", "KEY_NOT_IN_OUTPUT"),
        ("materialization: time_range\ntime_range: {column: month, grain: day}", "COLUMN_NOT_IN_OUTPUT"),
        ("materialization: history\nkey: id\nhistory: {columns: [place]}", "COLUMN_NOT_IN_OUTPUT"),
        ("materialization: history\nkey: id\nhistory: {by: updated_at, column: amount}", "NOT_A_TIME"),
    ],
)
def test_what_is_not_in_the_output_is_told_before_anything_runs(folder: Any, matter: str, code: str) -> None:
    source(folder)
    model(folder, matter, "SELECT * FROM raw.orders")
    orders(folder, "1,2026-11-01,north,1,")
    with pytest.raises(Exception, match=code):
        folder.project.run()


def test_a_table_of_another_kind_becomes_a_history_and_back(folder: Any) -> None:
    source(folder)
    orders(folder, "1,2026-11-01,north,1,")
    for hour, matter in enumerate(("owner: x", HISTORY, "materialization: view", HISTORY, "owner: y")):
        model(folder, matter, SUMS)
        run(folder, hour)
        found = folder.rows("FROM bus.m")
        assert [row[:3] for row in found] == [("north", 1, 1)]
        assert len(found[0]) == (6 if matter == HISTORY else 3)


def test_a_history_of_a_maintained_table_is_dated_by_its_runs(folder: Any) -> None:
    source(folder)
    model(folder, "owner: x", SUMS, "stg/sums")
    model(folder, HISTORY, "SELECT * FROM stg.sums")
    for hour, amount in enumerate((1, 2)):
        orders(folder, f"1,2026-11-01,north,{amount},", "2,2026-11-01,south,2,")
        run(folder, hour)
    assert folder.rows(VERSIONS) == [
        ("north", 1, 0, 1, False),
        ("north", 2, 1, None, True),
        ("south", 2, 0, None, True),
    ]
