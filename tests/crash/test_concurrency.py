"""Two processes in one environment: one works, the others are told who it is, wait, or look at what may be looked at.

A Python model that waits for a named pipe holds a run exactly as long as the test wants.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from penstock.commands.plan import plan
from penstock.errors import Locked

GATE = '''"""
---
reads: [serv.visits_daily]
columns: [day, visits]
---
"""
import shutil


def model(visits):
    warehouse = {warehouse!r}
    with open(warehouse, "rb") as file:  # closing it drops the lock that DuckDB has on it
        file.read(1)
    shutil.copy(warehouse, {copy!r})
    with open({pipe!r}) as pipe:
        pipe.read()
    return visits
'''


class Held:
    """The second day's run, standing in the model `serv.gate`, until `let_go`."""

    def __init__(self, mini: Any, folder: Path) -> None:
        self.mini = mini
        self.pipe = folder / "pipe"
        os.mkfifo(self.pipe)
        copy, pipe = str(folder / "copy.duckdb"), str(self.pipe)
        source = GATE.format(warehouse=str(mini.warehouse), copy=copy, pipe=pipe)
        config = (mini.root / "penstock.yml").read_text().replace("threads: 2", "threads: 1")
        mini.write({"models/serv/gate.py": source, "penstock.yml": config})
        mini.arrive(1)
        self.process = mini.start(1)
        self.writer = self.pipe.open("w")  # comes back when the model has opened the other end

    def let_go(self) -> None:
        self.writer.close()
        out, err = self.process.communicate(timeout=60)
        self.pipe.unlink()
        self.pipe.touch()  # later runs pass the gate
        assert self.process.returncode == 0, out + err

    def end(self) -> None:
        self.writer.close()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def held(history: Any, tmp_path: Path) -> Any:
    made = Held(history[0].copy(tmp_path / "mini"), tmp_path)
    yield made
    made.end()


def footprint(mini: Any) -> dict[str, str]:
    """Every file of the environment but the state store's, which others may write to."""
    files = [path for path in mini.home.rglob("*") if path.is_file() and "state.sqlite" not in path.name]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_others_are_refused_and_told_who_works(held: Held) -> None:
    before = footprint(held.mini)
    for verb in ("run", "rebuild", "export"):
        done = held.mini.cli(verb, code=4)
        assert "[LOCKED]" in done.stderr
        assert f"`run` (pid {held.process.pid} on " in done.stderr
        assert "--wait" in done.stderr
    for reader in (["query", "SELECT 1"], ["show", "serv.report"]):
        done = held.mini.cli(*reader, "--wait", "0.1", code=4)
        assert f"pid {held.process.pid}" in done.stderr
        assert "after waiting 0.1 s" in done.stderr
    with pytest.raises(Locked, match=f"pid {held.process.pid}"):
        plan(held.mini.root, wait=0.1)
    assert footprint(held.mini) == before, "somebody who was refused changed something"
    held.let_go()


def test_what_needs_no_warehouse_answers_meanwhile(held: Held, history: Any) -> None:
    assert "serv.report" in held.mini.cli("status").stdout
    assert "running" in held.mini.cli("history").stdout
    held.mini.cli("validate")
    held.mini.arrive(2)
    held.mini.run(2, "land")
    assert "running" in held.mini.cli("history").stdout, "landing beside a run has declared it dead"
    with duckdb.connect(str(held.mini.home / "exports" / "mart.duckdb"), read_only=True) as mart:
        assert mart.execute("SELECT count(*) FROM serv.report").fetchone() is not None
    held.let_go()
    held.mini.run(2)
    assert held.mini.rows("FROM raw.visits ORDER BY ALL") == history[2].rows("FROM raw.visits ORDER BY ALL")


def test_a_file_that_arrives_during_a_run_is_seen_by_the_next_one(held: Held, history: Any) -> None:
    held.mini.arrive(2)
    held.let_go()
    held.mini.run(2)
    assert held.mini.rows("FROM raw.visits ORDER BY ALL") == history[2].rows("FROM raw.visits ORDER BY ALL")
    assert held.mini.rows("FROM raw.products ORDER BY ALL") == history[2].rows("FROM raw.products ORDER BY ALL")


def test_who_waits_comes_next_and_finds_nothing_to_do(held: Held) -> None:
    after = [
        subprocess.Popen(
            [sys.executable, "-m", "penstock", *arguments, "--wait", "60"],
            cwd=held.mini.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for arguments in (["run", "--json"], ["query", "SELECT count(*) AS n FROM serv.gate", "--json"])
    ]
    held.let_go()
    (ran, _), (asked, _) = (process.communicate(timeout=60) for process in after)
    assert [process.returncode for process in after] == [0, 0], ran + asked
    done = {step["step"] for step in json.loads(ran)["steps"] if step["status"] != "unchanged"}
    assert done == {"build:stg.made", "build:stg.asked"}, "views with the date of the run in them, and no more"
    assert '"n": 2' in asked


def test_a_killed_run_leaves_no_lock(held: Held, history: Any) -> None:
    held.process.send_signal(signal.SIGKILL)
    held.process.communicate()
    (held.mini.root / "models" / "serv" / "gate.py").unlink()
    done = held.mini.cli("history", "--json")
    held.mini.run(1)
    assert held.mini.contents() == history[1].contents()
    done = held.mini.cli("history", "--json")
    assert '"crashed"' in done.stdout
