"""What becomes of rows that were set apart: each that leaves its quarantine is noted, with when and why. All is text.

Of a row its id is kept, and what was wrong with it; none of its values.
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock.domain.quarantine import FIRST_SEEN, REASONS, RUN
from penstock.domain.relation import Column, RelationName
from penstock.materializations.changelog import exact
from penstock.materializations.entries import ENTRIES, answered, spoken_of
from penstock.materializations.history import BATCH, Incoming
from penstock.materializations.judgement import hashed
from penstock.materializations.maintain import GONE, ROW
from penstock.materializations.quarantine import FAILED
from penstock.quoting import identifier, literal
from penstock.sql.reason import FOUND

DEPARTURES = '"_penstock"."departures"'
COLUMNS = (
    "relation VARCHAR NOT NULL, id VARCHAR NOT NULL, reasons VARCHAR[] NOT NULL, first_seen TIMESTAMP NOT NULL, "
    "entered VARCHAR NOT NULL, left_at TIMESTAMP NOT NULL, run VARCHAR NOT NULL, cause VARCHAR NOT NULL, "
    "batch VARCHAR, copies BIGINT NOT NULL"
)
"""`entered`: the run that set the row apart, `run` the one in which it left; `batch`: with which it did."""
BEFORE = "_penstock_before"
IS_KEPT = "SELECT 1 FROM duckdb_tables() WHERE schema_name = '_penstock' AND table_name = 'departures'"
FORGET = f"DELETE FROM {DEPARTURES} WHERE relation = ? AND left_at < ?"
_INTO = f"INSERT INTO {DEPARTURES} (relation, id, reasons, first_seen, entered, left_at, run, cause, batch, copies)"


def _told(reasons: str) -> str:
    """The reasons without what was found."""
    return f"list_transform({reasons}, lambda r: split_part(r, {literal(FOUND)}, 1))"


def _at(moment: str) -> str:
    return f"CAST({literal(moment)} AS TIMESTAMP)"


# Source tables


def anyone(batch: Incoming) -> str:
    return f"SELECT 1 FROM {ENTRIES} WHERE {answered(batch)} LIMIT 1"


def of_batch(batch: Incoming, held: bool, run: str) -> str:
    """Note the entries that a batch answers, before they are taken out."""
    if batch.corrects is not None:
        cause = literal("fixed")
    elif not batch.table.key:
        cause = literal("gone")
    else:
        bad = f"SELECT _key FROM {BATCH} WHERE len(_reasons) > 0 AND _key IS NOT NULL" if held else ""
        replaced = f"WHEN key IN ({bad}) THEN 'replaced' " if held else ""
        cause = f"CASE {replaced}WHEN id IN ({spoken_of(batch, ENTRIES)}) THEN 'corrected' ELSE 'gone' END"
    return (
        f"{_INTO} SELECT relation, id, {_told('reasons')}, first_seen, run, {_at(batch.processing_ts)}, "
        f"{literal(run)}, {cause}, {literal(batch.batch)}, copies FROM {ENTRIES} WHERE {answered(batch)}"
    )


def before(relation: RelationName) -> str:
    """The entries of a table whose batches are about to be judged again."""
    return f"CREATE OR REPLACE TEMP TABLE {BEFORE} AS SELECT * FROM {ENTRIES} WHERE relation = {literal(str(relation))}"


def by_rules(now: str, run: str) -> str:
    """Note those of BEFORE that are entries no more."""
    return (
        f"{_INTO} SELECT relation, id, {_told('reasons')}, first_seen, run, {_at(now)}, {literal(run)}, 'rules', NULL, "
        f"copies FROM {BEFORE} AS b WHERE NOT EXISTS "
        f"(SELECT 1 FROM {ENTRIES} AS e WHERE e.relation = b.relation AND e.id = b.id)"
    )


# Models

_HELD = "_penstock_held"
"""What a row set apart is called in a subquery about another table, which may have a column of any name."""


def of_model(
    relation: RelationName,
    held: str,
    found: Sequence[Column],
    now: str,
    run: str,
    *,
    key: Sequence[str],
    stamps: Sequence[str],
    published: str,
) -> str:
    """Note the rows in GONE, before they are taken out of the quarantine `held`. `published`: the table that has the
    rows which pass, FAILED has those that do not."""
    ignored = {name.lower() for name in stamps}
    alike = [
        f"{exact(column, 'p.')} IS NOT DISTINCT FROM {exact(column, f'{_HELD}.')}"
        for column in found
        if column.name.lower() not in ignored
    ]
    cases = [f"WHEN EXISTS (SELECT 1 FROM {published} AS p WHERE {' AND '.join(alike) or 'true'}) THEN 'rules'"]
    for rows, cause in ((published, "corrected"), (FAILED, "replaced")) if key else ():
        same = " AND ".join(f"p.{identifier(name)} IS NOT DISTINCT FROM {_HELD}.{identifier(name)}" for name in key)
        cases.append(f"WHEN EXISTS (SELECT 1 FROM {rows} AS p WHERE {same}) THEN '{cause}'")
    rows = (
        f"(SELECT {_HELD}.*, CASE {' '.join(cases)} ELSE 'gone' END AS _penstock_cause FROM {held} AS {_HELD} "
        f"WHERE {_HELD}.rowid IN (SELECT {ROW} FROM {GONE}))"
    )
    return _of_rows(relation, rows, [column.name for column in found], now, run, "any_value(_penstock_cause)")


def of_all(relation: RelationName, held: str, names: Sequence[str], now: str, run: str, cause: str) -> str:
    """Note all rows of a quarantine that is taken away."""
    return _of_rows(relation, held, names, now, run, literal(cause))


def _of_rows(relation: RelationName, rows: str, names: Sequence[str], now: str, run: str, cause: str) -> str:
    return (
        f"{_INTO} SELECT {literal(str(relation))}, {hashed(list(names))} AS _penstock_id, "
        f"{_told(f'any_value({REASONS})')}, min({FIRST_SEEN}), any_value({RUN}), {_at(now)}, {literal(run)}, {cause}, "
        f"NULL, count(*) FROM {rows} GROUP BY _penstock_id"
    )
