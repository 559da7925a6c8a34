"""kill -9 at every step boundary, then run again: everything equals a life without the kill.

The places are found by scanning the source, so that a new one cannot be forgotten: each must really be reached.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest

import penstock

SITES = sorted(
    {
        name
        for path in Path(penstock.__file__).parent.rglob("*.py")
        for name in re.findall(r'\breach\("([^"]+)"\)', path.read_text())
    }
)
SECOND = {"export", "land", "load", "build"}
"""Steps there are several of: killed in the second one too, when the first is done."""
BY_HAND = {"fix.staged", "discard.written"}
"""What no run reaches: a person corrects or discards a row. `test_quarantine_surroundings` kills these."""
CASES = [
    (site, visit)
    for site in SITES if site not in BY_HAND
    for visit in ((1, 2) if site.partition(".")[0] in SECOND else (1,))
]  # fmt: skip


def test_the_scan_finds_the_places() -> None:
    assert {"land.staged", "load.before_commit", "build.committed", "export.renamed", "rebuild.swapped"} <= set(SITES)
    assert set(SITES) >= BY_HAND
    verbs = Path(__file__).parents[1] / "unit" / "commands" / "test_quarantine_surroundings.py"
    assert all(f'"{site}"' in verbs.read_text() for site in BY_HAND)


@pytest.mark.parametrize(("site", "visit"), CASES)
def test_killed_at(site: str, visit: int, history: Any, tmp_path: Path) -> None:
    if site.startswith("rebuild."):
        mini, verb = history[1].copy(tmp_path / "mini"), "rebuild"
    else:
        mini, verb = history[0].copy(tmp_path / "mini"), "run"
        mini.arrive(1)
    killed = mini.run(1, verb, code=None, PENSTOCK_FAILPOINT=f"{site}:{visit}")
    assert killed.code == -signal.SIGKILL, f"{site} was not reached: {killed}"
    mini.run(1)
    again = mini.run(1)
    assert again.report is not None and again.report["status"] == "unchanged", again.report
    found, expected = mini.contents(), history[1].contents()
    if verb == "rebuild":  # which has commits of its own: one for each relation it made
        del found["commits"], expected["commits"]
    assert found == expected
