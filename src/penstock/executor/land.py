"""The land step: source → landing. The manifest is the commit point; the warehouse is not needed."""

from __future__ import annotations

from penstock.domain.batch import extracts
from penstock.domain.plan import LandStep
from penstock.domain.run import Status
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
        landed = [work.landing.commit(table, extract, work.run, work.started) for extract in reader.extract(request)]
    if not landed:
        return unchanged("nothing new at the source", rows=0)
    count = len(landed)
    return Outcome(
        Status.SUCCESS,
        "1 batch" if count == 1 else f"{count} batches",
        rows=sum(batch.rows for batch in landed),
        accounting={"batches": count, "bytes": sum(batch.bytes for batch in landed)},
    )
