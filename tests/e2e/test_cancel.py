"""Ctrl-C and SIGTERM in the middle of a statement that would take hours."""

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

ENDLESS = """SELECT month, team, CAST(expenses AS BIGINT) AS expenses, amount FROM (
  SELECT CAST('2026-01-01' AS DATE) AS month, 'x' AS team, sum(a.range * b.range % 7) AS expenses, 1.0 AS amount
  FROM range(10000000) AS a CROSS JOIN range(10000000) AS b
) WHERE (SELECT count(*) FROM stg.expenses) > 0
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_and_the_next_one_goes_on(project: Callable[..., Any], number: signal.Signals) -> None:
    cli = project()
    model = cli.cwd / "models" / "bus" / "expenses_monthly.sql"
    good = model.read_text()
    model.write_text(ENDLESS)
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock", "run"],
        cwd=cli.cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "stg.expenses" in line:
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    model.write_text(good)
    steps = {step["step"]: step["status"] for step in cli("run", "--json").json["steps"]}
    assert steps["build:stg.expenses"] == "unchanged"
    assert steps["build:bus.expenses_monthly"] == "success"
