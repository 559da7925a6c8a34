"""The ledger, the landing and the state store are held against each other: what was lost is noticed, then made good."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import duckdb
import pytest

LANDED = "landing/shop/products/ingest_date=2026-11-18/000002.parquet"


def same(mini: Any, other: Any) -> None:
    """Equal but for the commits, which a warehouse that is made anew has fewer of."""
    found, expected = mini.contents(), other.contents()
    del found["commits"], expected["commits"]
    assert found == expected


@pytest.fixture
def second_day(history: Any, tmp_path: Path) -> Any:
    return history[1].copy(tmp_path / "mini")


def test_a_warehouse_restored_from_an_older_copy_is_noticed_and_rebuilt(history: Any, second_day: Any) -> None:
    shutil.copy(history[0].warehouse, second_day.warehouse)
    done = second_day.cli("run", code=5)
    assert "[LEDGER_BEHIND]" in done.stderr
    assert "penstock rebuild" in done.stderr
    last = "SELECT max(number) FROM _penstock.commits"
    assert second_day.rows(last) == history[0].rows(last), "it was written to"
    second_day.run(1, "rebuild")
    second_day.run(1)
    same(second_day, history[1])


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_a_lost_write_ahead_log_is_noticed(keep: int, history: Any, tmp_path: Path) -> None:
    """DuckDB opens a file whose log was deleted or cut with an older state and no error."""
    mini = history[0].copy(tmp_path / "mini")
    mini.arrive(1)
    assert mini.run(1, code=None, PENSTOCK_FAILPOINT="run.mirrored").code == -signal.SIGKILL
    log = mini.warehouse.with_name("warehouse.duckdb.wal")
    content = log.read_bytes()
    assert content, "everything was in the file already: the test shows nothing"
    if keep:
        log.write_bytes(content[: len(content) * keep // 4])
    else:
        log.unlink()
    done = mini.cli("run", code=5)
    assert "[LEDGER_BEHIND]" in done.stderr
    mini.run(1, "rebuild")
    mini.run(1)
    same(mini, history[1])


def test_a_log_lost_before_anything_was_mirrored_is_made_good(history: Any, tmp_path: Path) -> None:
    mini = history[0].copy(tmp_path / "mini")
    mini.arrive(1)
    assert mini.run(1, code=None, PENSTOCK_FAILPOINT="build.committed:2").code == -signal.SIGKILL
    mini.warehouse.with_name("warehouse.duckdb.wal").unlink()
    mini.run(1)
    assert mini.contents() == history[1].contents()


def test_a_checkpoint_that_breaks_off_loses_nothing(history: Any, tmp_path: Path) -> None:
    """DuckDB's own crash points, in a warehouse as ours with a log to merge."""
    killed = history[0].copy(tmp_path / "killed")
    killed.arrive(1)
    assert killed.run(1, code=None, PENSTOCK_FAILPOINT="run.mirrored").code == -signal.SIGKILL
    for point in ("before_truncate", "before_header", "after_free_list_write"):
        mini = killed.copy(tmp_path / point)
        with duckdb.connect(str(mini.warehouse)) as connection:
            connection.execute("CREATE TABLE _penstock.something AS SELECT 1 AS x")
            connection.execute(f"SET debug_checkpoint_abort = '{point}'")
            with pytest.raises(duckdb.Error):
                connection.execute("CHECKPOINT")
        with duckdb.connect(str(mini.warehouse)) as connection:
            connection.execute("DROP TABLE _penstock.something")
        mini.run(1)
        assert mini.contents() == history[1].contents()


def test_without_the_state_store_nothing_is_missing(history: Any, second_day: Any) -> None:
    for path in second_day.home.glob("state.sqlite*"):
        path.unlink()
    done = second_day.run(1)
    assert done.report is not None
    assert done.report["status"] == "unchanged"
    assert second_day.contents() == history[1].contents()
    second_day.arrive(2)
    second_day.run(2)
    assert second_day.contents() == history[2].contents()


def test_a_damaged_state_store_is_told_with_the_fix(history: Any, second_day: Any) -> None:
    path = second_day.home / "state.sqlite"
    for other in second_day.home.glob("state.sqlite-*"):
        other.unlink()
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    for verb in ("run", "status", "history"):
        done = second_day.cli(verb, code=4)
        assert "[STATE_UNUSABLE]" in done.stderr
        assert "move it away" in done.stderr
    path.rename(path.with_suffix(".damaged"))
    second_day.run(1)
    assert second_day.contents() == history[1].contents()


@pytest.mark.parametrize("verb", ["run", "rebuild"])
def test_a_deleted_warehouse_is_made_from_landing(verb: str, history: Any, second_day: Any) -> None:
    second_day.warehouse.unlink()
    killed = second_day.run(1, verb, code=None, PENSTOCK_FAILPOINT="build.committed")
    assert killed.code == -signal.SIGKILL
    second_day.run(1, verb)
    second_day.run(1)
    same(second_day, history[1])


def test_a_flipped_bit_in_the_landing_is_found_before_it_is_read(history: Any, tmp_path: Path) -> None:
    mini = history[0].copy(tmp_path / "mini")
    mini.arrive(1)
    assert mini.run(1, code=None, PENSTOCK_FAILPOINT="load.before_transaction").code == -signal.SIGKILL
    mini.run(1, "land")
    path = mini.home / LANDED
    whole = path.read_bytes()
    path.write_bytes(whole[:40] + bytes([whole[40] ^ 4]) + whole[41:])
    before = mini.rows("FROM raw.products ORDER BY ALL")
    done = mini.run(1, code=5)
    assert done.report is not None
    steps = {step: status for step, (status, _, _) in done.report["steps"].items()}
    assert done.report["steps"]["load:shop.products"][2] == ["LANDED_FILE_CHANGED"]
    assert steps["load:shop.orders"] == steps["build:stg.sales"] == steps["load:web.visits"] == "success"
    assert steps["build:serv.report"] == steps["export:report"] == "skipped"
    assert steps["build:serv.visits_daily"] == "skipped", "it is published with the report"
    assert mini.rows("FROM raw.products ORDER BY ALL") == before
    path.write_bytes(whole)
    mini.run(1)
    assert mini.contents() == history[1].contents()


def test_a_flipped_bit_stops_a_rebuild_and_keeps_the_old_warehouse(history: Any, second_day: Any) -> None:
    path = second_day.home / LANDED
    whole = path.read_bytes()
    path.write_bytes(whole[:40] + bytes([whole[40] ^ 4]) + whole[41:])
    second_day.run(1, "rebuild", code=5)
    path.write_bytes(whole)
    assert second_day.contents() == history[1].contents()
    second_day.run(1)
    assert second_day.contents() == history[1].contents()


def test_the_warehouse_of_another_environment_is_refused(second_day: Any) -> None:
    config = second_day.root / "penstock.yml"
    config.write_text("name: mini\nenvironments: {dev: {}, prod: {}}\n")
    prod = second_day.root / "data" / "prod"
    prod.mkdir()
    shutil.copy(second_day.warehouse, prod / "warehouse.duckdb")
    done = second_day.cli("run", "--env", "prod", code=5)
    assert "[WRONG_ENVIRONMENT]" in done.stderr
