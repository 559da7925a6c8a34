"""What SQL may reach: the folders it was given, and nothing else on the machine. Each statement here would get out of a
connection as DuckDB opens it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from penstock.embedded.connection import OLDEST, connect, version
from penstock.embedded.failure import translated
from penstock.errors import DriverError, PenstockError


@dataclass
class Cage:
    """A connection that may use `inside`; `outside` holds a CSV, a Parquet file and a database."""

    connection: duckdb.DuckDBPyConnection
    inside: Path
    outside: Path

    def run(self, sql: str) -> list[tuple[object, ...]]:
        places = {"{in}": str(self.inside), "{out}": str(self.outside)}
        for mark, path in places.items():
            sql = sql.replace(mark, path)
        with translated():
            return self.connection.execute(sql).fetchall()

    def seen(self) -> set[str]:
        """Every file below the folder of both."""
        return {str(path.relative_to(self.inside.parent)) for path in self.inside.parent.rglob("*")}


@pytest.fixture
def cage(tmp_path: Path) -> Iterator[Cage]:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (tmp_path / "inside_too").mkdir()  # begins like the folder that is allowed
    (tmp_path / "inside_too" / "a.csv").write_text("a\n1\n")
    (outside / "a.csv").write_text("a\n1\n")
    with closing(duckdb.connect(str(outside / "a.db"))) as other:
        other.execute("CREATE TABLE t AS SELECT 1 AS a")
        other.execute(f"COPY t TO '{outside}/a.parquet'")
    (inside / "way_out").symlink_to(outside)
    (inside / "a.csv").write_text("a\n1\n")
    with closing(connect(tmp_path / "w.duckdb", allowed=[inside], temporary=tmp_path / "tmp")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
        yield Cage(connection, inside, outside)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{out}/a.csv')",
        "SELECT * FROM '{out}/a.csv'",
        "SELECT * FROM '{out}/*.csv'",
        "SELECT * FROM read_csv(['{in}/a.csv', '{out}/a.csv'])",
        "SELECT * FROM read_csv('{in}/../outside/a.csv')",
        "SELECT * FROM read_csv('{in}_too/a.csv')",
        "SELECT * FROM read_csv('{in}/way_out/a.csv')",
        "COPY t TO '{in}/way_out/new.csv'",
        "SELECT * FROM read_csv('file:{out}/a.csv')",
        "SELECT * FROM read_csv('file://{out}/a.csv')",
        "SELECT * FROM read_parquet('{out}/a.parquet')",
        "SELECT * FROM parquet_metadata('{out}/a.parquet')",
        "SELECT * FROM read_json('{out}/a.csv')",
        "SELECT * FROM read_text('{out}/a.csv')",
        "SELECT * FROM read_blob('{out}/a.csv')",
        "SELECT * FROM sniff_csv('{out}/a.csv')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_text('/proc/self/environ')",
        "SELECT * FROM glob('{out}/*')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_csv('http://127.0.0.1:9/a.csv')",
        "SELECT * FROM read_csv('https://example.org/a.csv')",
        "SELECT * FROM read_csv('s3://bucket/a.csv')",
        "COPY t FROM '{out}/a.csv'",
        "COPY t TO '{out}/new.csv'",
        "COPY t TO '{out}/new.parquet' (FORMAT parquet)",
        "COPY t TO '{out}/new' (FORMAT parquet, PARTITION_BY (a))",
        "COPY t TO '{in}/../outside/new.csv'",
        "COPY t TO '{in}_too/new.csv'",
        "COPY (SELECT 1) TO '/dev/stdout'",
        "EXPORT DATABASE '{out}/new'",
        "IMPORT DATABASE '{out}'",
        "ATTACH '{out}/a.db'",
        "ATTACH '{out}/new.db' AS new",
        "ATTACH '{out}/a.db' AS a (READ_ONLY)",
        "ATTACH 'https://example.org/a.db' AS a",
        "ATTACH 'host=localhost' AS pg (TYPE postgres)",
        "INSTALL httpfs",
        "FORCE INSTALL json FROM community",
        "LOAD httpfs",
        "LOAD '{out}/a.duckdb_extension'",
        "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    ],
)
def test_nothing_outside_is_read_or_written(cage: Cage, sql: str) -> None:
    before = cage.seen()
    with pytest.raises(PenstockError):
        cage.run(sql)
    assert cage.seen() == before
    assert cage.run("SELECT a FROM t") == [(1,)], "the connection is of no use any more"


@pytest.mark.parametrize(
    "sql",
    [
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "RESET lock_configuration",
        "SET allowed_directories = ['/']",
        "SET allowed_paths = ['/etc/passwd']",
        "SET GLOBAL allow_community_extensions = true",
        "SET autoinstall_known_extensions = true",
        "SET autoload_known_extensions = true",
        "SET allow_unsigned_extensions = true",
        "SET extension_directory = '{out}'",
        "SET custom_extension_repository = 'http://example.org'",
        "SET temp_directory = '{out}'",
        "SET secret_directory = '{out}'",
        "SET home_directory = '{out}'",
        "SET file_search_path = '{out}'",
        "SET log_query_path = '{out}/log'",
        "SET python_enable_replacements = true",
        "SET memory_limit = '1TB'",
        "SET TimeZone = 'Asia/Tokyo'",
        "PRAGMA enable_external_access = true",
        "PRAGMA log_query_path = '{out}/log'",
        "PRAGMA memory_limit = '1TB'",
        "RESET ALL",
    ],
)
def test_no_setting_can_be_changed(cage: Cage, sql: str) -> None:
    settings = "SELECT name, value FROM duckdb_settings() ORDER BY name"
    before = cage.run(settings)
    with pytest.raises(PenstockError):
        cage.run(sql)
    assert cage.run(settings) == before
    assert cage.run("SELECT CAST(TIMESTAMPTZ '2026-07-01 00:00:00+00' AS VARCHAR)") == [("2026-07-01 00:00:00+00",)]


@pytest.mark.parametrize("setting", ["getenv('HOME')", "getenv('PATH')"])
def test_the_environment_is_not_read(cage: Cage, setting: str) -> None:
    with pytest.raises(PenstockError):
        cage.run(f"SELECT {setting}")


def test_a_variable_of_python_is_no_table(cage: Cage) -> None:
    with closing(connect()) as other:
        secrets = other.sql("SELECT 'secret' AS word")
        with pytest.raises(PenstockError):
            cage.run("SELECT * FROM secrets")
        assert secrets.fetchall() == [("secret",)]


def test_what_is_inside_may_be_used(cage: Cage) -> None:
    assert cage.run("SELECT * FROM read_csv('{in}/a.csv')") == [(1,)]
    cage.run("COPY t TO '{in}/new.parquet'")
    assert cage.run("SELECT * FROM '{in}/new.parquet'") == [(1,)]


def test_without_folders_nothing_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    with closing(connect()) as connection, pytest.raises(PenstockError), translated():
        connection.execute(f"SELECT * FROM read_csv('{tmp_path}/a.csv')")


def test_the_settings_it_is_given(tmp_path: Path) -> None:
    with closing(connect(temporary=tmp_path / "spill", threads=1, memory_limit="123MiB")) as connection:
        found = dict(
            connection.execute(
                "SELECT name, value FROM duckdb_settings() WHERE name IN ('threads', 'memory_limit', 'temp_directory', "
                "'TimeZone', 'preserve_insertion_order')"
            ).fetchall()
        )
    assert found == {
        "threads": "1",
        "memory_limit": "123.0 MiB",
        "temp_directory": str(tmp_path / "spill"),
        "TimeZone": "UTC",
        "preserve_insertion_order": "false",
    }


def test_times_do_not_depend_on_where_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with closing(connect()) as connection:
        found = connection.execute("SELECT CAST(TIMESTAMPTZ '2026-07-01 00:00:00+00' AS VARCHAR)").fetchall()
    assert found == [("2026-07-01 00:00:00+00",)]


def test_a_folder_with_a_quote_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "Bob's"
    folder.mkdir()
    with closing(connect(allowed=[folder], temporary=folder)) as connection:
        connection.execute("COPY (SELECT 1 AS a) TO '" + str(folder / "a.csv").replace("'", "''") + "'")
    assert (folder / "a.csv").read_text() == "a\n1\n"


def test_a_read_only_connection_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    connect(path).close()
    before = path.read_bytes()
    with closing(connect(path, read_only=True)) as connection, pytest.raises(PenstockError), translated():
        connection.execute("CREATE TABLE t (a INTEGER)")
    assert path.read_bytes() == before


def test_both_supported_lines_read_the_file(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "w.duckdb")) as connection:
        (found,) = connection.execute(
            "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'w'"
        ).fetchall()
    assert "v1.5.0" in str(found[0])


def test_a_duckdb_that_loses_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert version() >= OLDEST
    monkeypatch.setattr(duckdb, "__version__", "1.5.5")
    with pytest.raises(DriverError) as caught:
        connect()
    assert caught.value.code == "DUCKDB_TOO_OLD"
    assert "1.5.5" in str(caught.value)


def test_a_connection_that_cannot_be_hardened_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with pytest.raises(PenstockError):
        connect(path, memory_limit="much")
    connect(path).close()
    open_files = [entry.readlink() for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    assert path not in open_files


ALL_WAIT = """
CREATE TABLE n AS SELECT 6 AS id, 1 AS k;
CREATE TABLE o AS FROM n LIMIT 0;
CREATE TABLE c AS SELECT 1 AS k FROM range(2);
CREATE TABLE a AS SELECT * FROM (VALUES (1, 2), (2, 2), (3, 1), (6, 1)) AS v(id, k);
CREATE MACRO new() AS TABLE FROM n UNION ALL FROM o;
CREATE MACRO met() AS TABLE SELECT k FROM c SEMI JOIN new() AS x ON c.k <> 2;
SELECT DISTINCT * FROM (
  SELECT id AS u FROM new()
  UNION ALL SELECT CASE WHEN NOT j.gone THEN j.k END FROM new() AS x
    LEFT JOIN (SELECT k, false AS gone FROM c UNION ALL SELECT k, true FROM met()) AS j ON j.k = x.k
  UNION ALL SELECT CASE WHEN NOT j.gone THEN j.k END FROM (FROM a UNION ALL FROM o) AS x
    JOIN (SELECT k, false AS gone FROM met() UNION ALL SELECT k, true FROM met()) AS j ON j.k = x.k
)
"""


def test_a_statement_that_never_ended_ends() -> None:
    """In a process of its own: nothing interrupts one that waits for itself."""
    code = (
        "import sys; from penstock.embedded.connection import connect; c = connect(None, threads=1)\n"
        "found = c.execute(sys.argv[1]).fetchall(); c.close(); sys.exit(len(found) != 3)"
    )
    subprocess.run([sys.executable, "-c", code, ALL_WAIT], check=True, timeout=100)
