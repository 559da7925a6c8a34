"""The load step: landing → first layer. Every batch the ledger does not list, in order, each exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.domain.batch import Manifest
from penstock.domain.plan import LoadStep
from penstock.domain.relation import Column
from penstock.domain.run import Status
from penstock.domain.source import ExtractKind, SourceTable
from penstock.errors import DataError, StateError
from penstock.executor.ledger import QUARANTINE, Entry
from penstock.executor.work import Outcome, Work, unchanged
from penstock.failpoint import reach
from penstock.materializations import history
from penstock.ports import Session
from penstock.quoting import literal


@dataclass(slots=True)
class Counts:
    """Where the rows of a batch went: rows_in = inserted + updated + unchanged + duplicates + quarantined.

    `duplicates` are identical copies of a row beside the one that was kept. `deleted` counts keys that a full extract
    no longer has.
    """

    rows_in: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    duplicates: int = 0
    quarantined: int = 0

    @property
    def changed(self) -> int:
        return self.inserted + self.updated + self.deleted

    def add(self, other: Counts) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


def load(step: LoadStep, work: Work) -> Outcome:
    """Load what is landed and not in the ledger. A batch that fails leaves the ones before it loaded."""
    waiting = [batch for batch in work.landing.batches(step.table.source, step.table.name) if _is_new(batch, work)]
    if not waiting:
        return unchanged("every batch is loaded")
    total, commit, rows = Counts(), None, None
    for batch in waiting:
        counts, number, rows = _load_batch(step, batch, work)
        total.add(counts)
        commit = number or commit
    count = len(waiting)
    return Outcome(
        Status.SUCCESS if total.changed or total.quarantined else Status.UNCHANGED,
        "1 batch" if count == 1 else f"{count} batches",
        rows=rows,
        commit=commit,
        accounting=total.as_dict(),
    )


def _is_new(batch: Manifest, work: Work) -> bool:
    loaded = work.ledger.loaded.get(batch.id)
    if loaded is not None and loaded != batch.sha256:
        raise StateError(
            f"batch {batch.id} in the landing is not the one that was loaded (sha256 differs)",
            code="BATCH_REPLACED",
            hint="landing is immutable: restore it from a backup, or `penstock rebuild` to trust it as it is now",
        )
    return loaded is None


def _load_batch(step: LoadStep, batch: Manifest, work: Work) -> tuple[Counts, int | None, int]:
    table, session = step.table, work.session
    # The folder's ingest_date=… is ours; read as a column it would hide one the source sends under that name.
    landed = (
        f"read_parquet({literal(str(work.landing.data(batch)))}, hive_partitioning = false, file_row_number = true)"
    )
    at = batch.processing_ts.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    reach("load.before_transaction")
    with work.committer.transaction(session) as transaction:
        before = _stored_columns(table, work, session)
        found = session.describe(f"SELECT * EXCLUDE (file_row_number) FROM {landed}")
        coming = history.incoming(
            table, landed, found, batch=batch.id, processing_ts=at, full=batch.extract is ExtractKind.FULL
        )
        counts = _apply(coming, before, work)
        session.execute(
            "INSERT INTO _penstock.batches VALUES (?, ?, ?, CAST(? AS TIMESTAMP), ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (batch.id, str(table.relation), batch.sha256, at, *counts.as_dict().values(), work.run, work.now()),
        )
        reach("load.before_ledger")
        versions, rows = session.query(history.size(table)).rows[0]
        number = None
        if counts.changed or before is None:
            number = transaction.commit(Entry(table.stored, step.id, "", versions, {}))
        reach("load.before_commit")
    reach("load.committed")
    return counts, number, rows


def _stored_columns(table: SourceTable, work: Work, session: Session) -> tuple[Column, ...] | None:
    """The table's own columns as the warehouse has them, ours left out; None when there is no table yet."""
    if table.stored not in work.ledger.existing and table.stored not in work.committer.numbers:
        return None
    meta = history.META if table.key else history.APPEND_META
    return tuple(c for c in session.describe(f"SELECT * FROM {history.stored(table)}") if c.name not in meta)


def _apply(coming: history.Incoming, before: tuple[Column, ...] | None, work: Work) -> Counts:
    session = work.session
    rows_in, no_key, bad, keys = session.query(history.census(coming)).rows[0]
    counts = Counts(rows_in=rows_in)
    clean = not (no_key or bad or keys != rows_in)
    if not clean:
        session.execute(history.suspects(coming, double=keys + no_key != rows_in))
        for statement in history.judge(coming):
            session.execute(statement)
        counts.quarantined, counts.duplicates = session.query(history.verdict(coming)).rows[0]
        session.execute(history.held_back(coming, QUARANTINE), (work.run, work.now()))
    rows = history.source(coming, judged=not clean)
    good = rows_in - counts.quarantined - counts.duplicates
    if before is None:
        session.execute(history.create(coming, rows))
        counts.inserted = good
    else:
        fitted = _fit(coming, before, session)
        if coming.table.key:
            _new_versions(coming, rows, good, counts, session)
        else:
            counts.inserted = session.execute(history.insert(coming, rows))
        before = fitted
    if not clean:
        session.execute(f"DROP TABLE {history.BATCH}")
        session.execute(f"DROP TABLE {history.SUSPECTS}")
    if coming.table.key:
        names = [column.name for column in before] if before else coming.names
        session.execute(history.current_view(coming.table, names))
    return counts


def _new_versions(coming: history.Incoming, rows: str, good: int, counts: Counts, session: Session) -> None:
    session.execute(history.changed(coming, rows))
    counts.inserted, counts.updated = session.query(history.CHANGES).rows[0]
    counts.unchanged = good - counts.inserted - counts.updated
    if counts.updated:
        session.execute(history.close_updated(coming))
    if coming.full:
        counts.deleted = session.execute(history.close_deleted(coming))
    if counts.inserted or counts.updated:
        session.execute(history.insert(coming, history.CHANGED))
    session.execute(f"DROP TABLE {history.CHANGED}")


def _fit(coming: history.Incoming, before: Sequence[Column], session: Session) -> tuple[Column, ...]:
    """Make the stored table take the batch: a new column is added, anything else that differs is refused."""
    known = {column.name.lower(): column for column in before}
    arriving = {column.name.lower(): column for column in coming.columns}
    gone = [column.name for name, column in known.items() if name not in arriving]
    if gone:
        raise DataError(
            f"{coming.table.relation}: batch {coming.batch} lacks columns that earlier batches have: {', '.join(gone)}",
            code="COLUMN_GONE",
            location=coming.table.location,
            hint="send the column again (empty is fine), or, if it is gone for good, load under a new name (`as:`)",
        )
    for name, column in arriving.items():
        if name in known and known[name].type != column.type:
            raise DataError(
                f"{coming.table.relation}.{column.name}: expected {known[name].type} as in earlier batches, "
                f"found {column.type} in {coming.batch}",
                code="TYPE_CHANGED",
                location=coming.table.location,
                hint=f"declare the type to read it as under `columns:` (`{column.name}: {known[name].type.lower()}`), "
                "or `penstock rebuild` when you have changed the declared type",
            )
    added = tuple(Column(c.name, c.type) for name, c in arriving.items() if name not in known)
    for new in added:
        session.execute(history.add_column(coming.table, new))
    return (*before, *added)
