"""Ctrl-C and SIGTERM while a plan is walked: noted, and acted upon between two steps of the walk.

An exception in the middle of the bookkeeping would lose sight of a step that has just begun.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def noted(cancel: Callable[[], None]) -> Iterator[None]:
    """Call `cancel` instead of raising KeyboardInterrupt. Leaves alone a handler that somebody else has put there, and
    does nothing outside of the main thread, where signals do not arrive."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [
        number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is signal.default_int_handler
    ]
    for number in ours:
        signal.signal(number, lambda *_: cancel())
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.default_int_handler)
