"""status: how each relation stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from penstock.commands.workspace import Workspace, open_workspace, utc_now
from penstock.domain.leftover import LEFT, Leftover, read
from penstock.domain.relation import RelationName
from penstock.errors import Location
from penstock.record import record

NOT_DECLARED = "not in the project"
"""The state of a relation that is in the warehouse all the same."""


@record
class RelationStatus:
    """`rows`, `commit` and `committed_at` are of the last change; `state` is how the last step on it ended, or
    `never built`. `age_seconds` counts from the last change."""

    relation: RelationName
    kind: str
    rows: int | None
    commit: int | None
    committed_at: datetime | None
    age_seconds: float | None
    owner: str | None
    state: str
    location: Location | None


def status(where: Path, *, environment: str | None = None, now: datetime | None = None) -> tuple[RelationStatus, ...]:
    """Every relation of the project in layer order. Read from the state store, so that it answers while a run works."""
    space = open_workspace(where, environment)
    state = space.state()
    try:
        targets = {row["step"]: row for row in state.targets()}
        left = read(state.get(LEFT))
    finally:
        state.close()
    moment = now or utc_now()
    found = []
    for relation, step, kind, owner, location in _relations(space):
        row = targets.get(step)
        changed = datetime.fromisoformat(row["changed"]) if row and row["changed"] else None
        found.append(
            RelationStatus(
                relation,
                kind,
                row["rows"] if row else None,
                row["commit"] if row else None,
                changed,
                (moment - changed).total_seconds() if changed else None,
                owner,
                row["status"] if row else "never built",
                location,
            )
        )
    declared = {each.relation for each in found}
    found += [_left(each, moment) for each in left if declared.isdisjoint(each.relations)]
    return tuple(found)


def _left(each: Leftover, now: datetime) -> RelationStatus:
    changed = each.committed_at.replace(tzinfo=UTC)
    age = (now - changed).total_seconds()
    return RelationStatus(each.relation, each.kind, each.rows, None, changed, age, None, NOT_DECLARED, None)


def _relations(space: Workspace) -> Iterator[tuple[RelationName, str, str, str | None, Location]]:
    project = space.project
    for table in project.tables:
        owner = table.owner or next(source.owner for source in project.sources if source.name == table.source)
        yield table.relation, f"load:{table.id}", "source", owner, table.location
    order = {layer.name: position for position, layer in enumerate(project.layers)}
    for model in sorted(project.models, key=lambda model: (order[model.relation.layer], model.relation.name)):
        yield model.relation, f"build:{model.relation}", model.materialization, model.owner, model.location
