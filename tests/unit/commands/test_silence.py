"""A source that falls silent: nothing comes, nothing is published, and every run says how old things are."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.domain.run import RunReport, Status

START = datetime(2026, 11, 17, 6, tzinfo=UTC)
SOURCE = """
root: inbox
owner: shop
tables:
  orders:
    path: orders.csv
    extract: full
    key: id
    columns: {id: bigint, placed: timestamp}
    checks:
      - freshness: {column: processing_ts, warn_after: 24 hours, error_after: 48 hours%s}
"""


@pytest.fixture
def shop(folder: Any) -> Any:
    folder.write("sources/shop.yml", SOURCE % "")
    folder.write("inbox/orders.csv", "id,placed\n1,2026-11-17 05:00:00\n")
    folder.write("models/bus/m.sql", "SELECT id, placed FROM raw.orders")
    return folder


def run(folder: Any, hours: float, **options: Any) -> RunReport:
    report: RunReport = folder.project.run(now=START + timedelta(hours=hours), **options)
    return report


def told(report: RunReport) -> list[tuple[str, str, str]]:
    return [
        (step.target, check.name, str(check.outcome))
        for step in report.steps
        if step.kind == "check"
        for check in step.checks
    ]


NAME = "freshness(processing_ts)"


def test_a_run_in_which_nothing_changed_warns_and_then_fails(shop: Any) -> None:
    assert run(shop, 0).exit_code == 0
    assert (told(run(shop, 23)), run(shop, 24).status) == ([], Status.UNCHANGED)
    late = run(shop, 25)
    assert (told(late), late.exit_code, late.status) == ([("raw.orders", NAME, "warned")], 0, Status.UNCHANGED)
    assert late.quality is not None
    silent = run(shop, 49)
    assert (told(silent), silent.exit_code, silent.status) == ([("raw.orders", NAME, "failed")], 3, Status.FAILED)
    (problem,) = silent.steps[0].problems
    assert (problem.code, problem.location and problem.location.path) == ("CHECK_FAILED", "sources/shop.yml")
    assert "raw.orders (owner: shop)" in problem.message
    assert "the newest is 2026-11-17 06:00:00, 2 d ago" in problem.message
    assert "no problem" not in (problem.hint or "")
    document = json.loads(max((shop.root / "data/dev/reports").glob("*.json")).read_text())
    assert [(each["test"], each["model"]) for each in document["failures"]] == [(NAME, "raw.orders")]
    shop.write("inbox/orders.csv", "id,placed\n1,2026-11-17 05:00:00\n2,2026-11-19 05:00:00\n")
    back = run(shop, 50)
    assert (told(back), back.exit_code) == ([], 0)
    assert told(run(shop, 51)) == []


def test_a_run_that_builds_something_else_asks_too(shop: Any) -> None:
    run(shop, 0)
    shop.write("models/bus/m.sql", "SELECT id + 1 AS id FROM raw.orders")
    report = run(shop, 30)
    assert told(report) == [("raw.orders", NAME, "warned")]
    assert report.status is Status.SUCCESS
    assert told(run(shop, 30, select=["bus.m"])) == []
    assert told(run(shop, 30, select=["raw.orders"])) == [("raw.orders", NAME, "warned")]


def test_a_batch_that_says_nothing_new_is_no_silence(shop: Any) -> None:
    run(shop, 0)
    shop.write("inbox/orders.csv", "id,placed\n1,2026-11-17 05:00:00\n\n")  # sent again as it was
    run(shop, 40)
    assert told(run(shop, 60)) == []
    assert told(run(shop, 70)) == [("raw.orders", NAME, "warned")]


def test_a_check_that_is_added_or_changed_is_asked_of_what_is_there(shop: Any) -> None:
    shop.write("sources/shop.yml", (SOURCE % "").partition("    checks:")[0])
    run(shop, 0)
    shop.write("sources/shop.yml", SOURCE % "")
    assert run(shop, 49).exit_code == 3
    assert told(run(shop, 49, select=["bus.m"])) == []
    shop.write("sources/shop.yml", (SOURCE % "").replace("48 hours", "480 hours").replace("24 hours", "240 hours"))
    assert run(shop, 50).exit_code == 0
    assert told(run(shop, 51)) == []
    assert told(run(shop, 241)) == [("raw.orders", NAME, "warned")]


def test_a_model_with_a_condition_and_a_table_without_any_time(shop: Any) -> None:
    shop.write(
        "models/bus/m.sql",
        "/*---\nchecks:\n"
        "  - freshness: {column: placed, error_after: 10 hours, where: id < 2, on_fail: warn, name: mine}\n"
        "---*/\nSELECT id, placed FROM raw.orders",
    )
    run(shop, 0)
    assert told(run(shop, 8)) == []
    late = run(shop, 10)
    assert (told(late), late.exit_code) == ([("bus.m", "mine", "warned")], 0)
    shop.write("models/bus/m.sql", shop.root.joinpath("models/bus/m.sql").read_text() + " WHERE id > 5")
    assert run(shop, 10).exit_code == 0
    assert told(run(shop, 10)) == [("bus.m", "mine", "warned")]


def test_no_time_of_a_private_column_is_kept(shop: Any) -> None:
    shop.write(
        "sources/shop.yml", (SOURCE % "").replace("column: processing_ts", "column: placed") + "    pii: placed\n"
    )
    run(shop, 0)
    assert run(shop, 90).steps == ()
    with sqlite3.connect(shop.root / "data/dev/state.sqlite") as state:
        assert not [text for (text,) in state.execute("SELECT value FROM facts") if "05:00" in text]
    state.close()


def test_what_says_nothing_of_age_is_asked_nothing(folder: Any) -> None:
    folder.write("models/bus/m.sql", "SELECT id FROM raw.orders")
    folder.project.run(now=START)
    assert folder.project.run(now=START + timedelta(days=900)).steps == ()
