"""One DuckDB cursor, used by one thread at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import duckdb

from penstock.domain.relation import Column
from penstock.domain.rows import Rows
from penstock.embedded.failure import translate, translated
from penstock.errors import DriverError, InternalError, UsageError, UserError
from penstock.ports import ArrowStream
from penstock.quoting import identifier

ZONED = "TIMESTAMP WITH TIME ZONE"


class _Stream:
    """A relation shown as nothing but an Arrow stream: DuckDB refuses another connection's relation, not its rows."""

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._relation.__arrow_c_stream__(requested_schema)


class DuckSession:
    """Implements ports.Session.

    Sharing one connection between threads gives wrong results without an error, so a second thread is refused. Every
    result is read to its end before the next statement, which DuckDB 2 insists on and DuckDB 1.5 silently cuts short.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self._owner = threading.get_ident()

    def _mine(self) -> duckdb.DuckDBPyConnection:
        if threading.get_ident() != self._owner:
            raise InternalError("a session was used by a thread that does not own it", code="SESSION_SHARED")
        return self._cursor

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        with translated():
            rows = self._mine().execute(sql, list(values)).fetchall()
        return rows[0][0] if len(rows) == 1 and len(rows[0]) == 1 and type(rows[0][0]) is int else 0

    def query(self, sql: str, values: Sequence[Any] = (), limit: int | None = None) -> Rows:
        with translated():
            if ";" in sql and len(self._mine().extract_statements(sql)) > 1:
                raise UsageError("expected one statement, found several", code="SEVERAL_STATEMENTS", hint="send one")
            result = self._mine().execute(sql, list(values))
            if result is None:
                raise UserError("expected one SELECT, found no SQL", code="SQL_INVALID", hint="write a SELECT")
            columns = tuple(Column(str(entry[0]), str(entry[1])) for entry in result.description or ())
            zoned = any(ZONED in column.type for column in columns)
            if zoned:
                self._drain(result, [result])
                result = self._cursor.execute(_without_zones(sql, columns), list(values))
            rows = result.fetchall() if limit is None else result.fetchmany(limit + 1)
            if limit is not None:
                self._drain(result, rows)
            kept = rows[:limit]
            return Rows(columns, tuple(_in_utc(kept, columns) if zoned else kept), more=len(rows) > len(kept))

    def _drain(self, result: duckdb.DuckDBPyConnection, rows: list[Any]) -> None:
        """Let go of a result that is not read to its end: a new statement may only follow a closed one."""
        if rows:
            self._cursor.interrupt()
            while self._rest(result):
                pass

    @staticmethod
    def _rest(result: duckdb.DuckDBPyConnection) -> bool:
        try:
            return bool(result.fetchmany(10_000))
        except duckdb.Error:
            return False

    def stream(self, sql: str, size: int = 10_000) -> Iterator[Sequence[tuple[Any, ...]]]:
        with translated():
            result = self._mine().execute(sql)
            while block := result.fetchmany(size):
                yield block

    def arrow(self, sql: str) -> ArrowStream:
        with translated():
            return _Stream(self._mine().sql(sql))

    def describe(self, sql: str) -> tuple[Column, ...]:
        with translated():
            rows = self._mine().execute(f"DESCRIBE {sql}").fetchall()
        return tuple(Column(row[0], row[1]) for row in rows)

    @contextmanager
    def register(self, name: str, rows: ArrowStream) -> Iterator[None]:
        with translated():
            self._mine().register(name, _Stream(rows) if isinstance(rows, duckdb.DuckDBPyRelation) else rows)
        try:
            yield
        except BaseException:  # an error may have ended a transaction, and that has taken the view with it
            with contextlib.suppress(duckdb.Error):
                self._mine().execute(f"DROP VIEW IF EXISTS {identifier(name)}")
            raise
        self._mine().execute(f"DROP VIEW IF EXISTS {identifier(name)}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        cursor = self._mine()
        with translated():
            cursor.execute("BEGIN TRANSACTION")
        try:
            yield
        except BaseException:
            self._rollback()
            raise
        try:
            cursor.execute("COMMIT")
        except duckdb.Error as error:
            self._rollback()
            cause = translate(error)
            raise DriverError(
                f"the outcome of a commit is unknown: {cause.problem.message}",
                code="COMMIT_UNKNOWN",
                hint="run again: the ledger in the warehouse says what was committed",
                transient=True,
            ) from cause

    def _rollback(self) -> None:
        with contextlib.suppress(duckdb.Error):  # the engine may have ended the transaction itself
            self._cursor.execute("ROLLBACK")

    def close(self) -> None:
        self._cursor.close()


def _without_zones(sql: str, columns: Sequence[Column]) -> str:
    """The same rows with times in UTC that say nothing of a zone, and text where they are inside of something.

    DuckDB wants the package pytz to give Python a time with a zone. The zone is UTC on every connection (see connect).
    """
    names = [identifier(f"c{place}") for place in range(len(columns))]
    types = [
        "TIMESTAMP" if column.type == ZONED else column.type.replace(ZONED, "VARCHAR") if ZONED in column.type else None
        for column in columns
    ]
    listed = ", ".join(f"CAST({name} AS {type_})" if type_ else name for name, type_ in zip(names, types, strict=True))
    return f"SELECT {listed} FROM (\n{_to_its_end(sql)}\n) AS zoned({', '.join(names)})"


def _to_its_end(sql: str) -> str:
    """The one statement without the semicolons behind it. Offsets of tokens count bytes."""
    text = sql.encode()
    ends = [offset for offset, _ in duckdb.tokenize(sql) if text[offset : offset + 1] == b";"]
    return text[: ends[0]].decode() if ends else sql


def _in_utc(rows: Sequence[tuple[Any, ...]], columns: Sequence[Column]) -> list[tuple[Any, ...]]:
    """The rows with the zone put back."""
    places = {place for place, column in enumerate(columns) if column.type == ZONED}
    return [
        tuple(
            value.replace(tzinfo=UTC) if place in places and isinstance(value, datetime) else value
            for place, value in enumerate(row)
        )
        for row in rows
    ]
