"""Named places where a test may kill the process, so that crash recovery is tested and not assumed.

`PENSTOCK_FAILPOINT=land.before_manifest` sends SIGKILL to this process when that place is reached; a suffix `:3`
waits for the third time. Without the variable a failpoint is one comparison.
"""

from __future__ import annotations

import os
import signal

_wanted, _, _nth = os.environ.get("PENSTOCK_FAILPOINT", "").partition(":")
_remaining = int(_nth or 1)


def reach(name: str) -> None:
    """Die here, without any clean-up, if a test asked for it."""
    global _remaining
    if name != _wanted:
        return
    _remaining -= 1
    if _remaining == 0:
        os.kill(os.getpid(), signal.SIGKILL)
