"""Empty warehouses in memory, one after the other: a database each, in one DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from penstock.embedded.connection import connect
from penstock.embedded.failure import translated
from penstock.engines.duckdb.cursors import Cursors
from penstock.engines.duckdb.session import DuckSession
from penstock.ports import Session, Warehouse
from penstock.quoting import identifier


class MemoryWarehouses:
    """Used by one thread, but for `interrupt` and for sessions that a warehouse is asked for. Close it in the end."""

    def __init__(self) -> None:
        self._connection = connect(None, threads=1)
        self._count = 0
        self._open: _MemoryWarehouse | None = None

    @contextmanager
    def fresh(self) -> Iterator[Warehouse]:
        """An empty warehouse while the context lasts. Statements find nothing else."""
        self._count += 1
        name = f"memory_{self._count}"
        with translated():
            self._connection.execute(f"ATTACH ':memory:' AS {identifier(name)}")
        self._open = warehouse = _MemoryWarehouse(self._connection, name)
        try:
            yield warehouse
        finally:
            self._open = None
            warehouse.close()
            with translated():
                self._connection.execute(f"DETACH {identifier(name)}")

    def interrupt(self) -> None:
        warehouse = self._open
        if warehouse is not None:
            warehouse.interrupt()

    def close(self) -> None:
        self._connection.close()


class _MemoryWarehouse:
    """Implements ports.Warehouse."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._cursors = Cursors(connection)

    def session(self) -> Session:
        return DuckSession(self._cursors.new(f"USE {identifier(self._name)}"))

    def interrupt(self) -> None:
        self._cursors.interrupt()

    def checkpoint(self) -> None:
        """There is no file."""

    def close(self) -> None:
        self._cursors.close()
