"""From files to the Parquet files that are landed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from penstock.domain.batch import Extract
from penstock.domain.relation import Column
from penstock.domain.source import ExtractKind, SourceTable
from penstock.embedded.connection import connect
from penstock.embedded.failure import translated
from penstock.errors import DataError, Location
from penstock.quoting import identifier, literal, under_names
from penstock.sources.files import cursor, parquet, selection
from penstock.sources.files.intake import Ready, sha256_of, steady, take
from penstock.sources.files.listing import Found, format_of
from penstock.sources.files.naming import as_received, check_declared, in_relation
from penstock.sources.files.sheet import Sheet, explained, select
from penstock.sources.files.text import DELIMITED, check_agreement, csv_check, sheets_of

if TYPE_CHECKING:
    from penstock.ports import ExtractRequest

_MEMORY = "1GB"
_THREADS = 2
_PARQUET = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 4096, PARQUET_VERSION v2"
"""Against the defaults (snappy, large dictionaries, lengths and text in turns): a quarter less work, half the bytes for
mostly unique text, and a tenth less work to read."""


def extract(request: ExtractRequest, files: Sequence[Found], suspects: Sequence[Found]) -> Iterator[Extract]:
    """The batches of the files that may be new. `files` are all of the table's files."""
    connection = connect(
        allowed=[request.root, request.staging], temporary=request.staging, memory_limit=_MEMORY, threads=_THREADS
    )
    try:
        work = Extraction(request, connection)
        if request.table.extract is ExtractKind.APPEND:
            work.refuse_changed(suspects)
        if selection.together(request.table):
            yield from work.all_files(files)
        elif request.table.cursor is not None:
            yield from work.by_cursor(suspects)
        else:
            yield from work.one_by_one(suspects)
    finally:
        connection.close()


@dataclass(slots=True)
class Extraction:
    """One extract. Every method that gives batches writes each to a new file in staging. `reached`: the cursor, after
    the last of them."""

    request: ExtractRequest
    connection: duckdb.DuckDBPyConnection
    count: int = 0
    reached: str | None = None

    @property
    def table(self) -> SourceTable:
        return self.request.table

    def refuse_changed(self, suspects: Sequence[Found]) -> None:
        known = selection.landed(self.table, self.request.previous)
        for found in suspects:
            if found.path in known and sha256_of(found) != known[found.path].sha256:
                raise DataError(
                    "the file was landed before with another content; an append table takes each file once",
                    code="FILE_CHANGED_AFTER_LANDING",
                    location=Location(found.path),
                    hint="give the new rows a file of their own; or declare a `key:` and `extract: incremental`",
                )

    def all_files(self, files: Sequence[Found]) -> Iterator[Extract]:
        """One batch of all files, unless their contents are those of the last batch."""
        known = selection.landed(self.table, self.request.previous)
        taken: dict[str, Ready] = {}
        for found in files:
            if not selection.same_stat(found, known.get(found.path)):
                taken[found.path] = self._take(found)
        same = all(path in known and known[path].sha256 == ready.sha256 for path, ready in taken.items())
        if same and known.keys() == {found.path for found in files}:
            return
        yield self._batch([taken.get(found.path) or self._take(found) for found in files])

    def one_by_one(self, suspects: Sequence[Found]) -> Iterator[Extract]:
        known = selection.landed(self.table, self.request.previous)
        for found in suspects:
            ready = self._take(found)
            if found.path not in known or known[found.path].sha256 != ready.sha256:
                yield self._batch([ready])
            self._sweep(ready)

    def by_cursor(self, suspects: Sequence[Found]) -> Iterator[Extract]:
        """One batch with the new rows of the files that were landed before and have changed, if there are any; then one
        of each other file, with all its rows: what a late file holds is not known because it is old."""
        known = selection.landed(self.table, self.request.previous)
        taken = [self._take(found) for found in suspects if found.path in known]
        if changed := [ready for ready in taken if known[ready.found.path].sha256 != ready.sha256]:
            batch = self._batch(changed, cursor.start(self.table, self.request.previous))
            if batch.rows:
                yield batch
        for found in suspects:
            if found.path not in known:
                ready = self._take(found)
                yield self._batch([ready])
                self._sweep(ready)

    def _take(self, found: Found) -> Ready:
        kind = format_of(self.table, found.path)[0]
        check = csv_check(self.table, found, kind) if kind in DELIMITED else None
        return take(self.table, found, self.request.staging, check)

    def _batch(self, files: Sequence[Ready], bound: str | None = None) -> Extract:
        """Write one batch. `bound`: SQL of the lowest cursor that is new."""
        self.count += 1
        target = self.request.staging / f"batch_{self.count:06d}.parquet"
        with steady([ready.found for ready in files]):
            if any(ready.format == "parquet" for ready in files):
                rows = self._parquet(files, target, bound)
            else:
                rows = self._text(files, target, bound)
        with translated():
            described = self.connection.execute(f"DESCRIBE SELECT * FROM {_landed(target)}").fetchall()
        columns = tuple(Column(row[0], row[1]) for row in described)
        names = [column.name for column in columns]
        check_declared(self.table, in_relation(self.table, names), files[0].found.path)
        return Extract(
            data=target,
            rows=rows,
            columns=columns,
            files=tuple(ready.source for ready in files),
            cursor_from=self._text_of(bound),
            cursor_to=self._reached(target, names),
        )

    def _text(self, files: Sequence[Ready], target: Path, bound: str | None) -> int:
        sheets: list[Sheet] = []
        for ready in files:
            of_file = sheets_of(self.table, ready, self.request.staging)
            if not of_file and not self.table.allow_empty:
                raise empty(ready.found.path)
            sheets += of_file
        if not sheets:
            return self._copy(self._no_rows(files[0]), target)
        check_agreement([sheet for sheet in sheets if sheet.exact])
        check_declared(self.table, _union(sheets), sheets[0].origin)
        rows = select(sheets)
        pairs = (pair for sheet in sheets for pair in zip(sheet.names, sheet.received, strict=True))
        back = as_received(self.table, pairs, sheets[0].origin)
        with explained(sheets):
            count = self._copy(cursor.new_rows(self.table, rows, bound), target, back)
            if count == 0 and not self.table.allow_empty:
                self._refuse_empty(rows, bound, files)
        return count

    def _parquet(self, files: Sequence[Ready], target: Path, bound: str | None) -> int:
        if other := next((ready for ready in files if ready.format != "parquet"), None):
            raise DataError(
                f"expected Parquet files only, found a {other.format} file among them",
                code="FILES_DIFFER",
                location=Location(other.found.path),
                hint="land one format for each table",
            )
        rows, back, whole = parquet.select(self.connection, self.table, files)
        with parquet.readable(files[0].found.path):
            if whole and bound is None:
                count = parquet.count(self.connection, files[0])
                shutil.copyfile(files[0].path, target)
            else:
                count = self._copy(cursor.new_rows(self.table, rows, bound), target, back)
            if count == 0 and not self.table.allow_empty:
                self._refuse_empty(rows, bound, files)
        return count

    def _copy(self, rows: str, target: Path, names: Mapping[str, str] | None = None) -> int:
        """Write the rows with their columns under `names`, by those they have. Gives how many there are."""
        rows = under_names(f"({rows})", names or {})
        row = self.connection.execute(f"COPY ({rows}) TO {literal(str(target))} ({_PARQUET})").fetchone()
        return int(row[0]) if row else 0

    def _refuse_empty(self, rows: str, bound: str | None, files: Sequence[Ready]) -> None:
        """No rows at all is an error; that none of them is new is not."""
        if bound is None or self.connection.execute(f"SELECT 1 FROM ({rows}) LIMIT 1").fetchone() is None:
            raise empty(files[0].found.path)

    def _no_rows(self, ready: Ready) -> str:
        """A table without rows for files without bytes: the columns are those of the last batch, or as declared."""
        previous = self.request.previous
        header = self.table.options["header"]
        names: Sequence[str] = [column.name for column in previous[-1].columns] if previous else []
        if not names and isinstance(header, (list, tuple)):
            names = header
        if not names:
            raise empty(ready.found.path)
        fields = ", ".join(f"NULL::VARCHAR AS {identifier(name)}" for name in names)
        return f"SELECT {fields} WHERE false"

    def _reached(self, target: Path, names: Sequence[str]) -> str | None:
        """How far the cursor is after this batch; it never moves back."""
        if self.table.cursor is None:
            return None
        before = self.reached or cursor.last(self.request.previous)
        own = dict(zip(names, in_relation(self.table, names), strict=True))
        rows = f"SELECT * FROM {under_names(_landed(target), own)}"
        with translated():
            found = self.connection.execute(cursor.highest(self.table, rows, before, self.request.now)).fetchone()
        self.reached = found[0] if found else None
        return self.reached

    def _text_of(self, bound: str | None) -> str | None:
        if bound is None:
            return None
        with translated():
            row = self.connection.execute(f"SELECT ({bound})::VARCHAR").fetchone()
        return row[0] if row else None

    def _sweep(self, ready: Ready) -> None:
        if ready.path != ready.found.full:
            ready.path.unlink(missing_ok=True)


def _landed(target: Path) -> str:
    return f"read_parquet({literal(str(target))}, hive_partitioning = false, filename = false)"


def _union(sheets: Sequence[Sheet]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for sheet in sheets for name in sheet.names))


def empty(path: str) -> DataError:
    return DataError(
        "expected rows, found none",
        code="EMPTY_SOURCE",
        location=Location(path),
        hint="set `allow_empty: true` if that can be right; a full extract would take all rows as deleted",
    )
