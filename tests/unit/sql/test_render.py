from __future__ import annotations

import math
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock.errors import UserError
from penstock.sql.render import bind_parameters, parameters

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
VALUES = st.one_of(
    TEXT,
    st.integers(-(2**127) + 1, 2**127 - 1),
    st.booleans(),
    st.floats(allow_nan=False),
    st.dates(),
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),
)
# Each writes $p once where it is a parameter, and anywhere else where it is not.
AROUND = [
    "$p",
    "'$p' || CAST($p AS VARCHAR)",
    "'it''s $p'",
    "E'\\' $p'",
    "$$ $p ' $$",
    "$x$ $p $$ $x$",
    '"$p"',
    '"a""$p"',
    "a$p",
    "/* $p */ 1",
    "/* /* $p */ $p */ 1",
    "-- $p '\n 1",
    "CASE WHEN $p IS NULL THEN 0 ELSE 1 END",
    "[$p, $p]",
    "3-$p_number",
    "-$p_number",
    "'\\' || 'x'",
    "1--$p\n+2",
]
FROM = ' FROM (SELECT 1 AS "$p", 2 AS "a""$p", 3 AS a$p)'


def one(database: duckdb.DuckDBPyConnection, sql: str, values: dict[str, Any] | None = None) -> Any:
    row = database.execute(sql, values or None).fetchone()
    assert row is not None
    return row


@given(VALUES)
def test_a_bound_value_comes_back_as_it_was(database: duckdb.DuckDBPyConnection, value: Any) -> None:
    found = one(database, bind_parameters("SELECT $p AS v", {"p": value}))[0]
    assert (found, type(found)) == (value, type(value))


@given(st.lists(st.sampled_from(AROUND), min_size=1, max_size=5), VALUES, st.integers(-5, 5))
@settings(max_examples=examples(150))
def test_only_parameters_are_replaced(
    database: duckdb.DuckDBPyConnection, items: list[str], value: Any, number: int
) -> None:
    """DuckDB's own binding of named parameters is the oracle."""
    sql = "SELECT " + ", ".join(f"{item} AS c{index}" for index, item in enumerate(items)) + FROM
    values = {"p": value, "p_number": number}
    used = {name: values[name] for name in {name for name, _, _ in parameters(sql)}}
    assert one(database, bind_parameters(sql, used)) == one(database, sql, used)


@given(st.text(st.characters(exclude_characters="$\0", exclude_categories=["Cs"])))
def test_text_without_parameters_is_left_alone(text: str) -> None:
    assert bind_parameters(text, {}) == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", "VARCHAR"),
        (True, "BOOLEAN"),
        (1, "INTEGER"),
        (-1, "INTEGER"),
        (2**40, "BIGINT"),
        (2**100, "HUGEINT"),
        (1.5, "DOUBLE"),
        (date(2026, 1, 2), "DATE"),
        (datetime(2026, 1, 2, 3), "TIMESTAMP"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "TIMESTAMP WITH TIME ZONE"),
    ],
)
def test_types(database: duckdb.DuckDBPyConnection, value: Any, kind: str) -> None:
    assert one(database, bind_parameters("SELECT typeof($p)", {"p": value})) == (kind,)


def test_moments_are_written_in_utc(database: duckdb.DuckDBPyConnection) -> None:
    moment = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert one(database, bind_parameters("SELECT CAST($p AS TIMESTAMP)", {"p": moment})) == (
        datetime(2026, 7, 1, 7, 0, 15, 123456),
    )


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinity(database: duckdb.DuckDBPyConnection, value: float) -> None:
    assert one(database, bind_parameters("SELECT $p", {"p": value})) == (value,)


def test_not_a_number(database: duckdb.DuckDBPyConnection) -> None:
    assert one(database, bind_parameters("SELECT isnan($p)", {"p": math.nan})) == (True,)


def test_values_beside_words_stay_apart(database: duckdb.DuckDBPyConnection) -> None:
    assert one(database, bind_parameters("SELECT $p,3 IN($p)AND 3=$p AND $b", {"p": 3, "b": True})) == (3, True)


def test_lines_stay_where_they_are() -> None:
    assert bind_parameters("a\n$p\nb", {"p": "x"}).splitlines()[2] == "b"


def test_a_missing_value_is_told() -> None:
    with pytest.raises(UserError) as caught:
        bind_parameters("SELECT $q", {"p": 1})
    assert caught.value.code == "UNKNOWN_PARAMETER"
    assert "$p" in str(caught.value.problem.hint)


@pytest.mark.parametrize("value", ["a\0b", 2**127])
def test_what_sql_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(UserError) as caught:
        bind_parameters("SELECT $p", {"p": value})
    assert caught.value.code == "BAD_PARAMETER"


def test_binding_needs_no_parser() -> None:
    code = "import sys, penstock.sql.render; sys.exit(bool({'sqlglot', 'duckdb', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
