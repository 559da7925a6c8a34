"""What every warehouse engine must do, on each that is registered: the promises of `ports.Engine`, `ports.Warehouse`
and `ports.Session` that the executor relies on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from penstock import registry
from penstock.domain.relation import Column
from penstock.errors import Cancelled, InternalError, Locked, PenstockError, StateError, UserError
from penstock.ports import Engine, Session, WarehouseOptions

ENGINES = ("duckdb",)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return registry.engine(request.param)


@pytest.fixture
def options(tmp_path: Path) -> WarehouseOptions:
    return WarehouseOptions(home=tmp_path / "home", folders=(tmp_path / "landing",), locked_for="test", threads=2)


@contextmanager
def opened(engine: Engine, options: WarehouseOptions) -> Iterator[Any]:
    with closing(engine.open(options)) as warehouse:
        yield warehouse


@pytest.fixture
def warehouse(engine: Engine, options: WarehouseOptions) -> Iterator[Any]:
    with opened(engine, options) as made:
        yield made


@pytest.fixture
def session(warehouse: Any) -> Session:
    made: Session = warehouse.session()
    made.execute("CREATE TABLE t (n BIGINT, word VARCHAR)")
    made.execute("INSERT INTO t SELECT range, 'w' || range FROM range(5)")
    return made


def numbers(session: Session) -> list[int]:
    return sorted(row[0] for row in session.query("SELECT n FROM t").rows)


def test_execute_says_how_many_rows_changed(session: Session) -> None:
    assert session.execute("INSERT INTO t VALUES (?, ?), (?, ?)", (7, "x", 8, None)) == 2
    assert session.execute("UPDATE t SET word = 'y' WHERE n > 6") == 2
    assert session.execute("DELETE FROM t WHERE n = 0") == 1
    assert session.execute("CREATE TABLE u AS SELECT * FROM t") == 6


def test_a_query_gives_columns_rows_and_whether_there_are_more(session: Session) -> None:
    found = session.query("SELECT n, word FROM t ORDER BY n", limit=2)
    assert found.columns == (Column("n", "BIGINT"), Column("word", "VARCHAR"))
    assert found.rows == ((0, "w0"), (1, "w1"))
    assert found.more
    assert not session.query("SELECT n FROM t", limit=5).more
    assert session.query("SELECT n FROM t WHERE n = ?", (3,)).rows == ((3,),)
    assert session.query("SELECT count(*) FROM range(1000000)", limit=1).rows == ((1_000_000,),)
    assert session.query("SELECT range FROM range(1000000)", limit=1).more
    assert len(session.query("SELECT range FROM range(3)").rows) == 3, "a result cut short has spoilt the session"


def test_only_one_statement_at_a_time(session: Session) -> None:
    with pytest.raises(UserError):
        session.query("SELECT 1; DROP TABLE t")
    assert numbers(session) == [0, 1, 2, 3, 4]


def test_a_stream_gives_every_row_once(session: Session) -> None:
    blocks = list(session.stream("SELECT range FROM range(25000)", size=10_000))
    assert [len(block) for block in blocks[:-1]] == [10_000] * (len(blocks) - 1)
    assert sorted(row[0] for block in blocks for row in block) == list(range(25_000))


def test_arrow_goes_out_and_comes_in(session: Session) -> None:
    table = pa.table(session.arrow("SELECT n FROM t WHERE n > 2"))
    assert sorted(table.column("n").to_pylist()) == [3, 4]
    with session.register("given", table):
        assert session.query("SELECT sum(n) FROM given").rows == ((7,),)
    with pytest.raises(PenstockError):
        session.query("SELECT * FROM given")


def test_describe_runs_nothing(session: Session) -> None:
    assert session.describe("SELECT n AS a, CAST(error('run') AS VARCHAR) AS b FROM t") == (
        Column("a", "BIGINT"),
        Column("b", "VARCHAR"),
    )


def test_a_transaction_is_all_or_nothing_schema_too(warehouse: Any, session: Session) -> None:
    with pytest.raises(ZeroDivisionError), session.transaction():
        session.execute("INSERT INTO t VALUES (9, 'x')")
        session.execute("CREATE OR REPLACE TABLE u AS SELECT 1 AS a")
        session.execute("ALTER TABLE t ADD COLUMN more VARCHAR")
        raise ZeroDivisionError
    assert numbers(session) == [0, 1, 2, 3, 4]
    assert len(session.describe("SELECT * FROM t")) == 2
    with pytest.raises(UserError):
        session.query("SELECT * FROM u")
    other = warehouse.session()
    with session.transaction():
        session.execute("INSERT INTO t VALUES (9, 'x')")
        assert numbers(other) == [0, 1, 2, 3, 4], "others see what is not committed"
    assert numbers(other) == [0, 1, 2, 3, 4, 9]


def test_a_failed_statement_does_not_commit_what_was_before_it(session: Session) -> None:
    with pytest.raises(UserError), session.transaction():
        session.execute("INSERT INTO t VALUES (9, 'x')")
        session.execute("INSERT INTO t SELECT CAST('x' || range AS BIGINT), '' FROM range(3)")
    assert numbers(session) == [0, 1, 2, 3, 4]


def test_readers_see_the_old_table_or_the_new_one(warehouse: Any, session: Session) -> None:
    seen, stop = [], threading.Event()

    def read() -> None:
        reader = warehouse.session()
        while not stop.is_set():
            seen.append(reader.query("SELECT count(*), count(DISTINCT word) FROM swapped").rows[0])

    session.execute("CREATE TABLE swapped AS SELECT range AS n, 'v0' AS word FROM range(1000)")
    thread = threading.Thread(target=read)
    thread.start()
    for version in range(1, 30):
        with session.transaction():
            session.execute("DROP TABLE swapped")
            session.execute(f"CREATE TABLE swapped AS SELECT range AS n, 'v{version}' AS word FROM range(1000)")
    stop.set()
    thread.join()
    assert set(seen) == {(1000, 1)}


def test_a_session_belongs_to_its_thread(session: Session) -> None:
    raised: list[BaseException] = []

    def use() -> None:
        try:
            session.query("SELECT 1")
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert [type(error) for error in raised] == [InternalError]


def test_interrupt_stops_a_statement_and_the_session_goes_on(warehouse: Any) -> None:
    begun, raised = threading.Event(), []

    def work() -> None:
        mine = warehouse.session()
        begun.set()
        try:
            mine.query("SELECT sum(a.range * b.range % 7) FROM range(10000000) AS a, range(10000000) AS b")
        except PenstockError as error:
            raised.append(type(error))
        raised.append(mine.query("SELECT 1").rows)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(60)
    while not raised:
        warehouse.interrupt()
        thread.join(0.02)
    thread.join()
    assert raised[0] is Cancelled
    assert raised[1] == ((1,),)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "COPY t TO '/tmp/escaped.csv'",
        "ATTACH '/tmp/escaped.db' AS other",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "INSTALL httpfs",
        "SELECT * FROM read_text('{folder}/../secret')",
        "SELECT * FROM options",
    ],
)
def test_statements_reach_nothing_outside(sql: str, session: Session, options: WarehouseOptions) -> None:
    """`options` is a Python variable here: engines like to look those up."""
    (options.home.parent / "secret").write_text("secret")
    with pytest.raises(PenstockError):
        session.query(sql.replace("{folder}", str(options.folders[0])))
    assert not Path("/tmp/escaped.csv").exists()  # noqa: S108


def test_times_are_utc(session: Session) -> None:
    assert session.query("SELECT CAST(TIMESTAMPTZ '2026-07-01 00:00:00+00' AS VARCHAR)").rows == (
        ("2026-07-01 00:00:00+00",),
    )


def test_what_was_committed_is_there_again(engine: Engine, options: WarehouseOptions) -> None:
    assert not engine.exists(options)
    with pytest.raises(StateError):
        engine.open(WarehouseOptions(home=options.home, read_only=True))
    with opened(engine, options) as warehouse:
        warehouse.session().execute("CREATE TABLE t AS SELECT 1 AS n")
    assert engine.exists(options)
    before = engine.stamp(options)
    with opened(engine, WarehouseOptions(home=options.home, read_only=True)) as reader:
        assert reader.session().query("SELECT n FROM t").rows == ((1,),)
        with pytest.raises(PenstockError):
            reader.session().execute("INSERT INTO t VALUES (2)")
    assert engine.stamp(options) == before, "reading has changed the stamp"
    with opened(engine, options) as warehouse:
        warehouse.session().execute("INSERT INTO t VALUES (2)")
    assert engine.stamp(options) != before


ELSEWHERE = """
import sys
from contextlib import closing
from pathlib import Path
from penstock import registry
from penstock.errors import Locked
from penstock.ports import WarehouseOptions

name, home, read_only = sys.argv[1:]
try:
    with closing(registry.engine(name).open(WarehouseOptions(home=Path(home), read_only=read_only == "True"))):
        print("opened")
except Locked as error:
    print(error.problem.message)
"""


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [(False, False, True), (False, True, True), (True, False, True), (True, True, False)],
)
def test_one_writer_or_many_readers(
    first: bool, second: bool, refused: bool, request: pytest.FixtureRequest, engine: Engine, options: WarehouseOptions
) -> None:
    name = request.node.callspec.params["engine"]
    with opened(engine, options):  # a writer that has gone must not be blamed
        pass
    with opened(engine, WarehouseOptions(home=options.home, read_only=first, locked_for="somebody")):
        found = subprocess.run(
            [sys.executable, "-c", ELSEWHERE, name, str(options.home), str(second)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    assert ("opened" in found) != refused, found
    holder = "a process that reads" if first else f"`somebody` (pid {os.getpid()} "
    assert (holder in found) == refused, found


def test_rebuilding_takes_the_place_at_the_end_or_not_at_all(engine: Engine, options: WarehouseOptions) -> None:
    with opened(engine, options) as warehouse:
        warehouse.session().execute("CREATE TABLE t AS SELECT 'old' AS word")

    def word() -> str:
        with opened(engine, WarehouseOptions(home=options.home, read_only=True)) as reader:
            return str(reader.session().query("SELECT word FROM t").rows[0][0])

    with pytest.raises(ZeroDivisionError), engine.rebuilding(options) as beside:
        with opened(engine, beside) as warehouse:
            warehouse.session().execute("CREATE TABLE t AS SELECT 'half' AS word")
        raise ZeroDivisionError
    assert word() == "old"
    with engine.rebuilding(options) as beside:
        with opened(engine, beside) as warehouse:
            assert not warehouse.session().query("SELECT 1 FROM information_schema.tables").rows, "not an empty one"
            warehouse.session().execute("CREATE TABLE t AS SELECT 'new' AS word")
        with pytest.raises(Locked):
            engine.open(options)
    assert word() == "new"
