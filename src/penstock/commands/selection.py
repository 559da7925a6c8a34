"""What selection patterns mean in a project: tables, models and exports as nodes of one graph."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from penstock.domain.project import Project
from penstock.domain.relation import RelationName
from penstock.errors import UsageError
from penstock.graph.selection import Node, select


def resolve(project: Project, patterns: Sequence[str], exclude: Sequence[str]) -> Collection[str]:
    """The planner's ids of what is selected. Raises UserError for a pattern that names nothing."""
    nodes, edges = nodes_of(project)
    found = select(patterns, nodes, edges, exclude)
    if not found:
        raise UsageError(
            "the selection is empty: everything it names is excluded again, or no one thing answers to all of it",
            code="UNKNOWN_SELECTION",
            hint="`a,b` is what both select; several --select are what any of them does",
        )
    return found


def nodes_of(project: Project) -> tuple[tuple[Node, ...], dict[str, list[str]]]:
    """The graph of a project: its nodes, and by id what each depends on."""
    nodes = tuple(_nodes(project))
    by_name = {name: node.id for node in nodes for name in node.names}
    edges = {
        **{str(model.relation): [by_name[str(read)] for read in model.reads] for model in project.models},
        **{f"export:{e.name}": [by_name[str(relation)] for relation in e.relations] for e in project.exports},
    }
    return nodes, edges


def models(project: Project, patterns: Sequence[str]) -> frozenset[RelationName]:
    """The models that patterns select. Raises UsageError when they select none: a source is refreshed by landing."""
    if not patterns:
        return frozenset()
    chosen = resolve(project, patterns, ())
    found = frozenset(model.relation for model in project.models if str(model.relation) in chosen)
    if not found:
        raise UsageError(
            f"{', '.join(patterns)} selects no model",
            code="UNKNOWN_SELECTION",
            hint="only models are made anew; `penstock rebuild` makes everything anew from landing",
        )
    return found


def _nodes(project: Project) -> Iterator[Node]:
    owners = {source.name: source.owner for source in project.sources}
    for table in project.tables:
        names = (str(table.relation), str(table.stored), table.id)
        owner = table.owner or owners[table.source]
        yield Node(table.id, tuple(dict.fromkeys(names)), table.tags, owner, source=table.source)
    for model in project.models:
        yield Node(str(model.relation), _called(model.relation), model.tags, model.owner)
    for export in project.exports:
        yield Node(f"export:{export.name}", (export.name,), export.tags, export.owner, export=export.name)


def _called(relation: RelationName) -> tuple[str, ...]:
    """What a relation answers to: `serv.report_v2` is `serv.report@2` too."""
    base, found, number = relation.name.rpartition("_v")
    numbered = found and base and number.isdigit()
    return (str(relation), f"{relation.layer}.{base}@{number}") if numbered else (str(relation),)
