from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock.errors import UserError
from penstock.sql.facts import facts

READS = [
    ("SELECT * FROM raw.a", "raw.a"),
    ("FROM raw.a SELECT x", "raw.a"),
    ('SELECT * FROM "RAW"."A", Raw.b', "raw.a raw.b"),
    ("WITH a AS (SELECT * FROM raw.a) SELECT * FROM a", "raw.a"),
    ("WITH a AS (SELECT * FROM raw.a), b AS (SELECT * FROM A) SELECT * FROM b JOIN raw.c USING (x)", "raw.a raw.c"),
    ("WITH a AS (WITH a AS (SELECT * FROM raw.x) SELECT * FROM a) SELECT * FROM a", "raw.x"),
    ("WITH b AS (WITH a AS (SELECT 1 AS x) SELECT * FROM a) SELECT * FROM b, raw.a", "raw.a"),
    ("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, raw.s) SELECT * FROM r", "raw.s"),
    ("WITH orders AS (SELECT 1 AS x) SELECT * FROM raw.orders, orders", "raw.orders"),
    (
        "SELECT (SELECT max(x) FROM raw.a) AS m FROM raw.b WHERE EXISTS (FROM raw.c WHERE x = y)",
        "raw.a raw.b raw.c",
    ),
    ("SELECT x FROM raw.a WHERE y IN (SELECT y FROM raw.b) AND z = ANY (SELECT z FROM raw.c)", "raw.a raw.b raw.c"),
    ("SELECT * FROM raw.a, LATERAL (SELECT * FROM raw.b WHERE b.x = a.x) AS l", "raw.a raw.b"),
    ("SELECT x FROM raw.a UNION SELECT x FROM raw.b EXCEPT SELECT x FROM raw.c", "raw.a raw.b raw.c"),
    ("(SELECT x FROM raw.a) INTERSECT (SELECT x FROM raw.b)", "raw.a raw.b"),
    ("SELECT x FROM raw.a QUALIFY row_number() OVER (ORDER BY (SELECT max(y) FROM raw.b)) = 1", "raw.a raw.b"),
    ("SELECT a.x FROM raw.a ASOF JOIN raw.b ON a.t >= b.t POSITIONAL JOIN raw.c", "raw.a raw.b raw.c"),
    ("SELECT x FROM raw.a SEMI JOIN raw.b USING (x) ANTI JOIN raw.c USING (x)", "raw.a raw.b raw.c"),
    ("SELECT * FROM (raw.a JOIN raw.b USING (x))", "raw.a raw.b"),
    ("SELECT * FROM (PIVOT raw.a ON x USING sum(y))", "raw.a"),
    ("SELECT * FROM raw.a PIVOT (sum(y) FOR x IN (1, 2))", "raw.a"),
    ("SELECT * FROM (UNPIVOT raw.a ON x INTO NAME n VALUE v)", "raw.a"),
    ("SELECT * FROM raw.a TABLESAMPLE 10%", "raw.a"),
    ("SELECT raw.a.x, a FROM raw.a", "raw.a"),
    ("SELECT sum(x) AS s FROM raw.a GROUP BY ALL HAVING sum(x) > (SELECT avg(x) FROM raw.b)", "raw.a raw.b"),
    ("SELECT * EXCLUDE (x) REPLACE (y + 1 AS y) FROM raw.a", "raw.a"),
    ("SELECT * FROM range(3), unnest([1, 2]) AS u(v), raw.a, generate_series(1, 2) AS g", "raw.a"),
    ("SELECT unnest(xs) AS x FROM raw.a", "raw.a"),
    ("SELECT 'FROM raw.no' AS a, \"raw.no\" AS b /* FROM raw.no */ FROM raw.a -- FROM raw.no", "raw.a"),
    ("SELECT * FROM raw.a AS b WHERE b.x = $minimum", "raw.a"),
    ("TABLE raw.a", "raw.a"),
    ("SELECT 1 AS x", ""),
    ("WITH a(x, y) AS (SELECT 1, 2), b AS MATERIALIZED (SELECT * FROM a) SELECT * FROM b", ""),
    ("SELECT list(x ORDER BY (SELECT y FROM raw.b)) AS l FROM raw.a WINDOW w AS (PARTITION BY z)", "raw.a raw.b"),
]


@pytest.mark.parametrize(("sql", "reads"), READS)
def test_the_tables_a_query_reads(sql: str, reads: str) -> None:
    found = facts(sql)
    assert sorted(map(str, found.reads)) == reads.split()
    assert found.problems == ()


def test_a_long_chain_is_not_too_deep() -> None:
    sql = " UNION ALL ".join(f"SELECT {number} AS n FROM raw.t{number % 3}" for number in range(400))
    assert len(facts(sql).reads) == 3


def test_every_mention_has_its_place() -> None:
    found = facts("SELECT *\nFROM raw.a\n  JOIN raw.b USING (x)\nWHERE y IN (FROM raw.a)", "m.sql", 7)
    assert [(str(mention.relation), mention.line, mention.column) for mention in found.mentions] == [
        ("raw.a", 8, 6),
        ("raw.b", 9, 8),
        ("raw.a", 10, 18),
    ]


PROBLEMS = [
    ("SELECT *\nFROM orders", "UNQUALIFIED_TABLE", "2:6"),
    ("WITH a AS (SELECT * FROM b), b AS (SELECT 1 AS x) SELECT * FROM a", "UNQUALIFIED_TABLE", "1:26"),
    ("WITH r AS (SELECT * FROM r) SELECT * FROM r", "UNQUALIFIED_TABLE", "1:26"),
    ("SELECT * FROM (WITH a AS (SELECT 1 AS x) SELECT * FROM a), a", "UNQUALIFIED_TABLE", "1:60"),
    ("SELECT * FROM db.raw.a", "UNQUALIFIED_TABLE", "1:15"),
    ("SELECT * FROM read_csv('a.csv')", "TABLE_FUNCTION", "1:15"),
    ("SELECT * FROM read_parquet('a.parquet')", "TABLE_FUNCTION", "1:15"),
    ("SELECT * FROM read_json_auto('a.json')", "TABLE_FUNCTION", "1:15"),
    ("SELECT * FROM read_text('/etc/passwd')", "TABLE_FUNCTION", "1:15"),
    ("SELECT * FROM glob('*')", "TABLE_FUNCTION", "1:15"),
    ("SELECT * FROM query('SELECT 1')", "TABLE_FUNCTION", "1:15"),
    ("SELECT * FROM query_table('raw.a')", "TABLE_FUNCTION", "1:15"),
    ("SELECT * FROM duckdb_secrets()", "TABLE_FUNCTION", "1:15"),
    ("SELECT * FROM raw.a, LATERAL read_csv(a.path)", "TABLE_FUNCTION", "1:30"),
    ("SELECT * FROM 'data.parquet'", "TABLE_FUNCTION", "1:15"),
    ('SELECT * FROM "s3://bucket/x.csv"', "TABLE_FUNCTION", "1:15"),
    ("SELECT a, b AS A FROM raw.t", "DUPLICATE_COLUMN", "1:16"),
    ("SELECT t.id, u.id FROM raw.t JOIN raw.u USING (x)", "DUPLICATE_COLUMN", "1:14"),
    ("SELECT *, 1 AS x, 2 AS x FROM raw.t", "DUPLICATE_COLUMN", "1:24"),
    ("SELECT 1 AS x, 2 AS x UNION ALL SELECT 3, 4", "DUPLICATE_COLUMN", "1:21"),
    ("SELECT $run_date FROM raw.t", "UNNAMED_COLUMN", "1:1"),
    ("SELECT ? AS x FROM raw.t", "BAD_PARAMETER", "1:1"),
    ("SELECT $1 AS x FROM raw.t", "BAD_PARAMETER", "1:8"),
]


@pytest.mark.parametrize(("sql", "code", "place"), PROBLEMS)
def test_what_a_model_must_not_do(sql: str, code: str, place: str) -> None:
    problems = facts(sql, "m.sql").problems
    assert [(problem.code, str(problem.location)) for problem in problems] == [(code, f"m.sql:{place}")]
    assert problems[0].hint


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT a, t.b, 1 AS c, s.x.y FROM raw.t", ("a", "b", "c", "y")),
        ("SELECT * FROM raw.t", None),
        ("SELECT t.* FROM raw.t", None),
        ("SELECT count(*) FROM raw.t", None),
        ("SELECT COLUMNS('a.*') FROM raw.t", None),
        ("SELECT a FROM raw.t UNION SELECT b FROM raw.u", ("a",)),
        ("SELECT a FROM raw.t UNION BY NAME SELECT b FROM raw.u", None),
        ('(SELECT a AS "A b" FROM raw.t)', ("A b",)),
        ("WITH x AS (SELECT * FROM raw.t) SELECT a FROM x", ("a",)),
        ("FROM raw.t", None),
        ("SELECT t.#1 FROM raw.t", None),
    ],
)
def test_output_columns_where_no_schema_is_needed(sql: str, columns: tuple[str, ...] | None) -> None:
    assert facts(sql).columns == columns


@pytest.mark.parametrize(
    "expression",
    ["now()", "random()", "current_timestamp", "current_date", "uuid()", "today()", "nextval('s')", "current_time"],
)
def test_functions_that_differ_between_runs(expression: str) -> None:
    assert facts(f"SELECT {expression} AS x FROM raw.t").volatile
    assert not facts("SELECT t.random, date_trunc('day', d) AS day, \"now\" FROM raw.t").volatile


def test_parameters_are_found_where_they_are_used() -> None:
    found = facts("SELECT '$no' AS a,\n  $yes AS b, $yes + 1 AS c -- $no\nFROM raw.t", line=3)
    assert found.parameters == (("yes", 4, 3), ("yes", 4, 14))


def test_the_fingerprint_ignores_what_means_nothing() -> None:
    one = facts("SELECT a FROM raw.t WHERE b > 1").fingerprint
    assert facts("select a -- the a\nfrom raw.t\nwhere b>1;").fingerprint == one
    assert facts("SELECT a FROM raw.t WHERE b > 2").fingerprint != one


WORDS = """SELECT FROM WHERE GROUP BY ALL HAVING QUALIFY ORDER LIMIT WITH RECURSIVE AS ( ) , . ; * + - / = < > :: [ ] {
    } : JOIN LEFT ASOF POSITIONAL LATERAL ON USING UNION INTERSECT EXCEPT NAME VALUES PIVOT UNPIVOT CASE WHEN
    THEN ELSE END CAST IN EXISTS NOT NULL TRUE OVER PARTITION FILTER WINDOW EXCLUDE REPLACE COLUMNS DISTINCT
    INTERVAL DATE INSERT INTO CREATE TABLE ATTACH COPY TO SET PRAGMA DESCRIBE lambda x y raw orders raw.orders
    $p $1 ? 1 1.5 'a' "b" E'\\n' $$c$$ /* */ -- unnest range read_csv sum count list_transform struct_pack
    try_cast extract year GLOB SIMILAR ESCAPE AT TABLESAMPLE MATERIALIZED ANTI SEMI FETCH FIRST ROWS ONLY
    COLLATE ARRAY MAP STRUCT DEFAULT FOR UPDATE TOP"""


@given(st.lists(st.sampled_from(WORDS.split()), max_size=25).map(" ".join))
@settings(max_examples=examples(400), deadline=None)
def test_any_words_are_read_or_refused_with_their_place(sql: str) -> None:
    try:
        found = facts(f"SELECT {sql}", "m.sql", 3)
    except UserError as error:
        assert error.problem.location is not None
        assert error.problem.location.line is not None
        assert error.problem.location.line >= 3
    else:
        assert all(problem.location and problem.hint for problem in found.problems)


@given(st.text(max_size=60))
@settings(deadline=None)
def test_any_text_is_read_or_refused(sql: str) -> None:
    with contextlib.suppress(UserError):
        facts(sql)
