"""The landing on a local disk: the folder that holds every batch of an environment.

    landing/.lock                                              held while anything is landed
    landing/.staging/<run>/<n>/                                unfinished files of a run
    landing/<source>/<table>/ingest_date=2026-11-20/000001.parquet
    landing/<source>/<table>/ingest_date=2026-11-20/000001.json       the manifest: the commit point

A data file without a manifest is what a crash leaves: no reader sees it, the next commit replaces it.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from penstock.domain.batch import Extract, Manifest
from penstock.domain.quarantined import Discard
from penstock.domain.relation import RelationName
from penstock.domain.source import ExtractKind, SourceTable
from penstock.embedded import disk
from penstock.embedded.filelock import held
from penstock.errors import StateError, UserError
from penstock.failpoint import reach
from penstock.landing import discards, durable
from penstock.landing.manifest import data_path, dump, load

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_RUN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_DAY = "ingest_date="
_RESTORE = "restore the landing from a backup; what was loaded from it is still in the warehouse"
_Stat = tuple[int, int, int]


class LocalLanding:
    """Implements `penstock.ports.Landing`. Commits are made by one process at a time: the one that holds `lock()`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read: dict[str, tuple[_Stat, Manifest]] = {}

    def batches(self, source: str, table: str) -> tuple[Manifest, ...]:
        """The landed batches of a table, oldest first. Raises StateError when manifests are damaged, share a number,
        leave one out, or go back in time."""
        folder = self._table(source, table)
        with durable.reported(f"reading {folder}"):
            found = sorted((self._manifest(path) for path in _manifests(folder)), key=lambda batch: batch.seq)
        for number, batch in enumerate(found, start=1):
            if batch.source != source or batch.table != table:
                raise StateError(
                    f"{self.root / batch.data}: expected a batch of {source}.{table}, found one of {batch.id}",
                    code="MANIFEST_MISPLACED",
                    hint=_RESTORE,
                )
            if batch.seq != number:
                raise self._miscounted(batch, number)
        for earlier, later in itertools.pairwise(found):
            if later.processing_ts <= earlier.processing_ts:
                raise StateError(
                    f"batch {later.id} is not later than {earlier.id}",
                    code="BATCHES_OUT_OF_ORDER",
                    hint=_RESTORE,
                )
        return tuple(found)

    @contextmanager
    def staging(self, run: str) -> Iterator[Path]:
        """An empty folder of its own for each call, so that tables may be extracted side by side. To be used while
        `lock()` is held: whoever takes the lock next sweeps what is left here."""
        if not _RUN.fullmatch(run):
            raise UserError(f"not a possible run name: {run!r}", code="NAME_INVALID")
        parent = self.root / ".staging" / run
        with durable.reported(f"creating {parent}"):
            folder = _own_folder(parent)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                parent.rmdir()  # only the last of a run's folders succeeds

    def commit(self, table: SourceTable, extract: Extract, run: str, now: datetime) -> Manifest:
        """Make an extract a batch. `now` is UTC; the batch's processing_ts is later when the clock was set back."""
        previous = self.batches(table.source, table.name)
        last = previous[-1] if previous else None
        seq = last.seq + 1 if last else 1
        processing_ts = now.astimezone(UTC) if now.tzinfo else now.replace(tzinfo=UTC)
        if last is not None:
            processing_ts = max(processing_ts, last.processing_ts + timedelta(microseconds=1))
        data = data_path(table.source, table.name, processing_ts.date(), seq)
        with durable.reported(f"landing {table.id}"):
            disk.sync(extract.data)
            sha256, size = durable.fingerprint(extract.data)
            manifest = Manifest(
                source=table.source,
                table=table.name,
                seq=seq,
                extract=_kind(table, extract),
                processing_ts=processing_ts,
                ingest_date=processing_ts.date(),
                data=data,
                sha256=sha256,
                bytes=size,
                rows=extract.rows,
                columns=extract.columns,
                run=run,
                files=extract.files,
                cursor_from=extract.cursor_from,
                cursor_to=extract.cursor_to,
                correction=extract.correction,
            )
            reach("land.staged")
            self._publish(extract.data, manifest)
        return manifest

    def _publish(self, staged: Path, manifest: Manifest) -> None:
        target = self.root / manifest.data
        durable.make_folder(target.parent)
        for orphan in target.parent.parent.glob(f"{_DAY}*/{target.name}"):
            if orphan != target:
                orphan.unlink()  # a crash before midnight: the number is used again, in today's folder
        staged.replace(target)
        disk.sync(target.parent)
        reach("land.data_renamed")
        written = staged.with_name(f"{staged.name}.manifest")
        disk.write(written, dump(manifest))
        reach("land.manifest_written")
        written.replace(target.with_suffix(".json"))
        disk.sync(target.parent)
        reach("land.committed")

    def data(self, manifest: Manifest) -> Path:
        """The batch's data file, its size and sha256 checked. Raises StateError when it is missing or differs."""
        path = self.root / manifest.data
        try:
            with durable.reported(f"reading {path}"):
                sha256, size = durable.fingerprint(path)
        except Exception as error:
            if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError, IsADirectoryError)):
                raise StateError(
                    f"the data file of batch {manifest.id} is missing: {path}",
                    code="LANDED_FILE_MISSING",
                    hint=_RESTORE,
                ) from None
            raise
        if (sha256, size) != (manifest.sha256, manifest.bytes):
            raise StateError(
                f"the data file of batch {manifest.id} is not what was landed: expected {manifest.bytes} bytes with "
                f"sha256 {manifest.sha256[:12]}…, found {size} bytes with {sha256[:12]}…: {path}",
                code="LANDED_FILE_CHANGED",
                hint=_RESTORE,
            )
        return path

    @contextmanager
    def lock(self, locked_for: str, wait: float = 0.0) -> Iterator[None]:
        """Hold the landing, and sweep what runs that died left in staging. Raises Locked after `wait` seconds."""
        with held(self.root / ".lock", locked_for, wait=wait):
            shutil.rmtree(self.root / ".staging", ignore_errors=True)
            yield

    def discard(self, discard: Discard) -> None:
        """Note for good that a person has discarded rows. To be called while `lock()` is held."""
        discards.write(self.root, discard)

    def discards(self, relation: RelationName | None = None) -> tuple[Discard, ...]:
        """What was discarded of one relation, or of all."""
        return discards.read(self.root, relation)

    def stamp(self) -> str:
        """A fingerprint of names, sizes, times and inodes of every landed file. Reads no file."""
        digest = hashlib.sha256()
        with durable.reported(f"listing {self.root}"):
            for path, status in _walk(self.root, 4):
                digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ino}\n".encode())
        return digest.hexdigest()

    def _table(self, source: str, table: str) -> Path:
        for name in (source, table):
            if not _NAME.fullmatch(name):
                raise UserError(
                    f"expected a name of lower-case letters, digits and underscores, found {name!r}",
                    code="NAME_INVALID",
                    hint="rename the source or the table",
                )
        return self.root / source / table

    def _manifest(self, path: str) -> Manifest:
        status = os.stat(path)  # noqa: PTH116 - a run asks for every batch there ever was, more than once
        key = (status.st_size, status.st_mtime_ns, status.st_ino)
        known = self._read.get(path)
        if known is not None and known[0] == key:
            return known[1]
        manifest = load(Path(path).read_bytes(), Path(path))
        if str((self.root / manifest.data).with_suffix(".json")) != path:
            raise StateError(
                f"{path}: expected the manifest of this place, found that of {manifest.id}",
                code="MANIFEST_MISPLACED",
                hint=_RESTORE,
            )
        self._read[path] = (key, manifest)
        return manifest

    def _miscounted(self, batch: Manifest, expected: int) -> StateError:
        if batch.seq < expected:
            return StateError(
                f"two manifests say they are batch {batch.id}; one of them: {self.root / batch.data}",
                code="BATCH_TWICE",
                hint="remove the copy that does not belong here",
            )
        return StateError(
            f"expected batch {expected:06d} of {batch.source}.{batch.table}, found {batch.seq:06d}: one is missing",
            code="BATCH_MISSING",
            hint=_RESTORE,
        )


def _kind(table: SourceTable, extract: Extract) -> ExtractKind:
    """A correction of one row says nothing of the others, also where an extract is the whole table."""
    corrects = extract.correction is not None and table.extract is ExtractKind.FULL
    return ExtractKind.INCREMENTAL if corrects else table.extract


def _own_folder(parent: Path) -> Path:
    while True:
        parent.mkdir(parents=True, exist_ok=True)
        try:
            return Path(tempfile.mkdtemp(dir=parent))
        except FileNotFoundError:
            continue  # another table of the run ended, and took the parent away in between


def _manifests(folder: Path) -> Iterator[str]:
    """Every manifest file of a table, in no order."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as days:
        names = [day.path for day in days if day.name.startswith(_DAY) and day.is_dir()]
    for name in names:
        with os.scandir(name) as files:
            yield from (file.path for file in files if file.name.endswith(".json") and not file.name.startswith("."))


def _walk(folder: str | Path, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    """Every visible file at most `depth` levels below, in name order."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted((entry for entry in scan if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            if depth:
                yield from _walk(entry.path, depth - 1)
        else:
            yield entry.path, status
