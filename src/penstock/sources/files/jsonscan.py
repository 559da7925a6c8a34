"""JSON objects from a file, every scalar exactly as it is written.

A parser that turns `1e5`, `1.10` or a 20-digit integer into a number cannot give back what was written. So numbers,
booleans and nested values are sliced out of the text; only strings are decoded. The standard library's scanner finds
where each ends, and checks it on the way.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]
from pathlib import Path

from penstock.errors import DataError, Location

Row = dict[str, str | None]
LONGEST = 64 << 20
"""The longest single object, in bytes."""
_CHUNK = 1 << 20
_SPACE = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r"(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null)(?![^ \t\n\r,\]}])")
_ENCODING_HINT = "declare the encoding the file really has with `encoding:` (often cp1252 or latin-1)"


class _Malformed(ValueError):
    """Not an object. `final`: more text would not help."""

    def __init__(self, at: int, message: str, code: str = "JSON_INVALID", *, final: bool = False) -> None:
        super().__init__(message)
        self.at, self.code, self.final = at, code, final


_LINE_HINTS = {
    "JSON_NOT_ROWS": "write one object on each line; an array of objects is `format: json`",
    "JSON_INVALID": "write one object on each line; one that goes over several lines, or an array, is `format: json`",
}


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# the values are thrown away: only where they end counts, and that they are well formed
_NESTED = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=_constant)


def objects(file: Path, path: str, *, lines: bool) -> Iterator[Row]:
    """The objects of an array (`lines`: one on each line). `path` is for messages. Raises DataError."""
    return _lines(file, path) if lines else _Array(file, path).rows()


def _lines(file: Path, path: str) -> Iterator[Row]:
    with file.open("rb", buffering=_CHUNK) as stream:
        number = 0
        while raw := stream.readline(LONGEST):
            number += 1
            where = Location(path, number)
            if number == 1:
                raw = raw.removeprefix(codecs.BOM_UTF8)
            try:
                text = raw.decode().strip(" \t\r\n")
            except UnicodeDecodeError as error:
                raise _bad_encoding(where) from error
            if not text:
                continue
            try:
                if text[0] != "{":
                    raise _Malformed(0, "expected an object on each line, found something else", "JSON_NOT_ROWS")
                row, end = _object(text, 0)
                if end != len(text):
                    raise _Malformed(end, "expected one object on each line, found more behind it")
            except _Malformed as error:
                if not raw.endswith(b"\n") and not error.final:
                    raise _truncated(where) from error
                raise DataError(
                    str(error),
                    code=error.code,
                    location=where,
                    hint=_LINE_HINTS.get(error.code),
                ) from error
            yield row


class _Array:
    """An array that is read through a window: `_text` from `_at` on is what was not yet used."""

    def __init__(self, file: Path, path: str) -> None:
        self._file, self._path = file, path
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("strict")
        self._text = ""
        self._at = 0
        self._line = 1

    def rows(self) -> Iterator[Row]:
        with self._file.open("rb", buffering=0) as self._stream:
            if (opening := self._peek()) == "":
                return
            if opening != "[":
                raise self._error(
                    self._at,
                    "expected an array of objects, found something else",
                    "JSON_NOT_ROWS",
                    "one object on each line is `format: ndjson`",
                )
            self._at += 1
            if self._peek() != "]":
                yield self._next()
                while self._peek() == ",":
                    self._at += 1
                    yield self._next()
            if (closing := self._peek()) != "]":
                if closing == "":
                    raise _truncated(self._where(self._at))
                raise self._error(self._at, "expected a comma or the end of the array, found something else")
            self._at += 1
            if self._peek() != "":
                raise self._error(self._at, "expected nothing behind the array, found more")

    def _next(self) -> Row:
        if (opening := self._peek()) != "{":
            if opening == "":
                raise _truncated(self._where(self._at))
            raise self._error(self._at, "expected an object, found something else", "JSON_NOT_ROWS")
        while True:
            try:
                row, self._at = _object(self._text, self._at)
                return row
            except _Malformed as error:
                if error.final or len(self._text) - self._at > LONGEST:
                    raise self._error(error.at, str(error), error.code) from error
                if not self._more():
                    if error.at >= len(self._text):
                        raise _truncated(self._where(self._at)) from error
                    raise self._error(error.at, str(error), error.code) from error

    def _peek(self) -> str:
        """The next character that is no space; empty at the end of the text."""
        while True:
            self._at = _space(self._text, self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on, as much again as the window holds. False at the end of the file."""
        self._line += self._text.count("\n", 0, self._at)
        rest = self._text[self._at :]
        raw = self._stream.read(max(_CHUNK, len(rest)))
        try:
            self._text = rest + self._decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            raise _bad_encoding(Location(self._path, self._line)) from error
        self._at = 0
        return bool(raw)

    def _where(self, at: int) -> Location:
        return Location(self._path, self._line + self._text.count("\n", 0, at))

    def _error(self, at: int, message: str, code: str = "JSON_INVALID", hint: str | None = None) -> DataError:
        return DataError(message, code=code, location=self._where(at), hint=hint)


def _space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]


def _object(text: str, at: int) -> tuple[Row, int]:
    """The object that begins at `at`, and where it ends."""
    row: Row = {}
    at = _space(text, at + 1)
    if text[at : at + 1] == "}":
        return row, at + 1
    while True:
        if text[at : at + 1] != '"':
            raise _Malformed(at, "expected a key in double quotes, found something else")
        begin = at
        key, at = _string(text, at)
        at = _space(text, at)
        if text[at : at + 1] != ":":
            raise _Malformed(at, "expected a colon behind the key, found something else")
        value, at = _value(text, _space(text, at + 1))
        if key in row:
            raise _Malformed(begin, f"the key {key!r} is there twice in one object", "JSON_KEY_TWICE", final=True)
        row[key] = value
        at = _space(text, at)
        follows = text[at : at + 1]
        if follows == "}":
            return row, at + 1
        if follows != ",":
            raise _Malformed(at, "expected a comma or the end of the object, found something else")
        at = _space(text, at + 1)


def _string(text: str, at: int) -> tuple[str, int]:
    try:
        return scanstring(text, at + 1, True)  # type: ignore[no-any-return]
    except json.JSONDecodeError as error:
        at = len(text) if error.msg.startswith("Unterminated") else error.pos
        raise _Malformed(at, f"expected a string, found one that does not read ({error.msg})") from error


def _value(text: str, at: int) -> tuple[str | None, int]:
    opening = text[at : at + 1]
    if opening == '"':
        return _string(text, at)
    if opening in ("{", "["):
        try:
            _, end = _NESTED.raw_decode(text, at)
        except RecursionError as error:
            raise _Malformed(at, "the value is nested too deep to be read", final=True) from error
        except json.JSONDecodeError as error:
            unfinished = error.pos >= len(text) or error.msg.startswith("Unterminated")
            raise _Malformed(
                len(text) if unfinished else error.pos, f"a nested value does not read ({error.msg})"
            ) from error
        except ValueError as error:
            raise _Malformed(at, f"a nested value does not read ({error})") from error
        return text[at:end], end
    found = _SCALAR.match(text, at)
    if found is None:
        raise _Malformed(at, "expected a value, found something that is none")
    return (None if found[0] == "null" else found[0]), found.end()


def _truncated(where: Location) -> DataError:
    return DataError(
        "the JSON ends too early: the file may be cut short",
        code="SOURCE_TRUNCATED",
        location=where,
        hint="transfer the file again, and rename it into place when it is complete",
    )


def _bad_encoding(where: Location) -> DataError:
    return DataError(
        "expected text in utf-8, found bytes that are not", code="BAD_ENCODING", location=where, hint=_ENCODING_HINT
    )
