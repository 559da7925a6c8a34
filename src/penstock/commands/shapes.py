"""What is known of every relation's columns from the files of the project alone: no data, no environment.

So that a unit test means the same on every machine. Columns of source tables have the types that are declared;
columns that nobody declares are those that the models name, and text where the source lands text. What a model gives
is asked of the engine, which prepares its SELECT over empty tables of these columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from penstock.commands.workspace import Workspace, utc_now
from penstock.domain.model import Model
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.domain.unit_test import Shape
from penstock.errors import PenstockError
from penstock.materializations.history import APPEND_META, META, META_TYPES
from penstock.materializations.strategy import VALID
from penstock.materializations.typing import normal
from penstock.planner.plan import in_order
from penstock.ports import Session
from penstock.project.unit_load import Memory
from penstock.quoting import identifier, qualified
from penstock.sql.render import bind_parameters

TEXT = "VARCHAR"
Shapes = Mapping[RelationName, Shape]


def shapes(space: Workspace, memory: Memory) -> Shapes:
    """The columns of every relation, as far as they are known. Remembered until a file of the project changes."""
    project = space.project
    kept = memory.kept.get("shapes", project.fingerprint)
    named = {model.relation: memory.kept.get(f"names of {model.relation}", model.fingerprint) for model in _sql(space)}
    if kept is not None:
        return {RelationName.parse(name): Shape(*each) for name, each in kept.items()}
    for model in _sql(space):
        if named[model.relation] is None:
            from penstock.sql.reads import naming

            named[model.relation] = asdict(naming(model.sql))
            memory.kept.put(f"names of {model.relation}", model.fingerprint, named[model.relation])
    found = _Finding(space, named).find()
    memory.kept.put(
        "shapes", project.fingerprint, {str(name): [dict(s.columns), s.is_open] for name, s in found.items()}
    )
    return found


def _sql(space: Workspace) -> list[Model]:
    return [model for model in space.project.models if model.language == "sql"]


class _Finding:
    """`named`: by model, what sql.reads.naming says of it."""

    def __init__(self, space: Workspace, named: Mapping[RelationName, Mapping[str, Any]]) -> None:
        self.space = space
        self.named = named
        self.found: dict[RelationName, Shape] = {}
        self.tables = {table.relation: table for table in space.project.tables}
        self.tables |= {table.stored: table for table in space.project.tables}
        self.own = {table.id: _declared(table) for table in space.project.tables}

    def find(self) -> dict[RelationName, Shape]:
        from penstock.embedded.connection import connect
        from penstock.engines.duckdb.session import DuckSession

        for each in self.named.values():
            for relation, column in each["named"]:
                self.name(relation, column)
        connection = connect(None, threads=1)
        try:
            session = DuckSession(connection)
            for layer in self.space.project.layers:
                session.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(layer.name)}")
            for table in self.space.project.tables:
                self.source(table, session)
            parameters = self.space.parameters(utc_now())
            for model in in_order(self.space.project.models):
                self.model(model, session, parameters)
        finally:
            connection.close()
        return self.found

    def name(self, relation: str, column: str) -> bool:
        """Note that a model names a column of a source table. Gives whether it was not known before."""
        table = self.tables.get(RelationName.parse(relation))
        known = self.own[table.id] if table is not None else {}
        if table is None or column.lower() in META or column.lower() in map(str.lower, known):
            return False
        known[column] = TEXT if self.space.reader(table).lands_text(table) else ""
        return True

    def source(self, table: SourceTable, session: Session) -> None:
        own = self.own[table.id]
        meta = {name: META_TYPES[name] for name in (META if table.key else APPEND_META)}
        self.make(table.stored, Shape({**own, **meta}), session)
        if table.key:
            self.make(table.relation, Shape({**own, "processing_ts": meta["processing_ts"]}), session)

    def make(self, relation: RelationName, shape: Shape, session: Session) -> None:
        """An empty table; a column of unknown type stands there as text, and is not told of."""
        self.found[relation] = shape
        listed = ", ".join(f"{identifier(name)} {kind or TEXT}" for name, kind in shape.columns.items())
        if listed:
            session.execute(f"CREATE OR REPLACE TABLE {qualified(relation.layer, relation.name)} ({listed})")

    def model(self, model: Model, session: Session, parameters: Any) -> None:
        valid = {column.name: column.type for column in VALID} if model.materialization == "history" else {}
        declared = {**dict.fromkeys(model.columns, ""), **valid}
        fallback = Shape(declared, is_open=not model.columns)
        if model.language == "python":
            self.make(model.relation, fallback, session)
            return
        naming = self.named[model.relation]
        for column, several in naming["perhaps"]:
            self.perhaps(column, several, session)
        try:
            select = bind_parameters(model.sql, parameters) if model.parameters else model.sql
            given = {column.name: column.type for column in session.describe(select)}
        except PenstockError:
            self.make(model.relation, fallback, session)
            return
        unknown = any(not kind for read in model.reads for kind in self.found[read].columns.values())
        if unknown:  # a guess would be worse than nothing: what flows from it may have any type
            given = dict.fromkeys(given, "")
        is_open = naming["has_star"] and any(self.found[read].is_open for read in model.reads)
        self.make(model.relation, Shape({**given, **valid}, is_open), session)

    def perhaps(self, column: str, several: list[str], session: Session) -> None:
        """A column that one of several relations has: the only one of them that may have columns nobody declares."""
        relations = [RelationName.parse(name) for name in several]
        if any(column.lower() in map(str.lower, self.found[each].columns) for each in relations):
            return
        may = [each for each in relations if each in self.tables]
        if len(may) == 1 and self.name(str(may[0]), column):
            self.source(self.tables[may[0]], session)


def _declared(table: SourceTable) -> dict[str, str]:
    """The columns a source's declaration speaks of; those without a type are named only."""
    found = {column.name: normal(column.type) for column in table.columns}
    promised = table.contract.columns if table.contract is not None else ()
    lowered = {name.lower() for name in found}
    found |= {column.name: column.type for column in promised if column.name.lower() not in lowered}
    others = (*table.key, *table.order_by, *((table.effective,) if table.effective else ()))
    known = {name.lower() for name in found}
    return {**dict.fromkeys((name for name in others if name.lower() not in known), TEXT), **found}
