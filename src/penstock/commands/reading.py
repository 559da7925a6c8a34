"""Statements of a verb that only reads: in a thread of their own, so that Ctrl-C and SIGTERM are acted upon.

DuckDB 2 does not let Python see a signal while it executes in the main thread: a query that was a mistake could not be
stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

from penstock.commands.signals import noted
from penstock.commands.workspace import Workspace
from penstock.errors import Cancelled
from penstock.ports import Session, Warehouse, WarehouseOptions

PATIENCE = 0.1
"""Seconds after which the wait looks whether it was cancelled."""
Result = TypeVar("Result")


def reading(space: Workspace, command: str, wait_for: float, read: Callable[[Session], Result]) -> Result:
    """What `read` gives, called with a session of the environment's warehouse, opened read-only and without access to
    files. Raises Locked when a run holds it longer than `wait_for` seconds, Cancelled when a signal came."""
    options = space.options(command, read_only=True, wait=wait_for)
    return reading_all(space, options, lambda warehouse: read(warehouse.session()))


def reading_all(space: Workspace, options: WarehouseOptions, read: Callable[[Warehouse], Result]) -> Result:
    """The same for a verb that wants sessions of its own, or the warehouse beside a database of its own."""
    warehouse = space.engine.open(options)
    stopped = Event()
    try:
        with noted(stopped.set), ThreadPoolExecutor(1, thread_name_prefix=options.locked_for) as pool:
            result = pool.submit(lambda: read(warehouse))
            try:
                while not wait((result,), timeout=PATIENCE).done:
                    if stopped.is_set():
                        warehouse.interrupt()
            except BaseException:  # of a caller with a signal handler of its own
                while not wait((result,), timeout=PATIENCE).done:
                    warehouse.interrupt()
                raise
        if stopped.is_set():
            raise Cancelled("cancelled", code="CANCELLED")
        return result.result()
    finally:
        warehouse.close()
