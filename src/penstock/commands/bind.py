"""Binding: every model's SELECT is prepared, in order, against empty tables with the columns that are known.

So an unknown column, a wrong type or a misspelt function is told with file and line before anything runs. The engine
itself is the judge: an in-memory DuckDB, whose dialect models are written in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from penstock.commands.workspace import Workspace, utc_now
from penstock.contracts.shape import departures, stops
from penstock.domain.contract import Contract
from penstock.domain.model import Model
from penstock.domain.relation import Column, RelationName
from penstock.domain.source import ExtractKind, SourceColumn, SourceTable
from penstock.domain.strategy import VALIDITY
from penstock.errors import DataError, Location, PenstockError, Problem, ProjectError, StateError
from penstock.graph.order import CycleFound
from penstock.materializations import landed as landing
from penstock.materializations.build import check_output
from penstock.materializations.history import APPEND_META, META, META_TYPES
from penstock.materializations.strategy import VALID, check_named
from penstock.materializations.typing import typed
from penstock.planner.plan import in_order
from penstock.ports import Session
from penstock.quoting import identifier, literal, qualified
from penstock.sql.render import bind_parameters


@dataclass(slots=True)
class Bound:
    """`columns` by relation; `notes`: what could not be checked."""

    columns: dict[RelationName, tuple[Column, ...]] = field(default_factory=dict)
    note_list: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self.note_list)


def check(space: Workspace) -> frozenset[RelationName]:
    """Bind, unless project and source columns are those of the last time it went well. Gives the models that bound:
    their output needs no second look when they are built."""
    sources = {table.id: known_columns(space, table) for table in space.project.tables}
    stamp = sha256(f"{space.project.fingerprint}\n{sorted(sources.items())!r}".encode()).hexdigest()
    remembered = space.root / ".penstock" / f"bound.{space.environment.name}"
    known, names = _remembered(remembered)
    if known != stamp:
        bound = bind(space, sources)
        names = " ".join(str(model.relation) for model in space.project.models if model.relation in bound.columns)
        _remember(remembered, f"{stamp}\n{names}")
    return frozenset(RelationName.parse(name) for name in names.split())


def _remembered(path: Path) -> tuple[str, str]:
    """What was bound last: a stamp and the names. A file that is damaged or absent is nothing remembered."""
    try:
        stamp, _, names = path.read_text().partition("\n")
    except (OSError, UnicodeDecodeError):
        return "", ""
    return stamp, names


def _remember(path: Path, text: str) -> None:
    """Written aside and renamed; where it cannot be written, the next run binds again."""
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        aside.write_text(text)
        aside.replace(path)


def problems(space: Workspace) -> tuple[Problem, ...]:
    """What does not bind in the sound part of a project that has problems already."""
    try:
        bind(space)
    except ProjectError as error:
        return error.problems
    except CycleFound:
        pass  # told already, and nothing in a circle can be prepared
    return ()


def bind(space: Workspace, sources: dict[str, tuple[Column, ...] | None] | None = None) -> Bound:
    """Prepare everything. Raises ProjectError with all that does not bind."""
    bound = attempt(space, sources)
    if bound.problems:
        raise ProjectError(bound.problems)
    return bound


def attempt(space: Workspace, sources: dict[str, tuple[Column, ...] | None] | None = None) -> Bound:
    """Prepare what can be prepared; what does not bind is among the `problems`."""
    from penstock.commands import bind_checks
    from penstock.embedded.connection import connect
    from penstock.engines.duckdb.session import DuckSession

    known = sources if sources is not None else {t.id: known_columns(space, t) for t in space.project.tables}
    connection = connect(None)
    try:
        session = DuckSession(connection)
        for layer in space.project.layers:
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(layer.name)}")
        bound = Bound()
        for table in space.project.tables:
            _source(table, known[table.id], bound, session)
        for model in in_order(space.project.models):
            _model(space, model, bound, session)
        bound.problems += bind_checks.problems(space, bound.columns, session)
    finally:
        connection.close()
    return bound


def known_columns(space: Workspace, table: SourceTable) -> tuple[Column, ...] | None:
    """The columns of a source table: as landed last, else as the source shows them now, else unknown."""
    seen: dict[str, Column] = {}
    try:
        for batch in space.landing.batches(table.source, table.name):
            seen |= {column.name.lower(): column for column in landing.columns(table, batch.columns)}
    except (StateError, DataError):  # told by the steps of this table; the others go on
        return None
    if seen:
        return tuple(seen.values())
    try:
        return space.reader(table).columns(table, space.roots[table.source])
    except PenstockError:
        return None


def _source(table: SourceTable, found: Sequence[Column] | None, bound: Bound, session: Session) -> None:
    found = _agreed(table, found)
    if found is None:
        bound.note_list.append(
            f"{table.relation}: columns are not known before it is landed; its readers are unchecked"
        )
        return
    declared = {column.name.lower(): column for column in table.columns}
    bound.problems += _defaults(table, session)
    own = tuple(Column(column.name, typed(column, declared.get(column.name.lower())).type) for column in found)
    meta = tuple(Column(name, META_TYPES[name]) for name in (META if table.key else APPEND_META))
    _create(table.stored, (*own, *meta), bound, session)
    if table.key:
        _create(table.relation, (*own, meta[0]), bound, session)


def _defaults(table: SourceTable, session: Session) -> Iterator[Problem]:
    """Defaults that do not read as the type of their column."""
    for each in table.contract.columns if table.contract else ():
        if table.contract is None or each.default is None:
            continue
        landed = typed(Column("v", "VARCHAR"), SourceColumn("v", each.type, None, False))
        if session.query(f"SELECT {landed.bad or 'false'} FROM (SELECT {literal(each.default)} AS v)").rows[0][0]:
            yield Problem(
                "CONTRACT_INVALID",
                f"contract of {table.relation}: the default of {each.name!r} is {each.default!r}, "
                f"which is no {each.type.lower()}",
                table.contract.location,
                "write a value of the column's type",
            )


def _agreed(table: SourceTable, found: Sequence[Column] | None) -> Sequence[Column] | None:
    """The columns that are known, and those that are agreed upon, whether or not any batch had them."""
    if table.contract is None:
        return found
    if table.contract.mode == "strict" and table.extract is ExtractKind.APPEND:
        found = [column for column in found or () if table.contract.column(column.name)]
    there = {column.name.lower() for column in found or ()}
    promised = [Column(each.name, each.type) for each in table.contract.columns if each.name.lower() not in there]
    return (*(found or ()), *promised)


def _model(space: Workspace, model: Model, bound: Bound, session: Session) -> None:
    missing = [str(read) for read in model.reads if read not in bound.columns]
    if missing:
        bound.note_list.append(f"{model.relation}: not checked, the columns of {', '.join(missing)} are not known")
        return
    if model.language == "python":
        bound.note_list.append(f"{model.relation}: a Python model; its columns are checked when it runs")
        return
    select = bind_parameters(model.sql, space.parameters(utc_now())) if model.parameters else model.sql
    try:
        found = session.describe(select)
        check_output(model, found)
        _create(model.relation, (*found, *_validity(model)), bound, session)
    except PenstockError as error:
        bound.problems.append(error.locate(Location(model.location.path, model.line)).problem)
        return
    try:
        check_named(model, found)
    except PenstockError as error:
        bound.problems.append(error.locate(model.location).problem)
    if model.contract is not None:
        bound.problems += _promised(space, model, model.contract, found, bound)


def _promised(
    space: Workspace, model: Model, contract: Contract, found: Sequence[Column], bound: Bound
) -> Iterator[Problem]:
    """What a model would give that its contract does not say."""
    from penstock.contracts.impact import consumers

    known = {name: [column.name for column in columns] for name, columns in bound.columns.items()}
    added = _validity(model) if contract.column(VALIDITY[0]) else ()
    for each in departures(contract, (*found, *added)):
        readers = [str(one) for one in consumers(space.project, known, (model.relation,), [each.column])]
        if stops(contract, each, readers=readers):
            yield Problem(
                "CONTRACT_BROKEN",
                f"{model.relation} does not give what version {contract.version} of its contract says: {each.message}"
                + (f"; read by {', '.join(readers)}" if readers and each.what != "extra" else ""),
                contract.location,
                "make the SELECT give what the contract says, or change the contract and raise its version",
            )


def _validity(model: Model) -> tuple[Column, ...]:
    """The columns a history has beside those of its SELECT."""
    if model.materialization != "history":
        return ()
    return VALID


def _create(name: RelationName, found: Sequence[Column], bound: Bound, session: Session) -> None:
    """An empty table, so that binding a reader does not bind all that is above it again."""
    listed = ", ".join(f"{identifier(column.name)} {column.type}" for column in found)
    session.execute(f"CREATE TABLE {qualified(name.layer, name.name)} ({listed})")
    bound.columns[name] = tuple(found)
