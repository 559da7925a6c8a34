"""Who is concerned when columns of a relation change: column by column, through what is made from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from penstock.domain.model import Model
from penstock.domain.project import Project
from penstock.domain.relation import RelationName
from penstock.graph.order import order
from penstock.record import record
from penstock.sql.tokens import significant
from penstock.sql.usage import Place, Usage, usage


@record
class Impact:
    """A model (`serv.report`) or an export (`export:sales`) that reads `columns` (`raw.orders.amount`), which change or
    are made from what changes. `sure` is false where its text could not be taken apart: then it is one that names such
    columns somewhere."""

    name: str
    kind: str
    columns: tuple[str, ...]
    sure: bool = True

    def __str__(self) -> str:
        return f"the export {self.name.partition(':')[2]}" if self.kind == "export" else self.name


class Below:
    """Answers for one project. `columns`: those of each relation as far as they are known, gone ones too."""

    def __init__(self, project: Project, columns: Mapping[RelationName, Sequence[str]]) -> None:
        self._project = project
        self._columns = dict(columns)
        self._models = {model.relation: model for model in project.models}
        self._order = order(self._models, {model.relation: model.reads for model in project.models})
        self._usage: dict[RelationName, Usage | None] = {}
        for name in self._order:  # one that no longer works has the columns that its text names
            if name not in self._columns and (used := self._used(self._models[name])) is not None:
                self._columns[name] = tuple(used.made)

    def of(self, relations: Collection[RelationName], names: Sequence[str]) -> tuple[Impact, ...]:
        """Everything that reads columns of these names of the relations, and that reads these on."""
        moved: set[Place] = {(relation, name.lower()) for relation in relations for name in names}
        found: list[Impact] = []
        for name in self._order:
            if name in relations:
                continue
            model = self._models[name]
            concerned = {place for place in moved if place[0] in model.reads}
            if not concerned:
                continue
            used = self._used(model)
            read = self._named(model, concerned) if used is None else concerned & used.read
            if not read:
                continue
            found.append(Impact(str(name), "model", _listed(read), used is not None))
            own = [each.lower() for each in self._columns.get(name, model.columns)]
            # Where it only decides which rows there are, every column may hold others.
            made = [each for each in own if used is None or used.made.get(each, frozenset()) & read]
            moved |= {(name, each) for each in made or own}
        for export in self._project.exports:
            listed = {each.lower() for each in (*export.columns, *export.order_by)} if export.columns else None
            read = {(r, c) for r, c in moved if r in export.relations and (listed is None or c in listed)}
            if read:
                found.append(Impact(f"export:{export.name}", "export", _listed(read)))
        return tuple(found)

    def _used(self, model: Model) -> Usage | None:
        if model.relation not in self._usage:
            schema = {name: self._columns[name] for name in model.reads if name in self._columns}
            known = model.language == "sql" and len(schema) == len(model.reads)
            self._usage[model.relation] = usage(model.sql, schema) if known else None
        return self._usage[model.relation]

    def _named(self, model: Model, concerned: set[Place]) -> set[Place]:
        """By the words of its text; a Python model is given all there is."""
        if model.language == "python":
            return concerned
        words = {token.text.strip('"').lower() for token in significant(model.sql)}
        return {place for place in concerned if place[1] in words} or (concerned if "*" in words else set())


def consumers(
    project: Project,
    columns: Mapping[RelationName, Sequence[str]],
    relations: Sequence[RelationName],
    names: Sequence[str],
) -> tuple[Impact, ...]:
    """Who reads columns of these names of the relations, which may be gone from them: `columns` are those that are
    there, of every relation. Models first, by name."""
    known = dict(columns)
    for relation in relations:
        known[relation] = tuple(dict.fromkeys((*known.get(relation, ()), *names)))
    return tuple(sorted(Below(project, known).of(relations, names), key=lambda each: (each.kind != "model", each.name)))


def _listed(places: Collection[Place]) -> tuple[str, ...]:
    return tuple(sorted(f"{relation}.{column}" for relation, column in places))
