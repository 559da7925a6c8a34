"""Batches on a local disk: what is committed is read back, what was damaged is noticed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from penstock.domain.batch import Manifest
from penstock.errors import DriverError, Locked, PenstockError, StateError, UserError
from penstock.landing.local import LocalLanding

NOW = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
Land = Callable[..., Manifest]


def test_what_is_committed_is_read_back(landing: LocalLanding, land: Land) -> None:
    first = land(b"one")
    assert landing.batches("shop", "orders") == (first,)
    assert LocalLanding(landing.root).batches("shop", "orders") == (first,)
    assert first.id == "shop.orders/000001"
    assert first.data == "shop/orders/ingest_date=2026-11-20/000001.parquet"
    assert (first.bytes, first.rows, first.processing_ts, first.ingest_date) == (3, 7, NOW, date(2026, 11, 20))
    assert landing.data(first).read_bytes() == b"one"
    assert sorted(path.name for path in landing.root.rglob("*") if path.is_file()) == [
        ".lock",
        "000001.json",
        "000001.parquet",
    ]


def test_batches_of_one_moment_are_a_microsecond_apart(landing: LocalLanding, land: Land) -> None:
    times = [land().processing_ts for _ in range(3)]
    assert times == [NOW, NOW + timedelta(microseconds=1), NOW + timedelta(microseconds=2)]


def test_a_clock_set_back_does_not_turn_time_round(landing: LocalLanding, land: Land) -> None:
    first = land()
    second = land(now=NOW - timedelta(days=400))
    assert second.processing_ts == first.processing_ts + timedelta(microseconds=1)
    assert [batch.seq for batch in landing.batches("shop", "orders")] == [1, 2]


def test_the_date_is_that_of_utc(landing: LocalLanding, land: Land) -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    batch = land(now=late)
    assert batch.ingest_date == date(2026, 11, 21)
    assert batch.processing_ts == late
    assert batch.processing_ts.tzinfo is UTC


def test_tables_count_for_themselves(landing: LocalLanding, land: Land) -> None:
    assert [land(name=name).seq for name in ("orders", "products", "orders")] == [1, 1, 2]
    assert landing.batches("shop", "nothing") == ()


def test_a_data_file_without_manifest_does_not_exist_and_is_replaced(landing: LocalLanding, land: Land) -> None:
    orphan = landing.root / "shop/orders/ingest_date=2026-11-19/000001.parquet"
    same_day = landing.root / "shop/orders/ingest_date=2026-11-20/000001.parquet"
    for path in (orphan, same_day):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"torn")
    assert landing.batches("shop", "orders") == ()
    batch = land(b"whole")
    assert landing.data(batch).read_bytes() == b"whole"
    assert not orphan.exists()


@pytest.mark.parametrize("name", ["", "..", "../x", "/x", "Orders", "a b", "a/b", "ä", "1a", "x" * 4 + "\n", "a\0"])
def test_names_that_are_no_folder_names_are_refused(landing: LocalLanding, name: str) -> None:
    for source, table in ((name, "orders"), ("shop", name)):
        with pytest.raises(UserError) as caught:
            landing.batches(source, table)
        assert caught.value.code == "NAME_INVALID"


def test_a_missing_or_changed_data_file_is_noticed(landing: LocalLanding, land: Land) -> None:
    batch = land(b"content")
    path = landing.data(batch)
    path.write_bytes(b"c0ntent")
    assert _code(lambda: landing.data(batch)) == "LANDED_FILE_CHANGED"
    path.write_bytes(b"content ")
    assert _code(lambda: landing.data(batch)) == "LANDED_FILE_CHANGED"
    path.unlink()
    assert _code(lambda: landing.data(batch)) == "LANDED_FILE_MISSING"
    path.mkdir()
    assert _code(lambda: landing.data(batch)) == "LANDED_FILE_MISSING"


def test_every_flipped_bit_of_the_data_is_noticed(landing: LocalLanding, land: Land) -> None:
    content = bytes(range(256))
    batch = land(content)
    path = landing.data(batch)
    for position in range(len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 8
        path.write_bytes(flipped)
        assert _code(lambda: landing.data(batch)) == "LANDED_FILE_CHANGED"
    path.write_bytes(content)
    assert landing.data(batch) == path


def test_no_flipped_or_cut_byte_of_a_manifest_passes(landing: LocalLanding, land: Land) -> None:
    batch = land()
    path = (landing.root / batch.data).with_suffix(".json")
    content = path.read_bytes()
    for position, byte in enumerate(content):
        for damaged in (content[:position], content[:position] + bytes([byte ^ 2]) + content[position + 1 :]):
            path.write_bytes(damaged)
            fresh = LocalLanding(landing.root)
            try:
                found = fresh.batches("shop", "orders")
            except StateError as error:
                assert str(path) in str(error)
                assert error.code in ("MANIFEST_DAMAGED", "MANIFEST_VERSION", "MANIFEST_MISPLACED")
            else:  # white space between the fields says nothing
                assert found == (batch,)
                assert damaged.decode().split() == content.decode().split() or json.loads(damaged) == json.loads(
                    content
                )


def test_an_edited_manifest_is_refused(landing: LocalLanding, land: Land) -> None:
    batch = land()
    path = (landing.root / batch.data).with_suffix(".json")
    path.write_text(path.read_text().replace('"rows": 7', '"rows": 8'))
    with pytest.raises(StateError) as caught:
        landing.batches("shop", "orders")
    assert caught.value.code == "MANIFEST_DAMAGED"
    assert str(path) in str(caught.value)


def test_manifests_that_contradict_each_other_are_refused(landing: LocalLanding, land: Land) -> None:
    batches = [land(now=NOW + timedelta(days=day)) for day in range(3)]
    manifests = [(landing.root / batch.data).with_suffix(".json") for batch in batches]
    kept = manifests[1].read_bytes()
    manifests[1].unlink()
    assert _code(lambda: landing.batches("shop", "orders")) == "BATCH_MISSING"
    manifests[1].write_bytes(kept)
    other = landing.root / "shop/orders/ingest_date=2027-01-01/000002.json"
    other.parent.mkdir()
    other.write_bytes(kept)
    assert _code(lambda: landing.batches("shop", "orders")) == "MANIFEST_MISPLACED"
    other.unlink()
    elsewhere = landing.root / "shop/products/ingest_date=2026-11-20/000001.json"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_bytes(manifests[0].read_bytes())
    assert _code(lambda: landing.batches("shop", "products")) == "MANIFEST_MISPLACED"
    assert landing.batches("shop", "orders") == tuple(batches)


def test_two_batches_of_one_number_are_refused(landing: LocalLanding, land: Land) -> None:
    first = land()
    manifest = (landing.root / first.data).with_suffix(".json")
    aside = landing.root.parent / "aside.json"
    manifest.rename(aside)
    land(now=NOW + timedelta(days=1))
    aside.rename(manifest)  # as when two landings are merged by hand
    assert _code(lambda: landing.batches("shop", "orders")) == "BATCH_TWICE"


def test_the_stamp_follows_every_ordinary_change(landing: LocalLanding, land: Land) -> None:
    stamps = [landing.stamp()]
    batch = land(b"one")
    stamps.append(landing.stamp())
    assert landing.stamp() == stamps[-1]
    land(b"two")
    stamps.append(landing.stamp())
    path = landing.data(batch)
    path.write_bytes(b"onE")
    stamps.append(landing.stamp())
    path.write_bytes(b"longer")
    stamps.append(landing.stamp())
    path.unlink()
    stamps.append(landing.stamp())
    path.with_suffix(".json").unlink()
    stamps.append(landing.stamp())
    land(name="products")
    stamps.append(landing.stamp())
    assert len(set(stamps)) == len(stamps)


def test_locks_and_staging_do_not_touch_the_stamp(landing: LocalLanding, land: Land) -> None:
    land()
    before = landing.stamp()
    with landing.lock("test"), landing.staging("run") as staging:
        (staging / "x").write_text("x")
        assert landing.stamp() == before


def test_staging_goes_away_whatever_happens(landing: LocalLanding) -> None:
    with pytest.raises(RuntimeError), landing.staging("run") as one, landing.staging("run") as other:
        assert one != other
        assert list(one.iterdir()) == []
        (one / "x").write_text("x")
        raise RuntimeError
    assert list((landing.root / ".staging").iterdir()) == []
    assert _code(lambda: landing.staging("../x").__enter__()) == "NAME_INVALID"


def test_the_lock_sweeps_what_dead_runs_left(landing: LocalLanding) -> None:
    left = landing.root / ".staging/dead/1/x.parquet"
    left.parent.mkdir(parents=True)
    left.write_text("x")
    with landing.lock("test"):
        assert not left.exists()


def test_one_process_at_a_time(landing: LocalLanding) -> None:
    with landing.lock("penstock land"), pytest.raises(Locked) as caught, landing.lock("other"):
        pass
    assert f"`penstock land` (pid {os.getpid()}" in str(caught.value)
    with landing.lock("again"):
        pass


def test_the_lock_of_a_killed_process_is_free(landing: LocalLanding) -> None:
    program = f"""
import os, signal
from pathlib import Path
from penstock.landing.local import LocalLanding
with LocalLanding(Path({str(landing.root)!r})).lock("victim"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    with landing.lock("test"):
        pass


def test_a_disk_that_refuses_is_reported_and_nothing_is_landed(landing: LocalLanding, land: Land) -> None:
    (landing.root / "shop").mkdir(parents=True)
    (landing.root / "shop/orders").write_text("a file where the folder should be")
    with pytest.raises(DriverError) as caught:
        land()
    assert caught.value.code == "LANDING_IO"


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(PenstockError) as caught:
        call()
    return caught.value.code


def test_reading_many_manifests_does_not_import_the_heavy(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from penstock.landing.local import LocalLanding
from penstock.sources.files.reader import PLUGIN
LocalLanding(Path({str(tmp_path)!r})).batches("a", "b")
print([name for name in ("duckdb", "pydantic", "zstandard", "yaml") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
