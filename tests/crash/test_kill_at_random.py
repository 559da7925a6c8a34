"""kill -9 at random moments, then run again: everything equals an undisturbed life.

A few kills by default; `PENSTOCK_KILLS=2000 pytest tests/crash/test_kill_at_random.py -s` for more, and
`PENSTOCK_SEED` to do the same again (the moments a process is killed at are the same, what it has reached by then is
not quite). Prints the seed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

KILLS = int(os.environ.get("PENSTOCK_KILLS", "20"))
SEED = int(os.environ.get("PENSTOCK_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
IN_A_ROW = 4
"""At most so many kills of one run before it may go on."""


def kill_after(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether the process died of it; false when it was done before."""
    assert process.stdout is not None
    process.stdout.readline()  # `ready`: Python has started and the work begins
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def test_killed_at_random_moments(history: Any, tmp_path: Path) -> None:
    dice = random.Random(SEED)
    kills, lives, verbs = 0, 0, Counter[str]()
    longest = 0.5
    print(f"\nPENSTOCK_SEED={SEED} PENSTOCK_KILLS={KILLS}")  # noqa: T201
    while kills < KILLS:
        lives += 1
        day = dice.randrange(len(history))
        mini = history[day - 1].copy(tmp_path / "mini") if day else history[0].copy(tmp_path / "mini")
        if not day:
            shutil.rmtree(mini.home)
        mini.arrive(day)
        rebuilt = False
        for _ in range(dice.randint(1, IN_A_ROW)):
            verb = dice.choices(("run", "rebuild"), (5, 1))[0]
            if verb == "rebuild" and not mini.warehouse.exists():
                verb = "run"
            rebuilt = rebuilt or verb == "rebuild"
            if kill_after(mini.start(day, verb), dice.uniform(0, longest)):
                kills += 1
                verbs[verb] += 1
        begun = time.perf_counter()
        mini.run(day)
        longest = max(0.2, min(2.0, 0.8 * longest + 0.2 * (time.perf_counter() - begun)))
        found, expected = mini.contents(), history[day].contents()
        if rebuilt:  # it may have come to its end and has commits of its own
            del found["commits"], expected["commits"]
        assert found == expected, f"seed {SEED}, life {lives}, day {day + 1}"
        shutil.rmtree(mini.root)
    print(f"{kills} kills in {lives} lives ({dict(verbs)}): equal to an undisturbed life every time")  # noqa: T201
