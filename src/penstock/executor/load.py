"""The load step: landing → first layer. Every batch the ledger does not list, in order, each exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from penstock.domain.batch import Manifest
from penstock.domain.check_result import CheckResult
from penstock.domain.plan import LoadStep
from penstock.domain.quarantined import hidden
from penstock.domain.run import Status
from penstock.domain.source import SourceTable
from penstock.errors import StateError
from penstock.executor.agreed import agreed
from penstock.executor.batch import Counts, Loading, load_batch
from penstock.executor.changelog import TableLog
from penstock.executor.contracting import read_by
from penstock.executor.departures import note
from penstock.executor.gate import gate
from penstock.executor.held import Landed, merged
from penstock.executor.ledger import Entry
from penstock.executor.work import Outcome, Work, unchanged
from penstock.failpoint import reach
from penstock.materializations import departures, history
from penstock.ports import Session
from penstock.quoting import literal


def load(step: LoadStep, work: Work) -> Outcome:
    """Bring the table up to date with its batches, and true to its contract."""
    return agreed(step.table, work, _loaded(step, work))


def _loaded(step: LoadStep, work: Work) -> Outcome:
    """Load what is landed and not in the ledger, a transaction each: a batch that fails leaves the ones before it
    loaded. When the table is declared otherwise than it was loaded, all of it is loaded again in one transaction."""
    batches = work.landing.batches(step.table.source, step.table.name)
    waiting = [batch for batch in batches if _is_new(batch, work)]
    landed = Landed.of(batches, lambda batch: str(work.landing.data(batch)), lambda: _discarded(step.table, work))
    if step.reload:
        return _outcome(len(batches), _load(step, batches, landed, work, again=True))
    if not waiting:
        return unchanged("every batch is loaded")
    total, number, rows = Counts(), None, 0
    checks: tuple[CheckResult, ...] = ()
    for batch in waiting:
        counts, commit, rows, found = _load(step, (batch,), landed, work, again=False)
        total.add(counts)
        number = commit or number
        checks += found
    return _outcome(len(waiting), (total, number, rows, checks))


REBUILD = "rebuild"
_Loaded = tuple[Counts, int | None, int, tuple[CheckResult, ...]]
"""What came of the rows, the commit (None: no row changed), the current rows, what came of the checks."""


def _outcome(count: int, loaded: _Loaded) -> Outcome:
    total, number, rows, checks = loaded
    return Outcome(
        Status.SUCCESS if total.changed or total.quarantined else Status.UNCHANGED,
        "1 batch" if count == 1 else f"{count} batches",
        rows=rows,
        commit=number,
        accounting=total.as_dict(),
        checks=checks,
    )


def _is_new(batch: Manifest, work: Work) -> bool:
    loaded = work.ledger.loaded.get(batch.id)
    if loaded is not None and loaded != batch.sha256:
        raise StateError(
            f"batch {batch.id} in the landing is not the one that was loaded (sha256 differs)",
            code="BATCH_REPLACED",
            hint="landing is immutable: restore it from a backup, or `penstock rebuild` to trust it as it is now",
        )
    return loaded is None


def _discarded(table: SourceTable, work: Work) -> frozenset[str]:
    return frozenset(hidden(work.landing.discards(table.relation)).get(table.relation, ()))


def _load(step: LoadStep, batches: Sequence[Manifest], landed: Landed, work: Work, *, again: bool) -> _Loaded:
    """Batches in one transaction."""
    table, session = step.table, work.session
    files = [str(work.landing.data(batch)) for batch in batches]
    reach("load.before_transaction")
    with work.committer.transaction(session) as transaction:
        if again:
            session.execute(departures.before(table.relation))
            _forget(step, batches, work, session)
        there = not again and (table.stored in work.ledger.existing or table.stored in work.committer.numbers)
        log = TableLog(work, session, transaction, table.stored)
        present, total = there, Counts()
        told: list[CheckResult] = []
        judged = again
        for batch, data in zip(batches, files, strict=True):
            if judged and batch.id not in work.ledger.loaded:
                judged = _rules_moved(table, work, session)
            loading = Loading(
                session,
                work.run,
                work.now(),
                readers=lambda names: read_by(work, session, (table.relation, table.stored), names),
                aged=lambda batch: _is_aged(table, batch, work),
                landed=landed,
                told=told,
                again=judged,
            )
            if there:
                loading = replace(loading, log=log.write, widen=log.widen, retype=log.retype)
            total.add(load_batch(table, batch, data, loading, present=present))
            present = True
        if judged:
            _rules_moved(table, work, session)
        reach("load.before_ledger")
        versions, rows = session.query(history.size(table)).rows[0]
        number = None
        checks = merged(told)
        if total.changed or not there:
            checks += gate(table, work, session, came=_came(table, batches[0]) if there else None)
            entry = Entry(
                table.stored, step.id, step.fingerprint, versions, {}, log.rows, logged=work.is_logged(table.stored)
            )
            number = transaction.commit(entry)
        if not there:
            transaction.on_commit(lambda: work.catalogue.changed(table.stored))
        reach("load.before_commit")
    reach("load.committed")
    return total, number, rows, checks


def _rules_moved(table: SourceTable, work: Work, session: Session) -> bool:
    """All that was loaded has been judged again: note which entries there are no more."""
    now = work.now()
    text = now.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    note(session, table.relation, departures.by_rules(text, work.run), now)
    session.execute(f"DROP TABLE {departures.BEFORE}")
    return False


def _is_aged(table: SourceTable, batch: Manifest, work: Work) -> bool:
    """Whether a batch came before the contract's columns and mode were agreed upon. Where nobody knows any more when
    that was, a rebuild believes that it did: what was once loaded has to come back."""
    if table.contract is None:
        return False
    contract, since = table.contract, None
    for held in reversed(work.contracts.history(table.relation)):
        if (held.contract.shape, held.contract.mode) != (contract.shape, contract.mode):
            break
        since = held.since
    if since is None:
        return batch.id in work.ledger.loaded or work.command == REBUILD
    return batch.processing_ts < datetime.fromisoformat(since).replace(tzinfo=UTC)


def _came(table: SourceTable, batch: Manifest) -> str:
    """The current rows that came with a batch, as a FROM item."""
    current = " AND is_current" if table.key else ""
    return f"(SELECT * FROM {history.stored(table)} WHERE _batch = {literal(batch.id)}{current})"


def _forget(step: LoadStep, batches: Sequence[Manifest], work: Work, session: Session) -> None:
    """Take out what was loaded of a table, and whatever else has its relation's name. Its batches stay in the landing,
    from where they are loaded again; they may have been loaded under another name before."""
    table = step.table
    for statement in history.drop(table, work.ledger.existing):
        session.execute(statement)
    loaded = ", ".join(["?"] * len(batches)) or "NULL"
    session.execute("DELETE FROM _penstock.corrections WHERE relation = ?", (str(table.relation),))
    for ledger in ("batches", "quarantine"):
        session.execute(
            f"DELETE FROM _penstock.{ledger} WHERE relation = ? OR batch IN ({loaded})",
            (str(table.relation), *(batch.id for batch in batches)),
        )
