"""Named places where a test may kill the process, so that crash recovery is tested and not assumed.

`PENSTOCK_FAILPOINT=land.before_manifest` sends SIGKILL to this process when that place is reached; a suffix `:3`
waits for the third time. Without the variable a failpoint is one comparison.
"""

from __future__ import annotations

import os
import signal
from itertools import count

_wanted, _, _nth = os.environ.get("PENSTOCK_FAILPOINT", "").partition(":")
_visits = count(1)


def reach(name: str) -> None:
    """Die here, without any clean-up, if a test asked for it."""
    if name == _wanted and next(_visits) == int(_nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)
