"""Where tests write: in memory where there is room for it.

They ask whether Penstock syncs, and when, not how long a disk takes to do so: at some fifty times a run, half of the
time a test takes. Who names a folder (`TMPDIR`, `--basetemp`) has it there."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps files in memory
ROOM = 2 << 30
"""Bytes: several times what the tests that run at once hold."""


def _available() -> int:
    """Bytes of memory that nothing needs, as Linux tells them; 0 elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), 0)


def in_memory() -> None:
    if "TMPDIR" in os.environ or not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        return
    if min(_available() // 2, shutil.disk_usage(MEMORY).free) >= ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
