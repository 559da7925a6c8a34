"""The cursors that sessions of one warehouse work with: any thread may interrupt or close them all."""

from __future__ import annotations

import contextlib
import threading

import duckdb

from penstock.embedded.failure import translated


class Cursors:
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._open: list[duckdb.DuckDBPyConnection] = []
        self._guard = threading.Lock()

    def new(self, first: str = "") -> duckdb.DuckDBPyConnection:
        """A cursor of its own, on which the statement `first` has been executed."""
        with self._guard, translated():
            cursor = self._connection.cursor()
            self._open.append(cursor)
            if first:
                cursor.execute(first)
        return cursor

    def interrupt(self) -> None:
        with self._guard:
            for cursor in self._open:
                with contextlib.suppress(duckdb.Error):
                    cursor.interrupt()

    def close(self) -> None:
        with self._guard:
            for cursor in self._open:
                with contextlib.suppress(duckdb.Error):
                    cursor.close()
            self._open.clear()
