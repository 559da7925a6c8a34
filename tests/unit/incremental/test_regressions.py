"""Every query that once came out wrong, each under the name of what was wrong with it."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from incremental_battery import HISTORY, TABLES
from incremental_lab import Model, follow, laboratory

QUERIES = {
    "an alias in an operation lost its brackets": "SELECT k AS one, one + 1 AS two, two * 2 AS three FROM raw.a",
    "an alias with a sign lost its brackets": "SELECT k - v AS d, 10 - d AS e, -d AS f, id FROM raw.a",
    "NOT as a unit took the comparison with it": "SELECT NOT (k > 1) AS f, count(*) AS n FROM raw.a GROUP BY 1",
    "OR as a unit did": "SELECT k > 1 OR s = 'x' AS f, count(*) AS n FROM raw.a GROUP BY 1",
    "a comparison as a unit was chained": "SELECT k = 2 AS f, count(*) AS n FROM raw.a GROUP BY 1",
    "AND as a unit of a plain query": "SELECT k > 1 AND s = 'x' AS f, v FROM raw.a",
    "OR as a window's partition": "SELECT s, k > 1 OR v = 3 AS f, count(*) OVER (PARTITION BY k > 1 OR v = 3) AS n"
    " FROM raw.a",
    "OR in DISTINCT ON": "SELECT DISTINCT ON (k > 1 OR v = 3) k > 1 OR v = 3 AS f, s, id FROM raw.a"
    " ORDER BY k > 1 OR v = 3, id",
    "OR looked for in a subquery": "SELECT a.s, count(*) AS n FROM raw.a WHERE (a.k > 1 OR a.v = 3) NOT IN"
    " (SELECT v > 2 FROM raw.b) GROUP BY a.s",
    "AND over a ghost": "SELECT x.f AND b.v > 2 AS g, count(*) AS n FROM (SELECT k > 1 OR s = 'x' AS f, v FROM raw.a)"
    " AS x LEFT JOIN raw.b ON x.f = (b.k > 2) GROUP BY ALL",
    "one NULL in a tuple counts for all of it": "SELECT a.s, count(*) AS n FROM raw.a WHERE (a.k, a.v) NOT IN"
    " (SELECT k, v FROM raw.b) GROUP BY a.s",
    "an alias names the columns of a query that has none": "SELECT n, count(*) AS m FROM"
    " (SELECT a.id, count(b.k) FROM raw.a LEFT JOIN raw.b ON a.k = b.k GROUP BY a.id) AS t (id, n) GROUP BY n",
    "WITH names the columns of a query that has none": "WITH t (k, n) AS (SELECT k, sum(v) FROM raw.b GROUP BY k)"
    " SELECT a.id, t.n FROM raw.a JOIN t ON a.k = t.k",
}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with laboratory() as opened:
        yield opened


@pytest.mark.parametrize("name", QUERIES)
def test_it_is_a_rebuild_now(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    followed = follow(connection, Model(QUERIES[name], TABLES), HISTORY)
    assert followed.reason is None
    assert followed.steps == len(HISTORY) - 1
