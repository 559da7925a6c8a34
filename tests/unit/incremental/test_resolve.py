"""What a name in a query means: as DuckDB says. Each query, resolved and written out again, gives the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import duckdb
import pytest
from incremental_lab import laboratory

from penstock.domain.relation import RelationName
from penstock.incremental.catalog import Catalog
from penstock.incremental.reasons import Rebuild
from penstock.incremental.render import sql
from penstock.incremental.resolve import resolve

CATALOG = Catalog(
    {
        RelationName("raw", "a"): ("id", "k", "s", "v"),
        RelationName("raw", "b"): ("k", "s", "w"),
        RelationName("raw", "c"): ("k", "x"),
    },
    {RelationName("stg", "v"): "SELECT k, upper(s) AS s, count(*) AS n FROM raw.b GROUP BY k, s"},
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with laboratory() as opened:
        opened.execute("CREATE TABLE raw.a (id BIGINT, k BIGINT, s VARCHAR, v BIGINT)")
        opened.execute("INSERT INTO raw.a VALUES (1,1,'x',1),(2,2,'y',2),(3,2,'x',NULL),(4,NULL,'z',4),(5,9,NULL,5)")
        opened.execute("CREATE TABLE raw.b (k BIGINT, s VARCHAR, w BIGINT)")
        opened.execute("INSERT INTO raw.b VALUES (1,'x',10),(1,'q',20),(2,'y',30),(3,'x',40),(NULL,'n',50),(2,'y',30)")
        opened.execute("CREATE TABLE raw.c (k BIGINT, x BIGINT); INSERT INTO raw.c VALUES (1,7),(2,8),(5,9),(3,9)")
        opened.execute(f"CREATE VIEW stg.v AS {CATALOG.views[RelationName('stg', 'v')]}")
        yield opened


@pytest.mark.parametrize(
    "query",
    [
        # names and aliases: a column of FROM comes before an alias, but not in ORDER BY
        "SELECT v + 1 AS v, id FROM raw.a WHERE v > 1",
        "SELECT v + 1 AS n, id FROM raw.a WHERE n > 2",
        "SELECT k + 1 AS n, count(*) AS m FROM raw.a GROUP BY n",
        "SELECT k % 2 AS k, count(*) AS m FROM raw.a GROUP BY raw.a.k",
        "SELECT k AS one, one + 1 AS two, two * 2 AS three FROM raw.a",
        "SELECT s AS g, sum(v) AS total FROM raw.a GROUP BY ALL HAVING total > 1",
        "SELECT s AS g, sum(v) AS total FROM raw.a GROUP BY 1",
        "SELECT id, -v AS v FROM raw.a WHERE v IS NOT NULL ORDER BY v LIMIT 2",
        'SELECT "ID" AS "Id", A.K AS k FROM raw.A AS a',
        "SELECT a.s AS s, b.s AS t FROM raw.a, raw.b WHERE a.k = b.k",
        # stars
        "SELECT * FROM raw.a",
        "SELECT b.*, a.id FROM raw.a JOIN raw.b ON a.k = b.k",
        "SELECT * EXCLUDE (s), s || '!' AS s FROM raw.a",
        "SELECT * REPLACE (v * 2 AS v) FROM raw.a",
        "SELECT * RENAME (v AS value) FROM raw.a",
        "SELECT * FROM raw.a SEMI JOIN raw.b ON a.k = b.k",
        "SELECT * FROM raw.a ANTI JOIN raw.b ON a.k = b.k",
        # USING shows a column once: the left one, the right one of a RIGHT JOIN, either of a FULL JOIN
        "SELECT * FROM raw.a JOIN raw.c USING (k)",
        "SELECT * FROM raw.a LEFT JOIN raw.c USING (k)",
        "SELECT * FROM raw.a RIGHT JOIN raw.c USING (k)",
        "SELECT * FROM raw.a FULL JOIN raw.c USING (k)",
        "SELECT k, a.k AS mine, c.k AS theirs FROM raw.a FULL JOIN raw.c USING (k)",
        "SELECT k, count(*) AS n FROM raw.a FULL JOIN raw.c USING (k) GROUP BY k",
        "SELECT k, id, w, x FROM raw.a LEFT JOIN raw.b USING (k, s) FULL JOIN raw.c USING (k)",
        "SELECT k, id, x FROM raw.a RIGHT JOIN raw.c USING (k) WHERE k > 1",
        # joins
        "SELECT a.id, b.w, c.x FROM raw.a LEFT JOIN (raw.b JOIN raw.c ON b.k = c.k) ON a.k = b.k",
        "SELECT a.id, b.w, c.x FROM raw.a LEFT JOIN raw.b ON a.k = b.k RIGHT JOIN raw.c ON b.k = c.k",
        "SELECT a.id, d.id AS other FROM raw.a LEFT JOIN raw.a AS d ON a.k = d.id",
        "SELECT a.id, b.w FROM raw.a CROSS JOIN raw.b",
        "SELECT a.id, c.x FROM raw.a ASOF JOIN raw.c ON a.id >= c.k",
        "SELECT a.id, c.x FROM raw.a ASOF LEFT JOIN raw.c ON a.id > c.k",
        # blocks
        "WITH t AS (SELECT k, sum(w) AS n FROM raw.b GROUP BY k) SELECT a.id, t.n FROM raw.a JOIN t ON a.k = t.k",
        "WITH t (one, two) AS (SELECT k, sum(w) FROM raw.b GROUP BY k) SELECT one, two FROM t",
        "WITH t AS (SELECT 1 AS k), u AS (SELECT k + 1 AS k FROM t) SELECT u.k AS one, t.k AS two FROM t, u",
        "WITH a AS (SELECT k AS id FROM raw.c) SELECT id FROM a",
        "SELECT one, two FROM (SELECT k, max(w) FROM raw.b GROUP BY k) AS t (one, two)",
        "SELECT t.k, n FROM stg.v AS t",
        "SELECT v.s, n FROM stg.v",
        "SELECT k FROM raw.a UNION SELECT k FROM raw.b",
        "SELECT k, s FROM raw.a UNION ALL SELECT w, lower(s) FROM raw.b",
        "SELECT k FROM raw.a EXCEPT ALL SELECT k FROM raw.b",
        "SELECT k FROM raw.a INTERSECT (SELECT k FROM raw.b UNION SELECT k FROM raw.c)",
        "SELECT i.i AS i, id FROM raw.a JOIN (VALUES (1), (2)) AS i (i) ON i.i = a.k",
        # subqueries: a name means the nearest
        "SELECT id FROM raw.a WHERE k IN (SELECT k FROM raw.b WHERE s = a.s)",
        "SELECT id FROM raw.a WHERE EXISTS (SELECT * FROM raw.b WHERE b.k = a.k AND v < w)",
        "SELECT id FROM raw.a WHERE k NOT IN (SELECT k FROM raw.b WHERE k IS NOT NULL)",
        "SELECT id, (SELECT max(w) FROM raw.b WHERE b.k = a.k) AS m FROM raw.a",
        "SELECT id FROM raw.a WHERE (k, s) IN (SELECT k, s FROM raw.b)",
        "SELECT s, count(*) AS n FROM raw.a GROUP BY s HAVING count(*) >= (SELECT min(k) FROM raw.c)",
        # windows, DISTINCT, QUALIFY
        "SELECT id, sum(v) OVER w AS n FROM raw.a WINDOW w AS (PARTITION BY k)",
        "SELECT id, row_number() OVER (PARTITION BY k ORDER BY id) AS n FROM raw.a QUALIFY n = 1",
        "SELECT k, sum(sum(w)) OVER (PARTITION BY k) AS n FROM raw.b GROUP BY k, s",
        "SELECT DISTINCT ON (k) k, s, w FROM raw.b ORDER BY k, w DESC",
        "SELECT DISTINCT s FROM raw.b",
        "SELECT count(*) AS n, sum(w) FILTER (WHERE s = 'x') AS m FROM raw.b",
        "SELECT k, s FROM raw.b ORDER BY w DESC, k LIMIT 2 OFFSET 1",
        "SELECT (k, s) AS pair, w FROM raw.b",
    ],
)
def test_a_resolved_query_gives_the_same(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    node = resolve(query, CATALOG)
    told, meant = connection.execute(query), None
    expected = Counter(told.fetchall())
    names = tuple(item[0] for item in told.description or ())
    meant = Counter(connection.execute(sql(node)).fetchall())
    assert meant == expected
    assert tuple(node.columns) == names


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT k FROM raw.nothing", "the columns of raw.nothing are not known"),
        ("SELECT a.s AS s, b.s AS s FROM raw.a JOIN raw.b ON a.k = b.k", "two of its columns have one name"),
        ("SELECT count(*) FROM raw.a", "its output column 1 has no name (give it one with AS)"),
        ("SELECT s AS n, n AS m FROM raw.a WHERE nothing > 1", "the name nothing could not be resolved"),
        (
            "WITH RECURSIVE t AS (SELECT 1 AS k UNION ALL SELECT k + 1 FROM t) SELECT k FROM t",
            "it has WITH RECURSIVE",
        ),
        ("SELECT k, s, count(*) AS n FROM raw.a GROUP BY ROLLUP (k, s)", "it has grouping sets"),
        ("SELECT unnest([1, k]) AS k FROM raw.a", "it has unnest() in the SELECT list"),
        ("SELECT a.id FROM raw.a NATURAL JOIN raw.c", "it has a NATURAL JOIN"),
        ("SELECT a.id FROM raw.a POSITIONAL JOIN raw.c", "it has a POSITIONAL JOIN"),
        ("SELECT k FROM raw.a UNION BY NAME SELECT k FROM raw.b", "it has UNION BY NAME"),
        ("SELECT t.one FROM (SELECT k, s FROM raw.a) AS t (one)", "only some of the columns"),
        ("SELECT k AS v, v AS k FROM raw.a GROUP BY ALL HAVING v > 1", "the name v is both a column and an alias"),
        ("SELECT id FROM raw.a LEFT JOIN raw.c ON a.k IN (SELECT k FROM raw.b)", "it has a subquery in a join's ON"),
        ("SELECT k FROM raw.a TABLESAMPLE 10%", "it has SAMPLE"),
    ],
)
def test_what_is_not_understood_is_rebuilt(query: str, reason: str) -> None:
    with pytest.raises(Rebuild) as why:
        resolve(query, CATALOG)
    assert reason in why.value.reason
