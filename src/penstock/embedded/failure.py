"""What DuckDB's exceptions mean to us: who acts, and whether a retry can help.

The texts were collected from DuckDB 1.5.6 and 2.0.0; tests/unit/embedded keeps them true on the installed version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from penstock.errors import Cancelled, DriverError, Locked, PenstockError, UserError

_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")
_LINE = re.compile(r"^LINE (\d+): (.*)\n( *)\^", re.MULTILINE)


_ALSO_NAMES = {
    "any",
    "at",
    "check",
    "column",
    "default",
    "desc",
    "end",
    "group",
    "limit",
    "offset",
    "order",
    "primary",
    "references",
    "table",
    "to",
    "user",
    "when",
    "window",
}
"""Words that DuckDB keeps for itself and that people give to columns."""


def line_of(message: str) -> int | None:
    """The line of the statement a DuckDB message points at, from 1."""
    found = _LINE.search(message)
    return int(found[1]) if found else None


def _first_line(message: str) -> str:
    """The message without the statement it quotes (and so without the values in it)."""
    said = message.partition("\n\nLINE ")[0].partition("Candidate functions:")[0]  # dozens of signatures
    return re.sub(r"\s+", " ", said).strip()


def translate(error: duckdb.Error) -> PenstockError:
    """The Penstock error for a DuckDB exception, with the line of the statement it points at."""
    translation = _meaning(error, str(error))
    translation.sql_line = line_of(str(error))
    return translation


def _meaning(error: duckdb.Error, text: str) -> PenstockError:
    lowered = text.lower()
    if isinstance(error, duckdb.InterruptException):
        return Cancelled("the statement was interrupted", code="CANCELLED")
    if holder := _HOLDER.search(text):
        return Locked(
            f"the warehouse is held by another process (pid {holder['pid']}, {holder['program']})",
            code="WAREHOUSE_LOCKED",
            hint="wait for it to end, or stop it",
        )
    if "no space left on device" in lowered or "disk quota exceeded" in lowered or "file too large" in lowered:
        return DriverError(
            f"the disk is full: {_first_line(text)}",
            code="DISK_FULL",
            hint="free some space and run again; what was published stands",
            transient=True,
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return DriverError(
            f"out of memory: {_first_line(text)}",
            code="OUT_OF_MEMORY",
            hint="raise the environment's memory_limit, or lower its threads",
        )
    if isinstance(error, duckdb.TransactionException) and "conflict" in lowered:
        return DriverError(_first_line(text), code="CONFLICT", transient=True)
    if isinstance(error, (duckdb.FatalException, duckdb.InternalException)):
        return DriverError(
            f"DuckDB gave up: {_first_line(text)}",
            code="ENGINE_FATAL",
            hint="run again: the warehouse is reopened and the ledger asked what was committed",
        )
    damaged = "not a valid duckdb" in lowered or "corrupt database file" in lowered  # DuckDB 2 has no class for it
    if damaged or isinstance(error, duckdb.IOException):
        hint = "move it away, with its .wal file, and run `penstock rebuild`: all of it is in the landing"
        return DriverError(_first_line(text), code="ENGINE_IO", hint=hint if damaged else None)
    if isinstance(error, duckdb.PermissionException):
        return UserError(
            _first_line(text),
            code="OUTSIDE_ACCESS",
            hint="models read relations; files and addresses are declared as sources",
        )
    if isinstance(error, (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)):
        return UserError(_first_line(text), code="SQL_INVALID", hint=_correction(error))
    if isinstance(error, duckdb.ConversionException):
        hint = "TRY_CAST gives NULL where a cast would fail; or keep such rows out with WHERE"
        return UserError(_first_line(text), code="SQL_FAILED", hint=hint)
    if "read-only mode" in text or "configuration has been locked" in text:
        hint = "this only reads: what is to change is changed in a model or at a source"
        return UserError(_first_line(text), code="SQL_FAILED", hint=hint)
    return UserError(_first_line(text), code="SQL_FAILED")


def _correction(error: duckdb.Error) -> str | None:
    """The fix where DuckDB's message does not hold it already."""
    text = str(error)
    if "No function matches the given name and argument types" in text:
        return "cast the arguments to types the function takes"
    if "Function with name" in text:
        return "correct its name, or define it in functions/*.sql"
    if "Referenced column" in text or "Table with name" in text:
        return "correct the name; `penstock validate --columns` lists what there is"
    if isinstance(error, duckdb.ParserException):
        word = _taken(text)
        if word is not None:
            return f'correct the SQL; `{word}` is a word of it, which as a name is written "{word}"'
        return "correct the SQL; the dialect is DuckDB's"
    return None


def _taken(text: str) -> str | None:
    """A word of SQL where the parser stopped, or right before, that would be a good name for a column, too."""
    found = _LINE.search(text)
    if found is None:
        return None
    at = len(found[3]) - len(f"LINE {found[1]}: ")
    words = [*re.findall(r'(?<!")\b\w+(?=\W*$)', found[2][:at]), *re.findall(r"^\w+", found[2][at:])]
    return next((word for word in words if word.lower() in _ALSO_NAMES), None)


@contextmanager
def translated() -> Iterator[None]:
    """Turn DuckDB's exceptions into Penstock's within the block."""
    try:
        yield
    except duckdb.Error as error:
        raise translate(error) from error
    except RuntimeError as error:  # not one of DuckDB's own: a signal that Python saw while it executed
        if str(error) != "Query interrupted":
            raise
        raise Cancelled("the statement was interrupted", code="CANCELLED") from error
