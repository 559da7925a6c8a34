"""What must hold in a table of versions, whoever wrote it: one line of time for each key. Everything is text."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.quoting import columns, identifier

RULES = (
    "NULL in the key",
    "a version without a beginning",
    "more than one current version of a key",
    "a version that is current and has an end, or neither",
    "a version that ends before it begins",
    "a version that begins before the one before it ends",
    "a gap between versions of a key, and nothing was ever deleted",
    "a key without a current version, and nothing was ever deleted",
)
FIELDS = ("valid_from", "valid_to", "is_current")
BROKEN = "_penstock_broken"
_RULE = "_penstock_rule"


def broken(table: str, key: Sequence[str], *, deletions: bool) -> str:
    """A temporary table of versions that break a rule: the first rule, the key, when it is valid. `table` is quoted;
    `deletions`: whether keys may have been gone at times."""
    keys = columns(key)
    null = " OR ".join(f"{identifier(name)} IS NULL" for name in key)
    tests = [
        null,
        "valid_from IS NULL",
        "is_current AND _penstock_currents > 1",
        "is_current IS DISTINCT FROM (valid_to IS NULL)",
        "valid_to < valid_from",
        "_penstock_last IS NULL AND _penstock_row > 1 OR _penstock_last > valid_from",
    ]
    if not deletions:
        tests += ["_penstock_last < valid_from", "_penstock_currents = 0"]
    cases = " ".join(f"WHEN {test} THEN {place}" for place, test in enumerate(tests))
    order = f"PARTITION BY {keys} ORDER BY valid_from, valid_to NULLS LAST"
    return (
        f"CREATE OR REPLACE TEMP TABLE {BROKEN} AS SELECT CASE {cases} END AS {_RULE}, {keys}, {columns(FIELDS)} FROM ("
        f"SELECT {keys}, {columns(FIELDS)}, lag(valid_to) OVER (w) AS _penstock_last, row_number() OVER (w) AS "
        f"_penstock_row, count(*) FILTER (is_current) OVER (PARTITION BY {keys}) AS _penstock_currents FROM {table} "
        f"WINDOW w AS ({order})) WHERE {_RULE} IS NOT NULL"
    )


COUNTS = f"SELECT {_RULE}, count(*) FROM {BROKEN} GROUP BY ALL ORDER BY ALL"
"""A row for each rule that is broken: its place in RULES, how many versions break it."""
DROP = f"DROP TABLE IF EXISTS {BROKEN}"


def first(key: Sequence[str], most: int) -> str:
    """The first of the versions that break a rule: key columns, then FIELDS."""
    return f"SELECT {columns(key)}, {columns(FIELDS)} FROM {BROKEN} ORDER BY ALL LIMIT {int(most)}"


def by_batch(table: str, versions: str) -> str:
    """Batches of which not as many rows are there as were loaded: batch, rows loaded, rows found. `versions`: SQL over
    the ledger's batches, how many rows one put into the table. Value: the relation."""
    return (
        f"SELECT coalesce(b.batch, t._batch), coalesce({versions}, 0), coalesce(t.n, 0) FROM "
        f"(SELECT * FROM _penstock.batches WHERE relation = ?) AS b FULL JOIN "
        f"(SELECT _batch, count(*) AS n FROM {table} GROUP BY _batch) AS t ON t._batch = b.batch "
        f"WHERE coalesce({versions}, 0) <> coalesce(t.n, 0) ORDER BY 1 LIMIT 5"
    )
