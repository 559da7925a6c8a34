"""Raw history: one batch into the versions of a keyed table (SCD type 2), or behind the rows of an append table.

    CORE: full extracts find inserts, updates, deletes and re-inserts; incremental ones inserts and updates.
    Comparison is NULL-safe, an unchanged row makes no version, versions are half-open: [valid_from, valid_to).

Everything here is text for one engine-neutral dialect (window functions, IS DISTINCT FROM, UPDATE … FROM). The executor
runs it in one transaction and reads the counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from penstock.domain.check import Rule
from penstock.domain.ledger import RelationKind
from penstock.domain.relation import Column, RelationName
from penstock.domain.source import SourceTable
from penstock.materializations.typing import Typed, typed
from penstock.materializations.versions import Versions
from penstock.quoting import columns, identifier, literal, qualified
from penstock.record import record

BATCH = "_penstock_batch"
CHANGED = "_penstock_changed"
CLOSED = "_penstock_closed"
SUSPECTS = "_penstock_suspects"
META = ("processing_ts", "valid_from", "valid_to", "is_current", "_batch")
APPEND_META = ("processing_ts", "_batch")
META_TYPES = {
    "processing_ts": "TIMESTAMP",
    "valid_from": "TIMESTAMP",
    "valid_to": "TIMESTAMP",
    "is_current": "BOOLEAN",
    "_batch": "VARCHAR",
}


@record
class Incoming:
    """One landed batch as SQL. `landed` reads its data file (and gives `file_row_number`); `columns` are its columns as
    they will be stored; `rows`, about how many there are. `rules` set rows apart by what the columns hold when they are
    typed, or by `absent` ones, which other batches have and this one has not; values of `private` columns are not told
    (None: of no column). `corrects`: it is a correction of the row with that id. `received`: the columns that were
    landed, where others are filled in; `origins`: what they are called at the source, by their names in lower case.
    `strangers`: fields that no row may have."""

    table: SourceTable
    landed: str
    columns: tuple[Typed, ...]
    batch: str
    processing_ts: str
    full: bool
    rows: int = 0
    rules: tuple[Rule, ...] = ()
    absent: tuple[Column, ...] = ()
    private: tuple[str, ...] | None = ()
    corrects: str | None = None
    received: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    strangers: tuple[str, ...] = ()

    @property
    def judged(self) -> tuple[Typed, ...]:
        """The columns that decide whether a row is held back: with a value in a field that it may not have, it is."""
        none = (Typed(name, "no such field", "NULL", f"{identifier(name)} IS NOT NULL") for name in self.strangers)
        return (*self.columns, *none)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def selected(self) -> str:
        return ", ".join(f"{column.value} AS {identifier(column.name)}" for column in self.columns)

    @property
    def key(self) -> tuple[Typed, ...]:
        return self._columns(self.table.key)

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns that every row must have a value in: the key, then the one that dates it, if any does."""
        return (*self.table.key, *((self.table.effective,) if self.table.effective else ()))

    @property
    def identity(self) -> tuple[str, ...]:
        """Columns in which no two different rows may be equal: the first of those that are needed. Dated rows may stand
        several times in a batch, as versions; not in a full extract, which holds what is there now."""
        return self.table.key if self.full else self.needed

    def _columns(self, names: Sequence[str]) -> tuple[Typed, ...]:
        by_name = {column.name.lower(): column for column in self.columns}
        return tuple(by_name[name.lower()] for name in names)

    @property
    def needed_columns(self) -> tuple[Typed, ...]:
        return self._columns(self.needed)


def incoming(
    table: SourceTable,
    landed: str,
    found: Sequence[Column],
    *,
    batch: str,
    processing_ts: str,
    full: bool,
    rows: int = 0,
    corrects: str | None = None,
    received: tuple[str, ...] = (),
    origins: Mapping[str, str] | None = None,
    strangers: Sequence[str] = (),
) -> Incoming:
    """The batch behind `landed` (a FROM item such as read_parquet('…')), typed by the table's declared columns."""
    declared = {column.name.lower(): column for column in table.columns}
    types = tuple(typed(column, declared.get(column.name.lower())) for column in found if column.name not in strangers)
    private = None if "pii" in map(str.lower, table.tags) else table.pii
    return Incoming(
        table,
        landed,
        types,
        batch,
        processing_ts,
        full,
        rows,
        private=private,
        corrects=corrects,
        received=received,
        origins=origins or {},
        strangers=tuple(strangers),
    )


def stored(table: SourceTable) -> str:
    return qualified(table.stored.layer, table.stored.name)


# What changes


def source(batch: Incoming, judged: bool) -> str:
    """The rows that go on, typed: the landed file, the suspects replaced by those of them that were let through."""
    if not judged:
        return f"(SELECT {batch.selected} FROM {batch.landed})"
    return (
        f"(SELECT {batch.selected} FROM {batch.landed} WHERE file_row_number NOT IN (SELECT place FROM {SUSPECTS}) "
        f"UNION ALL SELECT {columns(batch.names)} FROM {BATCH} WHERE len(_reasons) = 0)"
    )


def let_through(batch: Incoming) -> str:
    """The suspects that go on, once they were judged."""
    return f"(SELECT {columns(batch.names)} FROM {BATCH} WHERE len(_reasons) = 0)"


def _at(batch: Incoming) -> str:
    return f"CAST({literal(batch.processing_ts)} AS TIMESTAMP)"


def _stamped(batch: Incoming) -> str:
    at = _at(batch)
    if not batch.table.key:
        return f"{at} AS processing_ts, {literal(batch.batch)} AS _batch"
    return (
        f"{at} AS processing_ts, {at} AS valid_from, CAST(NULL AS TIMESTAMP) AS valid_to, true AS is_current, "
        f"{literal(batch.batch)} AS _batch"
    )


def create(batch: Incoming, rows: str, dense: Collection[str] = ()) -> tuple[str, ...]:
    """The first batch makes the table; the last statement gives the number of rows. `dense` names text columns in which
    hardly a value repeats: looking for a dictionary in them is most of the work of writing a table, and zstd does it in
    half, to read as fast."""
    selected = f"SELECT *, {_stamped(batch)} FROM {rows} AS b"
    if not dense:
        return (f"CREATE TABLE {stored(batch.table)} AS {selected}",)
    own = [
        f"{identifier(column.name)} {column.type}{' USING COMPRESSION zstd' if column.name in dense else ''}"
        for column in batch.columns
    ]
    meta = [f"{name} {META_TYPES[name]}" for name in (META if batch.table.key else APPEND_META)]
    return (
        f"CREATE TABLE {stored(batch.table)} ({', '.join([*own, *meta])})",
        f"INSERT INTO {stored(batch.table)} {selected}",
    )


def insert(batch: Incoming, rows: str) -> str:
    """Rows as new versions (or new events), bound by name."""
    meta = META if batch.table.key else APPEND_META
    return (
        f"INSERT INTO {stored(batch.table)} ({columns(batch.names)}, {columns(meta)}) "
        f"SELECT {columns(batch.names)}, {_stamped(batch)} FROM {rows} AS b"
    )


def add_column(table: SourceTable, column: Column) -> str:
    """A column the source has begun to send; versions before it have NULL."""
    return f"ALTER TABLE {stored(table)} ADD COLUMN {identifier(column.name)} {column.type}"


def _same_key(batch: Incoming, left: str, right: str) -> str:
    return " AND ".join(f"{left}.{identifier(k)} = {right}.{identifier(k)}" for k in batch.table.key)


def _overtaken(batch: Incoming) -> str:
    """A condition that the row `b` is older than the version `c` of its key, by the cursor of the table: a file that
    came late does not take back what is known. Empty where nothing tells, or a person has decided."""
    cursor = batch.table.cursor
    if cursor is None or batch.corrects is not None:
        return ""
    name, kind = identifier(cursor.column), cursor.compared_as
    return f"TRY_CAST(b.{name} AS {kind}) < TRY_CAST(c.{name} AS {kind})"


def changed(batch: Incoming, rows: str) -> str:
    """A temporary table of the rows that are new or differ from the current version, and, for a full extract, of the
    keys with a current version that are not among the rows. `_penstock_given`: it is a row; `_penstock_known`: there is
    a version."""
    keys = {name.lower() for name in batch.table.key}
    differs = " OR ".join(
        f"b.{identifier(name)} IS DISTINCT FROM c.{identifier(name)}"
        for name in batch.names
        if name.lower() not in keys
    )
    taken = ", ".join(
        f"coalesce(b.{identifier(name)}, c.{identifier(name)}) AS {identifier(name)}"
        if name.lower() in keys
        else f"b.{identifier(name)}"
        for name in batch.names
    )
    absent = f"c.{identifier(batch.table.key[0])} IS NULL"
    overtaken = _overtaken(batch)
    if differs and overtaken:
        differs = f"({differs}) AND NOT coalesce({overtaken}, false)"
    return (
        f"CREATE OR REPLACE TEMP TABLE {CHANGED} AS "
        f"SELECT {taken}, b._penstock_given IS NOT NULL AS _penstock_given, NOT ({absent}) AS _penstock_known "
        f"FROM (SELECT *, true AS _penstock_given FROM {rows}) AS b {'FULL' if batch.full else 'LEFT'} JOIN "
        f"(SELECT * FROM {stored(batch.table)} WHERE is_current) AS c ON {_same_key(batch, 'b', 'c')} "
        f"WHERE b._penstock_given IS NULL OR {absent}" + (f" OR ({differs})" if differs else "")
    )


CHANGES = (
    "SELECT count(*) FILTER (NOT _penstock_known), count(*) FILTER (_penstock_given AND _penstock_known), "
    f"count(*) FILTER (NOT _penstock_given) FROM {CHANGED}"
)
"""One row: rows with a new key, rows that differ, keys that are not among the rows."""


def still_given(batch: Incoming) -> str:
    """Take out of CHANGED the keys whose row is held back: it is still there, and keeps the version it had."""
    return (
        f"DELETE FROM {CHANGED} AS h WHERE NOT h._penstock_given AND EXISTS "
        f"(SELECT 1 FROM {given_keys(batch)} AS p WHERE {_same_key(batch, 'p', 'h')})"
    )


def begun(batch: Incoming) -> str:
    """A FROM item of the rows that begin a version."""
    return f"(SELECT {columns(batch.names)} FROM {CHANGED} WHERE _penstock_given)"


def closed(batch: Incoming) -> str:
    """A temporary table of the current versions of the keys that changed or have gone."""
    return (
        f"CREATE OR REPLACE TEMP TABLE {CLOSED} AS SELECT h.* FROM {stored(batch.table)} AS h "
        f"SEMI JOIN {CHANGED} AS c ON c._penstock_known AND {_same_key(batch, 'h', 'c')} WHERE h.is_current"
    )


def close(batch: Incoming) -> str:
    """End the versions in CLOSED."""
    return (
        f"UPDATE {stored(batch.table)} AS h SET valid_to = {_at(batch)}, is_current = false FROM {CLOSED} AS c "
        f"WHERE h.is_current AND {_same_key(batch, 'h', 'c')}"
    )


def dated(batch: Incoming) -> Versions:
    """The table's versions, and what this batch does to them, where a column of the source dates them."""
    own = tuple(Column(column.name, column.type) for column in batch.columns)
    return Versions(
        table=stored(batch.table),
        key=batch.table.key,
        own=own,
        at=batch.processing_ts,
        compared=batch.names,
        effective=batch.table.effective,
        whole=batch.full,
        meta={"processing_ts": _at(batch), "_batch": literal(batch.batch)},
    )


def given_keys(batch: Incoming) -> str:
    """A FROM item of the keys the batch has, also of rows that are held back."""
    return f"(SELECT {', '.join(f'{c.value} AS {identifier(c.name)}' for c in batch.key)} FROM {batch.landed})"


# What is told to those who follow the table: row images by sign, each a FROM item


def versions(batch: Incoming) -> tuple[tuple[int, str], ...]:
    """Versions that were current and have ended, and new ones, from CLOSED and CHANGED."""
    ended = f"(SELECT * REPLACE ({_at(batch)} AS valid_to, false AS is_current) FROM {CLOSED})"
    new = f"(SELECT {columns(batch.names)}, {_stamped(batch)} FROM {CHANGED} WHERE _penstock_given)"
    return (-1, CLOSED), (1, ended), (1, new)


def events(batch: Incoming) -> tuple[tuple[int, str], ...]:
    return ((1, f"(SELECT * FROM {stored(batch.table)} WHERE _batch = {literal(batch.batch)})"),)


def drop(table: SourceTable, existing: Mapping[RelationName, RelationKind]) -> tuple[str, ...]:
    """Statements that take the table's relations out of the warehouse, whichever of them are there: a table that was
    declared with a key has a history and a view, one without has one table under the view's name."""
    names = dict.fromkeys((table.relation, table.history))
    return tuple(
        f"DROP {existing[name].upper()} {qualified(name.layer, name.name)}" for name in names if name in existing
    )


def size(table: SourceTable) -> str:
    """One row: rows stored, rows that are current."""
    current = "count(*) FILTER (is_current)" if table.key else "count(*)"
    return f"SELECT count(*), {current} FROM {stored(table)}"


def current_view(table: SourceTable, names: Sequence[str]) -> str:
    """`raw.products`: the current rows only, which is what a join wants (joining the history would fan out)."""
    view = qualified(table.relation.layer, table.relation.name)
    return f"CREATE OR REPLACE VIEW {view} AS {current_select(table, names)}"


def current_select(table: SourceTable, names: Sequence[str]) -> str:
    """What the view of the current rows selects. `names`: the columns of the history, ours among them or not."""
    own = columns(name for name in names if name not in META)
    return f"SELECT {own}, processing_ts FROM {stored(table)} WHERE is_current"
