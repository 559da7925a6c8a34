"""Checks in Python: a function of Arrow streams, called in this process, that gives the rows that fail."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from penstock.checks.kind import Subject
from penstock.domain.check import Check
from penstock.errors import DataError, Location
from penstock.ports import ArrowStream, Session
from penstock.quoting import qualified

Row = Mapping[str, Any]


class _Stream:
    """Rows shown as nothing but an Arrow stream: DuckDB refuses another connection's relation, not its rows."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._rows.__arrow_c_stream__(requested_schema)


def failing(
    check: Check, subject: Subject, root: Path, session: Session, most: int
) -> tuple[int, int, tuple[Row, ...]]:
    """Import the check's file and call `check` with the relation's rows and those of each relation it reads.

    Gives how many rows there are, how many fail, and at most `most` of these. The inputs are copied out of the session
    first, which may be in the middle of a transaction and can only have one result open. Raises DataError CHECK_INVALID
    when the file cannot be imported, the function raises, or what it gives is not rows.
    """
    from penstock.embedded.connection import connect

    others = (qualified(each.layer, each.name) for each in check.refers)
    with closing(connect()) as aside:
        for place, rows in enumerate((subject.table, *others)):
            stream: ArrowStream = session.arrow(f"SELECT * FROM {rows}")
            aside.register("_penstock_rows", stream)
            aside.execute(f"CREATE TABLE input{place} AS SELECT * FROM _penstock_rows")
            aside.unregister("_penstock_rows")
            del stream
        inputs = [_Stream(aside.cursor().table(f"input{place}")) for place in range(1 + len(check.refers))]
        total: int = aside.sql("SELECT count(*) FROM input0").fetchall()[0][0]
        found = _told(check, subject, root, lambda: _rows(_function(check, root)(*inputs), aside.cursor(), most))
        if found is None:
            raise _invalid(check, subject, "expected check() to return Arrow data or a list of dictionaries")
        return total, *found


def _rows(result: Any, cursor: Any, most: int) -> tuple[int, tuple[Row, ...]] | None:
    if isinstance(result, (list, tuple)):
        if not all(isinstance(each, Mapping) for each in result):
            return None
        return len(result), tuple({str(name): value for name, value in each.items()} for each in result[:most])
    if not hasattr(result, "__arrow_c_stream__"):
        return None
    cursor.register("_penstock_found", _Stream(result))
    cursor.execute("CREATE TEMP TABLE found AS SELECT * FROM _penstock_found")
    count = cursor.execute("SELECT count(*) FROM found").fetchall()[0][0]
    rows: Sequence[Any] = cursor.execute(f"SELECT * FROM found LIMIT {int(most)}").fetchall()
    names = [entry[0] for entry in cursor.description]
    return count, tuple(dict(zip(names, row, strict=True)) for row in rows)


def _function(check: Check, root: Path) -> Callable[..., Any]:
    path = root / check.location.path
    spec = spec_from_file_location(f"penstock_check_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} cannot be imported")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[..., Any] = module.check
    return function


def _told(check: Check, subject: Subject, root: Path, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except (Exception, SystemExit) as error:  # sys.exit() ends the check, not the run
        own = str(root / check.location.path)
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
        raise _invalid(check, subject, f"{type(error).__name__}: {error}", lines[-1] if lines else None) from error


def _invalid(check: Check, subject: Subject, message: str, line: int | None = None) -> DataError:
    return DataError(
        f"{subject.relation}: the check {check.name} cannot be evaluated: {message}",
        code="CHECK_INVALID",
        location=Location(check.location.path, line or check.location.line),
        hint="mend the function; what was published stays as it was",
    )
