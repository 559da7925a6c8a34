"""The state store in SQLite: what people look at. One file in the environment's folder.

WAL with synchronous FULL (NORMAL does not sync at commit), BEGIN IMMEDIATE (a plain BEGIN that reads and then writes
fails at once when another process writes). Steps are written in groups: they are for people, the ledger is for
correctness.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from penstock.domain.check_result import CheckResult, folded
from penstock.domain.run import RunReport, Status, StepResult
from penstock.embedded.home import usable
from penstock.errors import DriverError, StateError
from penstock.state import results
from penstock.state.migrations import MIGRATIONS

FILE = "state.sqlite"
ROOM = 1 << 20
"""Bytes free below which a disk counts as full."""
TIMEOUT = 30.0
"""Seconds a statement waits for other writers."""
ATTEMPTS = 200
"""At a mode that somebody else is changing: ten seconds."""
GROUP = 50
"""Steps that may wait in memory before they are written."""


class SqliteState:
    """Implements ports.StateStore. Used by one thread."""

    def __init__(self, path: Path) -> None:
        with usable(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._waiting: list[tuple[Any, ...]] = []
        self._noted: dict[str, str] = {}
        self._results: dict[tuple[str, str, str], list[CheckResult]] = {}
        self._unwritten: dict[tuple[str, str, str], str] = {}
        self._position = 0
        self._flushed: datetime | None = None
        with _told(path):
            self._connection = sqlite3.connect(path, timeout=TIMEOUT, isolation_level=None)
            try:
                with usable(path.parent):
                    path.chmod(0o600)
                self._write_ahead()
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.row_factory = sqlite3.Row
                self._migrate()
            except BaseException:
                self._connection.close()
                raise
        self._path = path

    def _write_ahead(self) -> None:
        """Two processes that change the mode at once would wait for each other: SQLite refuses one of them at once,
        whatever its timeout."""
        for left in reversed(range(ATTEMPTS)):
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if not left or "locked" not in str(error):
                    raise
                time.sleep(0.05)

    def _migrate(self) -> None:
        done = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if done > len(MIGRATIONS):
            raise StateError(
                f"expected a state store of version {len(MIGRATIONS)} or older, found {done}",
                code="STATE_VERSION",
                hint="use the version of Penstock that wrote it, or move state.sqlite away (it holds history only)",
            )
        while done < len(MIGRATIONS):
            self._connection.execute("BEGIN IMMEDIATE")
            now = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if now == done:  # or another process has done this step while we waited
                for statement in MIGRATIONS[done].split(";"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {done + 1}")
            self._connection.execute("COMMIT")
            done = now + 1 if now == done else now

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _told(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled it back already
                    self._connection.execute("ROLLBACK")
                raise

    def note_run(self, report: RunReport, command: str, revision: str | None) -> None:
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (report.run, report.environment, command, revision, report.status, _time(report.started),
                 _time(report.finished), os.getpid()),
            )  # fmt: skip

    def start_run(self, run: str, environment: str, command: str, revision: str | None, now: datetime) -> None:
        """Also settles runs whose process is gone: they have crashed."""
        with self._writing() as connection:
            claims = connection.execute("SELECT run, pid FROM runs WHERE status = ?", (Status.RUNNING,)).fetchall()
            dead = [(Status.CRASHED, row["run"]) for row in claims if not _alive(row["pid"])]
            connection.executemany("UPDATE runs SET status = ? WHERE run = ?", dead)
            connection.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, NULL, ?)",
                (run, environment, command, revision, Status.RUNNING, _time(now), os.getpid()),
            )
        self._position = 0

    def finish_step(self, run: str, result: StepResult, now: datetime) -> None:
        self._position += 1
        problems = json.dumps([{**asdict(p), "location": p.location and str(p.location)} for p in result.problems])
        self._waiting.append(
            (
                run, self._position, result.step, result.kind, result.target, result.status, result.reason,
                result.seconds, result.rows, result.commit, json.dumps(dict(result.accounting)), problems, _time(now),
            )
        )  # fmt: skip
        for found in result.checks:
            key = (run, str(found.relation), found.name)
            self._results.setdefault(key, []).append(found)
            self._unwritten[key] = _time(now)
        self._flushed = self._flushed or now
        if len(self._waiting) >= GROUP or (now - self._flushed).total_seconds() >= 1:
            self._flush()
            self._flushed = now

    def _flush(self) -> None:
        if not self._waiting and not self._noted:
            return
        with self._writing() as connection:
            marks = ", ".join("?" * 13)
            connection.executemany(f"INSERT INTO steps VALUES ({marks})", self._waiting)
            connection.executemany(_TARGET, [_as_target(step) for step in self._waiting])
            connection.executemany(_FACT, list(self._noted.items()))
            for key, evaluated in self._unwritten.items():
                results.write(connection, key[0], folded(self._results[key]), evaluated)
        self._waiting.clear()
        self._unwritten.clear()
        self._noted.clear()

    def finish_run(self, report: RunReport) -> None:
        self._flush()
        with self._writing() as connection:
            connection.execute(
                "UPDATE runs SET status = ?, finished = ? WHERE run = ?",
                (report.status, _time(report.finished), report.run),
            )

    def runs(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """A run whose process is gone has crashed, even if no other run has come to settle it."""
        found = self._rows(
            "SELECT run, environment, command, revision, status, started, finished, "
            "(SELECT count(*) FROM steps s WHERE s.run = r.run) AS steps, "
            "(SELECT count(*) FROM steps s WHERE s.run = r.run AND s.status = 'failed') AS failed, pid "
            "FROM runs r ORDER BY started DESC, run DESC LIMIT ?",
            limit,
        )
        for row in found:
            pid = row.pop("pid")
            if row["status"] == Status.RUNNING and not _alive(pid):
                row["status"] = Status.CRASHED.value
        return found

    def steps(self, run: str) -> Sequence[Mapping[str, Any]]:
        return self._rows(
            "SELECT step, kind, target, status, reason, seconds, rows, commit_number AS 'commit', accounting, "
            "problems, finished FROM steps WHERE run = ? ORDER BY position",
            run,
        )

    def targets(self) -> Sequence[Mapping[str, Any]]:
        return self._rows("SELECT *, commit_number AS 'commit' FROM targets ORDER BY target")

    def checks(self, points: int) -> Sequence[Mapping[str, Any]]:
        with _told(self._path):
            return results.read(self._connection, points)

    def _rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        with _told(self._path):
            return [dict(row) for row in self._connection.execute(sql, values)]

    def get(self, key: str) -> str | None:
        with _told(self._path):
            row = self._connection.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def put(self, key: str, value: str) -> None:
        with self._writing() as connection:
            connection.execute(_FACT, (key, value))
            self._noted.pop(key, None)

    def note(self, key: str, value: str) -> None:
        self._noted[key] = value

    def close(self) -> None:
        try:
            self._flush()
        finally:
            self._connection.close()


_FACT = "INSERT OR REPLACE INTO facts VALUES (?, ?)"


_TARGET = """
    INSERT INTO targets VALUES
        (:step, :kind, :target, :status, :reason, :run, :finished, :rows, :commit, :changed, :accounting)
    ON CONFLICT (step) DO UPDATE SET status = excluded.status, reason = excluded.reason, run = excluded.run,
        finished = excluded.finished, rows = coalesce(excluded.rows, rows),
        commit_number = coalesce(excluded.commit_number, commit_number), changed = coalesce(excluded.changed, changed),
        accounting = coalesce(excluded.accounting, accounting)
"""
"""A step that failed or had nothing to do leaves standing what an earlier one made."""


def _as_target(step: tuple[Any, ...]) -> dict[str, Any]:
    run, _, name, kind, target, status, reason, _, rows, commit, accounting, _, finished = step
    done = status is Status.SUCCESS
    return {
        "step": name, "kind": kind, "target": target, "status": status, "reason": reason, "run": run,
        "finished": finished, "rows": rows if done else None, "commit": commit, "changed": finished if done else None,
        "accounting": accounting if done and accounting != "{}" else None,
    }  # fmt: skip


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        full = "disk is full" in str(error) or ("disk I/O error" in str(error) and _no_room(path.parent))
        raise DriverError(
            f"the state store {path.name} cannot be {'written: the disk is full' if full else f'used: {error}'}",
            code="DISK_FULL" if full else "STATE_UNUSABLE",
            hint="free some space and run again" if full else "it holds history only: move it away and run again",
            transient=full,
        ) from error


def _no_room(folder: Path) -> bool:
    """SQLite says `disk I/O error` when there is no room for its shared memory file."""
    return shutil.disk_usage(folder).free < ROOM


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's process, but a process
    return True


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
