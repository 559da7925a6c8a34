"""Maintained = rebuilt, for random tables, queries and changes.

`PENSTOCK_INCREMENTAL_CASES=20000 pytest tests/property/test_incremental.py` is the nightly profile.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import HealthCheck, assume, given, settings
from incremental_lab import Model, Refused, State, Table, follow, laboratory
from query_grammar import FAMILIES, cases, seeded

from penstock.incremental.program import analyse

CASES = int(os.environ.get("PENSTOCK_INCREMENTAL_CASES", "200"))
PROFILE = settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    print_blob=True,
)

FLOOR = {"asof": 0.25, "limit": 0.1, "cte-twice": 0.2}
"""The least share of queries that are maintained, of those DuckDB takes. Other families have LEAST."""
LEAST = 0.4


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with laboratory() as opened:
        yield opened


@PROFILE
@given(case=cases())
def test_what_is_kept_equals_a_rebuild(
    connection: duckdb.DuckDBPyConnection, case: tuple[Model, list[State], bool]
) -> None:
    model, states, always = case
    try:
        follow(connection, model, states, always=always)
    except Refused:
        assume(False)


def test_every_operator_is_maintained_in_most_queries() -> None:
    """The grammar has not run dry: each operator is drawn, and most queries that have it are maintained."""
    drawn: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for seed in range(600):
        model, _, _ = seeded(seed, depth=seed % 3)
        reason = analyse(model.sql, model.catalog, model.key).reason
        if reason is not None and "ambiguous" in reason:
            continue  # DuckDB does not take it either
        drawn.update(model.families)
        if reason is None:
            kept.update(model.families)
    shares = {family: kept[family] / max(1, drawn[family]) for family in FAMILIES}
    assert {family: share for family, share in shares.items() if share < FLOOR.get(family, LEAST)} == {}
    assert {family for family in FAMILIES if kept[family] < 3} == set()


def test_sums_of_floating_point_are_a_rebuild_but_for_their_last_bits(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    tables = {"raw.a": Table({"k": "BIGINT", "x": "DOUBLE"}), "raw.b": Table({"k": "BIGINT", "y": "DOUBLE"})}
    first = {"raw.a": [(n % 3, n / 7) for n in range(60)], "raw.b": [(n % 4, n / 3) for n in range(20)]}
    second = {"raw.a": [*first["raw.a"][5:], (0, 1e9), (7, 1e-9)], "raw.b": first["raw.b"][:-3]}
    third = {"raw.a": second["raw.a"][:-2], "raw.b": [*second["raw.b"], (None, 0.1)]}
    sql = (
        "SELECT a.k, sum(a.x * b.y) AS total, avg(b.y) AS mean FROM raw.a LEFT JOIN raw.b ON a.k = b.k GROUP BY a.k"
        " HAVING sum(a.x) > 0.5"
    )
    followed = follow(connection, Model(sql, tables), [first, second, third], tolerance=1e-9)
    assert followed.reason is None
    assert followed.steps == 2
