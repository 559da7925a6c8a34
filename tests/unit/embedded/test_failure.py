"""What DuckDB's errors mean to us, provoked for real: the texts are the installed version's own."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from penstock.embedded.connection import connect
from penstock.embedded.failure import line_of, translate, translated
from penstock.errors import Cancelled, DriverError, Locked, PenstockError, UserError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "w.duckdb"


@pytest.fixture
def connection(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(connect(path)) as made:
        yield made


def failed(connection: duckdb.DuckDBPyConnection, *statements: str) -> PenstockError:
    with pytest.raises(PenstockError) as caught, translated():
        for statement in statements:
            connection.execute(statement).fetchall()
    return caught.value


@pytest.mark.parametrize(
    ("sql", "code", "line"),
    [
        ("SELEC 1", "SQL_INVALID", 1),
        ("SELECT 1\nFROM nowhere", "SQL_INVALID", 2),
        ("SELECT 1,\n  2,\n  missing", "SQL_INVALID", 3),
        ("SELECT no_such_function(1)", "SQL_INVALID", 1),
        ("SELECT sum('x')", "SQL_INVALID", None),
        ("SELECT CAST('x' || range AS INTEGER) FROM range(3)", "SQL_FAILED", None),
        ("SELECT error('mine')", "SQL_FAILED", None),
        ("SELECT CAST(range AS TINYINT) FROM range(300)", "SQL_FAILED", None),
        ("SELECT * FROM read_csv('/etc/passwd')", "OUTSIDE_ACCESS", None),
        ("COPY (SELECT 1) TO '/tmp/escaped.csv'", "OUTSIDE_ACCESS", None),
    ],
)
def test_what_is_wrong_with_the_sql(
    connection: duckdb.DuckDBPyConnection, sql: str, code: str, line: int | None
) -> None:
    error = failed(connection, sql)
    assert isinstance(error, UserError)
    assert error.code == code
    assert not error.transient
    if line is not None:
        assert error.sql_line == line


def test_a_message_does_not_repeat_the_statement(connection: duckdb.DuckDBPyConnection) -> None:
    """It may hold values nobody should see in a log."""
    error = failed(connection, "SELECT missing FROM range(1) WHERE 'card 4111-1111' = 'x'")
    assert "4111" not in str(error)
    assert "LINE" not in error.problem.message
    assert "\n" not in error.problem.message
    assert error.__cause__ is not None


def test_lines_of_messages() -> None:
    assert line_of("Binder Error: it\n\nLINE 12: SELECT x\n               ^") == 12
    assert line_of("no line here") is None


def test_two_transactions_that_meet(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    with closing(connection.cursor()) as other:
        other.execute("BEGIN")
        other.execute("UPDATE t SET a = 2")
        error = failed(connection, "BEGIN", "UPDATE t SET a = 3")
        assert (error.code, error.transient) == ("CONFLICT", True)
        connection.execute("ROLLBACK")
        other.execute("ROLLBACK")


def test_two_transactions_that_replace_one_table(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    with closing(connection.cursor()) as other:
        other.execute("BEGIN")
        other.execute("CREATE OR REPLACE TABLE t AS SELECT 2 AS a")
        error = failed(connection, "BEGIN", "CREATE OR REPLACE TABLE t AS SELECT 3 AS a")
        assert (error.code, error.transient) == ("CONFLICT", True)
        connection.execute("ROLLBACK")
        other.execute("ROLLBACK")


def test_a_full_disk(tmp_path: Path) -> None:
    """A file that may not grow: what ENOSPC, a quota and `ulimit -f` have in common is that a write fails."""
    path = tmp_path / "w.duckdb"
    with closing(connect(path)) as connection:
        connection.execute("CREATE TABLE t (a VARCHAR)")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    listening = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with closing(connect(path)) as connection:
            error = failed(connection, "INSERT INTO t SELECT md5(CAST(range AS VARCHAR)) FROM range(500000)")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, listening)
    assert (error.code, error.transient) == ("DISK_FULL", True)
    with closing(connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(0,)], "half of a statement has stayed"


@pytest.mark.parametrize("text", ["No space left on device", "Disk quota exceeded", "File too large"])
def test_the_three_ways_to_say_that_there_is_no_room(text: str) -> None:
    error = translate(duckdb.IOException(f'IO Error: Could not write file "w.duckdb": {text}'))
    assert (error.code, error.transient) == ("DISK_FULL", True)


def test_no_memory(path: Path) -> None:
    with closing(connect(path, memory_limit="40MB", threads=1)) as connection:
        error = failed(connection, "SELECT list(a.range * b.range) FROM range(4000) AS a CROSS JOIN range(4000) AS b")
        assert (type(error), error.code) == (DriverError, "OUT_OF_MEMORY")
        assert connection.execute("SELECT 1").fetchall() == [(1,)], "the connection is of no use any more"


@pytest.mark.parametrize("damage", ["foreign", "zeros", "cut", "header"])
def test_a_damaged_file(path: Path, damage: str) -> None:
    with closing(connect(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT range AS a FROM range(100000)")
    content = path.read_bytes()
    path.write_bytes(
        {
            "foreign": b"a,b\n1,2\n" * 1000,
            "zeros": bytes(len(content)),
            "cut": content[: len(content) // 3],
            "header": content[:4096] + bytes(8192) + content[12288:],
        }[damage]
    )
    with pytest.raises(PenstockError) as caught, closing(connect(path)) as connection, translated():
        connection.execute("SELECT sum(a) FROM t").fetchall()
    assert isinstance(caught.value, DriverError)
    assert caught.value.code in {"ENGINE_IO", "ENGINE_FATAL"}
    assert not caught.value.transient
    if damage != "cut":
        assert "penstock rebuild" in str(caught.value.problem.hint)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DriverError) as caught:
        connect(tmp_path / "absent" / "w.duckdb")
    assert caught.value.code == "ENGINE_IO"


def test_another_program_has_it_open(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Someone's notebook, without our lock."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom penstock.embedded.connection import connect\n"
        "from penstock.errors import PenstockError\n"
        "try:\n    connect(Path(sys.argv[1]))\n"
        "except PenstockError as error:\n    print(type(error).__name__, error.code, error)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Locked WAREHOUSE_LOCKED "), done.stdout
    assert f"pid {os.getpid()}" in done.stdout
    assert issubclass(Locked, DriverError)


def test_an_interrupt(path: Path) -> None:
    raised: list[PenstockError] = []
    with closing(connect(path)) as connection:

        def work() -> None:
            raised.append(failed(connection, "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b"))

        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive():
            connection.interrupt()
            thread.join(0.02)
    assert [type(error) for error in raised] == [Cancelled]


def test_a_signal_while_a_statement_runs_in_the_main_thread(path: Path) -> None:
    """DuckDB tells it as a RuntimeError that is none of its own."""
    with pytest.raises(Cancelled), translated():
        raise RuntimeError("Query interrupted")
    with pytest.raises(RuntimeError, match="something else"), translated():
        raise RuntimeError("something else")


def test_a_transaction_that_is_broken_stays_broken(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE TABLE t (a INTEGER)")
    failed(connection, "BEGIN", "INSERT INTO t VALUES (1)", "SELECT CAST('x' || range AS INTEGER) FROM range(3)")
    assert failed(connection, "SELECT 1").code in {"SQL_FAILED", "SQL_INVALID"}
    connection.execute("ROLLBACK")
    assert connection.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
