"""The fix that goes with a message of DuckDB's, on the installed version."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from penstock.embedded.connection import connect
from penstock.embedded.failure import translated
from penstock.embedded.home import usable
from penstock.errors import DriverError, PenstockError


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    made = connect(None)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("sql", "code", "hint"),
    [
        ("SELECT nope FROM (SELECT 1 AS a)", "SQL_INVALID", "--columns"),
        ("FROM nothing_here", "SQL_INVALID", "--columns"),
        ("SELEC 1", "SQL_INVALID", "correct the SQL; the dialect is DuckDB's"),
        ("SELECT a, order FROM t", "SQL_INVALID", 'as a name is written "order"'),
        ("CREATE TABLE t (begun DATE,\n  end DATE)", "SQL_INVALID", 'as a name is written "end"'),
        ("SELECT a, FROM", "SQL_INVALID", "correct the SQL; the dialect is DuckDB's"),
        ("SELECT a + 1 FROM (SELECT 'x'::VARCHAR AS a)", "SQL_INVALID", "cast"),
        ("SELECT CAST(x AS INTEGER) FROM (VALUES ('a')) AS t(x)", "SQL_FAILED", "TRY_CAST"),
    ],
)
def test_what_to_do_is_said(connection: duckdb.DuckDBPyConnection, sql: str, code: str, hint: str) -> None:
    with pytest.raises(PenstockError) as told, translated():
        connection.execute(sql).fetchall()
    assert told.value.code == code
    assert hint in (told.value.problem.hint or "")
    assert "Candidate functions" not in told.value.problem.message


def test_a_damaged_warehouse_is_made_anew_from_landing(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(b"this is not one" * 1000)
    with pytest.raises(DriverError) as told:
        connect(path)
    assert told.value.code == "ENGINE_IO"
    assert "penstock rebuild" in (told.value.problem.hint or "")


def test_a_full_disk_does_not_claim_that_nothing_was_published(tmp_path: Path) -> None:
    with pytest.raises(DriverError) as told, usable(tmp_path):
        raise OSError(28, "No space left on device")
    assert told.value.code == "DISK_FULL"
    assert "what was published stands" in (told.value.problem.hint or "")
