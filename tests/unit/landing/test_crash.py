"""kill -9 at each boundary of landing, then land again: the same batches as without the kill, nothing twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from penstock.landing.local import LocalLanding

PROGRAM = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from penstock.domain.relation import RelationName
from penstock.domain.source import ExtractKind, SourceTable
from penstock.errors import Location
from penstock.landing.local import LocalLanding
from penstock.ports import ExtractRequest
from penstock.registry import source

folder, now = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
reader, landing = source("files"), LocalLanding(folder / "landing")
table = SourceTable(
    "shop", "orders", RelationName("raw", "orders"), ExtractKind.INCREMENTAL, Location("shop.yml"), key=("id",),
    options=reader.options({"path": "o_*.csv"}),
)
with landing.lock("test"), landing.staging("run") as staging:
    request = ExtractRequest(table, folder / "inbox", landing.batches("shop", "orders"), staging, now)
    for extract in reader.extract(request):
        landing.commit(table, extract, "run", now)
"""
POINTS = ["land.staged", "land.data_renamed", "land.manifest_written", "land.committed"]


def land(folder: Path, now: str, failpoint: str = "") -> int:
    environment = {**os.environ, "PENSTOCK_FAILPOINT": failpoint}
    return subprocess.run([sys.executable, "-c", PROGRAM, str(folder), now], env=environment, check=False).returncode


def contents(folder: Path) -> list[tuple[int, tuple[str, ...], list[tuple[str, ...]]]]:
    """(seq, files, rows) of each batch, every data file checked; and there is nothing else in the landing."""
    landing = LocalLanding(folder / "landing")
    batches = landing.batches("shop", "orders")
    result = []
    with duckdb.connect() as connection:
        for batch in batches:
            rows = connection.read_parquet(str(landing.data(batch)), hive_partitioning=False).fetchall()
            result.append((batch.seq, tuple(file.path for file in batch.files), sorted(rows)))
    files = {str(path.relative_to(landing.root)) for path in landing.root.rglob("*") if path.is_file()}
    named = {batch.data for batch in batches}
    assert files == {".lock"} | named | {name.replace(".parquet", ".json") for name in named}
    return result


def inbox(folder: Path) -> None:
    (folder / "inbox").mkdir(parents=True)
    for number in range(3):
        (folder / f"inbox/o_{number}.csv").write_text(f"id,v\n{number},a\n{number}9,b\n")


@pytest.mark.parametrize(
    "later", ["2026-11-20T12:00:01+00:00", "2026-11-21T00:00:01+00:00"], ids=["same day", "next day"]
)
@pytest.mark.parametrize("visit", [1, 2, 3])
@pytest.mark.parametrize("point", POINTS)
def test_killed_and_landed_again(tmp_path: Path, point: str, visit: int, later: str) -> None:
    now = "2026-11-20T12:00:00+00:00"
    inbox(tmp_path / "killed")
    inbox(tmp_path / "undisturbed")
    assert land(tmp_path / "undisturbed", now) == 0
    assert land(tmp_path / "killed", now, f"{point}:{visit}") == -9
    done = len(LocalLanding(tmp_path / "killed/landing").batches("shop", "orders"))
    assert done == (visit if point == "land.committed" else visit - 1)
    assert land(tmp_path / "killed", later) == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "undisturbed")
    assert land(tmp_path / "killed", later) == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "undisturbed")
