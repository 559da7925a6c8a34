"""Killed with SIGKILL while publishing, and on a full disk, with the real exporters."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from python_calamine import CalamineWorkbook

SCRIPT = """
import sys
from contextlib import closing
from pathlib import Path
from penstock import registry
from penstock.domain.export import Export
from penstock.domain.relation import RelationName
from penstock.engines.duckdb.engine import PLUGIN
from penstock.errors import DriverError, Location
from penstock.exports.publish import inside, publish
from penstock.ports import ExportRequest, WarehouseOptions

home, path, run, rows = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
folder = home / "exports"
options = {"partition_by": ["g"]} if path == "folder" else {}
kind = {"folder": "parquet"}.get(path, path.partition(".")[2])
export = Export("e", kind, (RelationName("serv", "t"),), path, Location("exports/e.yml", 1), options=options)
with closing(PLUGIN.open(WarehouseOptions(home=home, folders=(folder,)))) as warehouse:
    session = warehouse.session()
    session.execute("CREATE SCHEMA IF NOT EXISTS serv")
    if rows < 100_000:
        session.execute(f"CREATE OR REPLACE TABLE serv.t AS SELECT {rows} AS n, i % 3 AS g, hash(i) AS h FROM range({rows}) AS s(i)")
    else:  # a view: the warehouse itself needs no room
        session.execute("DROP TABLE serv.t")
        session.execute(f"CREATE VIEW serv.t AS SELECT {rows} AS n, i % 3 AS g, hash(i) AS h FROM range({rows}) AS s(i)")
    try:
        print(publish(lambda target: registry.export(kind).write(ExportRequest(export, session, target)), inside(folder, path), run=run))
    except DriverError as error:
        print(error.code)
"""  # noqa: E501
PATHS = ("a.csv", "a.parquet", "a.xlsx", "a.duckdb", "folder")


def run(home, path, name, rows, *, failpoint="", file_size=None):
    def limit():
        if file_size:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(home), path, name, str(rows)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PENSTOCK_FAILPOINT": failpoint},
        preexec_fn=limit,
    )


def read(home: Path, path: str) -> tuple[int, int]:
    """(what every row says, how many rows there are)"""
    final = home / "exports" / path
    if path.endswith(".xlsx"):
        rows = CalamineWorkbook.from_path(final).get_sheet_by_index(0).to_python()[1:]
        assert len({row[0] for row in rows}) == 1
        return int(rows[0][0]), len(rows)
    source = {"a.duckdb": "serv.t", "folder": f"read_parquet('{final}/*/*.parquet')"}.get(path, f"'{final}'")
    with closing(duckdb.connect(str(final) if path == "a.duckdb" else ":memory:", read_only=path == "a.duckdb")) as db:
        rows = db.execute(f"SELECT n, count(*) FROM {source} GROUP BY n").fetchall()
    assert len(rows) == 1
    return rows[0]


def visible(home):
    return sorted(entry.name for entry in (home / "exports").iterdir() if not entry.name.endswith(".version"))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("failpoint", "survives"), [("export.written", 10), ("export.renamed", 20)])
def test_killed_while_publishing(tmp_path, path, failpoint, survives):
    assert run(tmp_path, path, "r1", 10).stdout == "10\n"
    killed = run(tmp_path, path, "r2", 20, failpoint=failpoint)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert read(tmp_path, path) == (survives, survives)
    assert len(visible(tmp_path)) == 2  # the export, and what the dead process left
    assert run(tmp_path, path, "r3", 30).stdout == "30\n"
    assert read(tmp_path, path) == (30, 30)
    assert visible(tmp_path) == [path]
    assert len(list((tmp_path / "exports").iterdir())) == (3 if path == "folder" else 1)


@pytest.mark.parametrize("path", PATHS)
def test_a_full_disk_keeps_the_old_version(tmp_path, path):
    assert run(tmp_path, path, "r1", 10).stdout == "10\n"
    full = run(tmp_path, path, "r2", 300_000, file_size=600_000)
    assert (full.stdout, full.stderr) == ("DISK_FULL\n", ""), full.stderr
    assert read(tmp_path, path) == (10, 10)
    assert visible(tmp_path) == [path]
