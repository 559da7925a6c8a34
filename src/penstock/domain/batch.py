"""A batch: one extract of one source table, immutable once landed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

from penstock.domain.relation import Column
from penstock.domain.source import ExtractKind
from penstock.record import record


@record
class SourceFile:
    """A file an extract read: its path relative to the source's root, size in bytes, mtime in ns, sha256 (hex)."""

    path: str
    size: int
    modified_ns: int
    sha256: str


@record
class Correction:
    """What a person says that a row of the source ought to be. `row`: the id of the row that is corrected, `batch`
    where it was seen last, `payload` as it was received and `key` the texts of its key there (none without a key);
    `by` and `why`: the person and the reason."""

    row: str
    batch: str
    payload: str
    by: str
    why: str
    key: tuple[str | None, ...] = ()


@record
class Extract:
    """What a reader hands to the landing: a Parquet file in the staging folder, not yet a batch.

    `cursor_from` and `cursor_to` are the bounds of an extract by cursor column, as text. `correction`: it is no extract
    but what a person says of one row, and holds that row.
    """

    data: Path
    rows: int
    columns: tuple[Column, ...]
    files: tuple[SourceFile, ...] = ()
    cursor_from: str | None = None
    cursor_to: str | None = None
    correction: Correction | None = None


@record
class Manifest:
    """The commit point of a batch. `data` is the data file's path relative to the landing; times are UTC.

    `seq` counts batches of one table from 1. `sha256` is the data file's. `rows` is what the data file holds.
    """

    source: str
    table: str
    seq: int
    extract: ExtractKind
    processing_ts: datetime
    ingest_date: date
    data: str
    sha256: str
    bytes: int
    rows: int
    columns: tuple[Column, ...]
    run: str
    files: tuple[SourceFile, ...] = ()
    cursor_from: str | None = None
    cursor_to: str | None = None
    correction: Correction | None = None

    @property
    def id(self) -> str:
        """`shop.orders/000001`, unique in an environment."""
        return f"{self.source}.{self.table}/{self.seq:06d}"


def extracts(batches: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """The batches that a source gave, without corrections: where the next extract begins is read from these."""
    return tuple(batch for batch in batches if batch.correction is None)


@record
class Pending:
    """What a source would give now. `stamp` is a cheap fingerprint of the source's files (names, sizes, times);
    `summary` says in words what would be landed (`2 new files`), None when there is nothing new."""

    stamp: str
    summary: str | None
