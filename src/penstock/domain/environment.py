"""Environments: dev, test and prod, physically apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from penstock.record import record

RETENTION = 7 * 86400.0
"""Seconds."""
REPORTS = 30
"""Runs whose quality reports are kept."""


@record
class Environment:
    """One physical place where a project runs.

    `home` is its folder (landing, state, exports and, for DuckDB, the warehouse file), relative to the project unless
    absolute. `roots` replaces the root of a source by name. `threads` bounds the steps that run at once,
    `memory_limit` (DuckDB syntax, `4GB`) what the engine may use; None leaves the engine's default. `retention` is how
    long changes of relations are kept, in seconds, so that they can be shown as they were;
    `keep_reports` of how many runs the quality reports are kept.
    """

    name: str
    engine: str = "duckdb"
    home: str = ""
    threads: int | None = None
    memory_limit: str | None = None
    roots: Mapping[str, str] = field(default_factory=dict)
    retention: float = RETENTION
    keep_reports: int = REPORTS
