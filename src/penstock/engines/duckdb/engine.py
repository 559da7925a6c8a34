"""DuckDB as the warehouse: one file in the environment's folder, one writing process."""

from __future__ import annotations

import contextlib
import os
import threading
from contextlib import ExitStack

import duckdb

from penstock.embedded import filelock
from penstock.embedded.connection import connect
from penstock.embedded.failure import translated
from penstock.engines.duckdb.session import DuckSession
from penstock.errors import PenstockError, StateError
from penstock.ports import Session, Warehouse, WarehouseOptions

FILE = "warehouse.duckdb"


class DuckWarehouse:
    """An open warehouse file. Holds our own lock beside DuckDB's (see embedded/filelock.py) until closed."""

    def __init__(self, options: WarehouseOptions, resources: ExitStack, connection: duckdb.DuckDBPyConnection) -> None:
        self._options = options
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


class DuckEngine:
    """Implements ports.Engine."""

    def exists(self, options: WarehouseOptions) -> bool:
        return (options.home / FILE).exists()

    def stamp(self, options: WarehouseOptions) -> str | None:
        path = options.home / FILE
        wal = path.with_name(FILE + ".wal")
        try:
            file = path.stat()
        except FileNotFoundError:
            return None
        return f"{file.st_ino}:{file.st_size}:{file.st_mtime_ns}:{wal.exists()}"

    def open(self, options: WarehouseOptions) -> Warehouse:
        path = options.home / FILE
        if options.read_only and not path.exists():
            raise StateError(
                f"nothing has been built in {options.home.name} yet",
                code="NOTHING_BUILT",
                hint="run `penstock run` first",
            )
        with ExitStack() as stack:
            stack.enter_context(_locked(options))
            temporary = options.home / "tmp"
            for folder in (options.home, *options.folders):
                folder.mkdir(parents=True, exist_ok=True)
            connection = connect(
                path,
                read_only=options.read_only,
                allowed=options.folders,
                temporary=temporary,
                threads=None,
                memory_limit=options.memory_limit,
            )
            stack.callback(connection.close)
            path.chmod(0o600)
            return DuckWarehouse(options, stack.pop_all(), connection)

    def replace(self, options: WarehouseOptions, built: WarehouseOptions) -> None:
        """Swap the file built elsewhere in. A write-ahead log of the old file must never meet the new one: it is
        merged first, or set aside when it is damaged."""
        target, source = options.home / FILE, built.home / FILE
        wal = target.with_name(FILE + ".wal")
        if wal.exists():
            with contextlib.suppress(PenstockError):
                connect(target).close()
        if wal.exists():
            wal.replace(wal.with_suffix(".wal.damaged"))
        source.replace(target)
        descriptor = os.open(options.home, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _locked(options: WarehouseOptions) -> contextlib.AbstractContextManager[None]:
    return filelock.held(
        options.home / "warehouse.lock", options.locked_for, shared=options.read_only, wait=options.wait
    )


PLUGIN = DuckEngine()
