"""rebuild: the whole warehouse anew, from landing alone."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from penstock.commands.execute import Request, kinds, walk_in
from penstock.commands.workspace import open_workspace, utc_now
from penstock.domain.plan import BuildStep, ExportStep, LoadStep
from penstock.domain.run import RunReport, Status
from penstock.errors import PenstockError
from penstock.ports import Emit


class _NotBuilt(Exception):
    """Leaves the block that would put the new warehouse in place."""


def rebuild(
    where: Path,
    *,
    environment: str | None = None,
    emit: Emit | None = None,
    wait: float = 0.0,
    now: datetime | None = None,
) -> RunReport:
    """Build a warehouse beside the old one from every landed batch and every model, then put it in its place.

    Readers see the old one until then, and for good when a step fails. Sources are not asked. Exports are written
    from the new warehouse.
    """
    space = open_workspace(where, environment)
    request = Request(
        command="rebuild",
        now=now or utc_now(),
        emit=emit,
        wait=wait,
        keep=kinds(LoadStep, BuildStep, ExportStep),
        sources=False,
    )
    with ExitStack() as stack:
        report: RunReport | None = None
        try:
            with space.engine.rebuilding(space.options("rebuild", wait=wait)) as options:
                stack.enter_context(space.landing.lock("rebuild", wait))
                state = space.state()
                stack.callback(state.close)
                warehouse = space.engine.open(options)
                try:
                    report = walk_in(space, request, warehouse, state, behind_is_an_error=False)
                finally:
                    warehouse.close()
                if report.status is not Status.SUCCESS and report.status is not Status.UNCHANGED:
                    raise _NotBuilt
        except _NotBuilt:
            pass
        except PenstockError:
            raise
        if report is None:
            raise AssertionError("a rebuild ends with a report or an error")
        return report
