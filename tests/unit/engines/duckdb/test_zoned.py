"""Times with a zone reach Python without the package pytz, which DuckDB would want for them."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from penstock.embedded.connection import connect
from penstock.engines.duckdb.session import DuckSession
from penstock.errors import UserError

NINE = "TIMESTAMPTZ '2026-11-21 10:00:00+01'"


@pytest.fixture
def session() -> Iterator[DuckSession]:
    connection = connect(None)
    yield DuckSession(connection)
    connection.close()


@pytest.mark.parametrize("tail", ["", ";", " ; -- done", " -- done", ";\n"])
def test_a_time_with_a_zone_is_given_in_utc(session: DuckSession, tail: str) -> None:
    found = session.query(f"SELECT {NINE} AS at, NULL::TIMESTAMPTZ AS never, 'é;' AS text{tail}")
    assert found.rows == ((datetime(2026, 11, 21, 9, tzinfo=UTC), None, "é;"),)
    assert [column.type for column in found.columns] == ["TIMESTAMP WITH TIME ZONE"] * 2 + ["VARCHAR"]


def test_one_inside_of_something_is_text_that_names_its_zone(session: DuckSession) -> None:
    found = session.query(f"SELECT [{NINE}] AS list, {{'at': {NINE}}} AS struct")
    assert found.rows == ((["2026-11-21 09:00:00+00"], {"at": "2026-11-21 09:00:00+00"}),)


@pytest.mark.parametrize("rows", [3, 200_000])
def test_order_limit_names_and_the_next_statement_are_as_ever(session: DuckSession, rows: int) -> None:
    sql = f"SELECT {NINE} AS at, 1 AS id, 2 AS id, i FROM range({rows}) AS numbers(i) ORDER BY i DESC"
    for _ in range(5):
        found = session.query(sql, limit=2)
        assert [column.name for column in found.columns] == ["at", "id", "id", "i"]
        assert [row[1:] for row in found.rows] == [(1, 2, rows - 1), (1, 2, rows - 2)]
        assert found.more
        assert session.query("SELECT 1").rows == ((1,),)


def test_values_are_bound_in_such_a_query_too(session: DuckSession) -> None:
    assert session.query(f"SELECT {NINE} AS at, ? AS given", ("x",)).rows[0][1] == "x"


@pytest.mark.parametrize("sql", ["", " ", ";", "-- nothing"])
def test_no_statement_is_told_as_such(session: DuckSession, sql: str) -> None:
    with pytest.raises(UserError) as told:
        session.query(sql)
    assert told.value.problem.code == "SQL_INVALID"
