from __future__ import annotations

import pytest

from penstock.errors import UserError
from penstock.sql.parse import parse

BAD = [
    ("SELECT a\nFROM", "SQL_PARSE", "m.sql:11:1"),
    ("SELECT a,\n  b c d\nFROM raw.t", "SQL_PARSE", "m.sql:11:7"),
    ("SELECT * FROM raw.t WHERE x IN (SELECT", "SQL_PARSE", "m.sql:10:33"),
    ("SELECT 'a", "SQL_PARSE", "m.sql:10:8"),
    ('SELECT\n "a', "SQL_PARSE", "m.sql:11:2"),
    ("SELECT 1 /* a", "SQL_PARSE", "m.sql:10:10"),
    ("", "SQL_PARSE", "m.sql:10:1"),
    ("-- nothing\n", "SQL_PARSE", "m.sql:10:1"),
    ("SELECT 1;\nSELECT 2", "SQL_STATEMENTS", "m.sql:11:1"),
    ("SELECT 1; DROP TABLE raw.t", "SQL_STATEMENTS", "m.sql:10:11"),
    ("INSERT INTO raw.t SELECT 1", "SQL_NOT_A_QUERY", "m.sql:10:1"),
    ("-- x\nATTACH 'a.db'", "SQL_NOT_A_QUERY", "m.sql:11:1"),
    ("COPY raw.t TO 'x.csv'", "SQL_NOT_A_QUERY", "m.sql:10:1"),
    ("PRAGMA version", "SQL_NOT_A_QUERY", "m.sql:10:1"),
    ("SET threads = 1", "SQL_NOT_A_QUERY", "m.sql:10:1"),
    ("INSTALL httpfs", "SQL_NOT_A_QUERY", "m.sql:10:1"),
    ("CALL pragma_version()", "SQL_NOT_A_QUERY", "m.sql:10:1"),
    ("CREATE TABLE x AS SELECT 1", "SQL_NOT_A_QUERY", "m.sql:10:1"),
    ("EXPLAIN SELECT 1", "SQL_NOT_A_QUERY", "m.sql:10:1"),
    ("DESCRIBE raw.t", "SQL_NOT_A_QUERY", "m.sql:10:1"),
    ("PIVOT raw.t ON a", "SQL_NOT_A_QUERY", "m.sql:10:1"),
    ("VALUES (1)", "SQL_NOT_A_QUERY", "m.sql:10:1"),
    ("WITH x AS (\n DELETE FROM raw.t RETURNING *) SELECT * FROM x", "SQL_NOT_A_QUERY", "m.sql:11:14"),
    ("SELECT 1 AS a INTO raw.x", "SQL_NOT_A_QUERY", "m.sql:10:20"),
]


@pytest.mark.parametrize(("sql", "code", "place"), BAD)
def test_what_is_not_one_query_is_refused_at_its_place(
    sql: str, code: str, place: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError) as caught:
        parse(sql, "m.sql", 10)
    assert (caught.value.code, str(caught.value.problem.location)) == (code, place)
    assert caught.value.problem.hint
    assert "class" not in caught.value.problem.message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT 1;",
        "SELECT 1;;\n-- done",
        "FROM raw.t",
        "TABLE raw.t",
        "(SELECT 1) UNION ALL SELECT 2",
        "SELECT * FROM (PIVOT raw.t ON a USING sum(b))",
        "SELECT a FROM raw.t QUALIFY row_number() OVER (PARTITION BY b) = 1",
        "SELECT a FROM raw.t ASOF JOIN raw.u USING (id, ts)",
        "SELECT a, sum(b) FROM raw.t GROUP BY ALL ORDER BY ALL",
        "SELECT #1, COLUMNS('x.*'), * EXCLUDE (a) REPLACE (b + 1 AS b) RENAME (c AS d) FROM raw.t",
        "SELECT {'a': 1}.a, [x for x in [1, 2] if x > 1], list_transform([1], lambda x: x + 1)",
        "SELECT 1 FROM raw.t POSITIONAL JOIN raw.u",
        "SELECT sum(x) FILTER (WHERE y), a::DECIMAL(10, 2), b //2, c ** 2, d.e['f'] FROM raw.t",
    ],
)
def test_queries_are_read(sql: str) -> None:
    assert parse(sql) is not None
