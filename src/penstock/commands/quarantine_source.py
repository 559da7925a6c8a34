"""From a row of a model to the row of the source table it is made from, where that is plain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from penstock.commands.reading import reading
from penstock.commands.workspace import Workspace
from penstock.domain.model import Model
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.errors import UserError
from penstock.ports import Session
from penstock.quoting import identifier, qualified
from penstock.record import record
from penstock.sql.lineage import Unclear, unchanged


@record
class SourceRow:
    """The current row with this key (typed, as text), the batch it came with, and the changes by its own columns."""

    table: SourceTable
    key: tuple[str, ...]
    batch: str
    changes: Mapping[str, str | None]


def source_of(
    space: Workspace, model: Model, found: Mapping[str, Any], changes: Mapping[str, str | None], wait: float
) -> SourceRow:
    """Where a fix of a model's row is to be made. Raises UserError, saying where to look, when the columns that are set
    and the key do not all come as they are from one source table."""
    payload = {c.lower(): value for c, value in json.loads(found["payload"], parse_float=Decimal).items()}
    origins: dict[str, tuple[SourceTable, str]] = {}
    unclear: dict[str, str] = {}
    for column in payload:
        try:
            origins[column] = _origin(space, model, column)
        except Unclear as unknown:
            unclear[column] = str(unknown)
    for column in changes:
        if column.lower() not in payload:
            raise UserError(
                f"{model.relation} has no column {column!r}",
                code="UNKNOWN_COLUMN",
                hint=f"columns: {', '.join(payload)}",
            )
        if column.lower() in unclear:
            raise _elsewhere(space, model, f"{column}: {unclear[column.lower()]}")
    tables = {table.id: table for table, _ in (origins[column.lower()] for column in changes)}
    if len(tables) != 1:
        why = f"these columns come from {', '.join(tables)}" if tables else "no column is set"
        raise _elsewhere(space, model, why)
    (table,) = tables.values()
    if not table.key:
        raise _elsewhere(space, model, f"{table.relation} has no key to find the row by")
    by_source = {name: column for column, (owner, name) in origins.items() if owner.id == table.id}
    lacking = [name for name in table.key if name.lower() not in by_source]
    if lacking:
        raise _elsewhere(space, model, f"it does not give {', '.join(lacking)} of {table.relation} as it is")
    values = [payload[by_source[name.lower()]] for name in table.key]
    key, batch = reading(space, "quarantine fix", wait, lambda session: _current(session, table, values))
    if batch is None:
        raise _elsewhere(space, model, f"{table.relation} has no current row with this key")
    return SourceRow(table, key, batch, {origins[column.lower()][1]: value for column, value in changes.items()})


def _origin(space: Workspace, model: Model, column: str) -> tuple[SourceTable, str]:
    tables = {name: table for table in space.project.tables for name in (table.relation, table.stored)}
    models = {each.relation: each for each in space.project.models}
    at, name = model, column
    while True:
        if at.language != "sql":
            raise Unclear(f"{at.relation} is a Python model")
        relation, name = unchanged(at.sql, name)
        if relation in tables:
            return tables[relation], name
        if relation not in models:
            raise Unclear(f"{relation} is no relation of the project")
        at = models[relation]


def _current(session: Session, table: SourceTable, values: list[Any]) -> tuple[tuple[str, ...], str | None]:
    same = " AND ".join(f"CAST({identifier(name)} AS VARCHAR) = CAST(? AS VARCHAR)" for name in table.key)
    texts = ", ".join(f"CAST({identifier(name)} AS VARCHAR)" for name in table.key)
    stored = qualified(table.stored.layer, table.stored.name)
    rows = session.query(f"SELECT [{texts}], _batch FROM {stored} WHERE is_current AND {same} LIMIT 2", values).rows
    return (tuple(rows[0][0]), rows[0][1]) if len(rows) == 1 else ((), None)


def _elsewhere(space: Workspace, model: Model, why: str) -> UserError:
    sources = _sources(space, model.relation, set())
    listed = ", ".join(sorted(sources)) or "what it reads"
    return UserError(
        f"the row of {model.relation} cannot be led back to one row of a source: {why}",
        code="FIX_ELSEWHERE",
        location=model.location,
        hint=f"correct the data where it comes from ({listed}), or the model, in {model.location.path}",
    )


def _sources(space: Workspace, relation: RelationName, seen: set[RelationName]) -> set[str]:
    for table in space.project.tables:
        if relation in (table.relation, table.stored):
            return {str(table.relation)}
    for model in space.project.models:
        if model.relation == relation and relation not in seen:
            seen.add(relation)
            return {name for read in model.reads for name in _sources(space, read, seen)}
    return set()
