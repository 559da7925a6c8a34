"""The rebuilt relation: its whole SELECT is run. Where there is a table of the same columns already, only the rows that
differ are changed and logged, so that whoever reads it has no more to do than need be."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from penstock.domain.plan import BuildStep
from penstock.domain.relation import Column, RelationName
from penstock.domain.run import Status
from penstock.executor import changes, delta, quarantine
from penstock.executor.accounts import accounts
from penstock.executor.gate import gate
from penstock.executor.ledger import Entry, Transaction
from penstock.executor.quarantine import Apart
from penstock.executor.work import Outcome, Work
from penstock.failpoint import reach
from penstock.materializations import build as building
from penstock.materializations import maintain
from penstock.materializations.quarantine import TEMPORARY
from penstock.ports import Session
from penstock.record import record


@record
class Rebuilding:
    """`select` gives the model's rows, once the statements of `first` have run; `fingerprint` is what the ledger is
    told; `anew`: whatever is there counts as absent."""

    step: BuildStep
    select: str
    inputs: Mapping[RelationName, int]
    fingerprint: str
    reason: str
    stamps: tuple[str, ...] = ()
    anew: bool = False
    first: tuple[str, ...] = ()


def rebuilt(wanted: Rebuilding, work: Work) -> Outcome:
    """Make the relation from its whole SELECT, in one transaction."""
    session, relation = work.session, wanted.step.model.relation
    kind = work.ledger.existing.get(relation)
    make: Callable[[Rebuilding, Work, Session, Transaction], Outcome]
    make = _over if kind == "table" and not wanted.anew else _table
    if wanted.step.materialization == "view":
        make = _view
    reach("build.before_transaction")
    with work.committer.transaction(session) as transaction:
        quarantine.forget(wanted.step.model, work, session)
        for statement in wanted.first:
            session.execute(statement)
        done = make(wanted, work, session, transaction)
    reach("build.committed")
    return done


def _drop(wanted: Rebuilding, work: Work, session: Session, kind: str) -> None:
    relation = wanted.step.model.relation
    if work.ledger.existing.get(relation) == kind:
        session.execute(f"DROP {kind.upper()} {maintain.name_of(relation)}")


def _view(wanted: Rebuilding, work: Work, session: Session, transaction: Transaction) -> Outcome:
    step = wanted.step
    _drop(wanted, work, session, "table")
    session.execute(building.view(step.model, wanted.select))
    reach("build.replaced")
    checks = gate(step.model, work, session)
    entry = Entry(step.model.relation, step.id, wanted.fingerprint, None, wanted.inputs, logged=False)
    number = transaction.commit(entry)
    return Outcome(Status.SUCCESS, wanted.reason, None, number, mode="view", checks=checks)


def _table(wanted: Rebuilding, work: Work, session: Session, transaction: Transaction) -> Outcome:
    """A new table, in the place of whatever has its name."""
    _drop(wanted, work, session, "view")
    return _replaced(wanted, work, session, transaction, select=wanted.select, mode="built")


def _replaced(
    wanted: Rebuilding,
    work: Work,
    session: Session,
    transaction: Transaction,
    *,
    select: str,
    mode: str,
    apart: Apart | None = None,
) -> Outcome:
    """`apart`: what was set apart of the rows of `select`, if that was done already."""
    step, model = wanted.step, wanted.step.model
    rows = session.execute(building.table(model, select))
    if apart is None and (apart := Apart.of(model, work, session, transaction)) is not None:
        table = maintain.name_of(model.relation)
        apart.split(table, session.describe(f"SELECT * FROM {table}"), rows)
        apart.correct(wanted.stamps)
        rows = delta.size(session, model.relation)
    if model.key:
        every = building.duplicates(building.name_of(model), model.key)
        building.check_unique(model, session.query(every).rows)
    reach("build.replaced")
    checks = gate(model, work, session)
    checks += apart.judge(rows, rows) if apart is not None else ()
    accounting = accounts(step, session, published=rows, quarantined=apart.total if apart is not None else 0)
    if apart is not None:
        apart.commit(transaction.take())
    logged = work.is_logged(model.relation)
    transaction.on_commit(lambda: work.catalogue.changed(model.relation))
    number = transaction.commit(Entry(model.relation, step.id, wanted.fingerprint, rows, wanted.inputs, logged=logged))
    return Outcome(Status.SUCCESS, wanted.reason, rows, number, accounting, mode=mode, checks=checks)


def _over(wanted: Rebuilding, work: Work, session: Session, transaction: Transaction) -> Outcome:
    """Over a table that is there."""
    relation = wanted.step.model.relation
    rows = session.execute(maintain.aside(wanted.select))
    found = session.describe(f"SELECT * FROM {maintain.NEW}")
    before = work.catalogue.columns(session, relation) or ()
    appended = wanted.step.materialization == "append"
    if appended:
        building.check_kept(wanted.step.model, found, before)
    apart = Apart.of(wanted.step.model, work, session, transaction)
    if apart is not None:
        apart.split(maintain.NEW, found, rows)
        apart.correct(wanted.stamps)
    if found != before or (maintain.placeless(found) and not appended):
        select = f"SELECT * FROM {maintain.NEW}"
        done = _replaced(wanted, work, session, transaction, select=select, mode="rebuilt", apart=apart)
    else:
        done = _corrected(wanted, work, session, transaction, found, apart)
    changes.drop(session, *maintain.TEMPORARY, *TEMPORARY)
    return done


def _corrected(
    wanted: Rebuilding,
    work: Work,
    session: Session,
    transaction: Transaction,
    found: tuple[Column, ...],
    apart: Apart | None,
) -> Outcome:
    step, model = wanted.step, wanted.step.model
    making = delta.Making(
        step=step,
        work=work,
        session=session,
        transaction=transaction,
        inputs=wanted.inputs,
        fingerprint=wanted.fingerprint,
        found=found,
        mode="appended" if step.materialization == "append" else "rebuilt",
        reason=wanted.reason,
        stamps=wanted.stamps,
        apart=apart,
    )
    if step.materialization == "append":
        building.check_unique(model, session.query(building.duplicates(maintain.NEW, model.key)).rows)
        for statement in maintain.correction(model.relation, found, model.key):
            session.execute(statement)
        gone, came = session.query(maintain.CORRECTED).rows[0]
        return delta.correct(making, gone, came)
    table = maintain.name_of(model.relation)
    gone, came = delta.compare(making, table)
    return delta.settle(making, gone, came, table, "rowid")
