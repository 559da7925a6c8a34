"""The maintained build: only the units that what changed in the inputs can affect are made anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from penstock.domain.maintenance import AFFECTED, Program, counted, listed
from penstock.domain.plan import BuildStep
from penstock.domain.relation import RelationName
from penstock.domain.run import Status
from penstock.errors import UserError
from penstock.executor import changes, delta, limited
from penstock.executor.ledger import Transaction, applied
from penstock.executor.quarantine import Apart
from penstock.executor.work import Outcome, Work
from penstock.failpoint import reach
from penstock.materializations import maintain
from penstock.materializations.quarantine import HELD, TEMPORARY
from penstock.ports import Session
from penstock.record import record
from penstock.sql.render import bind_parameters

CHANGES = "changes"
"""Following the changes of its inputs: what a step may try (see Work.give_up)."""
SMALL = 10_000
"""Rows up to which nobody asks whether making a table anew would be less work."""


@record
class Following:
    """One model in an open transaction. `inputs`: the last commit of each input; `reason`: why there is work at all."""

    step: BuildStep
    work: Work
    session: Session
    transaction: Transaction
    inputs: Mapping[RelationName, int]
    reason: str


def maintained(step: BuildStep, work: Work, inputs: Mapping[RelationName, int], reason: str) -> Outcome | str:
    """Bring the relation up to date with the changes of its inputs, or say why it has to be made anew."""
    session, relation = work.session, step.model.relation
    given_up = work.given_up(relation, CHANGES)
    if given_up is not None:
        return given_up
    since = changes.moved(work.ledger.applied.get(relation, {}), inputs)
    reach("build.before_transaction")
    try:
        with work.committer.transaction(session) as transaction:
            found = _from_logs(Following(step, work, session, transaction, inputs, reason), since)
            changes.forget(session, since)
            changes.drop(session, *maintain.TEMPORARY, *TEMPORARY)
    except UserError as error:  # what is wrong with a row is told by making the whole table, in the model's own SQL
        why = f"its changes could not be followed ({error.problem.message})"
        work.give_up(relation, CHANGES, why)
        return why
    if isinstance(found, Outcome):
        reach("build.committed")
    return found


def _from_logs(this: Following, since: Mapping[RelationName, int]) -> Outcome | str:
    """`since`: the inputs that have moved, each with the commit that was seen last."""
    work, session, relation = this.work, this.session, this.step.model.relation
    if maintain.placeless(work.catalogue.columns(session, relation) or ()):
        return "a column is named rowid, as the place of a row is"
    logs = changes.logged(session, work.catalogue, since, work.committer.settled)
    if isinstance(logs, str):
        return logs
    changed = changes.gather(session, work.catalogue, logs)
    if not changed:
        applied(session, relation, this.inputs)
        return Outcome(Status.UNCHANGED, "no row it reads has changed", work.ledger.commits[relation].rows)
    program = work.compiler.program(this.step.model, changed, session)
    if isinstance(program, str):
        return program
    found = _follow(this, program)
    changes.drop(session, *program.temporary, AFFECTED)
    return found


def _follow(this: Following, program: Program) -> Outcome | str:
    work, session, own = this.work, this.session, this.step.model.relation
    relation = limited.below(own) if program.above else own
    columns = work.catalogue.columns(session, relation) or ()
    if not {name.lower() for name in program.unit} <= {column.name.lower() for column in columns}:
        return "its columns have changed"
    for statement in program.prepare:
        session.execute(bind_parameters(statement, work.parameters))
    affected, nulls, total = session.query(maintain.affected(len(program.unit), relation)).rows[0]
    apart = Apart.of(this.step.model, work, session, this.transaction)
    if apart is not None and not apart.is_there:
        return "what was set apart of it is not there"
    if total > SMALL and affected > delta.UNTOUCHED * total:
        return f"{affected:,} units may differ, and it has {total:,} rows"
    before = session.execute(maintain.old(relation, program.unit))
    if total > SMALL and before > delta.UNTOUCHED * total:
        return f"{before:,} of its {total:,} rows may differ"
    select = program.select if nulls else program.select_without_nulls or program.select
    rows = session.execute(maintain.aside(bind_parameters(select, work.parameters)))
    found = session.describe(f"SELECT * FROM {maintain.NEW}")
    if found != columns:
        return "its columns have changed"
    making = delta.Making(
        step=this.step,
        work=work,
        session=session,
        transaction=this.transaction,
        inputs=this.inputs,
        fingerprint=work.ledger.commits[own].fingerprint,
        found=found,
        mode="maintained",
        reason=f"{this.reason}; maintained by {listed(program.unit)}, {counted(affected)}",
        stamps=program.stamps,
        counts={"affected": affected},
        apart=apart,
        before=None if program.above else total,
    )
    if apart is not None and not program.above:
        apart.hold(maintain.old(apart.relation, program.unit, HELD))
        apart.split(maintain.NEW, found, rows)
        apart.correct(program.stamps)
    if delta.has_key(making) and not program.above:
        return delta.by_key(making, program.unit)
    gone, came = delta.compare(making, maintain.OLD)
    if program.above and (gone or came):
        return _first_rows(making, program, gone, came)
    return delta.settle(making, gone, came, maintain.OLD, maintain.ROW)


def _first_rows(making: delta.Making, program: Program, gone: int, came: int) -> Outcome | str:
    """The rows below the LIMIT have changed: take the first of them again."""
    session, work, relation = making.session, making.work, making.relation
    limited.correct(session, relation, gone, came, work, program.stamps)
    rows = session.execute(maintain.aside(limited.shown(relation, program.above)))
    found = session.describe(f"SELECT * FROM {maintain.NEW}")
    if found != work.catalogue.columns(session, relation):
        return "its columns have changed"
    names = {column.name for column in found}
    making = replace(making, found=found, stamps=tuple(name for name in program.stamps if name in names))
    if making.apart is not None:
        making.apart.split(maintain.NEW, found, rows)
        making.apart.correct(making.stamps)
    table = maintain.name_of(relation)
    return delta.settle(making, *delta.compare(making, table), table, "rowid")
