"""The backfill step: one partition of one model, one transaction with its ledger row and the note that it is done."""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import datetime

from penstock.domain.backfill import Partition, PartitionStep
from penstock.domain.check_result import CheckResult
from penstock.domain.relation import RelationName
from penstock.domain.run import Status
from penstock.errors import DataError, Location, PenstockError
from penstock.executor import changes, delta
from penstock.executor.changelog import TableLog
from penstock.executor.gate import gate
from penstock.executor.ledger import Entry, Transaction, either_way
from penstock.executor.quarantine import Apart
from penstock.executor.work import Outcome, Work, unchanged
from penstock.materializations import build as building
from penstock.materializations import changelog, maintain, partition
from penstock.materializations.quarantine import HELD, TEMPORARY
from penstock.ports import Session
from penstock.sql.render import bind_parameters

_TABLE = (
    "CREATE TABLE IF NOT EXISTS _penstock.backfills (backfill VARCHAR NOT NULL, relation VARCHAR NOT NULL, "
    "begins TIMESTAMP NOT NULL, ends TIMESTAMP NOT NULL, run VARCHAR NOT NULL, finished_at TIMESTAMP NOT NULL)"
)


def prepare(session: Session, relations: Collection[RelationName]) -> None:
    """Make what partitions write to, before any of them begins: concurrent CREATE IF NOT EXISTS may fail."""
    with either_way(session):
        session.execute(_TABLE)
        for relation in relations:
            session.execute(changelog.create(relation))


def done(session: Session, backfill: str) -> dict[tuple[datetime, datetime], str]:
    """The partitions of a backfill that are done, with the run that did each."""
    there = session.query(
        "SELECT 1 FROM information_schema.tables WHERE table_schema = '_penstock' AND table_name = 'backfills'"
    )
    if not there.rows:
        return {}
    rows = session.query("SELECT begins, ends, run FROM _penstock.backfills WHERE backfill = ?", (backfill,)).rows
    return {(begin, end): run for begin, end, run in rows}


def forget(session: Session, backfills: Collection[str]) -> None:
    """Have the partitions of these backfills done again."""
    with either_way(session):
        for backfill in backfills:
            session.execute("DELETE FROM _penstock.backfills WHERE backfill = ?", (backfill,))


class Backfilling:
    """What the partitions of one call share: how many rows each relation has. A partition counts what it changes, since
    it does not see what the others change meanwhile."""

    def __init__(self) -> None:
        self._rows: dict[RelationName, int] = {}
        self._guard = threading.Lock()

    def rows(self, session: Session, relation: RelationName) -> int:
        """Asked before anything is changed."""
        with self._guard:
            if relation not in self._rows:
                self._rows[relation] = delta.size(session, relation)
            return self._rows[relation]

    def set(self, relation: RelationName, rows: int) -> None:
        with self._guard:
            self._rows[relation] = rows

    def carry_out(self, step: PartitionStep, work: Work) -> Outcome:
        if step.partition is None:
            return _end(step, work)
        if not step.needed:
            return unchanged(step.reason)
        model = step.model
        self.rows(work.session, model.relation)
        try:
            with work.committer.transaction(work.session) as transaction:
                found = self._replace(step, step.partition, work, transaction)
                changes.drop(work.session, *maintain.TEMPORARY, *TEMPORARY)
        except PenstockError as error:
            raise error.locate(Location(model.location.path, model.line)) from None
        return found

    def _replace(self, step: PartitionStep, part: Partition, work: Work, transaction: Transaction) -> Outcome:
        session, model = work.session, step.model
        select = bind_parameters(model.sql, work.parameters) if model.parameters else model.sql
        bounds = (step.column, step.type, part.begin, part.end)
        rows = session.execute(partition.expected(select, partition.within(*bounds, "q")))
        found = session.describe(f"SELECT * FROM {maintain.NEW}")
        own = work.catalogue.columns(session, model.relation)
        if found != own:
            raise DataError(
                f"{model.relation}: expected the columns it has ({', '.join(c.name for c in own or ())}), found "
                f"{', '.join(c.name for c in found)}",
                code="SCHEMA_CHANGED",
                hint=f"a part of it cannot have others; to change all of it: penstock run --full-refresh "
                f"{model.relation}",
            )
        where = partition.within(*bounds, "m")
        session.execute(partition.replaced(model.relation, where, model.key))
        stamps = work.compiler.analysis(model, session).stamps
        apart = Apart.of(model, work, session, transaction)
        if apart is not None:
            apart.hold(partition.replaced(apart.relation, where, model.key, HELD))
            apart.split(maintain.NEW, found, rows)
            apart.correct(stamps)
        session.execute(
            "INSERT INTO _penstock.backfills VALUES (?, ?, ?, ?, ?, ?)",
            (step.backfill, str(model.relation), part.begin, part.end, work.run, work.now()),
        )
        making = delta.Making(
            step=step,
            work=work,
            session=session,
            transaction=transaction,
            inputs={},
            fingerprint=work.ledger.commits[model.relation].fingerprint,
            found=found,
            mode="backfilled",
            reason=step.reason,
            stamps=stamps,
            apart=apart,
        )
        rows = session.query(f"SELECT count(*) FROM {maintain.NEW}").rows[0][0]
        gone, came = delta.compare(making, maintain.OLD)
        counts = {"gone": gone, "came": came}
        if not gone and not came:
            checks = self._apart(making, 0)
            moved = apart is not None and bool(apart.gone or apart.came)
            status = Status.SUCCESS if moved else Status.UNCHANGED
            return Outcome(status, step.reason, rows, accounting=counts, mode=making.mode, checks=checks)
        number, checks = self._put(making, gone, came)
        return Outcome(Status.SUCCESS, step.reason, rows, number, counts, mode=making.mode, checks=checks)

    def _apart(self, making: delta.Making, came: int) -> tuple[CheckResult, ...]:
        """What was set apart, where no row of the table differs."""
        apart, commit = making.apart, making.work.ledger.commits[making.relation]
        if apart is None:
            return ()
        checks = apart.judge(self.rows(making.session, making.relation), came)
        apart.commit(commit.number)
        return checks

    def _put(self, making: delta.Making, gone: int, came: int) -> tuple[int, tuple[CheckResult, ...]]:
        """The rows that differ into the table and its log, and the commit. What the model has seen of its inputs is not
        touched: the rest of it has seen no more."""
        session, relation, model = making.session, making.relation, making.model
        session.execute(maintain.gone(maintain.OLD, making.found, making.stamps, maintain.ROW))
        session.execute(maintain.came(making.found, making.stamps))
        session.execute(maintain.delete(relation))
        session.execute(maintain.insert(relation, making.names))
        if came and model.key:
            building.check_unique(model, session.query(maintain.repeated(relation, model.key)).rows)
        checks = gate(model, making.work, session, came=maintain.CAME)
        if making.apart is not None:
            checks += making.apart.judge(self.rows(session, relation) + came - gone, came)
        log = TableLog(making.work, session, making.transaction, relation)
        log.write(making.names, ((-1, maintain.GONE), (1, maintain.CAME)))
        number = making.transaction.take()  # who has it is the only one to commit: the number of rows is right
        if making.apart is not None:
            making.apart.commit(number)
        total = self.rows(session, relation) + came - gone
        making.transaction.on_commit(lambda: self.set(relation, total))
        logged = making.work.is_logged(relation)
        entry = Entry(relation, making.step.id, making.fingerprint, total, {}, log.rows, logged)
        return making.transaction.commit(entry), checks


def _end(step: PartitionStep, work: Work) -> Outcome:
    """All partitions are done. Two of them, working side by side, may have been given the same key."""
    session, model = work.session, step.model
    if model.key:
        building.check_unique(model, session.query(building.duplicates(building.name_of(model), model.key)).rows)
    return unchanged(step.reason, delta.size(session, model.relation))
