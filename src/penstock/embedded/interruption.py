"""Stopping work that has connections of its own, such as an extract: from the thread that waits for it.

The warehouse interrupts its own sessions. A reader or an exporter opens connections the run knows nothing of, and
reads files in plain Python; within `watched()` those connections enrol here, and `pause()` is where Python work stops.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Protocol

from penstock.errors import Cancelled


class Stoppable(Protocol):
    def interrupt(self) -> None: ...


class Interruption:
    """One run's. Once interrupted, everything watched raises Cancelled at its next statement or pause."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._enrolled: list[Stoppable] = []
        self._stopped = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """What this thread does in the block can be interrupted."""
        token = _current.set(self)
        try:
            self.check()
            yield
        finally:
            _current.reset(token)

    def enrol(self, connection: Stoppable) -> None:
        with self._guard:
            self._enrolled.append(connection)

    def check(self) -> None:
        if self._stopped:
            raise Cancelled("interrupted", code="CANCELLED")

    def interrupt(self) -> None:
        """May be called from any thread, and again: a statement that was about to begin has missed the last call."""
        self._stopped = True
        with self._guard:
            for connection in self._enrolled:
                with suppress(Exception):  # it has been closed meanwhile
                    connection.interrupt()


_current: ContextVar[Interruption | None] = ContextVar("interruption", default=None)


def enrol(connection: Stoppable) -> None:
    """Called for every connection that is opened."""
    watching = _current.get()
    if watching is not None:
        watching.enrol(connection)


def pause() -> None:
    """Called in long loops. Raises Cancelled when the run was interrupted."""
    watching = _current.get()
    if watching is not None:
        watching.check()
