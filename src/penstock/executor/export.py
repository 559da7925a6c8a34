"""The export step: relations as a file, written aside and renamed, then noted in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from penstock.domain.plan import ExportStep
from penstock.domain.run import Status
from penstock.executor.ledger import either_way
from penstock.executor.work import Outcome, Work, unchanged
from penstock.failpoint import reach
from penstock.planner.plan import export_fingerprint, positions
from penstock.ports import Exporter, ExportRequest

Publish = Callable[[Callable[[Path], int], str, str], int]
"""(write, path below the exports folder, run) → rows: what `write` wrote is made durable and put in place at once."""


def export(step: ExportStep, exporter: Exporter, publish: Publish, work: Work, *, always: bool = False) -> Outcome:
    """Write when the data, the definition or the file itself is not as it was. The file comes first, the note second:
    a crash between them writes the same bytes once more."""
    fingerprint = export_fingerprint(step.export, positions(work.ledger, step.inputs, work.committer.numbers))
    final = work.home / "exports" / step.export.path
    done = work.ledger.exported.get(step.export.name)
    if done == fingerprint and final.exists() and not always:
        return unchanged("up to date")
    session = work.session
    rows = publish(
        lambda target: exporter.write(ExportRequest(step.export, session, target)), step.export.path, work.run
    )
    reach("export.before_note")
    with either_way(session):
        session.execute("DELETE FROM _penstock.exports WHERE export = ?", (step.export.name,))
        session.execute(
            "INSERT INTO _penstock.exports VALUES (?, ?, ?, ?, ?, ?)",
            (step.export.name, fingerprint, step.export.path, rows, work.run, work.now()),
        )
    reach("export.noted")
    return Outcome(Status.SUCCESS, "written", rows, output=str(final))
