"""DuckDB as the warehouse: one file in the environment's folder, one writing process.

DuckDB itself is imported when a warehouse is opened: finding out that nothing has changed does not need it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from penstock.embedded import filelock
from penstock.embedded.home import usable
from penstock.errors import PenstockError, StateError
from penstock.ports import WAREHOUSE, Warehouse, WarehouseOptions

FILE = "warehouse.duckdb"


class DuckEngine:
    """Implements ports.Engine."""

    def exists(self, options: WarehouseOptions) -> bool:
        return (options.home / FILE).exists()

    def stamp(self, options: WarehouseOptions) -> str | None:
        path = options.home / FILE
        try:
            file = path.stat()
        except OSError:  # none there, or no folder: opening it says which
            return None
        return f"{file.st_ino}:{file.st_size}:{file.st_mtime_ns}:{_wal(path).exists()}"

    def open(self, options: WarehouseOptions) -> Warehouse:
        from penstock.embedded.connection import connect
        from penstock.engines.duckdb.warehouse import DuckWarehouse

        path = options.home / FILE
        if options.read_only and not path.exists():
            raise StateError(
                f"nothing has been built in {options.home.name} yet",
                code="NOTHING_BUILT",
                hint="run `penstock run` first",
            )
        stack = ExitStack()
        try:
            stack.enter_context(_locked(options))
            with usable(options.home):
                for folder in (options.home, *options.folders):
                    folder.mkdir(parents=True, exist_ok=True)
            connection = connect(
                path,
                read_only=options.read_only,
                allowed=options.folders,
                temporary=options.home / "tmp",
                memory_limit=options.memory_limit,
                catalog=WAREHOUSE if options.beside else None,
            )
            stack.callback(connection.close)
            with usable(options.home):
                path.chmod(0o600)
        except BaseException:
            stack.close()
            raise
        return DuckWarehouse(stack, connection)

    @contextmanager
    def rebuilding(self, options: WarehouseOptions) -> Iterator[WarehouseOptions]:
        with _locked(options):
            beside = options.home / ".rebuild"
            shutil.rmtree(beside, ignore_errors=True)
            yield replace(options, home=beside)
            with usable(options.home):
                _swap(beside / FILE, options.home / FILE)
            shutil.rmtree(beside, ignore_errors=True)


def _swap(built: Path, target: Path) -> None:
    """Put the built file in the target's place. A write-ahead log of the old file must never meet the new one: it is
    merged first, or set aside when it is damaged."""
    from penstock.embedded.connection import connect

    wal = _wal(target)
    if wal.exists():
        with suppress(PenstockError):
            connect(target).close()
    if wal.exists():
        wal.replace(wal.with_suffix(".damaged"))
    built.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _locked(options: WarehouseOptions) -> AbstractContextManager[None]:
    return filelock.held(
        options.home / "warehouse.lock", options.locked_for, shared=options.read_only, wait=options.wait
    )


PLUGIN = DuckEngine()
