"""A model's rows made again from its definition, over what is stored or over what should be stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path

from penstock.domain.ledger import RelationKind
from penstock.domain.model import Model
from penstock.domain.project import Parameter
from penstock.domain.relation import RelationName
from penstock.executor import python_model
from penstock.materializations import past
from penstock.planner.plan import in_order
from penstock.ports import Session, Warehouse
from penstock.quoting import qualified
from penstock.sql.render import bind_parameters

EXPECTED = "_penstock_expected"


class Recomputing:
    """`warehouse` is open beside a database of its own; `session` is one of its sessions. `existing`: what the
    warehouse holds; `models`: those of the project."""

    def __init__(
        self,
        warehouse: Warehouse,
        session: Session,
        root: Path,
        models: Collection[Model],
        existing: Mapping[RelationName, RelationKind],
    ) -> None:
        self._warehouse = warehouse
        self._session = session
        self._root = root
        self._models = models
        self._existing = existing
        self._laid_out = False

    def over_stored(self, model: Model, parameters: Mapping[str, Parameter]) -> None:
        """Make EXPECTED, a temporary table, from the inputs as the warehouse holds them."""
        self._make(model, parameters, past.inside())

    def over_put(self, model: Model, parameters: Mapping[str, Parameter]) -> None:
        """The same from the inputs as they should be, as far as they were `put`, else as they are stored."""
        self._lay_out(parameters)
        self._make(model, parameters, past.OUTSIDE)

    def put(self, model: Model, parameters: Mapping[str, Parameter]) -> None:
        """Have EXPECTED stand for the relation from now on, for those who read it."""
        self._lay_out(parameters)
        name = qualified("memory", model.relation.layer, model.relation.name)
        self._session.execute(f"DROP VIEW {name}")
        self._session.execute(f"CREATE TABLE {name} AS SELECT * FROM {EXPECTED}")

    def _make(self, model: Model, parameters: Mapping[str, Parameter], where: str) -> None:
        session = self._session
        session.execute(where)
        with ExitStack() as stack:
            stack.callback(session.execute, past.inside())
            if model.language == "python":
                rows = python_model.call(model, self._root, lambda: self._opened(where), stack)
                stack.enter_context(session.register(python_model.INPUT, rows))
                select = python_model.check_columns(model, session)
            else:
                select = _bound(model, parameters)
            session.execute(f"CREATE OR REPLACE TEMP TABLE {EXPECTED} AS {select}")

    def _opened(self, where: str) -> Session:
        session = self._warehouse.session()
        session.execute(where)
        return session

    def _lay_out(self, parameters: Mapping[str, Parameter]) -> None:
        """Every relation by its name, in the database beside the warehouse: a view of what is stored. Views of the
        project are defined again, so that they show what will be put."""
        if self._laid_out:
            return
        self._laid_out = True
        session = self._session
        session.execute(past.OUTSIDE)
        there = [name for name in self._existing if name.layer != past.SCHEMA]
        for layer in {name.layer for name in there}:
            session.execute(past.schema(layer))
        own = {model.relation for model in self._models if self._existing.get(model.relation) == "view"}
        for name in there:
            if name not in own:
                session.execute(f"CREATE VIEW {qualified(name.layer, name.name)} AS SELECT * FROM {past.stored(name)}")
        for model in in_order(tuple(self._models)):
            if model.relation in own:
                name = model.relation
                session.execute(f"CREATE VIEW {qualified(name.layer, name.name)} AS {_bound(model, parameters)}")
        session.execute(past.inside())


def _bound(model: Model, parameters: Mapping[str, Parameter]) -> str:
    return bind_parameters(model.sql, parameters) if model.parameters else model.sql
