"""Starting up: what a person waits for when there is nothing to do. Whole processes, byte-compiled."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.measure import Figures, cost, in_turns, main, middle, penstock


def measure(work: Path, *, times: int = 15) -> Figures:
    root = work / "starter"
    if not root.exists():
        penstock("init", root, cwd=work)
    penstock("run", cwd=root)
    penstock("status", cwd=root)
    found = in_turns(
        times,
        {
            "help": lambda: penstock("--help", cwd=work),
            "version": lambda: penstock("--version", cwd=work),
            "status": lambda: penstock("status", cwd=root),
            "run_unchanged": lambda: penstock("run", cwd=root),
            "python_alone": lambda: cost([sys.executable, "-c", "pass"], work),
        },
    )
    return {**{f"{name}_cpu_s": middle(seconds) for name, seconds in found.items()}, "target_help_cpu_s": 0.2}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--times", type=int, default=15, help="how many rounds (default %(default)s)")


def figures(options: argparse.Namespace, work: Path) -> Figures:
    return measure(work, times=options.times)


if __name__ == "__main__":
    main("startup", sys.modules[__name__], __doc__)
