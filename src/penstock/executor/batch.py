"""One batch into its table, within a transaction that is open: judged, typed, merged, accounted for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from penstock.domain.batch import Manifest
from penstock.domain.check_result import CheckResult
from penstock.domain.column_type import is_same
from penstock.domain.relation import Column
from penstock.domain.source import ExtractKind, SourceTable
from penstock.errors import DataError, InternalError, UserError
from penstock.executor import held
from penstock.executor.conforming import conformed
from penstock.executor.held import Landed
from penstock.materializations import history, judgement, maintain, versions
from penstock.materializations import landed as landing
from penstock.ports import Session
from penstock.quoting import identifier, literal
from penstock.record import record


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


@record
class Loading:
    """What loading a batch needs beside the batch: a session with a transaction open, the run, the time (UTC).

    `log` is told which row images left (-1) and entered (+1) a table that was there, as FROM items with columns of
    these names; `widen`, before that, which columns it is about to be given. `readers` gives the models that read
    columns of these names. `aged`: whether a batch is older than the contract of its table. `retype` is told of a
    column that is about to be given another type. `landed`: all that is landed of the table.
    `told` gets what came of the checks that set rows apart. `again`: the batch was loaded before."""

    session: Session
    run: str
    now: datetime
    log: Callable[[Sequence[str], Sequence[tuple[int, str]]], None] = lambda names, rows: None
    widen: Callable[[Sequence[Column]], None] = lambda added: None
    readers: Callable[[Sequence[str]], Sequence[str]] = lambda names: ()
    aged: Callable[[Manifest], bool] = lambda batch: False
    retype: Callable[[Column], None] = lambda column: None
    landed: Landed = field(default_factory=Landed)
    told: list[CheckResult] = field(default_factory=list)
    again: bool = False


def load_batch(table: SourceTable, batch: Manifest, data: str, loading: Loading, *, present: bool) -> Counts:
    """Load the Parquet file `data` of `batch` and note it in the ledger's batches. Raises DataError when the batch does
    not go with the table. `present`: the table is there already."""
    session = loading.session
    at = batch.processing_ts.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    before = _stored_columns(table, session) if present else None
    there = session.describe(f"SELECT * FROM read_parquet({literal(data)}, hive_partitioning = false)")
    landed, found = landing.scan(table, data, there), landing.columns(table, there)
    origins = landing.origins(table, there)
    strangers: Sequence[str] = ()
    received = tuple(column.name for column in found)
    if table.contract is not None:
        form = conformed(
            table, table.contract, batch.id, found, before or (), readers=loading.readers, aged=loading.aged(batch)
        )
        strangers = form.strangers
        landed, found = form.landed(landed), (*found, *(column for column, _ in form.filled))
        table, before = form.table(table), _retyped(table, before, form.widened, loading)
    _check_key(table, batch, found)
    gone = _gone(before or (), found)
    if gone and table.on_missing_column == "null":
        absent = ", ".join(f"CAST(NULL AS {column.type}) AS {identifier(column.name)}" for column in gone)
        landed = f"(SELECT *, {absent} FROM {landed})"
        found = (*found, *gone)
    elif gone:
        raise _column_gone(table, batch, gone, loading)
    coming = history.incoming(
        table,
        landed,
        found,
        batch=batch.id,
        processing_ts=at,
        full=batch.extract is ExtractKind.FULL,
        rows=batch.rows,
        strangers=strangers,
        corrects=batch.correction.row if batch.correction else None,
        received=received,
        origins=origins,
    )
    coming = held.judged(held.corrected(coming, found, session, loading.landed), loading.landed)
    counts = _apply(coming, before, () if present else _dense(coming, data, session), loading, _received(batch))
    if coming.landed == held.REPLACED:
        session.execute(f"DROP TABLE {held.REPLACED}")
    session.execute(
        "INSERT INTO _penstock.batches VALUES (?, ?, ?, CAST(? AS TIMESTAMP), ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (batch.id, str(table.relation), batch.sha256, at, *counts.as_dict().values(), loading.run, loading.now),
    )
    return counts


def _retyped(
    table: SourceTable, before: tuple[Column, ...] | None, wider: Sequence[Column], loading: Loading
) -> tuple[Column, ...] | None:
    """Give stored columns a wider type, as the contract allows."""
    for column in wider:
        loading.retype(column)
        name = identifier(column.name)
        loading.session.execute(f"ALTER TABLE {history.stored(table)} ALTER COLUMN {name} TYPE {column.type}")
    types = {column.name.lower(): column.type for column in wider}
    return before and tuple(Column(each.name, types.get(each.name.lower(), each.type)) for each in before)


def _received(batch: Manifest) -> str:
    """SQL of the key, as it was received, of the row that a correction corrects."""
    key = batch.correction.key if batch.correction else ()
    return f"[{', '.join('NULL' if value is None else literal(value) for value in key)}]::VARCHAR[]"


def _check_key(table: SourceTable, batch: Manifest, found: Sequence[Column]) -> None:
    names = {column.name.lower() for column in found}
    wanted = (*table.key, *table.order_by, *((table.effective,) if table.effective else ()))
    missing = [name for name in wanted if name.lower() not in names]
    if missing:
        raise DataError(
            f"{table.relation}: expected the column {', '.join(missing)} in batch {batch.id}, found "
            f"{', '.join(column.name for column in found)}",
            code="COLUMN_MISSING",
            location=table.location,
            hint="declare a `key`, `order_by` and `effective` that every landed batch has",
        )


def _stored_columns(table: SourceTable, session: Session) -> tuple[Column, ...]:
    """The table's own columns as the warehouse has them, ours left out."""
    meta = history.META if table.key else history.APPEND_META
    return tuple(c for c in session.describe(f"SELECT * FROM {history.stored(table)}") if c.name not in meta)


def _dense(coming: history.Incoming, data: str, session: Session) -> Collection[str]:
    """Text columns for which whoever wrote the Parquet file found no dictionary worth keeping, in no part of it."""
    text = {column.name for column in coming.columns if column.type == "VARCHAR"}
    found = session.query(
        f"SELECT path_in_schema FROM parquet_metadata({literal(data)}) GROUP BY path_in_schema "
        "HAVING bool_and(NOT contains(encodings, 'DICTIONARY'))"
    )
    names = coming.table.rename
    return text & {names.get(row[0], row[0]) for row in found.rows}


def _apply(
    coming: history.Incoming,
    before: tuple[Column, ...] | None,
    dense: Collection[str],
    loading: Loading,
    received: str,
) -> Counts:
    session = loading.session
    if before is None and _is_plain(coming, loading):
        return _first(coming, dense, loading, received)
    counts, clean = _judge(coming, loading)
    rows_in = counts.rows_in
    held.settle(coming, session, (loading.run, loading.now), held=not clean, received=received, again=loading.again)
    rows = history.source(coming, judged=not clean)
    good = rows_in - counts.quarantined - counts.duplicates
    if coming.table.effective:
        if before is None:
            for statement in history.create(coming, f"(SELECT * FROM {rows} LIMIT 0)", dense):
                session.execute(statement)
        else:
            before = _fit(coming, before, loading)
        _dated_versions(coming, rows, good, counts, loading)
    elif before is None:
        for statement in history.create(coming, rows, dense):
            session.execute(statement)
        counts.inserted = good
    else:
        fitted = _fit(coming, before, loading)
        if coming.table.key:
            _new_versions(coming, rows, good, counts, loading, clean=clean)
        else:
            counts.inserted = session.execute(history.insert(coming, rows))
            if counts.inserted:
                loading.log((*coming.names, *history.APPEND_META), history.events(coming))
        before = fitted
    if not clean:
        session.execute(f"DROP TABLE {history.BATCH}")
        session.execute(f"DROP TABLE {history.SUSPECTS}")
    if coming.table.key:
        names = [column.name for column in before] if before else coming.names
        session.execute(history.current_view(coming.table, names))
    return counts


def _is_plain(coming: history.Incoming, loading: Loading) -> bool:
    """Whether each row can be judged by itself while it is stored, and is stored as it came."""
    later = coming.batch in loading.landed.corrected
    return not (coming.rules or coming.table.effective or (later and not coming.table.key))


def _first(coming: history.Incoming, dense: Collection[str], loading: Loading, received: str) -> Counts:
    """The first batch of a table: stored and judged in one pass. Rows that need a second look are left out, and only
    when some were, or keys stand twice, is the file read again."""
    session, table = loading.session, coming.table
    stored = [session.execute(statement) for statement in history.create(coming, judgement.fitting(coming), dense)][-1]
    rows_in: int = session.query(f"SELECT count(*) FROM {coming.landed}").rows[0][0]
    keys: int = session.query(judgement.stored_keys(coming)).rows[0][0] if table.key else stored
    counts, clean = Counts(rows_in=rows_in), stored == rows_in == keys
    if not clean:
        clean = not _suspected(coming, session, double=keys != stored)
    if not clean:
        _verdict(coming, counts, loading)
    held.settle(coming, session, (loading.run, loading.now), held=not clean, received=received)
    if not clean:
        if keys != stored:
            stored -= session.execute(judgement.remove_suspects(coming))
        stored += session.execute(history.insert(coming, history.let_through(coming)))
        session.execute(f"DROP TABLE {history.BATCH}")
        session.execute(f"DROP TABLE {history.SUSPECTS}")
    counts.inserted = rows_in - counts.quarantined - counts.duplicates
    if stored != counts.inserted:
        raise InternalError(
            f"{table.relation}: expected {counts.inserted:,} rows of batch {coming.batch}, stored {stored:,}",
            code="ROWS_ASTRAY",
        )
    if table.key:
        session.execute(history.current_view(table, coming.names))
    return counts


def _judge(coming: history.Incoming, loading: Loading) -> tuple[Counts, bool]:
    """Count the rows of a batch; those that are held back, if there are any, are then in BATCH. Gives whether there is
    nothing to be looked at twice."""
    session = loading.session
    later = () if coming.table.key else loading.landed.corrected.get(coming.batch, ())
    try:
        rows_in, no_key, bad, keys = session.query(judgement.census(coming)).rows[0]
        clean = not (no_key or bad or keys != rows_in or later)
        if not clean:
            clean = not _suspected(coming, session, double=keys + no_key != rows_in, later=later)
    except (UserError, DataError) as error:
        if not coming.rules:
            raise
        raise held.invalid(coming.table, error) from error
    counts = Counts(rows_in=rows_in)
    if clean:
        loading.told.extend(held.results(coming, None, rows_in))
    else:
        _verdict(coming, counts, loading)
    return counts, clean


def _suspected(coming: history.Incoming, session: Session, *, double: bool, later: Sequence[str] = ()) -> bool:
    """Judge the suspects: whether there are any. They are then in BATCH. `double`: keys may stand twice; `later`: ids
    of rows that are corrected later."""
    ids = ", ".join(literal(each) for each in later)
    also = f"SELECT file_row_number FROM {coming.landed} WHERE {judgement.row_id(coming)} IN ({ids})"
    if not session.execute(judgement.suspects(coming, double=double, also=also if later else "")):
        session.execute(f"DROP TABLE {history.SUSPECTS}")
        return False
    for statement in judgement.judge(coming, ids):
        session.execute(statement)
    return True


def _verdict(coming: history.Incoming, counts: Counts, loading: Loading) -> None:
    """Count what came of the suspects. Raises DataError when more are held back than may be."""
    counts.quarantined, counts.duplicates = loading.session.query(judgement.verdict(coming)).rows[0]
    loading.told.extend(held.results(coming, loading.session, counts.rows_in))
    held.limit(coming, loading.session, counts.rows_in, counts.quarantined, loading.landed)


def _new_versions(
    coming: history.Incoming, rows: str, good: int, counts: Counts, loading: Loading, *, clean: bool
) -> None:
    session = loading.session
    session.execute(history.changed(coming, rows))
    counts.inserted, counts.updated, counts.deleted = session.query(history.CHANGES).rows[0]
    counts.unchanged = good - counts.inserted - counts.updated
    if counts.deleted and not clean:
        counts.deleted -= session.execute(history.still_given(coming))
    if counts.changed:
        session.execute(history.closed(coming))
        if counts.updated or counts.deleted:
            session.execute(history.close(coming))
        if counts.inserted or counts.updated:
            session.execute(history.insert(coming, history.begun(coming)))
        loading.log((*coming.names, *history.META), history.versions(coming))
        session.execute(f"DROP TABLE {history.CLOSED}")
    session.execute(f"DROP TABLE {history.CHANGED}")


def _dated_versions(coming: history.Incoming, rows: str, good: int, counts: Counts, loading: Loading) -> None:
    """Rows put where they belong in time, by what a column of theirs says."""
    session, table = loading.session, coming.table
    of = history.dated(coming)
    kind = next(column.type for column in of.own if column.name.lower() == str(table.effective).lower())
    if not kind.startswith(("DATE", "TIMESTAMP")):
        raise DataError(
            f"{table.relation}.{table.effective}: expected a date or a timestamp, found {kind} in {coming.batch}",
            code="EFFECTIVE_TYPE",
            location=table.location,
            hint=f"declare it under `columns:` (`{table.effective}: timestamp`)",
        )
    if maintain.placeless(of.own):
        raise DataError(
            f"{table.relation}: a column of {coming.batch} is named rowid, by which the place of a version is known",
            code="COLUMN_RESERVED",
            location=table.location,
            hint="rename: {rowid: source_rowid}",
        )
    stored = (*of.own, *(Column(name, history.META_TYPES[name]) for name in history.META))
    for statement in versions.statements(of, rows, stored, present=history.given_keys(coming)):
        session.execute(statement)
    counts.inserted, counts.updated = session.query(versions.PLACES).rows[0]
    counts.unchanged = good - counts.inserted - counts.updated
    counts.deleted = session.query(versions.ENDED).rows[0][0]
    if counts.changed:
        names = [column.name for column in stored]
        session.execute(maintain.delete(table.stored))
        session.execute(maintain.insert(table.stored, names))
        loading.log(names, ((-1, maintain.GONE), (1, maintain.CAME)))
    for name in versions.TEMPORARY:
        session.execute(f"DROP TABLE {name}")


def _gone(before: Sequence[Column], found: Sequence[Column]) -> tuple[Column, ...]:
    """The columns of the table that the batch lacks."""
    arriving = {column.name.lower() for column in found}
    return tuple(column for column in before if column.name.lower() not in arriving)


def _column_gone(table: SourceTable, batch: Manifest, gone: Sequence[Column], loading: Loading) -> DataError:
    names = [column.name for column in gone]
    return DataError(
        f"{table.relation}: batch {batch.id} lacks columns that earlier batches have: {', '.join(names)}; "
        + _read_by(loading.readers(names)),
        code="COLUMN_GONE",
        location=table.location,
        hint="`on_missing_column: null` reads it as NULL from now on; or move this batch, which was never loaded, out "
        "of landing/ and have the column sent again (empty is fine); if it is gone for good, declare the table under "
        "another name, which is another relation",
    )


def _read_by(readers: Sequence[str]) -> str:
    return f"read by {', '.join(readers)}" if readers else "no model reads them"


def _fit(coming: history.Incoming, before: Sequence[Column], loading: Loading) -> tuple[Column, ...]:
    """Make the stored table take the batch: a new column is added, anything else that differs is refused."""
    known = {column.name.lower(): column for column in before}
    arriving = {column.name.lower(): column for column in coming.columns}
    for name, column in arriving.items():
        if name in known and not is_same(known[name].type, column.type):
            raise DataError(
                f"{coming.table.relation}.{column.name}: expected {known[name].type} as in earlier batches, "
                f"found {column.type} in {coming.batch}; {_read_by(loading.readers([column.name]))}",
                code="TYPE_CHANGED",
                location=coming.table.location,
                hint=f"declare the type to read it as under `columns:` (`{column.name}: {known[name].type.lower()}`)",
            )
    added = tuple(Column(c.name, c.type) for name, c in arriving.items() if name not in known)
    if added:
        loading.widen(added)
    for new in added:
        loading.session.execute(history.add_column(coming.table, new))
    return (*before, *added)
