"""Python models: a function of Arrow streams, called in this process, its result checked before it is stored."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Collection
from contextlib import ExitStack
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from penstock.domain.model import Model
from penstock.domain.relation import RelationName
from penstock.errors import DataError, Location, PenstockError, UserError
from penstock.ports import ArrowStream, Session
from penstock.quoting import columns, qualified

INPUT = "_penstock_rows"
_COPY = "_penstock_input"


def call(
    model: Model,
    root: Path,
    open_session: Callable[[], Session],
    resources: ExitStack,
    *,
    first: ArrowStream | None = None,
    unseen: Collection[RelationName] = (),
    own: Session | None = None,
) -> ArrowStream:
    """Import the model's file and call `model` with one Arrow stream per relation it reads, in that order.

    `first` is given in the place of the first relation. Every other stream has a session of its own: an open result and
    a new statement do not go together. They are closed with `resources`, when the result has been read: it may be a
    stream that reads the inputs as it goes. `unseen` relations, which `own` has changed and not committed, are copied
    to it. Raises UserError when the file cannot be imported, the function raises, or
    the result is not Arrow.
    """
    resources.push(lambda kind, error, trace: _while_read(model, root, error))
    function = _function(model, root)
    streams = [] if first is None else [first]
    for relation in model.reads[len(streams) :]:
        session = open_session()
        resources.callback(session.close)
        rows = f"SELECT * FROM {qualified(relation.layer, relation.name)}"
        if own is not None and relation in unseen:
            with session.register(INPUT, own.arrow(rows)):
                session.execute(f"CREATE TEMP TABLE {_COPY} AS SELECT * FROM {INPUT}")
            rows = f"SELECT * FROM {_COPY}"
        streams.append(session.arrow(rows))
    result: Any = _told(model, root, lambda: function(*streams))
    if not hasattr(result, "__arrow_c_stream__"):
        raise UserError(
            f"{model.relation}: expected model() to return Arrow data, found {type(result).__name__}",
            code="PYTHON_MODEL_RESULT",
            location=model.location,
            hint="return a pyarrow.Table, a polars or pandas DataFrame, or anything with __arrow_c_stream__",
        )
    return result  # type: ignore[no-any-return]  # checked just above, by what it can do


def _function(model: Model, root: Path) -> Callable[..., Any]:
    path = root / model.location.path
    spec = spec_from_file_location(f"penstock_model_{model.relation.layer}_{model.relation.name}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path.name} cannot be imported", code="PYTHON_MODEL_FAILED", location=model.location)
    module = module_from_spec(spec)
    loader = spec.loader
    _told(model, root, lambda: loader.exec_module(module))
    function: Callable[..., Any] = module.model
    return function


def _told(model: Model, root: Path, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except (Exception, SystemExit) as error:  # sys.exit() ends the model, not the run
        own = str(root / model.location.path)
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
        raise UserError(
            f"{model.relation}: {type(error).__name__}: {error}",
            code="PYTHON_MODEL_FAILED",
            location=Location(model.location.path, lines[-1] if lines else None),
            hint=_hint(error),
        ) from error


def _while_read(model: Model, root: Path, error: BaseException | None) -> None:
    """What a stream raises while its rows are taken comes by way of the engine, as text."""
    if not isinstance(error, PenstockError) or "Python exception: Traceback" not in error.problem.message:
        return
    _, _, trace = error.problem.message.partition("Python exception: ")
    own = re.escape(str(root / model.location.path))
    lines = re.findall(rf'File "{own}", line ([0-9]+)', trace)
    raised = re.findall(r"(?:^| )((?:[A-Za-z_]\w*\.)*[A-Z]\w*: .*?)$", trace.rpartition(", in ")[2])
    raise UserError(
        f"{model.relation}: {raised[0] if raised else 'the stream that model() returned failed'}",
        code="PYTHON_MODEL_FAILED",
        location=Location(model.location.path, int(lines[-1]) if lines else None),
        hint="the table was left as it was; mend the function and run again",
    ) from error


def _hint(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"install {error.name} where penstock is installed ({sys.executable})"
    return "the table was left as it was; mend the function and run again"


def check_columns(model: Model, session: Session) -> str:
    """The SELECT over the registered result, its columns in the declared order. Raises DataError when they differ."""
    found = [column.name for column in session.describe(f"SELECT * FROM {INPUT}")]
    if sorted(found) != sorted(model.columns):
        raise DataError(
            f"{model.relation}: expected the columns {', '.join(model.columns)}, found {', '.join(found)}",
            code="WRONG_COLUMNS",
            location=model.location,
            hint="return exactly the columns declared under `columns:`",
        )
    return f"SELECT {columns(model.columns)} FROM {INPUT}"
