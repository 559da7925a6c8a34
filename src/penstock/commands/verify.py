"""verify: recompute what is stored and compare."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.commands.reading import reading_all
from penstock.commands.workspace import Workspace, open_workspace, utc_now
from penstock.domain.model import Model
from penstock.domain.verification import Verification, Verified
from penstock.errors import UsageError
from penstock.ports import Warehouse

if TYPE_CHECKING:
    from penstock.executor.verify import Verifier

RUNS = 200
"""How many runs are asked for the time they were made with, before it counts as unknown."""


def verify(
    where: Path,
    select: Sequence[str] = (),
    *,
    environment: str | None = None,
    deep: bool = False,
    wait: float = 10.0,
    now: datetime | None = None,
) -> Verification:
    """Make the selected relations (none given: all) again, aside, and compare them with what is stored. The warehouse
    is opened to read: all of it is seen as of one commit. `deep`: from the source tables up, every model over inputs
    that were made again too; otherwise each over its inputs as they are stored, so that one wrong model is named alone.

    Raises ProjectError when the project has problems, Locked when a run holds the warehouse longer than `wait` seconds.
    """
    space = open_workspace(where, environment)
    wanted = _wanted(space, select)
    options = space.options("verify", read_only=True, beside=True, wait=wait)
    return reading_all(space, options, lambda warehouse: _verify(space, warehouse, wanted, deep, now or utc_now()))


def _wanted(space: Workspace, select: Sequence[str]) -> Collection[str] | None:
    if not select:
        return None
    from penstock.commands.selection import resolve

    found = resolve(space.project, select, ())
    tables = {table.id for table in space.project.tables}
    if not any(name in tables or not name.startswith("export:") for name in found):
        raise UsageError(
            f"{', '.join(select)} selects no relation",
            code="UNKNOWN_SELECTION",
            hint="exports are files; select the relation that one writes",
        )
    return found


def _verify(
    space: Workspace, warehouse: Warehouse, wanted: Collection[str] | None, deep: bool, now: datetime
) -> Verification:
    from penstock.executor.verify import Sources, Verifier

    sources = Sources(space.project, space.root, space.parameters, _times(space, now))
    verifier = Verifier(sources, warehouse, deep=deep)
    found = [
        *(verifier.table(table) for table in space.project.tables if wanted is None or table.id in wanted),
        *_models(space, verifier, wanted, deep),
    ]
    relations = tuple(each for each in found if each is not None)
    return Verification(space.environment.name, verifier.ledger.last, deep, relations)


def _models(
    space: Workspace, verifier: Verifier, wanted: Collection[str] | None, deep: bool
) -> Iterator[Verified | None]:
    from penstock.planner.plan import in_order

    models = in_order(space.project.models)
    chosen = {model.relation for model in models if wanted is None or str(model.relation) in wanted}
    needed = _above(models, chosen) if deep else chosen
    for model in models:
        if model.relation in needed:
            yield verifier.model(model, wanted=model.relation in chosen)


def _above(models: Sequence[Model], chosen: Collection[object]) -> Collection[object]:
    """The chosen models and all they read. `models` are in order."""
    found = set(chosen)
    for model in reversed(models):
        if model.relation in found:
            found |= set(model.reads)
    return found


def _times(space: Workspace, now: datetime) -> Iterator[datetime]:
    """Now, then when each run began, the last one first. Nobody asks for more than the first unless a model depends on
    the time."""
    yield now
    state = space.state()
    try:
        begun = [run["started"] for run in state.runs(RUNS)]
    finally:
        state.close()
    for at in begun:
        yield datetime.fromisoformat(at) if isinstance(at, str) else at
