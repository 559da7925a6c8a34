"""One pass over a file before anything reads it: sha256, decompression, encoding, and what DuckDB would let pass.

A plain UTF-8 file is only looked at; DuckDB then reads the file itself. Any other is written to the staging folder as
plain UTF-8 text first. Memory is bounded by the chunk size.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import re
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from penstock.domain.batch import SourceFile
from penstock.domain.source import SourceTable
from penstock.embedded.interruption import pause
from penstock.errors import DataError, DriverError, Location, PenstockError
from penstock.record import record
from penstock.sources.files.listing import Found, format_of

CHUNK = 1 << 20
_BOM = codecs.BOM_UTF8
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ZSTD_WINDOW = 1 << 27
_ZSTD_STEP = 1 << 12
_GLOB = frozenset("*?[]\\")
_LINE_END = re.compile(rb"\r*\n|\r")


class Check(Protocol):
    """Looks at a file's text as it goes by, then may read it once more. Both raise DataError. At last it may write
    the text anew, behind a first line that only says how lines end."""

    first: tuple[str, ...] | None

    def feed(self, chunk: bytes) -> None: ...

    def finish(self, text: Path) -> None: ...

    def rewritten(self, text: Path, target: Path) -> bool: ...


@record
class Ready:
    """A file that can be read: `path` is the file itself or its plain text in staging, `size` that text's bytes,
    `first` the first record of delimited text, `rewritten`: `path` begins with a line that is not of the file (in place
    of its header, if it has one)."""

    found: Found
    format: str
    path: Path
    sha256: str
    size: int
    first: tuple[str, ...] | None = None
    rewritten: bool = False

    @property
    def source(self) -> SourceFile:
        return SourceFile(self.found.path, self.found.size, self.found.modified_ns, self.sha256)


def changed_while_read(found: Found) -> DriverError:
    return DriverError(
        f"{found.path} was replaced or written to while it was read",
        code="SOURCE_CHANGED_WHILE_READ",
        hint="write files under another name and rename them when complete; run again",
        transient=True,
    )


@contextmanager
def steady(files: Sequence[Found]) -> Iterator[None]:
    """Files that are read within the block stay what they were listed as. When one did not, that is the error,
    whatever else its reader made of it. Other failures of the operating system become DriverErrors."""
    try:
        yield
    except (PenstockError, OSError) as error:
        for found in files:
            if not found.unchanged():
                raise changed_while_read(found) from error
        if isinstance(error, PenstockError):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DriverError(
                "the disk is full while reading a source",
                code="DISK_FULL",
                hint="free some space and run again; nothing was landed",
                transient=True,
            ) from error
        raise DriverError(
            f"{error.strerror or error} while reading {files[0].path}",
            code="SOURCE_UNREADABLE",
            hint="check the file's permissions and the disk",
        ) from error
    for found in files:
        if not found.unchanged():
            raise changed_while_read(found)


def sha256_of(found: Found) -> str:
    """The hash alone."""
    digest = hashlib.sha256()
    with steady([found]):
        for chunk in _raw(found):
            digest.update(chunk)
    return digest.hexdigest()


def take(table: SourceTable, found: Found, staging: Path, check: Check | None) -> Ready:
    """Read `found` once. `check` sees its text. Raises DataError, or DriverError when it cannot be read."""
    kind, compression = format_of(table, found.path)
    digest = hashlib.sha256()
    chunks = opened(table, found, digest.update)
    text = kind != "parquet"
    as_it_is = compression == "none" and _GLOB.isdisjoint(str(found.full))
    if text:
        as_it_is = as_it_is and table.options["encoding"] == "utf-8" and not _skip(table, kind)
    name = f"text_{hashlib.sha256(found.path.encode()).hexdigest()[:16]}"
    spool = None if as_it_is else staging / (f"{name}.txt" if text else f"{name}.parquet")
    path, plain = spool or found.full, staging / f"{name}.plain"
    with steady([found]):
        size = _drain(chunks, check, spool)
        if check is not None:
            check.finish(path)
        rewritten = check is not None and check.rewritten(path, plain)
    if rewritten and spool is not None:
        spool.unlink()
    first = check.first if check else None
    return Ready(found, kind, plain if rewritten else path, digest.hexdigest(), size, first, rewritten)


def opened(table: SourceTable, found: Found, see: Callable[[bytes], None] | None = None) -> Iterator[bytes]:
    """The file's content: unpacked, and text in UTF-8 without what is to be skipped. `see` gets the raw bytes."""
    kind, compression = format_of(table, found.path)
    chunks = _raw(found, see)
    if compression != "none":
        chunks = _plain(found, compression, chunks, table.options["max_uncompressed"])
    if kind != "parquet":
        chunks = _utf8(found, chunks, table.options["encoding"])
        if lines := _skip(table, kind):
            chunks = _skipped(chunks, lines)
    return chunks


def _skip(table: SourceTable, kind: str) -> int:
    return int(table.options["skip"]) if kind in ("csv", "tsv") else 0


def _drain(chunks: Iterator[bytes], check: Check | None, spool: Path | None) -> int:
    """Read everything; the size in bytes of what went by."""
    size = 0
    with spool.open("wb") if spool else nullcontext() as target:
        for chunk in chunks:
            pause()  # a chunk of an archive may hold thousands of these
            size += len(chunk)
            if check is not None:
                check.feed(chunk)
            if target is not None:
                target.write(chunk)
    return size


def _raw(found: Found, see: Callable[[bytes], None] | None = None) -> Iterator[bytes]:
    with found.full.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            pause()
            if see is not None:
                see(chunk)
            yield chunk


def _plain(found: Found, compression: str, chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """The archive's content: every member, checksums checked, at most `limit` bytes."""
    total = 0
    for piece in _members(found, compression, chunks):
        total += len(piece)
        if total > limit:
            raise DataError(
                f"{found.path} holds more than {limit:,} bytes when uncompressed",
                code="ARCHIVE_TOO_LARGE",
                location=Location(found.path),
                hint="raise `max_uncompressed:` if the file is right",
            )
        yield piece


def _members(found: Found, compression: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    stream: Any = None
    broken: tuple[type[Exception], ...] = (zlib.error,)
    if compression == "zstd":
        import zstandard

        broken = (zstandard.ZstdError,)
    started = False
    try:
        for chunk in chunks:
            waiting = chunk
            while waiting:
                if stream is None:
                    waiting = waiting.lstrip(b"\0") if started else waiting  # padding after an archive is allowed
                    if not waiting:
                        break
                    stream, started = _decoder(compression), True
                waiting = yield from _unpacked(stream, compression, waiting)
                if stream.eof:
                    stream = None
    except broken as error:
        raise DataError(
            f"expected a {compression} archive, found something that does not unpack ({error})",
            code="ARCHIVE_DAMAGED",
            location=Location(found.path),
            hint="transfer the file again; or correct `compression:`",
        ) from error
    if stream is not None:
        raise DataError(
            f"the {compression} archive ends too early",
            code="SOURCE_TRUNCATED",
            location=Location(found.path),
            hint="transfer the file again, and rename it into place when it is complete",
        )


def _decoder(compression: str) -> Any:
    if compression == "gzip":
        return zlib.decompressobj(wbits=31)
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()


def _unpacked(stream: Any, compression: str, data: bytes) -> Generator[bytes, None, bytes]:
    """Unpack in pieces of bounded size, so that a bomb is stopped while it is small. Returns what lies behind the
    archive's end."""
    if compression == "gzip":
        while data and not stream.eof:
            yield stream.decompress(data, CHUNK)
            data = stream.unconsumed_tail
        while not stream.eof and (piece := stream.decompress(b"", CHUNK)):
            yield piece
        return bytes(stream.unused_data)
    while data and not stream.eof:  # zstd unpacks what it is given as a whole, so give it little
        yield stream.decompress(data[:_ZSTD_STEP])
        data = data[_ZSTD_STEP:]
    return bytes(stream.unused_data + data) if stream.eof else b""


_NOT_TEXT = (
    (b"PK\x03\x04", "a zip archive, which is also what an Excel workbook is"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word file"),
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PAR1", "Parquet"),
    (b"%PDF-", "a PDF"),
    (b"SQLite format 3\0", "a SQLite database"),
)
"""How files begin that are no text."""


def _utf8(found: Found, chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The text as UTF-8 without a byte order mark. UTF-8 itself is passed on unread: DuckDB checks it."""
    decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("strict")
    first, done = True, 0
    for chunk in chunks:
        piece = chunk
        if first and decoder is None and chunk[:2] in _UTF16:
            raise DataError(
                "expected text in utf-8, found the mark of utf-16",
                code="BAD_ENCODING",
                location=Location(found.path),
                hint="add `encoding: utf-16`",
            )
        if first and (what := next((name for magic, name in _NOT_TEXT if chunk.startswith(magic)), None)):
            raise DataError(
                f"expected text, found {what}",
                code="NOT_TEXT",
                location=Location(found.path),
                hint="export it as CSV, Parquet or JSON; or correct `path:`, `format:` or `compression:`",
            )
        if decoder is not None:
            piece = _decoded(found, decoder, chunk, done, encoding)
        done += len(chunk)
        if first and piece:
            first, piece = False, piece.removeprefix(_BOM)
        yield piece
    if decoder is not None:
        yield _decoded(found, decoder, b"", done, encoding, final=True)


def _decoded(
    found: Found, decoder: codecs.IncrementalDecoder, chunk: bytes, offset: int, encoding: str, final: bool = False
) -> bytes:
    waiting = len(decoder.getstate()[0])
    try:
        return decoder.decode(chunk, final).encode()
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        raise DataError(
            f"expected text in {encoding}, found bytes that are not, at byte {offset - waiting + start:,}",
            code="BAD_ENCODING",
            location=Location(found.path),
            hint="declare the encoding the file really has with `encoding:` (often cp1252 or latin-1)",
        ) from error


def _skipped(chunks: Iterator[bytes], lines: int) -> Iterator[bytes]:
    """The text without its first lines (of any line end; \\r\\n and \\r\\r\\n count once)."""
    head = b""
    for chunk in chunks:
        head += chunk
        begin = _after(head.rstrip(b"\r"), lines)  # what ends with \r may be half of a line end
        if begin is not None:
            yield head[begin:]
            yield from chunks
            return
    begin = _after(head, lines)
    if begin is not None:
        yield head[begin:]


def _after(text: bytes, lines: int) -> int | None:
    found = next(islice(_LINE_END.finditer(text), lines - 1, None), None)
    return found.end() if found else None
