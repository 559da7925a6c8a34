"""rebuild: the whole warehouse anew, from landing alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from penstock.commands.execute import LAST_COMMIT, Request, Walked, ignore, kinds, walk_in
from penstock.commands.report import after_run
from penstock.commands.run import SETTLED
from penstock.commands.workspace import Workspace, open_workspace, utc_now
from penstock.domain.event import RunFinished, RunStarted
from penstock.domain.plan import BuildStep, ExportStep, LoadStep
from penstock.domain.run import RunReport, Status
from penstock.failpoint import reach
from penstock.ports import Emit, StateStore

OK = frozenset({Status.SUCCESS, Status.UNCHANGED})


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
    from the new warehouse once it is in place: before that they would show what may never come to be.
    """
    space = open_workspace(where, environment)
    listen = emit or ignore
    request = Request(
        command="rebuild",
        now=now or utc_now(),
        emit=_begun(listen, len(space.project.exports)),
        wait=wait,
        keep=kinds(LoadStep, BuildStep),
        sources=False,
    )
    state = space.state()
    try:
        walked = _build(space, request, state)
        report = walked.report
        if report.status in OK:
            then = replace(request, keep=kinds(ExportStep), run=report.run, emit=_gone_on(listen))
            report = _export(space, then, state, report)
        report = after_run(space, state, report, walked.held)
    except _NotBuilt as stopped:
        report = after_run(space, state, stopped.report, None)
    finally:
        state.close()
    listen(RunFinished(report))
    return report


def _begun(listen: Emit, exports: int) -> Emit:
    """Two walks are told as one: it begins with the first, of all steps, and ends when both have."""

    def hear(event: object) -> None:
        if isinstance(event, RunStarted):
            listen(replace(event, steps=event.steps + exports))
        elif not isinstance(event, RunFinished):
            listen(event)

    return hear


def _gone_on(listen: Emit) -> Emit:
    def hear(event: object) -> None:
        if not isinstance(event, (RunStarted, RunFinished)):
            listen(event)

    return hear


def _build(space: Workspace, request: Request, state: StateStore) -> Walked:
    with space.engine.rebuilding(space.options("rebuild", wait=request.wait)) as options:
        warehouse = space.engine.open(options)
        try:
            walked = walk_in(space, request, warehouse, state, mirrored=False)
        finally:
            warehouse.close()
        if walked.report.status not in OK:
            raise _NotBuilt(walked.report)
        # Between here and the swap nobody knows which warehouse will be found, so neither is expected, and the next run
        # has to look.
        state.put(LAST_COMMIT, "0")
        state.put(SETTLED, "")
        reach("rebuild.before_swap")
    reach("rebuild.swapped")
    return walked


def _export(space: Workspace, request: Request, state: StateStore, built: RunReport) -> RunReport:
    warehouse = space.engine.open(space.options("rebuild", wait=request.wait))
    try:
        walked = walk_in(space, request, warehouse, state, mirrored=True)
        state.put(LAST_COMMIT, str(walked.last))
    finally:
        warehouse.close()
    done = walked.report
    report = replace(
        built,
        status=built.status if done.status in OK else done.status,
        finished=done.finished,
        steps=(*built.steps, *done.steps),
    )
    state.finish_run(report)
    return report
