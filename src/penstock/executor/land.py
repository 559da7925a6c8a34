"""The land step: source → landing. The manifest is the commit point; the warehouse is not needed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from penstock.domain.batch import extracts
from penstock.domain.plan import LandStep
from penstock.domain.run import Status
from penstock.errors import PenstockError
from penstock.executor.work import Outcome, Work, unchanged
from penstock.ports import ExtractRequest, SourceReader


def land(step: LandStep, reader: SourceReader, work: Work) -> Outcome:
    """Extract what is new, batch by batch. What was landed before an error stays landed: it is durable and whole."""
    table = step.table
    with (
        work.interruption.watched(),
        work.landing_turn.held(),
        work.landing.staging(f"{work.run}-{table.id}") as staging,
    ):
        previous = extracts(work.landing.batches(table.source, table.name))
        request = ExtractRequest(table, work.roots[table.source], previous, staging, work.started)
        try:
            extracted = reader.extract(request)
            landed = [work.landing.commit(table, extract, work.run, work.started) for extract in extracted]
        except PenstockError as error:
            raise _placed(error, request.root, work.root) from error.__cause__
    if not landed:
        return unchanged("nothing new at the source", rows=0)
    count = len(landed)
    return Outcome(
        Status.SUCCESS,
        "1 batch" if count == 1 else f"{count} batches",
        rows=sum(batch.rows for batch in landed),
        accounting={"batches": count, "bytes": sum(batch.bytes for batch in landed)},
    )


def _placed(error: PenstockError, folder: Path, root: Path) -> PenstockError:
    """A reader names files as its folder does; people look for them from the project."""
    where = error.problem.location
    if where is not None and (file := folder / where.path).is_file():
        path = os.path.relpath(file, root) if file.is_relative_to(root) else str(file)
        error.problem = replace(error.problem, location=replace(where, path=path))
    return error
