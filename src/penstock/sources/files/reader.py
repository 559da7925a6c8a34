"""The connector `files`: tables read from files in a folder. Finds what is new, and lands it exactly as received."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.domain.batch import Extract, Manifest, Pending
from penstock.domain.relation import Column
from penstock.domain.source import SourceTable
from penstock.sources.files import selection
from penstock.sources.files.listing import find, stamp

if TYPE_CHECKING:
    from penstock.ports import ExtractRequest

_TEXT = frozenset({"csv", "tsv"})


class FilesReader:
    """Implements `penstock.ports.SourceReader`. DuckDB and pydantic are imported only when there is work."""

    def options(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """The options, checked and completed. Raises pydantic.ValidationError."""
        from penstock.sources.files.options import FileOptions

        return FileOptions.model_validate(dict(raw)).model_dump(mode="json")

    def options_schema(self) -> Mapping[str, Any]:
        from penstock.sources.files.options import FileOptions

        return FileOptions.model_json_schema()

    def pending(self, table: SourceTable, root: Path, previous: Sequence[Manifest]) -> Pending:
        """By names, sizes and times alone. A file that only got a new time counts as changed here; the extract then
        finds its content landed, and lands nothing."""
        files = find(table, root)
        summary = selection.summary(table, files, previous)
        if summary is None and selection.missing(table, root, files, previous):
            summary = "no file matches"
        return Pending(stamp(files), summary)

    def lands_text(self, table: SourceTable) -> bool:
        """By the declared format, else by the extensions of the declared paths."""
        declared = table.options.get("format")
        if declared is not None:
            return declared in _TEXT
        path = table.options.get("path", ())
        paths = [path] if isinstance(path, str) else path
        kinds = {each.lower().removesuffix(".gz").removesuffix(".zst").rpartition(".")[2] for each in paths}
        return bool(kinds) and kinds <= _TEXT

    def columns(self, table: SourceTable, root: Path) -> tuple[Column, ...] | None:
        """The columns of the first file, by its header or Parquet schema alone; None when they are not cheap."""
        from penstock.sources.files.peek import columns

        return columns(table, root)

    def extract(self, request: ExtractRequest) -> Iterator[Extract]:
        files = find(request.table, request.root)
        absent = selection.missing(request.table, request.root, files, request.previous)
        if absent:
            raise selection.missing_error(request.table, request.root, absent)
        suspects = selection.suspects(request.table, files, request.previous)
        if not suspects:
            return
        from penstock.sources.files.extraction import extract

        yield from extract(request, files, suspects)


PLUGIN = FilesReader()
