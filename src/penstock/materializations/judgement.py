"""What is in a batch, and which of its rows are set apart, with every reason.

A good file costs one pass. Rows that need a second look are the suspects; only these are judged one by one.
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock.domain.source import ExtractKind
from penstock.materializations.history import BATCH, SUSPECTS, Incoming, stored
from penstock.materializations.typing import Typed
from penstock.quoting import columns, identifier, literal
from penstock.sql.reason import found, is_private

_WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT"})
_BITS_PER_ROW = 16
_FEWEST_BITS, _MOST_BITS = 10, 29
"""Exponents: from 128 bytes to 64 MiB for each thread."""
_BAD = "_penstock_bad"
_VALUE = "_penstock_value"
_PLACE = "_penstock_place"


def census(batch: Incoming) -> str:
    """One row: rows, rows with a NULL in the key, rows that are to be set apart, and how many keys there are at least.
    As many as there are rows with a key: every key stands once. Fewer prove nothing (see `suspects`)."""
    unfit = " OR ".join(column.bad for column in batch.judged if column.bad) or "false"
    if batch.rules:
        rows, bad = _typed(batch, f"({unfit}) AS {_BAD}"), " OR ".join((_BAD, *(rule.fails for rule in batch.rules)))
        values = [identifier(column.name) for column in batch.needed_columns]
    else:
        rows, bad = batch.landed, unfit
        values = [column.value for column in batch.needed_columns]
    if not batch.table.key:
        return f"SELECT count(*), 0, count(*) FILTER ({bad}), count(*) FROM {rows}"
    keys = ", ".join(f"{value} AS k{at}" for at, value in enumerate(values))
    missing = " OR ".join(f"k{at} IS NULL" for at in range(len(batch.needed)))
    return (
        f"SELECT count(*), count(*) FILTER ({missing}), count(*) FILTER (bad), {_keys_at_least(batch, missing)} "
        f"FROM (SELECT {keys}, ({bad}) AS bad FROM {rows})"
    )


def _typed(batch: Incoming, *more: str) -> str:
    """A FROM item of the rows as they are typed, columns that the batch lacks among them, and `more`."""
    lacking = [f"CAST(NULL AS {column.type}) AS {identifier(column.name)}" for column in batch.absent]
    return f"(SELECT {', '.join((batch.selected, *lacking, *more))} FROM {batch.landed})"


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


def fitting(batch: Incoming) -> str:
    """A FROM item of the rows, typed, that need no second look as far as one row can tell: every value fits and nothing
    that is needed is NULL. For batches without rules."""
    values, selected, tests = [], [], []
    known: dict[str, str] = {}
    for at, column in enumerate(batch.columns):
        name = identifier(column.name)
        known[column.name.lower()] = value = name if column.value == name else f"{_VALUE}{at}"
        selected.append(f"{value} AS {name}")
        if value != name:
            values.append(f"{column.value} AS {value}")
    for column in batch.judged:
        if column.bad:
            # the value is worked out once, and what is asked of it asks the name it was given
            value = known.get(column.name.lower(), column.value)
            tests.append(f"({column.bad.replace(column.value, value)}) IS NOT TRUE")
    tests += [f"{known[column.name.lower()]} IS NOT NULL" for column in batch.needed_columns]
    rows = f"(SELECT {', '.join(('*', *values))} FROM {batch.landed})"
    if not tests:
        return f"(SELECT {', '.join(selected)} FROM {rows})"
    # What is random stays where it is written: without it the filter moves below the values and works them out again.
    return f"(SELECT {', '.join(selected)} FROM {rows} WHERE {' AND '.join(tests)} AND random() >= 0)"


def stored_keys(batch: Incoming) -> str:
    """How many keys there are at least (see `census`) among rows that were stored with all they need."""
    keys = ", ".join(f"{identifier(name)} AS k{at}" for at, name in enumerate(batch.needed))
    return f"SELECT {_keys_at_least(batch, 'false')} FROM (SELECT {keys} FROM {stored(batch.table)})"


def remove_suspects(batch: Incoming) -> str:
    """Take the rows out of the table whose keys are those of suspects: they stand more than once."""
    keys = ", ".join(column.value for column in batch.key)
    return (
        f"DELETE FROM {stored(batch.table)} WHERE ({columns(batch.table.key)}) IN "
        f"(SELECT ({keys}) FROM {batch.landed} WHERE file_row_number IN (SELECT place FROM {SUSPECTS}))"
    )


def suspects(batch: Incoming, double: bool, also: str = "") -> str:
    """A temporary table of the places in the file of rows that need a second look: a value does not fit, a rule sets
    the row apart, the key is NULL, or (`double`) the key stands more than once. Few rows in a good file, so everything
    after costs little; none when `double` was asked for and every key stands once after all. `also`: a SELECT of more
    places."""
    tests = [column.bad for column in batch.judged if column.bad]
    tests += [f"{column.value} IS NULL" for column in batch.needed_columns]
    wanted = " OR ".join(tests) or "false"
    if batch.rules:
        rows = _typed(batch, f"({wanted}) AS {_BAD}", f"file_row_number AS {_PLACE}")
        any_of = " OR ".join((_BAD, *(rule.fails for rule in batch.rules)))
        place = f"SELECT {_PLACE} AS place FROM {rows} WHERE {any_of}"
    else:
        place = f"SELECT file_row_number AS place FROM {batch.landed} WHERE {wanted}"
    if double:
        count = len(batch.identity)
        values = ", ".join(f"{column.value} AS k{at}" for at, column in enumerate(batch.needed_columns[:count]))
        keys = ", ".join(f"k{at}" for at in range(count))
        same = " AND ".join(f"l.k{at} = d.k{at}" for at in range(count))
        read = f"SELECT {values}, file_row_number AS place FROM {batch.landed}"
        place += (
            f" UNION SELECT l.place FROM ({read}) AS l JOIN (SELECT {keys} FROM ({read}) GROUP BY {keys} "
            f"HAVING count(*) > 1) AS d ON {same}"
        )
    return f"CREATE OR REPLACE TEMP TABLE {SUSPECTS} AS {place}" + (f" UNION {also}" if also else "")


def row_id(batch: Incoming) -> str:
    """SQL of the id of a landed row: the same for the same values, whatever the order of the columns and whatever the
    relation calls them, whether or not there are others that hold nothing. Rows of an append table are events: those of
    two batches are never the same."""
    return hashed(_as_received(batch), () if batch.table.key else (batch.batch,), batch.origins)


def _as_received(batch: Incoming) -> list[str]:
    return list(batch.received) or [column.name for column in batch.judged]


def hashed(names: list[str], salt: tuple[str, ...] = (), origins: Mapping[str, str] | None = None) -> str:
    """SQL of a short stable hash of the columns `names` of a row; `origins`: what they count as, where that differs."""
    parts = [literal(text) for text in salt]
    known = origins or {}
    for label, name in sorted((known.get(name.lower(), name).lower(), name) for name in names):
        value = f"CAST({identifier(name)} AS VARCHAR)"
        parts.append(f"{literal(f'{label}=')} || length({value}) || ':' || {value}")
    return f"left(sha256(concat_ws(',', '', {', '.join(parts)})), 16)"


def told_apart(batch: Incoming) -> tuple[Typed, ...]:
    """The columns by which a later batch speaks of the same row: the key, and what dates it where extracts are
    versions. None of an append table."""
    whole = batch.table.extract is ExtractKind.FULL
    return batch.needed_columns[: len(batch.table.key)] if whole else batch.needed_columns


def judge(batch: Incoming, corrected: str = "") -> tuple[str, ...]:
    """Statements that put the suspects into a temporary table with, for each, why it is held back.

    `_reasons` is empty for rows that go on; `_copies` counts the identical rows one row stands for; `_key` is the key
    as text, `_received` as it was received, NULL where it has none. `corrected`: a SELECT of ids of rows that a person
    has corrected later.
    """
    names = columns(batch.names)
    identity = told_apart(batch)
    reasons = [*_unfit(batch), *_no_key(batch)]
    lost = {column.name.lower(): f"_lost{at}" for at, column in enumerate(_losing(batch))}
    packed = ", ".join(f"{literal(name)}: {identifier(name)}" for name in _as_received(batch))
    own = [
        f"CAST(to_json({{{packed}}}) AS VARCHAR) AS _payload",
        f"{row_id(batch)} AS _id",
        f"{_listed(reasons)} AS _unfit",
        f"{_key_text([_sure(column) for column in identity])} AS _key",
        f"{_key_text([_received(column) for column in identity], whole=False)} AS _received",
        *(f"{_is_lost(column)} AS {lost[column.name.lower()]}" for column in _losing(batch)),
    ]
    rows = f"{_typed(batch, *own)[:-1]} WHERE file_row_number IN (SELECT place FROM {SUSPECTS}))"
    more = []
    for rule in batch.rules:
        known = [lost[name.lower()] for name in rule.columns if name.lower() in lost]
        but = f"NOT ({' OR '.join(known)}) AND " if known else ""
        more.append(f"CASE WHEN {but}{rule.fails} THEN {rule.reason} END")
    if corrected:
        more.append(f"CASE WHEN len(_unfit) = 0 AND _id IN ({corrected}) THEN 'corrected by a person' END")
    because = f"list_concat(_unfit, {_listed(more)})" if more else "_unfit"
    judged = f"SELECT {names}, _payload, _id, _key, _received, {because} AS _reasons FROM {rows}"
    group = f"{names}, _payload, _id, _key, _received, _reasons"
    if batch.table.key:
        folded = f"SELECT {group}, count(*) AS _copies FROM ({judged}) GROUP BY {group}"
    else:
        folded = f"SELECT {group}, 1 AS _copies FROM ({judged})"
    return (f"CREATE OR REPLACE TEMP TABLE {BATCH} AS {folded}", *_rank(batch))


def _unfit(batch: Incoming) -> list[str]:
    return [
        f"CASE WHEN {column.bad} THEN {literal(f'{column.name}: expected {column.type}')} || "
        f"{found(identifier(column.name), is_private(column.name, batch.private))} END"
        for column in batch.judged
        if column.bad
    ]


def _no_key(batch: Incoming) -> list[str]:
    return [
        f"CASE WHEN {identifier(name)} IS NULL THEN {literal(f'{what} {name} is NULL')} END"
        for what, names in (("key", batch.table.key), ("effective", batch.needed[len(batch.table.key) :]))
        for name in names
    ]


def _losing(batch: Incoming) -> list[Typed]:
    """Columns that rules are about and whose values may not fit: then there is nothing for the rule to look at."""
    asked = {name.lower() for rule in batch.rules for name in rule.columns}
    return [column for column in batch.columns if column.bad and column.name.lower() in asked]


def _is_lost(column: Typed) -> str:
    raw = identifier(column.name)
    same = f"CAST({column.value} AS VARCHAR) IS NOT DISTINCT FROM CAST({raw} AS VARCHAR)"
    return f"(({column.bad}) AND {raw} IS NOT NULL AND NOT ({same}))"


def _received(column: Typed) -> str:
    return f"CAST({identifier(column.name)} AS VARCHAR)"


def _sure(column: Typed) -> str:
    text = f"CAST({column.value} AS VARCHAR)"
    return f"CASE WHEN {column.bad} THEN NULL ELSE {text} END" if column.bad else text


def _key_text(values: list[str], whole: bool = True) -> str:
    """The values as a list; NULL where there are none, or (`whole`) one of them is NULL."""
    if not values:
        return "CAST(NULL AS VARCHAR[])"
    listed = f"[{', '.join(values)}]"
    return f"CASE WHEN {' AND '.join(f'({v}) IS NOT NULL' for v in values)} THEN {listed} END" if whole else listed


def _listed(reasons: list[str]) -> str:
    """A list of those that are not NULL."""
    return f"list_filter([{', '.join(reasons)}], lambda r: r IS NOT NULL)" if reasons else "CAST([] AS VARCHAR[])"


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
        f"INSERT INTO {BATCH} SELECT {columns(batch.names)}, _payload, _id, _key, _received, "
        f"CASE WHEN _rank > 1 THEN [{superseded}] WHEN _ties > 1 THEN [{tied}] ELSE [] END, _copies "
        "FROM _penstock_ranked",
        "DROP TABLE _penstock_ranked",
    )


def verdict(batch: Incoming) -> str:
    """One row: rows held back, identical rows folded into one."""
    return (
        f"SELECT coalesce(sum(_copies) FILTER (len(_reasons) > 0), 0)::BIGINT, "
        f"coalesce(sum(_copies - 1) FILTER (len(_reasons) = 0), 0)::BIGINT FROM {BATCH}"
    )
