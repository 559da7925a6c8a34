"""What a model really depends on: stored relations, views looked through."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256

from penstock.domain.model import Model
from penstock.domain.project import Parameter, Project
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable


class Reach:
    """Answers, for a project with its parameter values, where relations come from. Results are remembered."""

    def __init__(self, project: Project, parameters: Mapping[str, Parameter]) -> None:
        self._project = project
        self._parameters = parameters
        self._stored: dict[RelationName, tuple[RelationName, ...]] = {}
        self._views: dict[RelationName, tuple[str, ...]] = {}

    @cached_property
    def models(self) -> dict[RelationName, Model]:
        return {model.relation: model for model in self._project.models}

    @cached_property
    def tables(self) -> dict[RelationName, SourceTable]:
        """Source tables by each relation they make: the current rows and the history."""
        found = {table.relation: table for table in self._project.tables}
        return found | {table.stored: table for table in self._project.tables}

    def materialization(self, model: Model) -> str:
        """What `auto` means today: rebuild (see materializations/build.py)."""
        return "rebuild" if model.materialization == "auto" else model.materialization

    def is_view(self, model: Model) -> bool:
        return self.materialization(model) == "view"

    def stored(self, relation: RelationName) -> tuple[RelationName, ...]:
        """The stored relations behind one relation: itself when it is stored, else those its view reads."""
        known = self._stored.get(relation)
        if known is None:
            known = self._stored[relation] = self._find_stored(relation)
        return known

    def _find_stored(self, relation: RelationName) -> tuple[RelationName, ...]:
        if table := self.tables.get(relation):
            return (table.stored,)
        model = self.models.get(relation)
        if model is None or not self.is_view(model):
            return (relation,)
        return self.inputs(model)

    def inputs(self, model: Model) -> tuple[RelationName, ...]:
        """The stored relations a model's content depends on, in a stable order."""
        return tuple(dict.fromkeys(stored for read in model.reads for stored in self.stored(read)))

    def fingerprint(self, model: Model) -> str:
        """Changes when the definition, a view it reads, or the value of a parameter either uses has changed."""
        return sha256("\n".join(self._definition(model)).encode()).hexdigest()

    def _definition(self, model: Model) -> tuple[str, ...]:
        known = self._views.get(model.relation)
        if known is None:
            values = [f"{name}={self._parameters.get(name)!r}" for name in model.parameters]
            views = [
                part
                for read in model.reads
                if (other := self.models.get(read)) is not None and self.is_view(other)
                for part in self._definition(other)
            ]
            known = self._views[model.relation] = (model.fingerprint, self.materialization(model), *values, *views)
        return known
