"""The state store: what people look at, kept across versions, processes and accidents."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.domain.run import RunReport, Status, StepResult
from penstock.errors import DriverError, Location, Problem, StateError
from penstock.state.migrations import MIGRATIONS
from penstock.state.sqlite import FILE, GROUP, SqliteState

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
Open = Callable[[], SqliteState]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / FILE


@pytest.fixture
def state(path: Path) -> Any:
    with closing(SqliteState(path)) as made:
        yield made


def looked_up(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def result(step: str = "build:stg.a", status: Status = Status.SUCCESS, **more: Any) -> StepResult:
    return StepResult(step, "build", step.partition(":")[2], status, "reason", 0.5, **more)


def report(run: str, status: Status = Status.SUCCESS) -> RunReport:
    return RunReport(run, "dev", status, NOW, NOW + timedelta(seconds=2), ())


# What is written is read


def test_a_run_and_its_steps(state: SqliteState) -> None:
    problem = Problem("SQL_FAILED", "it is wrong", Location("models/stg/a.sql", 3), "mend it")
    state.start_run("r1", "dev", "run", "abc", NOW)
    assert [(run["run"], run["status"], run["finished"]) for run in state.runs(5)] == [("r1", "running", None)]
    state.finish_step("r1", result(rows=3, commit=1, accounting={"rows_in": 3}), NOW)
    state.finish_step("r1", result("build:stg.b", Status.FAILED, problems=(problem,)), NOW)
    state.finish_run(report("r1", Status.FAILED))
    (run,) = state.runs(5)
    assert (run["status"], run["steps"], run["failed"], run["revision"]) == ("failed", 2, 1, "abc")
    good, bad = state.steps("r1")
    assert (good["step"], good["rows"], good["commit"], good["seconds"]) == ("build:stg.a", 3, 1, 0.5)
    assert json.loads(good["accounting"]) == {"rows_in": 3}
    assert json.loads(bad["problems"]) == [
        {"code": "SQL_FAILED", "message": "it is wrong", "location": "models/stg/a.sql:3", "hint": "mend it"}
    ]
    assert state.steps("r2") == []


def test_runs_come_newest_first_and_no_more_than_wanted(state: SqliteState) -> None:
    for number in range(4):
        state.note_run(
            RunReport(f"r{number}", "dev", Status.UNCHANGED, NOW + timedelta(hours=number), NOW, ()), "run", None
        )
    assert [run["run"] for run in state.runs(3)] == ["r3", "r2", "r1"]


def test_a_step_that_failed_leaves_standing_what_an_earlier_one_made(state: SqliteState) -> None:
    state.start_run("r1", "dev", "run", None, NOW)
    state.finish_step("r1", result(rows=3, commit=1), NOW)
    state.finish_run(report("r1"))
    later = NOW + timedelta(days=1)
    for run, status in (("r2", Status.FAILED), ("r3", Status.UNCHANGED)):
        state.start_run(run, "dev", "run", None, later)
        state.finish_step(run, result(status=status), later)
        state.finish_run(report(run))
        (target,) = state.targets()
        assert (target["status"], target["run"]) == (status.value, run)
        assert (target["rows"], target["commit"], target["changed"]) == (3, 1, NOW.isoformat(timespec="microseconds"))


def test_steps_are_written_in_groups_and_with_the_clock(state: SqliteState, path: Path) -> None:
    count = "SELECT count(*) FROM steps"
    state.start_run("r1", "dev", "run", None, NOW)
    for number in range(GROUP - 1):
        state.finish_step("r1", result(f"build:stg.a{number}"), NOW)
    assert looked_up(path, count) == [(0,)]
    state.finish_step("r1", result("build:stg.last"), NOW)
    assert looked_up(path, count) == [(GROUP,)]
    state.finish_step("r1", result("build:stg.slow"), NOW + timedelta(seconds=1))
    assert looked_up(path, count) == [(GROUP + 1,)], "whoever looks at a slow run sees where it is"
    state.finish_step("r1", result("build:stg.more"), NOW + timedelta(seconds=1))
    state.close()
    assert looked_up(path, count) == [(GROUP + 2,)], "closing has lost what waited"


def test_facts(state: SqliteState, path: Path) -> None:
    assert state.get("a") is None
    state.put("a", "1")
    assert state.get("a") == "1"
    state.note("a", "2")
    assert state.get("a") == "1", "a note waits for the next steps"
    state.finish_step("r1", result(), NOW)
    state.finish_run(report("r1"))
    assert state.get("a") == "2"
    state.note("a", "3")
    state.put("a", "4")
    state.close()
    assert looked_up(path, "SELECT value FROM facts") == [("4",)], "an older note has come back"


def test_a_run_whose_process_is_gone_has_crashed(state: SqliteState, path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    state.start_run("mine", "dev", "run", None, NOW)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO runs VALUES ('theirs', 'dev', 'run', NULL, 'running', '2026-11-20', NULL, ?)", (dead.pid,)
        )
        connection.commit()
    state.start_run("next", "dev", "run", None, NOW)
    assert {run["run"]: run["status"] for run in state.runs(5)} == {
        "mine": "running", "next": "running", "theirs": "crashed",
    }  # fmt: skip


# Versions


@pytest.mark.parametrize("version", range(len(MIGRATIONS) + 1))
def test_every_older_version_is_brought_up_to_date_and_keeps_what_it_holds(version: int, path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as old:
        for migration in MIGRATIONS[:version]:
            old.executescript(migration)
        old.execute(f"PRAGMA user_version = {version}")
        if version:
            old.execute("INSERT INTO facts VALUES ('kept', 'yes')")
        old.commit()
    with closing(SqliteState(path)) as state:
        assert state.get("kept") == ("yes" if version else None)
        state.start_run("r1", "dev", "run", None, NOW)
        state.finish_run(report("r1"))
    assert looked_up(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    fresh = path.with_name("fresh.sqlite")
    SqliteState(fresh).close()
    tables = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
    assert looked_up(path, tables) == looked_up(fresh, tables)


def test_a_newer_version_is_left_alone(path: Path) -> None:
    SqliteState(path).close()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes()
    with pytest.raises(StateError) as caught:
        SqliteState(path)
    assert caught.value.code == "STATE_VERSION"
    assert str(len(MIGRATIONS) + 1) in str(caught.value)
    assert path.read_bytes() == before


def test_released_migrations_are_never_edited() -> None:
    """Someone's store was made by them. Add another step instead."""
    from hashlib import sha256

    released = ("374de2fd",)
    assert tuple(sha256(text.encode()).hexdigest()[:8] for text in MIGRATIONS)[: len(released)] == released


# Accidents


def test_nobody_else_can_read_it(state: SqliteState, path: Path) -> None:
    assert path.stat().st_mode & 0o077 == 0


def test_it_survives_a_power_cut(state: SqliteState) -> None:
    """WAL with NORMAL does not sync at commit."""
    ask = state._connection.execute
    assert ask("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert ask("PRAGMA synchronous").fetchone()[0] == 2


@pytest.mark.parametrize("damage", [b"this is no database, and it is long enough to be read as one" * 20])
def test_a_damaged_store_is_told(path: Path, damage: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(damage)
    with pytest.raises(DriverError) as caught:
        SqliteState(path)
    assert caught.value.code == "STATE_UNUSABLE"
    assert "move it away" in str(caught.value)


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(DriverError) as caught:
        SqliteState(tmp_path / "home" / FILE)
    assert caught.value.code == "HOME_UNUSABLE"


def test_what_could_not_be_written_is_not_half_written(state: SqliteState, path: Path) -> None:
    state.start_run("r1", "dev", "run", None, NOW)
    with pytest.raises(DriverError):
        state.start_run("r1", "dev", "run", None, NOW)
    state.start_run("r2", "dev", "run", None, NOW)
    assert looked_up(path, "SELECT count(*) FROM runs") == [(2,)]


# Several processes

WRITER = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from penstock.domain.run import RunReport, Status, StepResult
from penstock.state.sqlite import SqliteState

path, name, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
now = datetime(2026, 11, 21, tzinfo=UTC)
state = SqliteState(path)
for number in range(rounds):
    run = f"{name}-{number}"
    state.start_run(run, "dev", "run", None, now)
    state.finish_step(run, StepResult(f"build:{name}", "build", name, Status.SUCCESS, "", rows=number), now)
    state.put("last", run)
    state.finish_run(RunReport(run, "dev", Status.SUCCESS, now, now, ()))
state.close()
"""


def together(path: Path, processes: int, rounds: int) -> None:
    """Let them all begin at the same moment."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), f"p{number}", str(rounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        ended = [writer.communicate(timeout=120) for writer in writers]
        assert [writer.returncode for writer in writers] == [0] * processes, ended
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def test_two_writers_lose_nothing(path: Path) -> None:
    together(path, 2, 20)
    assert looked_up(path, "SELECT count(*), count(DISTINCT run) FROM runs WHERE status = 'success'") == [(40, 40)]
    assert looked_up(path, "SELECT count(*) FROM steps") == [(40,)]
    assert sorted(looked_up(path, "SELECT target, rows FROM targets")) == [("p0", 19), ("p1", 19)]
    assert looked_up(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_store_whose_mode_somebody_else_is_changing_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says that it is locked at once, whatever its timeout: both would have to let go first."""
    path.parent.mkdir()
    waited = []
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        def release(seconds: float) -> None:
            waited.append(seconds)
            other.execute("COMMIT")

        monkeypatch.setattr("penstock.state.sqlite.time.sleep", release)
        monkeypatch.setattr("penstock.state.sqlite.TIMEOUT", 0.01)
        SqliteState(path).close()
    assert len(waited) == 1


@pytest.mark.parametrize("attempt", range(5))
def test_a_store_that_several_make_at_once_is_made_once(path: Path, attempt: int) -> None:
    together(path, 4, 1)
    assert looked_up(path, "SELECT count(*) FROM runs") == [(4,)]
    assert [found.name for found in path.parent.iterdir()] == [FILE]
