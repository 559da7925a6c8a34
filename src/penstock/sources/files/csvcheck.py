"""What DuckDB's CSV reader lets pass without a word, looked for while the file goes by.

Found by experiment on DuckDB 1.5.6 and 2.0.0: NUL bytes are kept, a last line that is cut is read, empty fields beyond
the last column are dropped (so `x,y,1,` reads as three columns when a value held an unquoted comma), and spaces beside
a quoted field vanish. The first two are one look at each chunk. The others need the text to be parsed, which is done
only when the file holds byte sequences that could be such a case.
"""

from __future__ import annotations

import codecs
import re
import shutil
from pathlib import Path

from penstock.errors import DataError, Location

_CHUNK = 1 << 20
_BOM = codecs.BOM_UTF8
_LINE_END = re.compile(rb"\r\n|\n|\r")


_NUL_HINT = (
    "remove the NUL bytes at the source; or, if every other byte is one, declare `encoding: utf-16-le` (or `utf-16-be`)"
)


class CsvCheck:
    """Fed with a file's text, in UTF-8 without a byte order mark. `first` is the first record, once enough was seen
    (None: the file is empty).

    `delimiter` and `quote` are single ASCII characters (`quote` may be empty). `width`: the number of columns, when
    it is not that of the first record. `skipped`: lines left out before the text, for line numbers.
    """

    def __init__(
        self,
        path: str,
        delimiter: str,
        quote: str,
        *,
        final_newline: bool = True,
        width: int | None = None,
        header: bool = True,
        skipped: int = 0,
        max_line: int = 2_000_000,
    ) -> None:
        self.path = path
        self.first: tuple[str, ...] | None = None
        self.newline = b"\n"
        self.size = 0
        self._delimiter, self._quote = delimiter.encode(), quote.encode()
        self._final_newline = final_newline
        self._width = width
        self._header = header
        self._rows_begin = 0
        self._misleading = False
        self._skipped = skipped
        self._max_line = max_line
        self._head = b""
        self._tail = b""
        self._nul: int | None = None
        self._doubtful = False
        d, q = re.escape(self._delimiter), re.escape(self._quote)
        self._quoted_field = re.compile(rb"%b(?:[^%b]++|%b%b)*+%b" % (q, q, q, q, q)) if quote else None
        plain = rb"[^%b\r\n]*+" % d
        self._field = rb"(?:%b|(?! ?%b)%b)" % (self._quoted_field.pattern, q, plain) if self._quoted_field else plain
        self._record = re.compile(rb"(?:%b%b)*+%b(\r\n|\n|\r)" % (self._field, d, self._field))
        # by their rarest byte, which is looked for first: one byte is found several times faster than two
        self._doubts = [(b"\r", self._delimiter + b"\r")]
        if quote:
            self._doubts += [(self._quote, b" " + self._quote), (self._quote, self._quote + b" ")]
        self._line_end = self._delimiter + b"\n"
        # every chunk has line ends, which stand less close than delimiters; a pattern that looks at what is before each
        # does with half the work of `in`
        self._ends_empty = re.compile(rb"\n(?<=%b\n)" % d).search

    def feed(self, chunk: bytes) -> None:
        if not chunk:
            return
        if self.first is None and len(self._head) < _CHUNK:
            self._head += chunk
            self._read_first(self._head)
        if self._nul is None and b"\0" in chunk:
            self._nul = self.size + chunk.index(0)
            if self.first is None and self._nul < len(self._head):
                raise self._holds_nul(self._head.count(self.newline[-1:], 0, self._nul))
        if not self._doubtful:
            seam = self._tail[-1:] + chunk[:1]
            self._doubtful = (
                seam == self._line_end
                or any(doubt == seam or (rare in chunk and doubt in chunk) for rare, doubt in self._doubts)
                or self._ends_empty(chunk) is not None
            )
        self.size += len(chunk)
        self._tail = (self._tail + chunk[-2:])[-2:]

    def finish(self, text: Path) -> None:
        """All was fed, and can be read again at `text`."""
        if not self.size:
            return
        if self._nul is not None:
            raise self._holds_nul(self._lines(text, self._nul))
        if self.first is None:
            self._read_first(self._head + (b"" if self._final_newline else b"\n"), last=True)
        if self._final_newline and not self._tail.endswith(self.newline):
            raise self._error(
                "SOURCE_TRUNCATED",
                "expected the last line to end with a line end, found none: the file may be cut short",
                self._lines(text, self.size) - self._tail.endswith((b"\n", b"\r")),
                "transfer the file again; or set `final_newline: optional` if it is written like this",
            )
        if self.first is None:
            raise self._error(
                "CSV_HEADER_INVALID",
                "expected a first line of fields, found one that does not read: a quote is never closed, has text or a "
                "space beside it, or the line is longer than 1 MB",
                0,
                "correct the first line; or check `delimiter:`, `quote:` and `encoding:`",
            )
        if self._doubtful or self._tail.endswith(self._delimiter):
            self._parse(text)

    def rewritten(self, text: Path, target: Path) -> bool:
        """When DuckDB would misread the line ends of `text`, write it to `target` behind a plain first line, which
        stands for the header or, if there is none, is one. Whether that was so."""
        if not self._misleading or self._width is None:
            return False
        mark = next(sign for sign in (b"x", b"y", b"z") if sign not in (self._delimiter, self._quote))
        with text.open("rb") as rows, target.open("wb") as plain:
            plain.write(self._delimiter.join([mark] * self._width) + self.newline)
            rows.seek((len(_BOM) if rows.read(len(_BOM)) == _BOM else 0) + self._rows_begin)
            shutil.copyfileobj(rows, plain, _CHUNK)
        return True

    def _lines(self, text: Path, size: int) -> int:
        """Line ends in the first `size` bytes. Counted only for a message: it is a quarter of the work of a check."""
        lines = 0
        with text.open("rb", buffering=0) as file:
            size += len(_BOM) if file.read(len(_BOM)) == _BOM else 0
            file.seek(0)
            while size > 0 and (chunk := file.read(min(size, _CHUNK))):
                lines += chunk.count(self.newline[-1:])
                size -= len(chunk)
        return lines

    def _read_first(self, text: bytes, *, last: bool = False) -> None:
        found = self._record.match(text)
        if found is None or (found.end() == len(text) and found[1] == b"\r" and not last):
            return  # not complete, or half of a \r\n
        self.newline = found[1]
        self._rows_begin = found.end() if self._header else 0
        # A line end inside the first record: DuckDB takes it for what ends lines, or, behind a byte order mark, for the
        # end of the header. Behind such a mark it also takes the first quote for text, so that a name as "a," opens a
        # quoted field, which the whole file is then skipped with.
        first_end = _LINE_END.search(text)
        separated = self._fields(text[: found.start(1)])
        opens = bool(self._quote) and self._delimiter + self._quote in separated[0]
        self._misleading = opens or (first_end is not None and first_end.start() < found.start(1))
        try:
            self.first = tuple(self._unquoted(field).decode() for field in separated)
        except UnicodeDecodeError as error:
            raise self._error(
                "BAD_ENCODING",
                "expected text in utf-8, found bytes that are not",
                0,
                "declare the encoding the file really has with `encoding:` (often cp1252 or latin-1)",
            ) from error
        if self._width is None:
            self._width = len(self.first)

    def _fields(self, record: bytes) -> list[bytes]:
        pattern, fields, at = re.compile(self._field), [], 0
        while True:
            found = pattern.match(record, at)
            assert found is not None  # noqa: S101 - the whole record matched before
            fields.append(found[0])
            at = found.end() + 1
            if at > len(record):
                return fields

    def _unquoted(self, field: bytes) -> bytes:
        if self._quote and field.startswith(self._quote):
            return field[1:-1].replace(self._quote * 2, self._quote)
        return field

    def _parse(self, text: Path) -> None:
        """Go through every record: each has exactly as many fields as there are columns, and reads as it stands."""
        width = self._width or 1
        d = re.escape(self._delimiter)
        end = rb"(?:\r\n|\n|\r)"
        records = re.compile(rb"(?:(?:%b%b){%d}%b%b|%b)*+" % (self._field, d, width - 1, self._field, end, end))
        lines, rest = 0, b""
        with text.open("rb", buffering=0) as file:
            while True:
                chunk = file.read(_CHUNK)
                block = rest + (chunk or (b"" if not rest or rest.endswith((b"\n", b"\r")) else self.newline))
                if lines == 0 and not rest:
                    block = block.removeprefix(_BOM)
                held = b"\r" if chunk and block.endswith(b"\r") else b""
                done = self._plain_lines(block, width)
                if done is None:
                    found = records.match(block, 0, len(block) - len(held))
                    done = found.end() if found else 0
                lines += block.count(self.newline[-1:], 0, done)
                rest = block[done:]
                if rest:
                    self._diagnose(rest, lines, width, last=not chunk)
                if not chunk:
                    return

    def _plain_lines(self, block: bytes, width: int) -> int | None:
        """A block without quotes needs only to be counted. None when the count does not add up."""
        if self._quote and self._quote in block:
            return None
        end = block.rfind(b"\n") + 1
        if not end or b"\n\n" in block or block.startswith((b"\n", b"\r")) or b"\n\r" in block:
            return None
        if b"\r" in block and self.newline != b"\r\n":
            return None
        # a long line and a short one could balance, but DuckDB refuses the short one
        balanced = block.count(self._delimiter, 0, end) == (width - 1) * block.count(b"\n", 0, end)
        return end if balanced else None

    def _diagnose(self, rest: bytes, lines: int, width: int, *, last: bool) -> None:
        record = self._record.match(rest)
        if record is not None and not (record[1] == b"\r" and record.end() == len(rest) and not last):
            count = len(self._fields(rest[: record.start(1)]))
            raise self._error(
                "CSV_RAGGED_ROW",
                f"expected {width} field{'s' if width > 1 else ''}, found {count}",
                lines,
                "quote values that hold the delimiter, or remove delimiters at the end of the line",
            )
        if last or len(rest) > self._max_line + _CHUNK:
            raise self._error(
                "CSV_QUOTE_MISPLACED",
                "expected each field either quoted as a whole or without quotes at its start, found a quote that is "
                "never closed, or has text or a space beside it",
                lines,
                'write the field as "…", with quotes inside it doubled, and nothing between it and the delimiter',
            )

    def _holds_nul(self, lines: int) -> DataError:
        return self._error("NUL_BYTE", "expected text, found a NUL byte", lines, _NUL_HINT)

    def _error(self, code: str, message: str, lines_before: int, hint: str) -> DataError:
        return DataError(message, code=code, location=Location(self.path, self._skipped + lines_before + 1), hint=hint)
