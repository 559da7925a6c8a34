"""One verb of the Python API in a process that may be killed: `driver.py PROJECT VERB NOW`.

The time is given, so that a disturbed and an undisturbed history can be compared down to their time stamps. Prints
`ready` when the work begins and the report's status and steps as one line of JSON when it ends.
"""

from __future__ import annotations

import json
import signal
import sys
from datetime import datetime

from penstock import Project
from penstock.errors import PenstockError


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    where, verb, now = sys.argv[1:]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    try:
        report = getattr(Project(where), verb)(now=datetime.fromisoformat(now))
    except PenstockError as error:
        sys.stdout.write(json.dumps({"error": error.code, "message": str(error)}) + "\n")
        return error.exit_code
    steps = {
        step.step: [step.status.value, step.reason, [problem.code for problem in step.problems]]
        for step in report.steps
    }
    sys.stdout.write(json.dumps({"status": report.status.value, "steps": steps}) + "\n")
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
