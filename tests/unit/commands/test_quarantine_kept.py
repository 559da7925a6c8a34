"""Rows set apart of models that keep more than their SELECT gives: what becomes of them, day by day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.domain.verification import Verdict
from penstock.errors import ProjectError

START = datetime(2026, 11, 17, 6, tzinfo=UTC)
SOURCE = """
root: inbox
tables:
  orders: {path: orders.csv, extract: full, key: id, columns: {id: bigint, day: date, amount: bigint}}
"""
SELECT = "SELECT id, day, amount FROM raw.orders"
CHECK = "checks:\n  - range: {column: amount, min: %s, on_fail: quarantine}"
HELD = '_penstock."quarantine_bus.m"'
KEPT = {
    "append": "materialization: append\nkey: id",
    "merge": "materialization: merge\nkey: id",
    "time_range": "materialization: time_range\ntime_range: {column: day, grain: day}",
}


class Bank:
    def __init__(self, folder: Any, matter: str, select: str = SELECT) -> None:
        self.folder, self.matter, self.select, self.days = folder, matter, select, 0
        self.counted: list[int | None] = []
        self.reasons: list[str] = []
        folder.write("sources/shop.yml", SOURCE)

    def day(self, *rows: str, least: int | None = 0, code: int = 0) -> None:
        """A day's file, and a run. `least`: below which an amount is set apart, None: nothing is."""
        self.folder.write("inbox/orders.csv", "id,day,amount\n" + "".join(f"{row}\n" for row in rows))
        check = "" if least is None else CHECK % least
        self.folder.write("models/bus/m.sql", f"/*---\n{self.matter}\n{check}\n---*/\n{self.select}\n")
        self.days += 1
        report = self.folder.project.run(now=START + timedelta(days=self.days))
        assert report.exit_code == code, [each for step in report.steps for each in step.problems]
        self.reasons = [step.reason for step in report.steps if step.step == "build:bus.m"]
        self.counted = [step.accounting.get("quarantined") for step in report.steps if step.step == "build:bus.m"]
        found = self.folder.project.verify("bus.m", now=START + timedelta(days=self.days))
        assert code or [each.verdict for each in found.relations] == [Verdict.RIGHT]

    @property
    def published(self) -> list[Any]:
        return [row[0] for row in self.folder.rows("SELECT id FROM bus.m")]

    @property
    def apart(self) -> list[Any]:
        return [row[0] for row in self.folder.rows(f"SELECT id FROM {HELD}")]


@pytest.mark.parametrize("how", ["append", "merge"])
def test_a_row_that_the_source_forgets_stays_set_apart_and_is_judged_by_later_checks(folder: Any, how: str) -> None:
    bank = Bank(folder, KEPT[how])
    bank.day("1,2026-11-01,10", "2,2026-11-01,-2")
    bank.day("3,2026-11-02,-30")
    assert (bank.published, bank.apart, bank.counted) == ([1], [2, 3], [2])
    bank.day("3,2026-11-02,-30", least=-5)
    assert (bank.published, bank.apart) == ([1, 2], [3])
    bank.day("3,2026-11-02,-30", least=20)
    assert (bank.published, bank.apart) == ([], [1, 2, 3])
    bank.day("3,2026-11-02,-30", least=None)
    assert bank.published == [1, 2, 3]
    assert not folder.rows("SELECT 1 FROM duckdb_tables() WHERE table_name = 'quarantine_bus.m'")


@pytest.mark.parametrize("how", list(KEPT))
def test_a_row_goes_to_quarantine_and_comes_back_as_the_source_corrects_it(folder: Any, how: str) -> None:
    bank = Bank(folder, KEPT[how])
    bank.day("1,2026-11-01,10", "2,2026-11-01,20")
    bank.day("1,2026-11-01,-1", "2,2026-11-01,20")
    assert (bank.published, bank.apart) == ([2], [1])
    bank.day("1,2026-11-01,11", "2,2026-11-01,20")
    assert (bank.published, bank.apart) == ([1, 2], [])


def test_only_ranges_that_changed_are_told_apart_again_and_all_by_new_checks(folder: Any) -> None:
    bank = Bank(folder, KEPT["time_range"])
    bank.day("1,2026-11-01,10", "2,2026-11-01,-2", "3,2026-11-05,1")
    bank.day("1,2026-11-01,10", "2,2026-11-01,-2", "3,2026-11-05,-1")
    assert "replaced the days of day that changed (1)" in bank.reasons[0]
    assert (bank.published, bank.apart) == ([1], [2, 3])
    bank.day("1,2026-11-01,10", "2,2026-11-01,-2", "3,2026-11-05,7", least=-5)
    assert "replaced the days of day that changed (1)" in bank.reasons[0]
    assert (bank.published, bank.apart) == ([1, 2, 3], [])
    bank.day("1,2026-11-01,10", "2,2026-11-01,-2", "3,2026-11-05,7", least=8)
    assert "all its rows are judged anew" in bank.reasons[0]
    assert (bank.published, bank.apart) == ([1], [2, 3])


def test_ranges_that_are_not_made_anew_are_judged_as_they_are_kept(folder: Any) -> None:
    bank = Bank(folder, KEPT["time_range"], f"{SELECT} LIMIT 100")  # a LIMIT: which ranges changed is not known
    bank.day("1,2026-11-01,10", "2,2026-11-01,-2", "3,2026-11-05,1")
    bank.day("3,2026-11-05,1")
    assert (bank.published, bank.apart) == ([1, 3], [2])
    bank.day("3,2026-11-05,1", least=-5)
    assert (bank.published, bank.apart) == ([1, 2, 3], [])


@pytest.mark.parametrize(
    ("deletes", "line"), [("close", [(10, False), (12, True)]), ("ignore", [(10, False), (12, True)])]
)
def test_a_row_set_apart_makes_no_version(folder: Any, deletes: str, line: list[Any]) -> None:
    bank = Bank(folder, f"materialization: history\nkey: id\nhistory: {{deletes: {deletes}}}")
    versions = "SELECT amount, is_current, valid_to - valid_from FROM bus.m"
    bank.day("1,2026-11-01,10")
    assert bank.counted == [0]
    bank.day("1,2026-11-01,-1")
    assert bank.counted == [1]
    current = bank.folder.rows("SELECT amount FROM bus.m WHERE is_current")
    assert (current, bank.apart) == ([] if deletes == "close" else [(10,)], [1])
    bank.day("1,2026-11-01,12")
    found = bank.folder.rows(versions)
    assert ([row[:2] for row in found], bank.apart) == (line, [])
    assert found[0][2] == timedelta(days=1 if deletes == "close" else 2)
    before = bank.folder.rows("FROM bus.m")
    assert folder.project.rebuild(now=START + timedelta(days=30)).exit_code == 0
    assert bank.folder.rows("FROM bus.m") == before


@pytest.mark.parametrize("deletes", ["close", "ignore"])
def test_a_new_check_ends_the_version_it_is_against(folder: Any, deletes: str) -> None:
    bank = Bank(folder, f"materialization: history\nkey: id\nhistory: {{deletes: {deletes}}}")
    bank.day("1,2026-11-01,10", "2,2026-11-01,30")
    bank.day("1,2026-11-01,10", "2,2026-11-01,30", least=20)
    assert bank.folder.rows("SELECT id, is_current FROM bus.m") == [(1, False), (2, True)]
    assert bank.apart == [1]
    bank.day("1,2026-11-01,10", "2,2026-11-01,30", least=0)
    assert bank.folder.rows("SELECT id, is_current FROM bus.m") == [(1, False), (1, True), (2, True)]


def test_versions_dated_by_a_column_begin_again_when_a_check_lets_them(folder: Any) -> None:
    by = "{by: updated_at, column: day, deletes: ignore}"
    bank = Bank(folder, f"materialization: history\nkey: id\nhistory: {by}")
    bank.day("1,2026-11-01,10")
    bank.day("1,2026-11-01,10", least=20)
    bank.day("1,2026-11-01,10", least=5)
    assert bank.folder.rows("SELECT id, is_current FROM bus.m") == [(1, False), (1, True)]


def test_two_bad_rows_of_one_key_are_set_apart_and_two_good_ones_are_refused(folder: Any) -> None:
    bank = Bank(folder, KEPT["merge"], "SELECT id % 10 AS id, day, amount FROM raw.orders")
    bank.day("1,2026-11-01,-10", "11,2026-11-01,-20", "2,2026-11-01,5")
    assert (bank.published, bank.apart) == ([2], [1, 1])
    bank.day("1,2026-11-01,-10", "11,2026-11-01,-20", "2,2026-11-01,5", least=-50, code=3)
    assert (bank.published, bank.apart) == ([2], [1, 1])


def test_too_many_rows_stop_what_is_kept_too(folder: Any) -> None:
    bank = Bank(folder, f"{KEPT['append']}\nquarantine: {{max: 1}}")
    bank.day("1,2026-11-01,10", "2,2026-11-01,-2")
    bank.day("3,2026-11-02,-30", code=3)
    assert (bank.published, bank.apart) == ([1], [2])


def test_a_history_is_judged_before_its_rows_have_versions(folder: Any) -> None:
    folder.write("sources/shop.yml", SOURCE)
    folder.write("inbox/orders.csv", "id,day,amount\n1,2026-11-01,10\n")
    check = "checks:\n  - not_null: {column: valid_from, on_fail: quarantine}"
    folder.write("models/bus/m.sql", f"/*---\nmaterialization: history\nkey: id\n{check}\n---*/\n{SELECT}\n")
    with pytest.raises(ProjectError) as caught:
        folder.project.run()
    assert [problem.code for problem in caught.value.problems] == ["CHECK_NOT_HERE"]
