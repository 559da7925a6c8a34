"""query: one read-only statement on the warehouse."""

from __future__ import annotations

from pathlib import Path

from penstock.commands.reading import reading
from penstock.commands.workspace import open_to_look
from penstock.domain.rows import Rows


def query(
    where: Path, sql: str, *, environment: str | None = None, limit: int | None = 1000, wait: float = 10.0
) -> Rows:
    """Run one SELECT and give at most `limit` rows. The warehouse is opened read-only, without access to files.

    Raises UserError for SQL that does not work, Locked when a run holds the warehouse longer than `wait` seconds.
    """
    space = open_to_look(where, environment)
    return reading(space, "query", wait, lambda session: session.query(sql, limit=limit))
