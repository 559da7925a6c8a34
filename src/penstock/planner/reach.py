"""What a model really depends on: stored relations, views looked through."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from hashlib import sha256

from penstock.domain.model import Model
from penstock.domain.project import Parameter, Project
from penstock.domain.quarantine import fingerprint as rules
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable

TIMELESS = frozenset({"auto", "merge", "time_range", "history"})
"""Materializations for which it is asked whether the times that a definition uses decide what it gives."""
RULES = "#"
"""Stands in a fingerprint between the definition and the checks that set rows apart."""
TIMES = ("run_ts", "run_date")
"""Parameters that are others in every run."""
_CLOCK = re.compile(
    r"\b(?:now|today|(?:get_)?current_(?:date|time|timestamp|localtime|localtimestamp)|localtime|localtimestamp"
    r"|(?:transaction|statement|clock)_timestamp)\b",
    re.IGNORECASE,
)


class Reach:
    """Answers, for a project with its parameter values, where relations come from. Results are remembered."""

    def __init__(self, project: Project, parameters: Mapping[str, Parameter]) -> None:
        self._project = project
        self._parameters = parameters
        self._stored: dict[RelationName, tuple[RelationName, ...]] = {}
        self._definitions: dict[tuple[RelationName, bool], tuple[str, ...]] = {}

    @property
    def project(self) -> Project:
        return self._project

    @cached_property
    def models(self) -> dict[RelationName, Model]:
        return {model.relation: model for model in self._project.models}

    @cached_property
    def tables(self) -> dict[RelationName, SourceTable]:
        """Source tables by each relation they make: the current rows and the history."""
        found = {table.relation: table for table in self._project.tables}
        return found | {table.stored: table for table in self._project.tables}

    def told(self, stored: RelationName) -> RelationName:
        """The name by which people know a stored relation: a source table's own, which models read, not that of its
        history."""
        table = self.tables.get(stored)
        return table.relation if table else stored

    def materialization(self, model: Model) -> str:
        """How a model is made. A Python model gives its whole result: there is nothing to choose."""
        if model.language == "python" and model.materialization == "auto":
            return "rebuild"
        return model.materialization

    def driving(self, model: Model) -> RelationName | None:
        """The relation each row of which gives at most one row of the model, views of models looked through."""
        name = model.drives
        while name is not None and (view := self.models.get(name)) is not None and self.is_view(view):
            name = view.drives
        return name

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

    def views(self, model: Model) -> dict[RelationName, Model | SourceTable]:
        """Every view between a model and its inputs: a model, or a source table by its current rows."""
        found: dict[RelationName, Model | SourceTable] = {}
        for read in model.reads:
            table, other = self.tables.get(read), self.models.get(read)
            if table is not None and read != table.stored:
                found[read] = table
            elif other is not None and self.is_view(other):
                found |= {read: other, **self.views(other)}
        return found

    def keys(self, relations: Iterable[RelationName]) -> dict[RelationName, tuple[str, ...]]:
        """The declared keys of those of the relations that have one: no two of their rows have the same."""
        found: dict[RelationName, tuple[str, ...]] = {}
        for name in relations:
            table, model = self.tables.get(name), self.models.get(name)
            if table is not None and table.key and name == table.relation:
                found[name] = table.key
            elif model is not None and model.key and not self.is_view(model) and not model.strategy.map:
                history = model.materialization == "history"
                found[name] = (*model.key, "valid_from") if history else model.key
        return found

    @cached_property
    def followers(self) -> dict[RelationName, list[RelationName]]:
        """By stored relation, the models that may follow its changes, views looked through."""
        found: dict[RelationName, list[RelationName]] = {}
        for model in self._project.models:
            if self.materialization(model) in TIMELESS or model.strategy.partial:
                for stored in self.inputs(model):
                    found.setdefault(stored, []).append(model.relation)
        return found

    def uses_time(self, model: Model) -> bool:
        """Whether a model is made anew with every time because it has a time in it: all but those of which the
        ledger knows."""
        return self.materialization(model) not in TIMELESS and any(name in TIMES for name in model.parameters)

    def fingerprint(self, model: Model) -> str:
        """Changes when the definition, a view it reads, or the value of a parameter either uses has changed. Of an
        `auto` model without the values of times: whether these matter is another question (see `moment`). What checks
        set apart is told behind RULES."""
        timeless = self.materialization(model) in TIMELESS
        found = sha256("\n".join(self._definition(model, timeless)).encode()).hexdigest()
        judged = rules(model.checks)
        return f"{found}{RULES}{judged}" if judged else found

    def moment(self, model: Model) -> str:
        """Changes when a time changes that an `auto` model or a view it reads uses; empty when they use none."""
        if self.materialization(model) not in TIMELESS:
            return ""
        values = [f"{name}={self._parameters.get(name)!r}" for name in sorted(self.times(model))]
        return sha256("\n".join(values).encode()).hexdigest()[:16] if values else ""

    def times(self, model: Model) -> set[str]:
        """The parameters that are times and which a model or a view it reads uses. The clock counts as one: it moves
        with every run, too."""
        read = self._texts(model)
        used = {name for each in read for name in each.parameters if name in TIMES}
        return used | {"run_ts"} if _tells_time(read) else used

    def asks_clock(self, model: Model) -> bool:
        """Whether a model or a view it reads calls a function that tells the time; the name of one in a text counts,
        which costs a look at it."""
        return _tells_time(self._texts(model))

    def _texts(self, model: Model) -> list[Model]:
        return [each for each in (model, *self.views(model).values()) if isinstance(each, Model)]

    def _definition(self, model: Model, timeless: bool) -> tuple[str, ...]:
        known = self._definitions.get((model.relation, timeless))
        if known is None:
            used = [name for name in model.parameters if not (timeless and name in TIMES)]
            values = [f"{name}={self._parameters.get(name)!r}" for name in used]
            views = [
                part
                for read in model.reads
                if (other := self.models.get(read)) is not None and self.is_view(other)
                for part in self._definition(other, timeless)
            ]
            known = (model.fingerprint, self.materialization(model), *values, *views)
            self._definitions[model.relation, timeless] = known
        return known


def _tells_time(read: Iterable[Model]) -> bool:
    return any(_CLOCK.search(each.sql) for each in read)
