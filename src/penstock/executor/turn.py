"""One process's turn at the landing, shared by its threads: taken by the first that lands, given back by the last.

Held while something is landed and not for the whole run, so that `penstock land` can work beside a long build.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager


class Turn:
    """`take` gives a context that holds the lock between processes."""

    def __init__(self, take: Callable[[], AbstractContextManager[None]]) -> None:
        self._take = take
        self._guard = threading.Lock()
        self._inside = 0
        self._held = ExitStack()

    @contextmanager
    def held(self) -> Iterator[None]:
        with self._guard:
            if not self._inside:
                self._held.enter_context(self._take())
            self._inside += 1
        try:
            yield
        finally:
            with self._guard:
                self._inside -= 1
                if not self._inside:
                    self._held.close()
