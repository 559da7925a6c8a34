"""rebuild: the whole warehouse anew, from landing alone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from penstock.commands.execute import LAST_COMMIT, Request, kinds, walk_in
from penstock.commands.workspace import open_workspace, utc_now
from penstock.domain.plan import BuildStep, ExportStep, LoadStep
from penstock.domain.run import RunReport, Status
from penstock.failpoint import reach
from penstock.ports import Emit


class _NotBuilt(Exception):
    """Leaves the block that would put the new warehouse in place."""

    def __init__(self, report: RunReport) -> None:
        super().__init__()
        self.report = report


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
    state = space.state()
    try:
        with space.engine.rebuilding(space.options("rebuild", wait=wait)) as options:
            warehouse = space.engine.open(options)
            try:
                walked = walk_in(space, request, warehouse, state, mirrored=False)
            finally:
                warehouse.close()
            if walked.report.status not in {Status.SUCCESS, Status.UNCHANGED}:
                raise _NotBuilt(walked.report)
            # Between here and the swap nobody knows which warehouse will be found, so neither is expected.
            state.put(LAST_COMMIT, "0")
            reach("rebuild.before_swap")
        reach("rebuild.swapped")
        state.put(LAST_COMMIT, str(walked.last))
        return walked.report
    except _NotBuilt as stopped:
        return stopped.report
    finally:
        state.close()
