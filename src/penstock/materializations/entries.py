"""Quarantine of a source table: the rows that the source sent last and that could not be taken, with their reasons.

A keyed table has one entry for each such row. It is gone as soon as the source says something else: with a later batch
that has a row of that key, or, of full extracts, one that no longer has this row. Rows of an append table are events:
nothing that comes later speaks of them.

A correction is a batch of one row, said by a person. It answers the entry it was made for and all others of the key it
has. As long as the source goes on sending the corrected row as it was and says nothing else of it, the correction is
read in its place.
"""

from __future__ import annotations

from penstock.materializations.history import BATCH, Incoming
from penstock.materializations.judgement import row_id, told_apart
from penstock.quoting import columns, identifier, literal

ENTRIES = '"_penstock"."quarantine"'
CORRECTIONS = '"_penstock"."corrections"'
SETTLED = "_penstock_settled"
CORRECTED = "_penstock_corrected"
COLUMNS = (
    "relation VARCHAR NOT NULL, id VARCHAR NOT NULL, batch VARCHAR NOT NULL, reasons VARCHAR[] NOT NULL, "
    "payload VARCHAR NOT NULL, copies BIGINT NOT NULL, run VARCHAR NOT NULL, quarantined_at TIMESTAMP NOT NULL, "
    "first_seen TIMESTAMP NOT NULL, last_seen TIMESTAMP NOT NULL, rules VARCHAR NOT NULL, key VARCHAR[], "
    "received_key VARCHAR[]"
)
"""`key`: the key as text, NULL where it cannot be read; `received_key`: as it was received. `quarantined_at`: when it
was judged; `first_seen`, `last_seen`: when the batches were taken that have the row."""
CORRECTION_COLUMNS = (
    "relation VARCHAR NOT NULL, id VARCHAR NOT NULL, received_key VARCHAR[] NOT NULL, key VARCHAR[], "
    "batch VARCHAR NOT NULL, target VARCHAR NOT NULL, target_key VARCHAR[]"
)
"""`id`: a row as the source sends it; `batch`: the correction that is read in its place, with the row `target`."""


def _of(batch: Incoming) -> str:
    return f"relation = {literal(str(batch.table.relation))}"


def anything(batch: Incoming) -> str:
    """One row: whether there are entries, whether there are corrections that hold."""
    return (
        f"SELECT EXISTS (SELECT 1 FROM {ENTRIES} WHERE {_of(batch)}), "
        f"EXISTS (SELECT 1 FROM {CORRECTIONS} WHERE {_of(batch)})"
    )


# Corrections that hold are read in the place of what the source sends


def standing(batch: Incoming) -> str:
    """A temporary table of the places of rows that have been corrected and are sent again as they were."""
    received = ", ".join(f"CAST({identifier(column.name)} AS VARCHAR)" for column in told_apart(batch))
    return (
        f"CREATE OR REPLACE TEMP TABLE {CORRECTED} AS SELECT s.place, s.id, c.batch FROM "
        f"(SELECT file_row_number AS place, {row_id(batch)} AS id FROM {batch.landed} WHERE [{received}] IN "
        f"(SELECT received_key FROM {CORRECTIONS} WHERE {_of(batch)})) AS s "
        f"JOIN {CORRECTIONS} AS c ON c.{_of(batch)} AND c.id = s.id"
    )


def replaced(batch: Incoming, data: dict[str, str]) -> str:
    """A FROM item of the batch's rows as landed, those of CORRECTED replaced by what `data` has: the FROM item of each
    correction, by its batch, with all columns."""
    names = columns(column.name for column in batch.columns)
    parts = [
        f"SELECT {names}, file_row_number FROM {batch.landed} "
        f"WHERE file_row_number NOT IN (SELECT place FROM {CORRECTED})"
    ]
    for name, rows in data.items():
        parts.append(
            f"SELECT {columns([c.name for c in batch.columns], 'r')}, c.place AS file_row_number "
            f"FROM {rows} AS r, {CORRECTED} AS c WHERE c.batch = {literal(name)}"
        )
    return f"({' UNION ALL '.join(parts)})"


def lapsed(batch: Incoming, matched: bool) -> str:
    """End the corrections of rows of which the batch says something else. `matched`: there is a table CORRECTED."""
    still = f" AND id NOT IN (SELECT id FROM {CORRECTED})" if matched else ""
    if batch.full:
        return f"DELETE FROM {CORRECTIONS} WHERE {_of(batch)}{still}"
    spoken = " UNION ALL ".join(f"({spoken_of(batch, CORRECTIONS, key)})" for key in ("key", "target_key"))
    return f"DELETE FROM {CORRECTIONS} WHERE {_of(batch)}{still} AND id IN ({spoken})"


# Entries


def spoken_of(batch: Incoming, table: str, key: str = "key") -> str:
    """A SELECT of the ids in `table` whose key the batch has a row of."""
    identity = told_apart(batch)
    given = ", ".join(f"{column.value} AS k{at}" for at, column in enumerate(identity))
    asked = ", ".join(f"TRY_CAST({key}[{at + 1}] AS {column.type}) AS k{at}" for at, column in enumerate(identity))
    same = " AND ".join(f"e.k{at} = g.k{at}" for at in range(len(identity)))
    return (
        f"SELECT e.id FROM (SELECT id, {asked} FROM {table} WHERE {_of(batch)} AND {key} IS NOT NULL) AS e "
        f"SEMI JOIN (SELECT {given} FROM {batch.landed}) AS g ON {same}"
    )


def settled(batch: Incoming) -> str:
    """A temporary table of the entries that the batch answers, whatever it says. A full extract answers all."""
    if batch.full:
        select = f"SELECT id FROM {ENTRIES} WHERE {_of(batch)}"
    elif batch.table.key:
        select = spoken_of(batch, ENTRIES)
    else:
        select = f"SELECT id FROM {ENTRIES} WHERE false"
    if batch.corrects is not None:
        select += f" UNION SELECT {literal(batch.corrects)}"
    return f"CREATE OR REPLACE TEMP TABLE {SETTLED} AS {select}"


def corrected(batch: Incoming, received: str) -> tuple[str, ...]:
    """Note what a correction is to be read in the place of: the row it was made for, whose key was `received` (SQL of a
    list), those of the entries it answers, and what was corrected to a row that it corrects."""
    name = literal(batch.batch)
    own = f"(SELECT {row_id(batch)} AS target, {_key_list(batch)} AS target_key FROM {batch.landed} LIMIT 1)"
    relation = literal(str(batch.table.relation))
    made_for = literal(str(batch.corrects))
    return (
        f"UPDATE {CORRECTIONS} AS c SET batch = {name}, target = o.target, target_key = o.target_key FROM {own} AS o "
        f"WHERE c.{_of(batch)} AND (c.target IN (SELECT id FROM {SETTLED}) OR c.target_key = o.target_key)",
        f"DELETE FROM {CORRECTIONS} WHERE {_of(batch)} AND id IN (SELECT id FROM {SETTLED})",
        f"INSERT INTO {CORRECTIONS} SELECT {relation}, s.id, coalesce(e.received_key, {received}), e.key, {name}, "
        f"o.target, o.target_key FROM {SETTLED} AS s LEFT JOIN {ENTRIES} AS e ON e.{_of(batch)} AND e.id = s.id, "
        f"{own} AS o WHERE e.id IS NOT NULL OR s.id = {made_for}",
    )


def _key_list(batch: Incoming) -> str:
    values = [f"CAST({column.value} AS VARCHAR)" for column in told_apart(batch)]
    good = " AND ".join(
        f"{column.value} IS NOT NULL" + (f" AND NOT ({column.bad})" if column.bad else "")
        for column in told_apart(batch)
    )
    return f"CASE WHEN {good} THEN [{', '.join(values)}] END"


def given_again() -> str:
    """Take out of SETTLED the entries that the batch has again: rows of it are in BATCH."""
    return f"DELETE FROM {SETTLED} WHERE id IN (SELECT _id FROM {BATCH} WHERE len(_reasons) > 0)"


def answered(batch: Incoming) -> str:
    """A condition: the entry is in SETTLED."""
    return f"{_of(batch)} AND id IN (SELECT id FROM {SETTLED})"


def close(batch: Incoming) -> str:
    """Take out the entries that are answered."""
    return f"DELETE FROM {ENTRIES} WHERE {answered(batch)}"


def hold(batch: Incoming, rules: str) -> tuple[tuple[str, ...], str]:
    """Enter what is held back of the batch. The first statements take no
    values, the last one: run, time."""
    relation, at = literal(str(batch.table.relation)), f"CAST({literal(batch.processing_ts)} AS TIMESTAMP)"
    fresh = (
        f"SELECT _id, any_value(_reasons) AS _reasons, any_value(_payload) AS _payload, "
        f"CAST(sum(_copies) AS BIGINT) AS _copies, any_value(_key) AS _key, any_value(_received) AS _received "
        f"FROM {BATCH} WHERE len(_reasons) > 0 GROUP BY _id"
    )
    return (
        f"CREATE OR REPLACE TEMP TABLE _penstock_held AS SELECT b._id, b._reasons, b._payload, b._copies, b._key, "
        f"b._received, coalesce(e.first_seen, {at}) AS _first FROM ({fresh}) AS b "
        f"LEFT JOIN {ENTRIES} AS e ON e.{_of(batch)} AND e.id = b._id",
        f"DELETE FROM {ENTRIES} WHERE {_of(batch)} AND id IN (SELECT _id FROM _penstock_held)",
    ), (
        f"INSERT INTO {ENTRIES} (relation, id, batch, reasons, payload, copies, run, quarantined_at, first_seen, "
        f"last_seen, rules, key, received_key) SELECT {relation}, _id, {literal(batch.batch)}, _reasons, _payload, "
        f"_copies, ?, ?, _first, {at}, {literal(rules)}, _key, _received FROM _penstock_held"
    )
