"""Raw history: one batch into the versions of a keyed table (SCD type 2), or behind the rows of an append table.

    CORE: full extracts find inserts, updates, deletes and re-inserts; incremental ones inserts and updates.
    Comparison is NULL-safe, an unchanged row makes no version, versions are half-open: [valid_from, valid_to).

Everything here is text for one engine-neutral dialect (window functions, IS DISTINCT FROM, UPDATE … FROM). The executor
runs it in one transaction and reads the counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from penstock.domain.ledger import RelationKind
from penstock.domain.relation import Column, RelationName
from penstock.domain.source import SourceTable
from penstock.materializations.typing import Typed, typed
from penstock.materializations.versions import Versions
from penstock.quoting import columns, identifier, literal, qualified

BATCH = "_penstock_batch"
CHANGED = "_penstock_changed"
CLOSED = "_penstock_closed"
DELETED = "_penstock_deleted"
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

_WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT"})
_BITS_PER_ROW = 16
_FEWEST_BITS, _MOST_BITS = 10, 29
"""Exponents: from 128 bytes to 64 MiB for each thread."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One landed batch as SQL. `landed` reads its data file (and gives `file_row_number`); `columns` are its columns as
    they will be stored; `rows`, about how many there are. `strangers`: fields that no row may have."""

    table: SourceTable
    landed: str
    columns: tuple[Typed, ...]
    batch: str
    processing_ts: str
    full: bool
    rows: int = 0
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
    strangers: Sequence[str] = (),
) -> Incoming:
    """The batch behind `landed` (a FROM item such as read_parquet('…')), typed by the table's declared columns."""
    declared = {column.name.lower(): column for column in table.columns}
    types = tuple(typed(column, declared.get(column.name.lower())) for column in found if column.name not in strangers)
    return Incoming(table, landed, types, batch, processing_ts, full, rows, tuple(strangers))


def stored(table: SourceTable) -> str:
    return qualified(table.stored.layer, table.stored.name)


# What is in the batch


def census(batch: Incoming) -> str:
    """One row: rows, rows with a NULL in the key, rows with a value that does not fit, and how many keys there are at
    least. As many as there are rows with a key: every key stands once. Fewer prove nothing (see `suspects`)."""
    bad = " OR ".join(column.bad for column in batch.judged if column.bad) or "false"
    if not batch.table.key:
        return f"SELECT count(*), 0, count(*) FILTER ({bad}), count(*) FROM {batch.landed}"
    values = ", ".join(f"{column.value} AS k{at}" for at, column in enumerate(batch.needed_columns))
    missing = " OR ".join(f"k{at} IS NULL" for at in range(len(batch.needed)))
    return (
        f"SELECT count(*), count(*) FILTER ({missing}), count(*) FILTER (bad), {_keys_at_least(batch, missing)} "
        f"FROM (SELECT {values}, ({bad}) AS bad FROM {batch.landed})"
    )


def _keys_at_least(batch: Incoming, missing: str) -> str:
    """SQL of a lower bound of the number of different keys, where counting them would be most of a census.

    Numbers that run on, as most keys do, differ in their last bits, for which a bit each is enough. Of other keys the
    hashes are counted: two that differ belong to keys that differ.
    """
    if len(batch.identity) == 1 and batch.key[0].type in _WHOLE:
        last = min(max((batch.rows * _BITS_PER_ROW).bit_length(), _FEWEST_BITS), _MOST_BITS)
        low = f"CAST(k0 AS BIGINT) & {2**last - 1}"
        return f"coalesce(bit_count(bitstring_agg({low}, 0::BIGINT, {2**last - 1}::BIGINT)), 0)"
    keys = ", ".join(f"k{at}" for at in range(len(batch.identity)))
    return f"count(DISTINCT hash({keys})) FILTER (NOT ({missing}))"


def suspects(batch: Incoming, double: bool) -> str:
    """A temporary table of the places in the file of rows that need a second look: a value does not fit, the key is
    NULL, or (`double`) the key stands more than once. Few rows in a good file, so everything after costs little; none
    when `double` was asked for and every key stands once after all."""
    tests = [column.bad for column in batch.judged if column.bad]
    tests += [f"{column.value} IS NULL" for column in batch.needed_columns]
    wanted = " OR ".join(tests) or "false"
    found = f"SELECT file_row_number AS place FROM {batch.landed} WHERE {wanted}"
    if double:
        count = len(batch.identity)
        values = ", ".join(f"{column.value} AS k{at}" for at, column in enumerate(batch.needed_columns[:count]))
        keys = ", ".join(f"k{at}" for at in range(count))
        same = " AND ".join(f"l.k{at} = d.k{at}" for at in range(count))
        read = f"SELECT {values}, file_row_number AS place FROM {batch.landed}"
        found += (
            f" UNION SELECT l.place FROM ({read}) AS l JOIN (SELECT {keys} FROM ({read}) GROUP BY {keys} "
            f"HAVING count(*) > 1) AS d ON {same}"
        )
    return f"CREATE OR REPLACE TEMP TABLE {SUSPECTS} AS {found}"


def judge(batch: Incoming) -> tuple[str, ...]:
    """Statements that put the suspects into a temporary table with, for each, why it is held back.

    `_reasons` is empty for rows that go on; `_copies` counts the identical rows one row stands for.
    """
    names = columns(batch.names)
    reasons = [
        f"CASE WHEN {column.bad} THEN {literal(f'{column.name}: expected {column.type}, found ')} || "
        f"coalesce(chr(39) || CAST({identifier(column.name)} AS VARCHAR) || chr(39), 'NULL') END"
        for column in batch.judged
        if column.bad
    ]
    reasons += [
        f"CASE WHEN {identifier(name)} IS NULL THEN {literal(f'{what} {name} is NULL')} END"
        for what, names in (("key", batch.table.key), ("effective", batch.needed[len(batch.table.key) :]))
        for name in names
    ]
    listed = f"list_filter([{', '.join(reasons)}], lambda r: r IS NOT NULL)" if reasons else "CAST([] AS VARCHAR[])"
    packed = ", ".join(f"{literal(column.name)}: {identifier(column.name)}" for column in batch.judged)
    judged = (
        f"SELECT {batch.selected}, CAST(to_json({{{packed}}}) AS VARCHAR) AS _payload, {listed} AS _reasons "
        f"FROM {batch.landed} WHERE file_row_number IN (SELECT place FROM {SUSPECTS})"
    )
    group = f"{names}, _payload, _reasons"
    if batch.table.key:
        folded = f"SELECT {group}, count(*) AS _copies FROM ({judged}) GROUP BY {group}"
    else:
        folded = f"SELECT {group}, 1 AS _copies FROM ({judged})"
    return (f"CREATE OR REPLACE TEMP TABLE {BATCH} AS {folded}", *_rank(batch))


def _rank(batch: Incoming) -> tuple[str, ...]:
    """Several different rows with one key: the last by the declared order wins alone; without one, none does."""
    if not batch.table.key:
        return ()
    keys, listed = columns(batch.identity), ", ".join(batch.identity)
    good = "len(_reasons) = 0"
    if not batch.table.order_by:
        reason = literal(f"key {listed}: several different rows in one batch")
        return (
            f"UPDATE {BATCH} SET _reasons = [{reason}] WHERE {good} AND ({keys}) IN "
            f"(SELECT ({keys}) FROM {BATCH} WHERE {good} GROUP BY {keys} HAVING count(*) > 1)",
        )
    order = ", ".join(f"{identifier(name)} DESC NULLS LAST" for name in batch.table.order_by)
    by = ", ".join(batch.table.order_by)
    superseded = literal(f"key {listed}: a later row by {by} was taken")
    tied = literal(f"key {listed}: several different rows with the same {by}")
    return (
        f"CREATE OR REPLACE TEMP TABLE _penstock_ranked AS SELECT *, rank() OVER w AS _rank, "
        f"count(*) OVER (PARTITION BY {keys}, {columns(batch.table.order_by)}) AS _ties "
        f"FROM {BATCH} WHERE {good} WINDOW w AS (PARTITION BY {keys} ORDER BY {order})",
        f"DELETE FROM {BATCH} WHERE {good}",
        f"INSERT INTO {BATCH} SELECT {columns(batch.names)}, _payload, CASE WHEN _rank > 1 THEN [{superseded}] "
        f"WHEN _ties > 1 THEN [{tied}] ELSE [] END, _copies FROM _penstock_ranked",
        "DROP TABLE _penstock_ranked",
    )


def verdict(batch: Incoming) -> str:
    """One row: rows held back, identical rows folded into one."""
    return (
        f"SELECT coalesce(sum(_copies) FILTER (len(_reasons) > 0), 0)::BIGINT, "
        f"coalesce(sum(_copies - 1) FILTER (len(_reasons) = 0), 0)::BIGINT FROM {BATCH}"
    )


def held_back(batch: Incoming, quarantine: str) -> str:
    """Move what is held back into the quarantine table. Values: run, time."""
    relation = literal(str(batch.table.relation))
    return (
        f"INSERT INTO {quarantine} (relation, batch, reasons, payload, copies, run, quarantined_at) "
        f"SELECT {relation}, {literal(batch.batch)}, _reasons, _payload, _copies, ?, ? "
        f"FROM {BATCH} WHERE len(_reasons) > 0"
    )


# What changes


def source(batch: Incoming, judged: bool) -> str:
    """The rows that go on, typed: the landed file, the suspects replaced by those of them that were let through."""
    if not judged:
        return f"(SELECT {batch.selected} FROM {batch.landed})"
    return (
        f"(SELECT {batch.selected} FROM {batch.landed} WHERE file_row_number NOT IN (SELECT place FROM {SUSPECTS}) "
        f"UNION ALL SELECT {columns(batch.names)} FROM {BATCH} WHERE len(_reasons) = 0)"
    )


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
    """The first batch makes the table. `dense` names text columns in which hardly a value repeats: looking for a
    dictionary in them is most of the work of writing a table, and zstd does it in half, to read as fast."""
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


def changed(batch: Incoming, rows: str) -> str:
    """A temporary table of the rows that are new or differ from the current version, with `_known`."""
    keys = {name.lower() for name in batch.table.key}
    differs = " OR ".join(
        f"b.{identifier(name)} IS DISTINCT FROM c.{identifier(name)}"
        for name in batch.names
        if name.lower() not in keys
    )
    absent = f"c.{identifier(batch.table.key[0])} IS NULL"
    return (
        f"CREATE OR REPLACE TEMP TABLE {CHANGED} AS SELECT b.*, NOT ({absent}) AS _known FROM {rows} AS b "
        f"LEFT JOIN (SELECT * FROM {stored(batch.table)} WHERE is_current) AS c ON {_same_key(batch, 'b', 'c')} "
        f"WHERE {absent}" + (f" OR {differs}" if differs else "")
    )


CHANGES = f"SELECT count(*) FILTER (NOT _known), count(*) FILTER (_known) FROM {CHANGED}"


def closed(batch: Incoming) -> str:
    """A temporary table of the current versions of the keys that changed."""
    return (
        f"CREATE OR REPLACE TEMP TABLE {CLOSED} AS SELECT h.* FROM {stored(batch.table)} AS h "
        f"SEMI JOIN {CHANGED} AS c ON c._known AND {_same_key(batch, 'h', 'c')} WHERE h.is_current"
    )


def deleted(batch: Incoming) -> str:
    """Full extracts: a temporary table of the keys with a current version that the extract no longer has. A key whose
    row is held back is still there: it keeps the version it had."""
    return (
        f"CREATE OR REPLACE TEMP TABLE {DELETED} AS "
        f"SELECT {columns(batch.table.key, 'h')} FROM {stored(batch.table)} AS h WHERE h.is_current AND NOT EXISTS "
        f"(SELECT 1 FROM {given_keys(batch)} AS p WHERE {_same_key(batch, 'p', 'h')})"
    )


def add_deleted(batch: Incoming) -> str:
    return (
        f"INSERT INTO {CLOSED} SELECT h.* FROM {stored(batch.table)} AS h "
        f"SEMI JOIN {DELETED} AS d ON {_same_key(batch, 'd', 'h')} WHERE h.is_current"
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
    begun = f"(SELECT {columns(batch.names)}, {_stamped(batch)} FROM {CHANGED})"
    return (-1, CLOSED), (1, ended), (1, begun)


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
