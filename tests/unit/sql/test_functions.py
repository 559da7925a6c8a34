from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ProjectError, UserError
from penstock.sql.functions import Macro, expand, macros, resolved


def known(*files: str) -> dict[str, Macro]:
    return resolved([macro for number, text in enumerate(files) for macro in macros(text, f"functions/f{number}.sql")])


FUNCTIONS = """
CREATE MACRO net(price, tax) AS (price /* gross */ / (1 + tax)); -- the price without tax
CREATE OR REPLACE FUNCTION Twice(x) AS net(x, 0) * 2;
CREATE MACRO shifted(xs, step) AS list_transform(xs, lambda x: x + step);
CREATE MACRO zero() AS 0;
CREATE MACRO label(t) AS CASE WHEN t IS NULL THEN 'no ''t''' ELSE "t" || $$ (t) $$ END;
CREATE MACRO part(s) AS s.a + s['b'];
CREATE MACRO best(n) AS (SELECT max(v) FROM (VALUES (1), (2), (3)) AS q(v) WHERE v <= n);
"""
QUERIES = [
    "SELECT net(a, b) AS x, net ( a+1 , -b ) AS y FROM t",
    "SELECT twice(a + 1) - TWICE(b) AS x FROM t",
    "SELECT net(net(a, b), twice(b)) AS x FROM t",
    "SELECT shifted([a, 1], b) AS x, zero() AS z, zero ( ) + 1 AS y FROM t",
    "SELECT label(c) AS x, label(NULL) AS y, 'net(a, b)' AS z /* net(1) */ FROM t -- net(1)",
    "SELECT part({'a': a, 'b': b}) AS x FROM t",
    "SELECT best(a) AS x, best(b + 1) AS y FROM t",
    "SELECT sum(net(a, 0)) AS x FROM t GROUP BY b + zero() HAVING sum(net(a, 0)) > zero()",
    "SELECT net AS x FROM (SELECT a AS net FROM t) AS u",
    "WITH net(x, y) AS (SELECT a, b FROM t) SELECT net(x, y) AS n FROM net",
    "SELECT net(\n  a, -- the price\n  b\n) AS x,\n twice(a) AS y\nFROM t",
    "SELECT net((SELECT max(a) FROM t), [1, 2][1]) AS x",
    "SELECT CASE WHEN zero() = 0 THEN 5 - twice(a) END AS x FROM t",
]


@pytest.fixture(scope="session")
def with_functions(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The same functions as DuckDB's own macros: what they mean there is what they must mean here."""
    database.execute("CREATE TABLE t AS SELECT 10 AS a, 3 AS b, 'x' AS c UNION ALL SELECT -4, 2, NULL")
    database.execute(FUNCTIONS)
    return database


@pytest.mark.parametrize("sql", QUERIES)
def test_expanded_queries_give_what_the_functions_give(with_functions: duckdb.DuckDBPyConnection, sql: str) -> None:
    plain = with_functions.execute(sql).fetchall()
    expanded = expand(sql, known(FUNCTIONS)).sql
    bare = duckdb.connect()
    try:
        bare.execute("CREATE TABLE t AS SELECT 10 AS a, 3 AS b, 'x' AS c UNION ALL SELECT -4, 2, NULL")
        assert sorted(map(repr, bare.execute(expanded).fetchall())) == sorted(map(repr, plain))
    finally:
        bare.close()


@given(
    st.recursive(
        st.sampled_from(["a", "b", "-1", "2"]),
        lambda inner: (
            st.builds("net({}, {})".format, inner, inner)
            | st.builds("twice({})".format, inner)
            | st.builds("{} - {}".format, inner, inner)
        ),
        max_leaves=6,
    )
)
def test_any_nesting_is_expanded(with_functions: duckdb.DuckDBPyConnection, expression: str) -> None:
    sql = f"SELECT {expression} AS x FROM t"
    expanded = expand(sql, known(FUNCTIONS)).sql
    assert "net(" not in expanded
    assert "twice(" not in expanded
    plain = with_functions.execute(sql).fetchall()
    assert repr(with_functions.execute(expanded).fetchall()) == repr(plain)


def test_lines_keep_their_numbers() -> None:
    sql = "SELECT\n net(a,\n /* two\n lines */ b) AS x,\n boom\nFROM t"
    expanded = expand(sql, known(FUNCTIONS)).sql
    assert expanded.splitlines()[4] == " boom"
    assert expanded.count("\n") == sql.count("\n")


def test_a_query_without_calls_is_left_as_it_is() -> None:
    sql = "select  net -- net(1)\nfrom t"
    assert expand(sql, known(FUNCTIONS)).sql == sql


def test_the_fingerprint_covers_the_functions_used() -> None:
    def fingerprint(functions: str, sql: str = "SELECT f(a) AS x FROM t") -> str:
        return expand(sql, known(functions)).fingerprint

    one = fingerprint("CREATE MACRO f(x) AS x + 1")
    assert fingerprint("create or replace function f(y) as y+1 -- more") == one
    assert fingerprint("CREATE MACRO f(x) AS x + 1; CREATE MACRO g(x) AS x") == one
    assert fingerprint("CREATE MACRO f(x) AS x + 2") != one


BAD_FILES = [
    ("SELECT 1", "FUNCTION_SYNTAX", "1:1"),
    ("CREATE TABLE x AS SELECT 1", "FUNCTION_SYNTAX", "1:1"),
    ("CREATE", "FUNCTION_SYNTAX", "1:1"),
    ("CREATE MACRO f", "FUNCTION_SYNTAX", "1:14"),
    ("CREATE MACRO s.f(x) AS x", "FUNCTION_SYNTAX", "1:14"),
    ("CREATE MACRO f(x", "FUNCTION_SYNTAX", "1:14"),
    ("CREATE MACRO f(x) AS", "FUNCTION_SYNTAX", "1:17"),
    ("CREATE MACRO f(x) x + 1", "FUNCTION_SYNTAX", "1:17"),
    ("CREATE MACRO f(x := 1) AS x", "FUNCTION_SYNTAX", "1:16"),
    ("CREATE MACRO f(x, X) AS x", "FUNCTION_SYNTAX", "1:16"),
    ("\nCREATE MACRO f(x) AS TABLE SELECT x", "FUNCTION_SYNTAX", "2:22"),
    ("CREATE MACRO f(x) AS x +", "FUNCTION_SYNTAX", "1:14"),
    ("CREATE MACRO f(x) AS x, 2", "FUNCTION_SYNTAX", "1:14"),
    ("CREATE MACRO f(x) AS x FROM raw.t", "FUNCTION_SYNTAX", "1:14"),
    ("CREATE MACRO f(year) AS extract(year FROM d)", "FUNCTION_SYNTAX", "1:14"),
    ("CREATE MACRO f(x) AS list_transform([1], lambda x: x)", "FUNCTION_SYNTAX", "1:14"),
    ("CREATE MACRO sum(x) AS x", "FUNCTION_NAME", "1:14"),
    ("CREATE MACRO coalesce(x) AS x", "FUNCTION_NAME", "1:14"),
    ("CREATE MACRO f(x) AS x;\nCREATE MACRO F(y) AS y", "FUNCTION_DUPLICATE", "2:14"),
    ("CREATE MACRO a(x) AS b(x);\nCREATE MACRO b(x) AS c(x);\nCREATE MACRO c(x) AS a(x)", "FUNCTION_CYCLE", "1:14"),
    ("CREATE MACRO a(x) AS a(x)", "FUNCTION_CYCLE", "1:14"),
    ("CREATE MACRO a(x) AS x;\nCREATE MACRO b(x) AS a(x, 1)", "FUNCTION_ARITY", "2:14"),
]


@pytest.mark.parametrize(("text", "code", "place"), BAD_FILES)
def test_bad_functions_are_told_with_their_place(text: str, code: str, place: str) -> None:
    with pytest.raises(ProjectError) as caught:
        known(text)
    assert [(problem.code, str(problem.location)) for problem in caught.value.problems] == [
        (code, f"functions/f0.sql:{place}")
    ]
    assert caught.value.problem.hint


def test_a_circle_is_told_whole() -> None:
    with pytest.raises(ProjectError, match=r"a\(\) → b\(\) → a\(\)"):
        known("CREATE MACRO a(x) AS b(x)", "CREATE MACRO b(x) AS a(x)")


@pytest.mark.parametrize(
    ("sql", "code", "place"),
    [
        ("SELECT\n  net(1) AS x", "FUNCTION_ARITY", "m.sql:6:3"),
        ("SELECT net() AS x", "FUNCTION_ARITY", "m.sql:5:8"),
        ("SELECT zero(1) AS x", "FUNCTION_ARITY", "m.sql:5:8"),
        ("SELECT a.net(1) AS x FROM t", "FUNCTION_CALL", "m.sql:5:10"),
        ("SELECT twice(a) OVER () AS x FROM t", "FUNCTION_CALL", "m.sql:5:8"),
        ("SELECT twice(a) FILTER (WHERE b) AS x FROM t", "FUNCTION_CALL", "m.sql:5:8"),
    ],
)
def test_bad_calls_are_told_with_their_place(sql: str, code: str, place: str) -> None:
    with pytest.raises(UserError) as caught:
        expand(sql, known(FUNCTIONS), "m.sql", 5)
    assert (caught.value.code, str(caught.value.problem.location)) == (code, place)
