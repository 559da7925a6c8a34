"""Relations in a query replaced by SELECTs: held against views of the same SELECTs in a real DuckDB."""

from __future__ import annotations

import pytest

from penstock.domain.relation import RelationName
from penstock.embedded.connection import connect
from penstock.sql.substitute import substituted

SELECTS = {
    RelationName("raw", "t"): "SELECT a, b FROM base.t WHERE a > 1 -- two",
    RelationName("raw", "u"): "SELECT 2 AS a",
}
QUERIES = [
    "SELECT * FROM raw.t",
    "SELECT raw.t.a, t.b FROM raw.t",
    "SELECT x.a FROM raw.t x JOIN raw.u AS y USING (a)",
    "SELECT t.*, u.a AS other FROM RAW.T LEFT JOIN raw.u ON t.a = u.a",
    "WITH t AS (SELECT a FROM raw.t) SELECT a FROM t WHERE a IN (SELECT a FROM raw.u)",
    'SELECT p, q FROM "raw"."t" AS z(p, q), (SELECT \'raw.t\' AS s)',
    "SELECT a FROM raw.t UNION ALL SELECT (SELECT max(a) FROM raw.t) FROM raw.u",
    "SELECT 'é', a FROM raw.t /* raw.t */ WHERE EXISTS (SELECT 1 FROM raw.u WHERE raw.u.a = raw.t.a)",
    "FROM raw.t SELECT a",
]


@pytest.mark.parametrize("query", QUERIES)
def test_the_result_is_that_of_a_view(query: str) -> None:
    connection = connect(None)
    try:
        connection.execute("CREATE SCHEMA base; CREATE SCHEMA raw")
        connection.execute("CREATE TABLE base.t AS FROM (VALUES (1, 'x'), (2, 'y'), (3, NULL)) AS v(a, b)")
        selects = {name: text.replace(" -- two", "") for name, text in SELECTS.items()}
        changed = connection.execute(substituted(query, SELECTS)).fetchall()
        for name, text in selects.items():
            connection.execute(f"CREATE VIEW {name} AS {text}")
        assert sorted(changed, key=repr) == sorted(connection.execute(query).fetchall(), key=repr)
    finally:
        connection.close()
