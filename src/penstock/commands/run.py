"""run: land, load, build and export what has changed, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from penstock.commands.observe import settled, still
from penstock.commands.workspace import Workspace, open_workspace, utc_now
from penstock.domain.event import RunFinished, RunStarted
from penstock.domain.run import RunReport, Status
from penstock.ports import Emit, StateStore

SETTLED = "settled"
FRESH_UNTIL = "fresh_until"
"""See commands/freshness.py, which nobody needs to import as long as everything is fresh."""


def run(
    where: Path,
    *,
    environment: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    full_refresh: Sequence[str] = (),
    emit: Emit | None = None,
    wait: float = 0.0,
    now: datetime | None = None,
) -> RunReport:
    """Bring the environment up to date with its sources and its models, and go on where an earlier run failed.

    `full_refresh` names models (selection patterns) to make anew whatever the plan thinks. Raises ProjectError before
    anything runs when the project has problems, Locked when another process works in the environment; what goes wrong
    in a step is in the report.
    """
    space = open_workspace(where, environment)
    moment = now or utc_now()
    if not (select or exclude or full_refresh):
        report = _nothing_to_do(space, moment, emit)
        if report is not None:
            return report
    return _run(space, moment, select=select, exclude=exclude, full_refresh=full_refresh, emit=emit, wait=wait)


def _nothing_to_do(space: Workspace, now: datetime, emit: Emit | None) -> RunReport | None:
    """The report of a run that found everything as the last one left it; None when there may be work."""
    stamp = settled(space)
    if stamp is None:
        return None
    state = space.state()
    try:
        if state.get(SETTLED) != stamp:
            return None
        from penstock.commands.identity import run_id

        report = RunReport(run_id(now), space.environment.name, Status.UNCHANGED, now, utc_now(), ())
        state.note_run(report, "run", None)
        if emit is not None:
            emit(RunStarted(report.run, report.environment, 0, now))
        until = state.get(FRESH_UNTIL)
        if until and now.astimezone(UTC).isoformat(timespec="microseconds") >= until:
            report = _too_old(space, state, report, now, emit)
    finally:
        state.close()
    if emit is not None:
        emit(RunFinished(report))
    return report


def _too_old(space: Workspace, state: StateStore, report: RunReport, now: datetime, emit: Emit | None) -> RunReport:
    """Nothing has come, and that may be what is wrong."""
    from penstock.commands.freshness import asked
    from penstock.commands.report import after_run

    return after_run(space, state, asked(space.project, state, report, now, emit=emit), None)


def _run(
    space: Workspace,
    now: datetime,
    *,
    select: Sequence[str],
    exclude: Sequence[str],
    full_refresh: Sequence[str],
    emit: Emit | None,
    wait: float,
) -> RunReport:
    from penstock.commands.bind import check
    from penstock.commands.execute import Request, Walked, chosen, execute
    from penstock.commands.selection import models

    bound = check(space)
    request = Request(
        command="run",
        bound=bound,
        now=now,
        emit=emit,
        wait=wait,
        selected=chosen(space, select, exclude),
        refresh=models(space.project, full_refresh),
        ages=True,
    )

    def after(walked: Walked, state: StateStore) -> None:
        if select or exclude or walked.timed or walked.report.status not in {Status.SUCCESS, Status.UNCHANGED}:
            return
        stamp = settled(space)
        if stamp is not None and still(space, walked.sources, walked.loaded):
            state.put(SETTLED, stamp)

    return execute(space, request, after=after)
