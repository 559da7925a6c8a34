"""An open warehouse file."""

from __future__ import annotations

import contextlib
import os
import threading
from contextlib import ExitStack

import duckdb

from penstock.embedded.failure import translated
from penstock.engines.duckdb.session import DuckSession
from penstock.errors import StateError
from penstock.ports import Session


class DuckWarehouse:
    """An open warehouse file. Holds our own lock beside DuckDB's (see embedded/filelock.py) until closed."""

    def __init__(self, resources: ExitStack, connection: duckdb.DuckDBPyConnection) -> None:
        self._resources = resources
        self._connection = connection
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        self._guard = threading.Lock()
        self._process = os.getpid()

    def session(self) -> Session:
        if os.getpid() != self._process:
            raise StateError(
                "the warehouse was opened before this process was forked",
                code="FORKED",
                hint="open it in the process that uses it; start workers with spawn",
            )
        with self._guard, translated():
            cursor = self._connection.cursor()
            self._cursors.append(cursor)
        return DuckSession(cursor)

    def interrupt(self) -> None:
        with self._guard:
            for cursor in self._cursors:
                with contextlib.suppress(duckdb.Error):
                    cursor.interrupt()

    def checkpoint(self) -> None:
        with translated():
            self._connection.execute("CHECKPOINT")

    def close(self) -> None:
        with self._guard:
            for cursor in self._cursors:
                with contextlib.suppress(duckdb.Error):
                    cursor.close()
            self._cursors.clear()
        self._resources.close()
