"""A full disk, a real one: each step says so, publishes nothing half, and the next run makes it good.

The environment's home is on a tmpfs of its own (RLIMIT_FSIZE where nothing may be mounted: a file that may not grow is
a full disk to whoever writes it). A file takes up the room until little is left, then goes away again.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from penstock.landing.local import LocalLanding

WIDE = "day,page\n" + "".join(f"{20 + n % 5},{n:09d}{n * 7919 % 100_000_007:012d}\n" for n in range(60_000))
MODELS = {
    "models/serv/big.sql": "SELECT v.page, v.day, r.range AS copy, hash(v.page, r.range) AS noise "
    "FROM raw.visits AS v CROSS JOIN range(40) AS r\n",
    "exports/out.yml": "exports:\n  pages: {format: csv, relation: serv.pages, path: pages.csv, order_by: [page]}\n",
    "models/serv/pages.sql": "SELECT page, day, hash(page) AS noise FROM raw.visits\n",
}
ROOM = 512 << 20
"""For two warehouses, as a rebuild has for a while, and all that a group of big tables keeps aside until it commits."""


class Disk:
    """A small disk at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"tmpfs", str(path).encode(), b"tmpfs", 0, f"size={ROOM}".encode()) != 0:
            raise OSError(ctypes.get_errno(), "mount")
        self._unmount = lambda: libc.umount2(str(path).encode(), 2)

    def leave(self, size: int) -> None:
        """Take all the room but `size` bytes."""
        self.free()
        found = os.statvfs(self.path)
        with (self.path / "ballast").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, found.f_bavail * found.f_frsize - size))

    def free(self) -> None:
        (self.path / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        self._unmount()


class Quota:
    """No file of a child may grow beyond what was left; for machines on which nothing may be mounted."""

    def __init__(self, path: Path) -> None:
        import resource

        path.mkdir()
        self.path, self._resource = path, resource
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def leave(self, size: int) -> None:
        room = max(size, 40_000)  # SQLite's shared memory: it cannot tell that from a broken disk
        self._resource.setrlimit(self._resource.RLIMIT_FSIZE, (room, self._before[1]))

    def free(self) -> None:
        self._resource.setrlimit(self._resource.RLIMIT_FSIZE, self._before)

    def close(self) -> None:
        self.free()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Any]:
    try:
        made: Any = Disk(tmp_path / "disk")
    except OSError:
        made = Quota(tmp_path / "quota")
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield made
    made.close()
    signal.signal(signal.SIGXFSZ, before)


def on(disk: Any, history: Any, tmp_path: Path) -> Any:
    """The project after its first day, its home on the disk, with models and an export of some size."""
    mini = history[0].copy(tmp_path / "mini")
    shutil.rmtree(mini.home)
    mini.home.symlink_to(disk.path / "home")
    (disk.path / "home").mkdir()
    mini.write(MODELS)
    mini.run(0)
    return mini


def everything(mini: Any) -> dict[str, Any]:
    """Counts and checksums of all there is; the tables are too big to be compared row by row."""
    with duckdb.connect(str(mini.warehouse), read_only=True) as connection:
        names = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema <> '_penstock'"
        ).fetchall()
        found: dict[str, Any] = {
            f"{a}.{b}": connection.execute(f'SELECT count(*), bit_xor(hash(t)), sum(hash(t)) FROM "{a}"."{b}" AS t')
            .fetchone()
            for a, b in names
        }  # fmt: skip
        found["batches"] = sorted(connection.execute("SELECT batch, rows_in FROM _penstock.batches").fetchall())
    landing = LocalLanding(mini.home / "landing")
    found["landed"] = [batch.id for batch in landing.batches("web", "visits") if landing.data(batch)]
    found["pages.csv"] = (mini.home / "exports" / "pages.csv").read_text()
    leftovers = [path for path in mini.home.rglob(".*") if path.name.endswith(".tmp") or path.name == ".staging"]
    assert not [path for path in leftovers if path.is_dir() and any(path.iterdir())], leftovers
    return found


@pytest.fixture(scope="module")
def undisturbed(history: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    mini = history[0].copy(tmp_path_factory.mktemp("big") / "mini")
    shutil.rmtree(mini.home)
    mini.write(MODELS)
    mini.run(0)
    mini.arrive(1)
    mini.write({"inbox/visits_2.csv": WIDE})
    mini.run(1)
    return everything(mini)


@pytest.mark.parametrize("left", [0, 100_000, 300_000, 1_000_000, 3_000_000, 6_000_000, 14_000_000])
def test_wherever_the_room_ends(
    left: int, disk: Any, history: Any, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    """From no room at all (the landing, the state store) to almost enough (the big model, the export)."""
    mini = on(disk, history, tmp_path)
    mini.arrive(1)
    mini.write({"inbox/visits_2.csv": WIDE})
    before = (mini.home / "exports" / "pages.csv").read_text()
    disk.leave(left)
    done = mini.run(1, code=4)
    said = str(done.report)
    assert "DISK_FULL" in said, said
    assert "Traceback" not in done.err
    exported = (mini.home / "exports" / "pages.csv").read_text()
    assert exported in (before, undisturbed["pages.csv"]), "half an export"
    disk.free()
    mini.run(1)
    assert everything(mini) == undisturbed


def test_in_an_export(disk: Any, history: Any, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    mini = on(disk, history, tmp_path)
    mini.arrive(1)
    mini.write({"inbox/visits_2.csv": WIDE})
    mini.run(1)
    (mini.home / "exports" / "pages.csv").write_text("as it was")
    disk.leave(300_000)
    done = mini.cli("export", code=4)
    assert "[DISK_FULL]" in done.stdout + done.stderr
    assert (mini.home / "exports" / "pages.csv").read_text() == "as it was"
    disk.free()
    mini.cli("export")
    assert everything(mini) == undisturbed


def test_in_a_rebuild(disk: Any, history: Any, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    mini = on(disk, history, tmp_path)
    mini.arrive(1)
    mini.write({"inbox/visits_2.csv": WIDE})
    mini.run(1)
    disk.leave(5_000_000)
    done = mini.run(1, "rebuild", code=4)
    assert "DISK_FULL" in str(done.report)
    assert everything(mini) == undisturbed, "the old warehouse is not as it was"
    disk.free()
    mini.run(1, "rebuild")
    assert everything(mini) == undisturbed


def test_too_little_memory_for_one_model(history: Any, tmp_path: Path) -> None:
    mini = history[0].copy(tmp_path / "mini")
    mini.write(
        {
            "penstock.yml": "name: mini\nenvironments: {dev: {threads: 1, memory_limit: 60MB}}\n",
            "models/serv/greedy.sql": "SELECT list(a.range * b.range) AS everything "
            "FROM range(4000) AS a CROSS JOIN range(4000) AS b WHERE (SELECT count(*) FROM raw.visits) > 0\n",
        }
    )
    mini.arrive(1)
    done = mini.run(1, code=4)
    assert done.report is not None
    failed = {step: codes for step, (status, _, codes) in done.report["steps"].items() if status == "failed"}
    assert failed == {"build:serv.greedy": ["OUT_OF_MEMORY"]}
    (mini.root / "models" / "serv" / "greedy.sql").unlink()
    mini.run(1)
    assert mini.contents() == history[1].contents()


def test_the_state_store_can_be_read_afterwards(disk: Any, history: Any, tmp_path: Path) -> None:
    mini = on(disk, history, tmp_path)
    mini.arrive(1)
    disk.leave(0)
    mini.cli("run", code=4)
    disk.free()
    assert "serv.report" in mini.cli("status").stdout
    with closing(sqlite3.connect(mini.home / "state.sqlite")) as state:
        assert state.execute("PRAGMA integrity_check").fetchone() == ("ok",)
