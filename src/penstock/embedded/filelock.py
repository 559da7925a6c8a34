"""A lock that a whole process holds: flock on a file of our own.

DuckDB's own lock is lost when the process that holds it opens and closes the database file again (to copy or hash it,
say), after which a second writer is admitted and commits vanish. So the warehouse has a lock file beside it, held for
as long as the warehouse is open; the kernel lets go of it when the process dies, however it dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from penstock.embedded.home import usable
from penstock.errors import Locked

READERS = "a process that reads (query, show or plan)"
"""They share the lock and do not sign it; a writer that was killed has signed it and is gone."""


@contextmanager
def held(
    path: Path,
    locked_for: str,
    *,
    shared: bool = False,
    wait: float = 0.0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Hold `path` exclusively (or `shared` with other readers). Raises Locked, naming the holder, after `wait` s."""
    with usable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = clock() + wait
        while True:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if clock() >= until:
                    raise _locked(path, descriptor, wait) from None
                sleep(0.05)
        if not shared:
            note = {"pid": os.getpid(), "host": os.uname().nodename, "for": locked_for}
            with usable(path.parent):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(note).encode(), 0)
        try:
            yield
        finally:
            if not shared:
                with suppress(OSError):
                    os.ftruncate(descriptor, 0)  # or it would be taken for the holder when readers hold the lock next
    finally:
        os.close(descriptor)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's process, but a process
    return True


def _locked(path: Path, descriptor: int, wait: float) -> Locked:
    try:
        note = json.loads(os.pread(descriptor, 4096, 0))
        holder = f"`{note['for']}` (pid {note['pid']} on {note['host']})"
        if note["host"] == os.uname().nodename and not _alive(int(note["pid"])):
            holder = READERS
    except (ValueError, KeyError, TypeError):
        holder = READERS
    waited = f" after waiting {wait:g} s" if wait else ""
    return Locked(
        f"{path.parent.name} is in use by {holder}{waited}",
        code="LOCKED",
        hint="wait for it to end, or give --wait SECONDS to queue behind it",
    )
