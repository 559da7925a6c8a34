"""report: how the data of a project stands, by its checks. Written after each run that judged something, too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from penstock.commands.workspace import Workspace, open_to_look, utc_now
from penstock.domain.quality import Held, QualityReport
from penstock.domain.run import RunReport, Status
from penstock.errors import DataError, DriverError, Problem, StateError
from penstock.failpoint import reach
from penstock.ports import StateStore
from penstock.record import record

HELD = "quarantined"
"""The fact that says what is in quarantine: relation → [rows, {check: rows}], as JSON."""


@record
class Written:
    """A report and the file that its page was written to."""

    report: QualityReport
    page: Path


def report(
    where: Path, *, environment: str | None = None, html: Path | None = None, now: datetime | None = None
) -> Written:
    """The report of the last run that has ended, put with those that runs write; `html`: the page also to this file.
    Read from the state store, so that it answers while a run works. Raises StateError when nothing has run yet."""
    space = open_to_look(where, environment)
    state = space.state()
    try:
        found = _report(space, state, now or utc_now())
    finally:
        state.close()
    if found is None:
        raise StateError(
            f"nothing has run in {space.environment.name} yet", code="NOTHING_BUILT", hint="run `penstock run` first"
        )
    page = _put(space, found)
    if html is not None:
        _write(html, found)
    return Written(found, page)


def after_run(space: Workspace, state: StateStore, done: RunReport, held: Mapping[str, Held] | None) -> RunReport:
    """Write the report of a run, if it has judged anything, and say where. What keeps it from being written is told
    with the run: that has ended as it has. `held`: rows in quarantine now, None when none can have come or gone."""
    if held is not None:
        text = json.dumps({relation: [each.rows, each.checks] for relation, each in held.items()})
        if state.get(HELD) != text:
            state.put(HELD, text)
    if not judged(done):
        return done
    try:
        found = _report(space, state, utc_now(), done.run)
        page = None if found is None else _put(space, found)
    except DriverError as error:
        return replace(done, notes=(*done.notes, _unwritten(error.problem)))
    return replace(done, quality=None if page is None else str(page))


def changed(done: RunReport) -> bool:
    """Whether a run can have changed what is in the warehouse."""
    return any(step.kind != "land" and step.status is not Status.UNCHANGED for step in done.steps)


def judged(done: RunReport) -> bool:
    """Whether there is something to report: checks were evaluated, rows were held back, or data was refused."""
    return any(
        step.checks or step.accounting.get("quarantined") or step.exit_code == DataError.exit_code
        for step in done.steps
    )


def _report(space: Workspace, state: StateStore, now: datetime, run: str | None = None) -> QualityReport | None:
    from penstock.reports.assemble import POINTS, Known, assemble

    runs = [row for row in state.runs(50) if (row["run"] == run if run else row["status"] != Status.RUNNING)]
    if not runs:
        return None
    held = {relation: Held(*each) for relation, each in json.loads(state.get(HELD) or "{}").items()}
    known = Known(runs[0], state.steps(runs[0]["run"]), state.checks(POINTS), state.targets(), held)
    return assemble(space.project, space.environment.name, known, now)


def _put(space: Workspace, found: QualityReport) -> Path:
    from penstock.reports.shelf import put

    reach("report.before")
    page = put(found, space.home, kept=space.environment.keep_reports)
    reach("report.written")
    return page


def _write(html: Path, found: QualityReport) -> None:
    from penstock.exports.publish import publish
    from penstock.reports.page import page

    publish(lambda target: target.write_text(page(found), encoding="utf-8"), html.absolute(), run=found.run)


def _unwritten(problem: Problem) -> Problem:
    return replace(problem, message=f"the quality report was not written: {problem.message}")
