"""One verb of the Python API in a process that may be killed: `driver.py PROJECT VERB NOW`.

The time is given, so that a disturbed and an undisturbed history can be compared down to their time stamps. Prints
`ready` when the work begins, `begun STEP` for each step, and the report as one line of JSON when it ends.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
from datetime import datetime

from penstock import Project
from penstock.domain.event import StepStarted
from penstock.errors import PenstockError


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tell(event: object) -> None:
    if isinstance(event, StepStarted):
        say(f"begun {event.step}")


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs ignore SIGINT, and so would we
        signal.signal(number, signal.default_int_handler)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: not to outlive the test, however that ends
    where, verb, now = sys.argv[1:]
    say("ready")
    try:
        report = getattr(Project(where), verb)(now=datetime.fromisoformat(now), emit=tell)
    except PenstockError as error:
        say(json.dumps({"error": error.code, "message": str(error)}))
        return error.exit_code
    steps = {
        step.step: [step.status.value, step.reason, [problem.code for problem in step.problems]]
        for step in report.steps
    }
    say(json.dumps({"status": report.status.value, "steps": steps}))
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
