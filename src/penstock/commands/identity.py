"""Names of runs."""

from __future__ import annotations

import os
from datetime import datetime


def run_id(now: datetime) -> str:
    """Sorts by time; the suffix keeps two runs of one second apart."""
    return f"{now:%Y%m%dT%H%M%S}-{os.urandom(2).hex()}"
