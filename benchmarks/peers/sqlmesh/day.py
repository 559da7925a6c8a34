"""One day: python day.py EXECUTION_TIME. The first makes the tables, as `sqlmesh plan` does, later ones are
`sqlmesh run`. Its command line runs nothing before the next day begins; the time of a run can be given here."""

import os
import sys
from pathlib import Path

os.environ.setdefault("MAX_FORK_WORKERS", "1")

from sqlmesh import Context

if __name__ == "__main__":
    (at,) = sys.argv[1:]
    context = Context(paths=".")
    planned = Path("planned")
    if not planned.exists():
        context.plan(execution_time=at, auto_apply=True, no_prompts=True, skip_tests=True)
        planned.touch()
    else:
        context.run(execution_time=at)
