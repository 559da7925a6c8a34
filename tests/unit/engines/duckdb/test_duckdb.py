"""What DuckDB's warehouse does beyond what every engine must: its files, its commits that fail, its rebuilds."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from penstock.embedded.connection import connect
from penstock.engines.duckdb.engine import FILE, PLUGIN
from penstock.errors import Cancelled, DriverError, InternalError, Locked, PenstockError, UserError
from penstock.ports import Session, Warehouse, WarehouseOptions


@pytest.fixture
def options(tmp_path: Path) -> WarehouseOptions:
    return WarehouseOptions(home=tmp_path / "home", locked_for="test", folders=(tmp_path / "home" / "landing",))


@contextmanager
def opened(options: WarehouseOptions, **changes: Any) -> Iterator[Warehouse]:
    with closing(PLUGIN.open(replace(options, **changes))) as warehouse:
        yield warehouse


@pytest.fixture
def session(options: WarehouseOptions) -> Iterator[Session]:
    with opened(options) as warehouse:
        yield warehouse.session()


def put(options: WarehouseOptions, word: str) -> None:
    with opened(options) as warehouse:
        warehouse.session().execute(f"CREATE OR REPLACE TABLE t AS SELECT '{word}' AS word")


def word(options: WarehouseOptions) -> str:
    with opened(options, read_only=True) as warehouse:
        return str(warehouse.session().query("SELECT word FROM t").rows[0][0])


# The file


def test_nobody_else_can_read_the_warehouse(options: WarehouseOptions) -> None:
    put(options, "secret")
    assert (options.home / FILE).stat().st_mode & 0o077 == 0
    assert (options.home / "landing").is_dir(), "a folder that statements may use has not been made"


def test_the_stamp_tells_an_untouched_warehouse_from_one_that_was_used(options: WarehouseOptions) -> None:
    assert PLUGIN.stamp(options) is None
    put(options, "one")
    before = PLUGIN.stamp(options)
    assert word(options) == "one"
    assert PLUGIN.stamp(options) == before
    (options.home / f"{FILE}.wal").touch()
    assert PLUGIN.stamp(options) != before, "a write-ahead log has turned up"


def test_opening_leaves_no_lock_when_it_fails(options: WarehouseOptions) -> None:
    options.home.mkdir(parents=True)
    (options.home / FILE).write_bytes(b"no warehouse at all\n" * 1000)
    for _ in range(2):
        with pytest.raises(DriverError) as caught, opened(options):
            pytest.fail("it has opened a text")
        assert caught.value.code == "ENGINE_IO"
    (options.home / FILE).unlink()
    put(options, "fine")


def test_only_the_folders_it_was_given(options: WarehouseOptions, session: Session) -> None:
    session.execute(f"COPY (SELECT 1 AS a) TO '{options.home}/landing/a.csv'")
    for place in (options.home, options.home.parent):
        with pytest.raises(UserError) as caught:
            session.execute(f"COPY (SELECT 1 AS a) TO '{place}/a.csv'")
        assert caught.value.code == "OUTSIDE_ACCESS"


def test_two_warehouses_in_one_process_are_one_writer(options: WarehouseOptions) -> None:
    with opened(options), pytest.raises(Locked) as caught, opened(options):
        pytest.fail("two writers")
    assert caught.value.code == "LOCKED"
    with opened(options):
        pass


def test_a_forked_child_is_refused(options: WarehouseOptions) -> None:
    code = """
import os, sys
from pathlib import Path
from penstock.engines.duckdb.engine import PLUGIN
from penstock.errors import StateError
from penstock.ports import WarehouseOptions

warehouse = PLUGIN.open(WarehouseOptions(home=Path(sys.argv[1])))
child = os.fork()
if not child:
    try:
        warehouse.session()
    except StateError as error:
        os._exit(7 if error.code == "FORKED" else 8)
    os._exit(9)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
warehouse.close()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(options.home)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "7\n"


# Sessions


def test_what_is_registered_is_seen_by_its_session_alone_and_while_it_lasts(options: WarehouseOptions) -> None:
    with opened(options) as warehouse:
        mine, other = warehouse.session(), warehouse.session()
        with mine.register('odd "name"', pa.table({"n": [1, 2]})):
            assert mine.query('SELECT sum(n) FROM "odd ""name"""').rows == ((3,),)
            mine.execute('CREATE TABLE kept AS SELECT * FROM "odd ""name"""')
            with pytest.raises(UserError):
                other.query('SELECT * FROM "odd ""name"""')
        with pytest.raises(UserError):
            mine.query('SELECT * FROM "odd ""name"""')
        with pytest.raises(ZeroDivisionError), mine.register("again", pa.table({"n": [1]})):
            raise ZeroDivisionError
        with pytest.raises(UserError):
            mine.query("SELECT * FROM again")
        assert other.query("SELECT count(*) FROM kept").rows == ((2,),)


def test_one_session_s_rows_go_into_another(options: WarehouseOptions) -> None:
    with opened(options) as warehouse:
        reader, writer = warehouse.session(), warehouse.session()
        reader.execute("CREATE TABLE t AS SELECT range AS n FROM range(100000)")
        with writer.register("given", reader.arrow("SELECT n FROM t")):
            writer.execute("CREATE TABLE u AS SELECT n FROM given")
        assert writer.query("SELECT count(*), sum(n) FROM u").rows == ((100_000, 4_999_950_000),)


@pytest.mark.parametrize(
    ("sql", "changed"),
    [
        ("CREATE TABLE x (n INTEGER)", 0),
        ("INSERT INTO t SELECT range, '' FROM range(7)", 7),
        ("INSERT INTO t SELECT 1, '' WHERE false", 0),
        ("DELETE FROM t", 3),
        ("UPDATE t SET word = '' WHERE n > 0", 2),
        ("CREATE TABLE x AS SELECT * FROM t", 3),
        ("CREATE VIEW x AS SELECT * FROM t", 0),
        ("DROP TABLE t", 0),
        ("SELECT 'x'", 0),
    ],
)
def test_execute_counts_the_rows_it_changes(session: Session, sql: str, changed: int) -> None:
    session.execute("CREATE TABLE t AS SELECT range AS n, 'w' AS word FROM range(3)")
    assert session.execute(sql) == changed


def test_a_thread_of_its_own_is_insisted_upon_everywhere(session: Session) -> None:
    calls = {
        "execute": lambda: session.execute("SELECT 1"),
        "query": lambda: session.query("SELECT 1"),
        "stream": lambda: list(session.stream("SELECT 1")),
        "arrow": lambda: session.arrow("SELECT 1"),
        "describe": lambda: session.describe("SELECT 1"),
        "transaction": lambda: session.transaction().__enter__(),
        "register": lambda: session.register("x", pa.table({"n": [1]})).__enter__(),
    }
    raised = {}

    def use() -> None:
        for name, call in calls.items():
            try:
                call()
            except InternalError as error:
                raised[name] = error.code

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert raised == dict.fromkeys(calls, "SESSION_SHARED")


def test_a_nested_transaction_is_told_and_the_outer_one_ends_well(session: Session) -> None:
    session.execute("CREATE TABLE t (n INTEGER)")
    with pytest.raises(PenstockError), session.transaction(), session.transaction():
        pass
    with session.transaction():
        session.execute("INSERT INTO t VALUES (1)")
    assert session.query("SELECT n FROM t").rows == ((1,),)


def test_an_interrupted_transaction_is_rolled_back(options: WarehouseOptions) -> None:
    raised: list[type] = []
    with opened(options) as warehouse:
        warehouse.session().execute("CREATE TABLE t (n BIGINT)")

        def work() -> None:
            mine = warehouse.session()
            try:
                with mine.transaction():
                    mine.execute("INSERT INTO t VALUES (1)")
                    mine.execute(
                        "INSERT INTO t SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b"
                    )
            except PenstockError as error:
                raised.append(type(error))
            mine.execute("INSERT INTO t VALUES (2)")

        thread = threading.Thread(target=work)
        thread.start()
        while not raised and thread.is_alive():
            warehouse.interrupt()
            thread.join(0.02)
        thread.join()
        assert raised == [Cancelled]
        assert warehouse.session().query("SELECT n FROM t").rows == ((2,),)


# Commits that fail


def test_a_conflict_that_shows_at_commit_is_unknown_with_its_cause(options: WarehouseOptions) -> None:
    """Two rows of one key, each in its own transaction: only the second COMMIT finds out."""
    with opened(options) as warehouse:
        first, second = warehouse.session(), warehouse.session()
        first.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
        with pytest.raises(DriverError) as caught, second.transaction():
            second.execute("INSERT INTO t VALUES (1)")
            with first.transaction():
                first.execute("INSERT INTO t VALUES (1)")
        assert caught.value.code == "COMMIT_UNKNOWN"
        assert caught.value.transient
        assert isinstance(caught.value.__cause__, PenstockError)
        assert second.query("SELECT n FROM t").rows == ((1,),), "the session is stuck in its transaction"


def test_a_disk_that_is_full_at_commit_is_told_as_the_cause(options: WarehouseOptions) -> None:
    put(options, "one")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    listening = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with opened(options) as warehouse:
            session = warehouse.session()
            session.execute("CREATE TABLE big (a VARCHAR)")
            with pytest.raises(DriverError) as caught, session.transaction():
                session.execute("INSERT INTO big SELECT md5(CAST(range AS VARCHAR)) FROM range(20000)")
                resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, listening)
    assert caught.value.code == "COMMIT_UNKNOWN"
    cause = caught.value.__cause__
    assert isinstance(cause, PenstockError)
    assert cause.code in {"DISK_FULL", "ENGINE_FATAL"}
    with opened(options) as warehouse:
        count = warehouse.session().query("SELECT count(*) FROM big").rows
    assert count in (((0,),), ((20_000,),)), "half of a transaction"
    assert word(options) == "one"


# Rebuilding


def test_a_rebuild_begins_empty_and_leaves_nothing_beside(options: WarehouseOptions) -> None:
    put(options, "old")
    rubbish = options.home / ".rebuild"
    rubbish.mkdir()
    (rubbish / FILE).write_bytes(b"of a rebuild that was killed")
    with PLUGIN.rebuilding(options) as beside:
        put(beside, "new")
        assert word_now(options.home / FILE) == "old"
    assert word(options) == "new"
    assert not rubbish.exists()
    assert sorted(path.name for path in options.home.iterdir() if path.is_file()) == [FILE, "warehouse.lock"]


def word_now(path: Path) -> str:
    """Without our lock, which the rebuild holds."""
    with closing(connect(path, read_only=True)) as connection:
        return str(connection.execute("SELECT word FROM t").fetchall()[0][0])


def test_a_rebuild_that_fails_changes_nothing(options: WarehouseOptions) -> None:
    put(options, "old")
    before = (options.home / FILE).read_bytes()
    with pytest.raises(ZeroDivisionError), PLUGIN.rebuilding(options) as beside:
        put(beside, "half")
        raise ZeroDivisionError
    assert (options.home / FILE).read_bytes() == before
    put(options, "and the lock is free")


def test_a_rebuild_without_a_warehouse_before_it(options: WarehouseOptions) -> None:
    with PLUGIN.rebuilding(options) as beside:
        put(beside, "new")
    assert word(options) == "new"


@pytest.mark.parametrize("damaged", [False, True])
def test_an_old_write_ahead_log_never_meets_the_new_file(options: WarehouseOptions, damaged: bool) -> None:
    """DuckDB 1.5 would play it into the new one: rows twice. 2.0 would refuse to open."""
    put(options, "old")
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom penstock.embedded.connection import connect\n"
        "connection = connect(Path(sys.argv[1]))\nconnection.execute(\"UPDATE t SET word = 'in the log'\")\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(options.home / FILE)], check=False)
    log = options.home / f"{FILE}.wal"
    assert log.stat().st_size > 0, "nothing was in the log: the test shows nothing"
    if damaged:
        log.write_bytes(os.urandom(log.stat().st_size))
    with PLUGIN.rebuilding(options) as beside:
        put(beside, "new")
    assert not log.exists()
    assert word(options) == "new"
    with opened(options) as warehouse:
        assert warehouse.session().query("SELECT count(*) FROM t").rows == ((1,),)


def test_nobody_works_in_a_warehouse_that_is_rebuilt(options: WarehouseOptions) -> None:
    put(options, "old")
    with PLUGIN.rebuilding(replace(options, locked_for="rebuild")) as beside:
        for read_only in (False, True):
            with pytest.raises(Locked, match="`rebuild`"), opened(options, read_only=read_only):
                pytest.fail("both have it")
        put(beside, "new")


def test_a_checkpoint_leaves_everything_in_the_file(options: WarehouseOptions, tmp_path: Path) -> None:
    with opened(options) as warehouse:
        warehouse.session().execute("CREATE TABLE t AS SELECT 'x' AS word FROM range(1000)")
        warehouse.checkpoint()
        log = options.home / f"{FILE}.wal"
        assert not log.exists() or log.stat().st_size == 0


def test_the_result_that_was_cut_short_is_let_go(session: Session) -> None:
    """DuckDB 2 refuses the next statement while a result is open, 1.5 silently cuts the older one."""
    for limit in (0, 1, 2048, 100_000):
        found = session.query("SELECT range FROM range(1000000)", limit=limit)
        assert (len(found.rows), found.more) == (limit, True)
        assert session.execute("SELECT 1") == 1
