"""One factory for DuckDB connections: versions checked, limits set, the outside world shut, settings read back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from penstock.embedded.failure import translated
from penstock.embedded.interruption import enrol
from penstock.errors import DriverError, InternalError
from penstock.quoting import identifier, literal

OLDEST = (1, 5, 6)
"""Older versions lose committed rows on a full disk."""
STORAGE = "v1.5.0"
"""The file format both supported lines read."""
NO_COMMON_SUBPLANS = "SET disabled_optimizers = 'common_subplan'"
"""DuckDB 2.0.0 makes equal parts of a statement once, and then some statements never end: every thread waits, whatever
the number of rows. 1.5.6 ends."""


def version() -> tuple[int, ...]:
    return tuple(int(part) for part in duckdb.__version__.split(".")[:3] if part.isdigit())


def connect(
    path: Path | None = None,
    *,
    read_only: bool = False,
    allowed: Sequence[Path] = (),
    temporary: Path | None = None,
    threads: int | None = None,
    memory_limit: str | None = None,
    catalog: str | None = None,
) -> duckdb.DuckDBPyConnection:
    """Open `path` (None: in memory). Statements may read and write below the `allowed` folders and nowhere else.
    With `catalog`, an empty database in memory is opened, and in it `path`, to read only, by that name.

    Insertion order is not kept: nothing here relies on it, and keeping it makes DuckDB write every loaded row twice.
    Raises DriverError for a DuckDB that is too old, a file that is damaged or locked.
    """
    if version() < OLDEST:
        raise DriverError(
            f"expected DuckDB {'.'.join(map(str, OLDEST))} or newer, found {duckdb.__version__}",
            code="DUCKDB_TOO_OLD",
            hint='pip install "duckdb>=1.5.6,<3"',
        )
    config: dict[str, str | bool | int | float | list[str]] = {}
    if path is not None:
        config["storage_compatibility_version"] = STORAGE
    with translated():
        if catalog is None:
            connection = duckdb.connect(str(path) if path else ":memory:", read_only=read_only, config=config)
        else:
            connection = duckdb.connect(":memory:")
    try:
        with translated():
            if catalog is not None:
                connection.execute(f"ATTACH {literal(str(path))} AS {identifier(catalog)} (READ_ONLY)")
            _harden(connection, allowed, temporary, threads, memory_limit)
    except BaseException:
        connection.close()
        raise
    enrol(connection)
    return connection


def _harden(
    connection: duckdb.DuckDBPyConnection,
    allowed: Sequence[Path],
    temporary: Path | None,
    threads: int | None,
    memory_limit: str | None,
) -> None:
    folders = ", ".join(literal(f"{folder.resolve()}/") for folder in allowed)
    settings = [
        "SET TimeZone = 'UTC'",
        "SET preserve_insertion_order = false",
        "SET python_enable_replacements = false",
        "SET autoinstall_known_extensions = false",
        "SET autoload_known_extensions = false",
        "SET enable_progress_bar = false",
    ]
    if version() >= (2,):
        settings.append(NO_COMMON_SUBPLANS)
    if temporary is not None:
        settings.append(f"SET temp_directory = {literal(str(temporary))}")
    if threads is not None:
        settings.append(f"SET threads = {int(threads)}")
    if memory_limit is not None:
        settings.append(f"SET memory_limit = {literal(memory_limit)}")
    settings.append(f"SET allowed_directories = [{folders}]")
    settings.append("SET enable_external_access = false")
    settings.append("SET lock_configuration = true")
    connection.execute("; ".join(settings))
    taken = connection.execute(
        "SELECT current_setting('enable_external_access'), current_setting('lock_configuration')"
    ).fetchall()
    if taken != [(False, True)]:
        raise InternalError(f"DuckDB did not take its safety settings: {taken}", code="HARDENING_FAILED")
