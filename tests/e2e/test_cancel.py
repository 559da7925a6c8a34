"""Ctrl-C and SIGTERM in the middle of a statement that would take hours."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

CHILD = Path(__file__).with_name("child.py")
ENDLESS = """SELECT month, team, CAST(expenses AS BIGINT) AS expenses, amount FROM (
  SELECT CAST('2026-01-01' AS DATE) AS month, 'x' AS team, sum(a.range * b.range % 7) AS expenses, 1.0 AS amount
  FROM range(10000000) AS a CROSS JOIN range(10000000) AS b
) WHERE (SELECT count(*) FROM stg.expenses) > 0
"""
HOURS = "SELECT sum(a.range * b.range % 7) FROM range(10000000) AS a CROSS JOIN range(10000000) AS b"
SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@contextmanager
def started(where: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A verb at work. It does not outlive the block."""
    process = subprocess.Popen(
        [sys.executable, str(CHILD), *arguments],
        cwd=where,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until_said(process: subprocess.Popen[str], word: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if word in line:
            return
    pytest.fail(f"it has ended ({process.wait()}) and never said {word}")


def until_busy(process: subprocess.Popen[str], seconds: float) -> None:
    """Wait until it has used more CPU than starting up takes: it must be executing the statement by then."""
    ticks = seconds * os.sysconf("SC_CLK_TCK")
    while True:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        if int(fields[11]) + int(fields[12]) > ticks:
            return
        with suppress(subprocess.TimeoutExpired):
            pytest.fail(f"it has ended ({process.wait(0.05)}): {process.communicate()}")


@SIGNALS
def test_a_signal_stops_the_run_and_the_next_one_goes_on(project: Callable[..., Any], number: signal.Signals) -> None:
    cli = project()
    model = cli.cwd / "models" / "bus" / "expenses_monthly.sql"
    good = model.read_text()
    model.write_text(ENDLESS)
    with started(cli.cwd, "run") as process:
        until_said(process, "stg.expenses")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    model.write_text(good)
    steps = {step["step"]: step["status"] for step in cli("run", "--json").json["steps"]}
    assert steps["build:stg.expenses"] == "unchanged"
    assert steps["build:bus.expenses_monthly"] == "success"


@SIGNALS
def test_a_signal_stops_a_query(project: Callable[..., Any], number: signal.Signals) -> None:
    cli = project(run=True)
    with started(cli.cwd, "query", HOURS, "--json") as process:
        until_busy(process, 3)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert '"CANCELLED"' in out
    assert err == ""
