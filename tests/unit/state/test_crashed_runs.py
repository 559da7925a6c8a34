from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from penstock.state.sqlite import SqliteState

BEGIN = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from penstock.state.sqlite import SqliteState
state = SqliteState(Path(sys.argv[1]))
state.start_run("first", "dev", "run", None, datetime(2026, 11, 21, tzinfo=UTC))
state.close()
"""


def test_a_run_whose_process_is_gone_has_crashed_and_one_that_works_has_not(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    subprocess.run([sys.executable, "-c", BEGIN, str(path)], check=True)
    state = SqliteState(path)
    try:
        assert [(row["run"], row["status"]) for row in state.runs(10)] == [("first", "crashed")]
        state.start_run("second", "dev", "run", None, datetime(2026, 11, 22, tzinfo=UTC))
        found = state.runs(10)
    finally:
        state.close()
    assert [(row["run"], row["status"]) for row in found] == [("second", "running"), ("first", "crashed")]
    assert "pid" not in found[0]
