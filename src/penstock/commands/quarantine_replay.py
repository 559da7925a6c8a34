"""quarantine replay: judge again what was set apart, by the rules as they are now."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from penstock.commands.bind import check
from penstock.commands.execute import Request, chosen, execute, kinds
from penstock.commands.quarantine import declared, relation_of
from penstock.commands.workspace import Workspace, open_workspace, utc_now
from penstock.domain.model import Model
from penstock.domain.plan import BuildStep, LoadStep
from penstock.domain.relation import RelationName
from penstock.domain.run import RunReport
from penstock.domain.source import SourceTable
from penstock.ports import Emit


def quarantine_replay(
    where: Path,
    relation: str | None = None,
    *,
    environment: str | None = None,
    emit: Emit | None = None,
    wait: float = 0.0,
    now: datetime | None = None,
) -> RunReport:
    """Load and build one relation (without one: all that may set rows apart) as far as its rules, its code or what it
    is made from have changed, corrections among that. Sources are not asked, and nothing else is run; what reads these
    relations follows in the next run."""
    space = open_workspace(where, environment)
    names = [relation_of(space, relation)] if relation else _setting_apart(space)
    ids = [_id(space, name) for name in names]
    request = Request(
        command="quarantine replay",
        bound=check(space),
        now=now or utc_now(),
        emit=emit,
        wait=wait,
        selected=chosen(space, ids, ()) if ids else (),
        keep=kinds(LoadStep, BuildStep),
        sources=False,
    )
    return execute(space, request)


def _setting_apart(space: Workspace) -> list[RelationName]:
    """Source tables, where any value may not fit, and models with such checks."""
    models = [each.relation for each in space.project.models if any(c.on_fail == "quarantine" for c in each.checks)]
    return [*(table.relation for table in space.project.tables), *models]


def _id(space: Workspace, name: RelationName) -> str:
    what: SourceTable | Model | None = declared(space, name)
    return what.id if isinstance(what, SourceTable) else str(name)
