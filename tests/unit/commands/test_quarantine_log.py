"""The log of the quarantine: what was decided, and what became of each row that was set apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

START = datetime(2026, 11, 17, 6, tzinfo=UTC)
SOURCE = """
root: inbox
tables:
  t:
    path: t.csv
    extract: {extract}
    key: id
    pii: who
    columns: {{id: bigint, amount: integer}}
    checks:
      - {check}: {{column: amount, on_fail: quarantine{more}}}
"""
MODEL = """/*---
key: id
checks:
  - range: {column: amount, min: %s, on_fail: quarantine, name: enough}
---*/
SELECT id, amount FROM raw.t"""


class Shop:
    def __init__(self, folder: Any, extract: str = "full") -> None:
        self.folder, self.extract, self.days = folder, extract, 0
        self.declare()

    def declare(self, check: str = "positive", more: str = "") -> None:
        self.folder.write("sources/s.yml", SOURCE.format(extract=self.extract, check=check, more=more))

    def day(self, *rows: str) -> str:
        """A day's file, and a run; gives its id."""
        self.folder.write("inbox/t.csv", "id,amount,who\n" + "".join(f"{row}\n" for row in rows))
        self.days += 1
        report = self.folder.project.run(now=self.now)
        assert report.exit_code == 0, [each for step in report.steps for each in step.problems]
        return str(report.run)

    @property
    def now(self) -> datetime:
        return START + timedelta(days=self.days)

    def ids(self, relation: str = "raw.t") -> list[str]:
        return [row.id for row in self.folder.project.quarantine_show(relation, limit=None)]

    def left(self, relation: str | None = None) -> list[tuple[str, str | None]]:
        log = self.folder.project.quarantine_log(relation)
        return [(str(each.relation), each.cause) for each in log if each.what == "left"]


@pytest.fixture
def shop(folder: Any) -> Shop:
    return Shop(folder)


def test_a_row_corrected_at_the_source_leaves_a_trace(shop: Shop) -> None:
    shop.day("1,-5,ada", "2,2,bob")
    (row,) = shop.ids()
    assert shop.left() == []
    run = shop.day("1,5,ada", "2,2,bob")
    (entry,) = shop.folder.project.quarantine_log("raw.t")
    assert (entry.what, entry.rows, entry.cause, entry.by, entry.run) == ("left", (row,), "corrected", None, run)
    assert (entry.first_seen, entry.at) == (START + timedelta(days=1), START + timedelta(days=2))
    assert (entry.why, entry.reasons) == (
        "corrected at the source",
        ("positive(amount): expected amount above zero",),
    ), "what was found is a value, and not told"
    shop.day("1,5,ada", "2,3,bob")
    assert len(shop.left()) == 1


@pytest.mark.parametrize("extract", ["full", "incremental"])
def test_why_rows_of_a_source_table_left(folder: Any, extract: str) -> None:
    shop = Shop(folder, extract)
    shop.day("1,-5,ada", "2,-2,bob", "3,3,cy", ",1,di")
    shop.day("1,-6,ada", "3,3,cy")
    gone = [("raw.t", "gone")] * 2 if extract == "full" else []
    assert sorted(shop.left()) == sorted([*gone, ("raw.t", "replaced")])
    (now,) = [row for row in shop.folder.project.quarantine_show("raw.t") if row.payload["id"] == "1"]
    folder.project.quarantine_fix("raw.t", now.id, {"amount": "6"}, why="asked", by="Ada")
    shop.day("1,-6,ada", "3,3,cy")
    assert shop.left()[-1] == ("raw.t", "fixed")
    assert [each.what for each in folder.project.quarantine_log()][-2:] in (["fix", "left"], ["left", "fix"])


def test_rows_that_looser_rules_let_through_left_by_the_rules_and_old_ones_are_told_once(shop: Shop) -> None:
    shop.day("1,-5,ada", "2,-2,bob")
    shop.day("1,5,ada", "2,-2,bob")
    shop.declare("range", ", min: -3")
    shop.day("1,5,ada", "2,-2,bob", "3,3,cy")
    assert shop.left() == [("raw.t", "corrected"), ("raw.t", "rules")]
    assert shop.folder.rows("SELECT count(*) FROM raw.t") == [(3,)]


def test_rows_of_models_leave_a_trace(folder: Any) -> None:
    shop = Shop(folder)
    shop.declare("range", ", min: -100")
    folder.write("models/bus/m.sql", MODEL % 0)
    shop.day("1,-1,a", "2,-2,b", "3,-3,c", "4,-4,d")
    held = dict(zip([4, 3, 2, 1], [None] * 4, strict=True))
    assert len(shop.ids("bus.m")) == len(held)
    shop.day("1,1,a", "2,-20,b", "4,-4,d")
    assert sorted(shop.left("bus.m")) == [("bus.m", "corrected"), ("bus.m", "gone"), ("bus.m", "replaced")]
    folder.write("models/bus/m.sql", MODEL % -10)
    shop.day("1,1,a", "2,-20,b", "4,-4,d")
    assert shop.left("bus.m")[-1] == ("bus.m", "rules")
    (last,) = [each for each in folder.project.quarantine_log("bus.m") if each.cause == "rules"]
    assert last.reasons == ("enough: expected amount at least 0",)
    folder.write("models/bus/m.sql", "SELECT id, amount FROM raw.t")
    shop.day("1,1,a", "2,-20,b", "4,-4,d")
    assert shop.left("bus.m")[-1] == ("bus.m", "rules")
    assert len(shop.left("bus.m")) == 5


def test_a_rebuild_tells_of_source_tables_what_the_landing_tells(shop: Shop) -> None:
    shop.day("1,-5,ada", "2,2,bob")
    shop.day("1,5,ada", "2,2,bob")
    (before,) = shop.folder.project.quarantine_log()
    assert shop.folder.project.rebuild(now=shop.now).exit_code == 0
    (after,) = shop.folder.project.quarantine_log()
    assert (after.rows, after.at, after.cause) == (before.rows, before.at, before.cause)


def test_what_left_long_ago_is_forgotten(shop: Shop) -> None:
    shop.day("1,-5,ada", "2,-2,bob")
    shop.day("1,5,ada", "2,-2,bob")
    shop.days += 401
    shop.day("1,5,ada", "2,2,bob")
    assert len(shop.left()) == 2, "the time is that of the clock, and that has not moved"
    with duckdb.connect(str(shop.folder.root / "data/dev/warehouse.duckdb")) as connection:
        connection.execute("UPDATE _penstock.departures SET left_at = left_at - INTERVAL 3 YEAR")
    shop.day("1,5,ada", "2,-2,bob")
    shop.day("1,5,ada", "2,2,bob")
    assert len(shop.left()) == 1


def test_a_warehouse_without_the_log_goes_on(shop: Shop) -> None:
    shop.day("1,-5,ada")
    with duckdb.connect(str(shop.folder.root / "data/dev/warehouse.duckdb")) as connection:
        connection.execute("DROP TABLE _penstock.departures")
    shop.day("1,5,ada")
    assert (shop.ids(), shop.left()) == ([], [])
