"""Delimited text as DuckDB is to read it, and what its complaints mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import duckdb

from penstock.embedded.failure import translate
from penstock.errors import DataError, Location, PenstockError
from penstock.quoting import identifier, literal
from penstock.record import record

_LINE = re.compile(r"CSV Error on Line: (\d+)")
_COUNTS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_FILE = re.compile(r"^  file = (.*)$", re.MULTILINE)


@record
class Sheet:
    """One delimited text. `columns`: one name for each field, in order; an empty name is a field to leave out.
    `received`: the names as the file has them, without such fields. `origin` is the file it came from, for messages,
    `before` the lines of it that come before this text. `exact`: every file of the table must have these columns (JSON
    objects may lack some)."""

    path: Path
    columns: tuple[str, ...]
    origin: str
    delimiter: str = ","
    quote: str = '"'
    header: bool = True
    before: int = 0
    max_line: int = 2_000_000
    exact: bool = True
    received: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[object, ...]:
        """Texts of one shape are read by one scan."""
        return (self.columns, self.delimiter, self.quote, self.header, self.max_line)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self.columns if name)


def select(sheets: Sequence[Sheet]) -> str:
    """All rows of the sheets, columns matched by name, every value text."""
    scans = [_scan(list(group)) for _, group in groupby(sheets, key=lambda sheet: sheet.shape)]
    return " UNION ALL BY NAME ".join(scans)


def _scan(sheets: Sequence[Sheet]) -> str:
    first = sheets[0]
    files = ", ".join(literal(str(sheet.path)) for sheet in sheets)
    fields = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(first.columns)))
    wanted = ", ".join(f"c{number} AS {identifier(name)}" for number, name in enumerate(first.columns) if name)
    return (
        f"SELECT {wanted} FROM read_csv([{files}], auto_detect = false, header = {str(first.header).lower()}, "
        f"delim = {literal(first.delimiter)}, quote = {literal(first.quote)}, escape = {literal(first.quote)}, "
        "strict_mode = true, comment = '', nullstr = '', allow_quoted_nulls = false, null_padding = false, "
        "encoding = 'utf-8', compression = 'none', hive_partitioning = false, filename = false, "
        f"union_by_name = false, max_line_size = {first.max_line}, columns = {{{fields}}})"
    )


@contextmanager
def explained(sheets: Sequence[Sheet]) -> Iterator[None]:
    """Turn DuckDB's errors into ours, with the file and the line; never with the values of a row."""
    try:
        yield
    except duckdb.Error as error:
        raise _explain(str(error), sheets) or translate(error) from error


def _explain(text: str, sheets: Sequence[Sheet]) -> PenstockError | None:
    if "CSV Error on Line" not in text and "CSV Parser state machine" not in text:
        return None
    files = _FILE.findall(text)
    origins = {str(sheet.path): sheet for sheet in sheets}
    sheet = origins.get(files[-1]) if files else None
    sheet = sheet or (sheets[0] if len(sheets) == 1 else None)
    line = _LINE.search(text)
    number = int(line[1]) + (sheet.before if sheet else 0) if line else None
    where = Location(sheet.origin, number) if sheet else None
    if counts := _COUNTS.search(text):
        return DataError(
            f"expected {counts[1]} field{'s' if counts[1] != '1' else ''}, found {counts[2]}",
            code="CSV_RAGGED_ROW",
            location=where,
            hint="correct the row; values that hold the delimiter or a line end are quoted",
        )
    if "unterminated quote" in text:
        return DataError(
            "expected a closing quote at the end of the field, found text behind it or the end of the file",
            code="CSV_UNCLOSED_QUOTE",
            location=where,
            hint="double the quotes inside quoted values; or set `quote:` to what the file uses",
        )
    if "Invalid unicode" in text:
        return DataError(
            "expected text in utf-8, found bytes that are not",
            code="BAD_ENCODING",
            location=where,
            hint="declare the encoding the file really has with `encoding:` (often cp1252 or latin-1)",
        )
    if "Maximum line size" in text:
        limit = f"{sheet.max_line:,} " if sheet else ""
        return DataError(
            f"expected lines of at most {limit}bytes, found a longer one",
            code="CSV_LINE_TOO_LONG",
            location=where,
            hint="raise `max_line:` if the line is right; a quote that is never closed looks like this too",
        )
    if "state machine" in text:
        return DataError(
            "expected one kind of line end throughout, found two (or a field that does not read)",
            code="CSV_MIXED_LINE_ENDS",
            location=where,
            hint=r"write all lines with the same end, \n or \r\n; line ends inside values are quoted",
        )
    return DataError("a row does not read as delimited text", code="CSV_INVALID", location=where)
