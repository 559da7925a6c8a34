"""drop: take out of the warehouse what the project declares no more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from penstock.commands.workspace import Workspace, open_workspace
from penstock.domain.leftover import LEFT, Dropped, Leftover, written
from penstock.errors import UsageError
from penstock.executor import ledger as ledgers
from penstock.executor.leftover import drop as drop_all
from penstock.executor.leftover import leftovers

COMMAND = "drop"


def drop(
    where: Path,
    relations: Sequence[str] = (),
    *,
    everything: bool = False,
    environment: str | None = None,
    wait: float = 0.0,
) -> Dropped:
    """Drop relations that are in the warehouse and not in the project: those named, or `everything` of the kind. With
    neither, only say what there is. All in one transaction; the landing is not touched.

    Raises UsageError for a relation that the project declares or the warehouse does not have: then none is dropped;
    ProjectError while the project has problems, for what does not read cannot be told from what is gone.
    """
    space = open_workspace(where, environment)
    options = space.options(COMMAND, read_only=not (relations or everything), wait=wait)
    if not space.engine.exists(options):
        _chosen(space, (), relations)
        return Dropped(space.environment.name, ())
    warehouse = space.engine.open(options)
    try:
        session = warehouse.session()
        ledger = ledgers.read(session)
        left = leftovers(space.project, ledger)
        chosen = left if everything else _chosen(space, left, relations)
        if chosen:
            drop_all(session, ledger, chosen)
            warehouse.checkpoint()
    finally:
        warehouse.close()
    remaining = tuple(each for each in left if each not in chosen)
    _remember(space, remaining)
    return Dropped(space.environment.name, remaining, chosen)


def _chosen(space: Workspace, left: Sequence[Leftover], relations: Sequence[str]) -> tuple[Leftover, ...]:
    by_name = {str(name): each for each in left for name in each.relations}
    found: dict[str, Leftover] = {}
    for text in relations:
        each = by_name.get(text.lower())
        if each is None:
            raise _not_left(space, text.lower(), sorted({str(other.relation) for other in left}))
        found[str(each.relation)] = each
    return tuple(found.values())


def _not_left(space: Workspace, text: str, left: Sequence[str]) -> UsageError:
    declared = {str(model.relation): model.location for model in space.project.models}
    declared |= {str(name): table.location for table in space.project.tables for name in (table.relation, table.stored)}
    if text in declared:
        return UsageError(
            f"{text} is a relation of the project",
            code="DROP_DECLARED",
            location=declared[text],
            hint="remove its file first; `penstock run --full-refresh` makes a model anew",
        )
    return UsageError(
        f"the warehouse has no relation {text} that the project declares no more",
        code="UNKNOWN_RELATION",
        hint=f"there is: {', '.join(left)}" if left else "there is none",
    )


def _remember(space: Workspace, left: Sequence[Leftover]) -> None:
    """`status` answers from the state store alone."""
    state = space.state()
    try:
        state.put(LEFT, written(left))
    finally:
        state.close()
