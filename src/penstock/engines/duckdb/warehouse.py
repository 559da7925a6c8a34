"""An open warehouse file."""

from __future__ import annotations

import os
from contextlib import ExitStack

import duckdb

from penstock.embedded.failure import translated
from penstock.engines.duckdb.cursors import Cursors
from penstock.engines.duckdb.session import DuckSession
from penstock.errors import StateError
from penstock.ports import Session


class DuckWarehouse:
    """An open warehouse file. Holds our own lock beside DuckDB's (see embedded/filelock.py) until closed."""

    def __init__(self, resources: ExitStack, connection: duckdb.DuckDBPyConnection) -> None:
        self._resources = resources
        self._connection = connection
        self._cursors = Cursors(connection)
        self._process = os.getpid()

    def session(self) -> Session:
        if os.getpid() != self._process:
            raise StateError(
                "the warehouse was opened before this process was forked",
                code="FORKED",
                hint="open it in the process that uses it; start workers with spawn",
            )
        return DuckSession(self._cursors.new())

    def interrupt(self) -> None:
        self._cursors.interrupt()

    def checkpoint(self) -> None:
        with translated():
            self._connection.execute("CHECKPOINT")

    def close(self) -> None:
        self._cursors.close()
        self._resources.close()
