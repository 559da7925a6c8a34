"""quarantine fix: a person says what a row that was set apart ought to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from penstock.commands.identity import run_id
from penstock.commands.quarantine import declared, entry, private_of, relation_of, required
from penstock.commands.reading import reading
from penstock.commands.workspace import Workspace, open_workspace, utc_now
from penstock.domain.batch import Manifest, extracts
from penstock.domain.model import Model
from penstock.domain.quarantined import Fixed
from penstock.domain.source import SourceTable
from penstock.errors import InternalError, UserError
from penstock.executor import ledger as ledgers
from penstock.executor.correcting import Correcting
from penstock.failpoint import reach
from penstock.ports import Session
from penstock.sql.reason import HIDDEN, is_private

COMMAND = "quarantine fix"
Changes = Mapping[str, str | None]


def quarantine_fix(
    where: Path,
    relation: str,
    row: str,
    changes: Changes,
    *,
    why: str,
    by: str | None = None,
    environment: str | None = None,
    wait: float = 0.0,
    now: datetime | None = None,
) -> Fixed:
    """Land a correction: the row (its id, or how that begins) with other values in some columns (None: NULL), as the
    source would send them. The next run, or `replay`, loads it. For a row of a model, the row of the source table that
    it is made from is corrected, where that can be told.

    Raises UserError when the row is not there, a column is unknown, or the source is not loaded up to its last batch;
    DataError when the row would not pass as corrected; Locked while a run is on. Then nothing has landed.
    """
    reason, person = required(why, by)
    space = open_workspace(where, environment)
    name = relation_of(space, relation)
    found = entry(space, name, row, COMMAND, wait)
    what = declared(space, name)
    if isinstance(what, Model):
        from penstock.commands.quarantine_source import source_of

        wanted = source_of(space, what, found, changes, wait)
        table, changes = wanted.table, wanted.changes
    elif what is not None:
        table, wanted = what, None
    else:
        raise InternalError(f"{name} is neither a table nor a model", code="BUG")
    loaded = reading(space, COMMAND, wait, _loaded)
    moment = now or utc_now()
    run = run_id(moment)
    with space.landing.lock(COMMAND, wait), space.landing.staging(run) as staging:
        batches = space.landing.batches(table.source, table.name)
        _all_loaded(table, batches, loaded)
        with _memory(space) as session:
            correcting = Correcting(table, batches, space.landing.data, session)
            if wanted is not None:
                place = correcting.by_key(wanted.key, wanted.batch)
            else:
                place = correcting.by_id(found["id"], found["batch"], found["copies"])
            if place is None:
                raise _gone(table, found["id"])
            staged = staging / "correction.parquet"
            extract, changed = correcting.correct(place, changes, staged, by=person, why=reason)
        reach("fix.staged")
        batch = space.landing.commit(table, extract, run, moment)
    private = private_of(space, table.relation)
    told = {c: HIDDEN if value is not None and is_private(c, private) else value for c, value in changed.items()}
    return Fixed(table.relation, place.id, batch.id, told)


def _loaded(session: Session) -> frozenset[str]:
    return frozenset(ledgers.read(session).loaded)


def _all_loaded(table: SourceTable, batches: Sequence[Manifest], loaded: frozenset[str]) -> None:
    """A correction says what comes after all that the source has said; what that is, is known when it is loaded."""
    waiting = [batch.id for batch in extracts(batches) if batch.id not in loaded]
    if waiting:
        raise UserError(
            f"{table.relation}: {waiting[0]} is landed and not loaded yet, and may say something newer of this row",
            code="FIX_TOO_EARLY",
            hint=f"`penstock quarantine replay {table.relation}`, then look whether the row is still there",
        )


def _gone(table: SourceTable, row: str) -> UserError:
    return UserError(
        f"{table.relation}: the row {row} is in none of the batches it may be in",
        code="NOT_IN_QUARANTINE",
        hint=f"`penstock quarantine replay {table.relation}`, and look whether it is still there",
    )


class _memory:  # noqa: N801 - reads as a verb's block
    """A session on a database in memory that may read the landing and write to it."""

    def __init__(self, space: Workspace) -> None:
        self._space = space

    def __enter__(self) -> Session:
        from penstock.embedded.connection import connect
        from penstock.engines.duckdb.session import DuckSession

        self._connection = connect(None, allowed=(self._space.home / "landing",), threads=self._space.threads)
        return DuckSession(self._connection)

    def __exit__(self, *_: object) -> None:
        self._connection.close()
