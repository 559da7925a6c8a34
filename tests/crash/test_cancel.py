"""Ctrl-C and SIGTERM: the run ends soon, cancelled, and leaves everything as a run that never was."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import pytest
import zstandard

from penstock.embedded.connection import connect
from penstock.embedded.interruption import Interruption, pause
from penstock.errors import Cancelled

HOURS = (
    "SELECT CAST(sum(a.range * b.range % 7) AS VARCHAR) AS day, 1::BIGINT AS visits "
    "FROM range(10000000) AS a CROSS JOIN range(10000000) AS b WHERE (SELECT count(*) FROM raw.visits) > 0\n"
)


def cancelled(
    process: subprocess.Popen[str], begun: str, number: signal.Signals, ready: Callable[[], bool] = lambda: True
) -> dict[str, Any]:
    """Send the signal when the step has begun and is `ready` for it; gives the report. A run that does not end
    fails by the time limit."""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line == f"begun {begun}\n":
                break
        while not ready():
            with suppress(subprocess.TimeoutExpired):
                pytest.fail(f"it has ended already: {process.wait(0.02)}")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130, out + err
    report: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert report["status"] == "cancelled"
    return report


def statuses(mini: Any) -> list[str]:
    with closing(sqlite3.connect(mini.home / "state.sqlite")) as state:
        return [row[0] for row in state.execute("SELECT status FROM runs ORDER BY rowid")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_a_model(number: signal.Signals, history: Any, tmp_path: Any) -> None:
    mini = history[0].copy(tmp_path / "mini")
    path = mini.root / "models" / "serv" / "visits_daily.sql"
    good = path.read_text()
    mini.arrive(1)
    path.write_text(HOURS)
    report = cancelled(mini.start(1), "build:serv.visits_daily", number)
    assert report["steps"]["build:serv.visits_daily"][0] == "cancelled"
    assert statuses(mini) == ["success", "cancelled"]
    assert mini.rows("FROM serv.visits_daily") == [("17", 3)], "the table is not as it was"
    path.write_text(good)
    mini.run(1)
    assert mini.contents() == history[1].contents()


def test_in_a_landing(history: Any, tmp_path: Any) -> None:
    """40 GB of visits, in a file that is small on disk."""
    mini = history[0].copy(tmp_path / "mini")
    mini.arrive(1)
    frame = zstandard.compress(b"17,home\n" * 1_250_000)
    big = mini.root / "inbox" / "visits_9.csv.zst"
    big.write_bytes(zstandard.compress(b"day,page\n") + frame * 4000)
    source = mini.root / "sources" / "web.yml"
    source.write_text(source.read_text().replace("visits_*.csv", "visits_*"))
    staging = mini.home / "landing" / ".staging"

    def unpacking() -> bool:
        try:
            return any(path.stat().st_size > 1 << 20 for path in staging.rglob("text_*"))
        except FileNotFoundError:
            return False  # the folder of a table that is done has just been removed

    report = cancelled(mini.start(1), "land:web.visits", signal.SIGINT, unpacking)
    assert report["steps"]["land:web.visits"][0] == "cancelled"
    assert not list((mini.home / "landing").rglob(".staging/*")), "unfinished files were left behind"
    big.unlink()
    mini.run(1)
    assert mini.contents() == history[1].contents()


def test_a_statement_of_a_connection_of_its_own_is_interrupted() -> None:
    """What an extract runs on a connection the run does not know."""
    interruption, begun, ended = Interruption(), threading.Event(), []

    def extract() -> None:
        with interruption.watched():
            connection = connect()
            try:
                begun.set()
                connection.execute("SELECT count(*) FROM range(10000000) AS a, range(10000000) AS b WHERE a.range > 7")
            except Exception as error:
                ended.append(type(error).__name__)
            finally:
                connection.close()
            with pytest.raises(Cancelled):
                pause()

    thread = threading.Thread(target=extract)
    thread.start()
    assert begun.wait(60)
    while thread.is_alive():
        interruption.interrupt()
        thread.join(0.05)
    assert ended == ["InterruptException"]
    with pytest.raises(Cancelled), interruption.watched():
        pytest.fail("an interrupted run must begin nothing")


def test_outside_of_an_interruption_nothing_pauses() -> None:
    pause()
