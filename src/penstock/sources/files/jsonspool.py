"""JSON rows written as delimited text, for DuckDB to read.

Columns turn up as the rows go by. When a row brings a new one, a new text with more columns is begun; the texts are
matched by name when they are read. A file that keeps bringing new ones is read twice instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from penstock.domain.source import SourceTable
from penstock.errors import DataError, Location
from penstock.sources.files.intake import Ready
from penstock.sources.files.jsonscan import Row, objects
from penstock.sources.files.naming import renamed
from penstock.sources.files.sheet import Sheet

_TEXTS = 32
_FLUSH = 1 << 20
_FILLER = b"1"
"""First field of each row: without it a row of one NULL would be a blank line, and `{}` no row at all."""


def spool(table: SourceTable, ready: Ready, staging: Path) -> list[Sheet]:
    """The rows of a JSON file as texts in staging. Empty when it holds none."""
    stem = hashlib.sha256(ready.found.path.encode()).hexdigest()[:16]
    known: dict[str, None] = {}
    sheets: list[Sheet] = []
    text: _Text | None = None
    try:
        for row in _rows(ready):
            if text is None or not row.keys() <= known.keys():
                known.update(dict.fromkeys(row))
                if text is not None:
                    sheets.append(text.close())
                if len(sheets) == _TEXTS:
                    for other in _rows(ready):
                        known.update(dict.fromkeys(other))
                    return [_one_text(ready, staging / f"rows_{stem}_all.csv", known, table)]
                text = _Text(ready, staging / f"rows_{stem}_{len(sheets)}.csv", known, table)
            text.add(row)
        if text is not None:
            sheets.append(text.close())
    finally:
        if text is not None:
            text.file.close()
    return sheets


def _one_text(ready: Ready, path: Path, known: dict[str, None], table: SourceTable) -> Sheet:
    text = _Text(ready, path, known, table)
    try:
        for row in _rows(ready):
            text.add(row)
        return text.close()
    finally:
        text.file.close()


def _rows(ready: Ready) -> Iterator[Row]:
    return objects(ready.path, ready.found.path, lines=ready.format == "ndjson")


class _Text:
    """One delimited text being written."""

    def __init__(self, ready: Ready, path: Path, known: dict[str, None], table: SourceTable) -> None:
        self._keys = tuple(known)
        if not self._keys:
            raise DataError(
                "expected objects with keys, found one without any",
                code="JSON_NOT_ROWS",
                location=Location(ready.found.path),
            )
        names = renamed(table, self._keys, ready.found.path)
        self._sheet = Sheet(path, ("", *names), ready.found.path, exact=False, received=self._keys)
        self.file: BinaryIO = path.open("wb", buffering=_FLUSH)
        # DuckDB takes the first line end it meets for that of every line; it must not be one inside a value
        header = b",".join([_FILLER] * len(self._sheet.columns)) + b"\n"
        self.file.write(header)
        self._longest = len(header)

    def add(self, row: Row) -> None:
        fields = [_FILLER]
        for key in self._keys:
            value = row.get(key)
            fields.append(b"" if value is None else self._quoted(key, value))
        line = b",".join(fields) + b"\n"
        self._longest = max(self._longest, len(line))
        self.file.write(line)

    def _quoted(self, key: str, value: str) -> bytes:
        try:
            raw = value.replace('"', '""').encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"a value of {key!r} holds half of a surrogate pair, which is no text",
                code="BAD_ENCODING",
                location=Location(self._sheet.origin),
                hint="correct the \\ud800…\\udfff escapes at the source",
            ) from error
        if b"\0" in raw:
            raise DataError(
                f"a value of {key!r} holds a NUL",
                code="NUL_BYTE",
                location=Location(self._sheet.origin),
                hint="remove the NUL characters at the source",
            )
        return b'"' + raw + b'"'

    def close(self) -> Sheet:
        self.file.close()
        return replace(self._sheet, max_line=max(self._sheet.max_line, self._longest + 1024))
