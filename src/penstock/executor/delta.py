"""Rows that leave and enter a table: put into it, logged and committed, all in one open transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from penstock.domain.check_result import CheckResult
from penstock.domain.model import Model
from penstock.domain.plan import BuildStep
from penstock.domain.relation import Column, RelationName
from penstock.domain.run import Status
from penstock.errors import InternalError
from penstock.executor.accounts import accounts
from penstock.executor.changelog import TableLog
from penstock.executor.gate import gate
from penstock.executor.ledger import Entry, Transaction, applied
from penstock.executor.quarantine import Apart
from penstock.executor.work import Outcome, Work
from penstock.failpoint import reach
from penstock.materializations import build as building
from penstock.materializations import changelog, maintain
from penstock.ports import Session
from penstock.record import record

UNTOUCHED = 0.3
"""A share of the rows: where more of them change, a table is made anew rather than corrected."""


@record
class Making:
    """What a step knows when its transaction is open. `fingerprint` is what the ledger is told the relation was made
    from; `found` are the relation's columns; `stamps` those of them that are not compared; `apart`: where the rows went
    that fail a check, if it has such; `before`: how many rows the relation has, where that is known."""

    step: BuildStep
    work: Work
    session: Session
    transaction: Transaction
    inputs: Mapping[RelationName, int]
    fingerprint: str
    found: Sequence[Column]
    mode: str
    reason: str
    stamps: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    apart: Apart | None = None
    before: int | None = None

    @property
    def model(self) -> Model:
        return self.step.model

    @property
    def relation(self) -> RelationName:
        return self.step.model.relation

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.found]


def size(session: Session, relation: RelationName) -> int:
    rows: int = session.query(f"SELECT count(*) FROM {maintain.name_of(relation)}").rows[0][0]
    return rows


def compare(making: Making, before: str) -> tuple[int, int]:
    """How many rows of `before` (a FROM item) leave and how many of NEW enter."""
    making.session.execute(maintain.difference(before, making.found, making.stamps))
    gone, came = making.session.query(maintain.DIFFERENT).rows[0]
    return gone, came


def by_key(making: Making, unit: Sequence[str]) -> Outcome:
    """Compare OLD with NEW, which both hold all rows of the affected units, by the model's declared key, and carry out
    what differs. Raises DataError when the key is not unique."""
    session, model = making.session, making.model
    building.check_unique(model, session.query(building.duplicates(maintain.NEW, model.key)).rows)
    session.execute(maintain.pairs(maintain.OLD, making.found, making.stamps, model.key))
    gone, came = session.query(maintain.PAIRED).rows[0]
    # rows of one key are in one unit then, all of whose rows have just been seen
    seen = {name.lower() for name in unit} <= {name.lower() for name in model.key}
    return correct(making, gone, came, maintain.paired(making.found), unique=seen)


def has_key(making: Making) -> bool:
    """Whether rows can be told apart by the declared key."""
    named = {column.name.lower() for column in making.found} - {name.lower() for name in making.stamps}
    return bool(making.model.key) and {name.lower() for name in making.model.key} <= named


def settle(making: Making, gone: int, came: int, before: str, row: str) -> Outcome:
    """Carry out what `compare` found. `row`: the column of `before` that says where in the table a row is."""
    if not gone and not came:
        return _as_it_was(making)
    session = making.session
    if not making.stamps and gone + came > UNTOUCHED * size(session, making.relation) and row == "rowid":
        return _swapped(making, gone, came)
    if gone:
        session.execute(maintain.gone(before, making.found, making.stamps, row))
    if came:
        session.execute(maintain.came(making.found, making.stamps))
    return correct(making, gone, came)


def correct(
    making: Making, gone: int, came: int, images: maintain.Images = maintain.ASIDE, *, unique: bool = False
) -> Outcome:
    """Rows out of the table, rows into it. `unique`: no key can stand twice."""
    if not gone and not came:
        return _as_it_was(making)
    session, relation = making.session, making.relation
    delete = maintain.delete(relation, images.gone)
    if maintain.placeless(making.found):
        delete = maintain.delete_by_key(relation, making.model.key)
    done = session.execute(delete) if gone else 0
    done += session.execute(maintain.insert(relation, making.names, images.came)) if came else 0
    if done != gone + came:
        raise InternalError(f"{relation}: expected {gone + came} rows to change, found {done}", code="BUG")
    if came and making.model.key and not unique:
        repeated = maintain.repeated(relation, making.model.key, images.came)
        building.check_unique(making.model, session.query(repeated).rows)
    new = images.came if came else f"(SELECT * FROM {maintain.name_of(relation)} LIMIT 0)"
    checks = gate(making.model, making.work, session, came=new)
    return _committed(making, gone, came, checks, [(-1, images.gone)] * bool(gone) + [(1, images.came)] * bool(came))


def _swapped(making: Making, gone: int, came: int) -> Outcome:
    making.session.execute(maintain.swap(making.relation, making.names))
    unique(making)
    rows = [(sign, f"({changelog.copied(making.names, maintain.DIFFERENCE, sign)})") for sign in (-1, 1)]
    checks = gate(making.model, making.work, making.session)
    return _committed(making, gone, came, checks, rows)


def unique(making: Making) -> None:
    """Raises DataError when a declared key stands twice in the table."""
    if making.model.key:
        every = building.duplicates(building.name_of(making.model), making.model.key)
        building.check_unique(making.model, making.session.query(every).rows)


def _as_it_was(making: Making) -> Outcome:
    """No row differs: there is nothing to commit, and whoever reads the relation need not look at it. Rows may have
    entered or left its quarantine all the same."""
    commit = making.work.ledger.commits.get(making.relation)
    if commit is not None and commit.fingerprint != making.fingerprint:
        making.work.committer.adopt(making.session, making.relation, making.fingerprint)
    total = size(making.session, making.relation) if making.before is None else making.before
    checks = _apart(making, total, 0)
    if making.apart is not None and commit is not None:
        making.apart.commit(commit.number)
    applied(making.session, making.relation, making.inputs)
    reach("build.noted")
    moved = making.apart is not None and bool(making.apart.gone or making.apart.came)
    return Outcome(
        Status.SUCCESS if moved else Status.UNCHANGED,
        making.reason,
        total,
        accounting=_accounting(making, 0, 0, total),
        mode=making.mode,
        checks=checks,
    )


def _apart(making: Making, total: int, came: int) -> tuple[CheckResult, ...]:
    return making.apart.judge(total, came) if making.apart is not None else ()


def _accounting(making: Making, gone: int, came: int, total: int) -> dict[str, int]:
    apart = making.apart.total if making.apart is not None else 0
    return {
        **making.counts,
        "gone": gone,
        "came": came,
        **accounts(making.step, making.session, published=total, quarantined=apart),
    }


def _committed(
    making: Making, gone: int, came: int, checks: tuple[CheckResult, ...], rows: Sequence[tuple[int, str]]
) -> Outcome:
    reach("build.changed")
    total = size(making.session, making.relation) if making.before is None else making.before + came - gone
    checks += _apart(making, total, came)
    accounting = _accounting(making, gone, came, total)
    log = TableLog(making.work, making.session, making.transaction, making.relation)
    log.write(making.names, rows)
    reach("build.logged")
    if making.apart is not None:
        making.apart.commit(making.transaction.take())
    number = making.transaction.commit(
        Entry(
            making.relation,
            making.step.id,
            making.fingerprint,
            total,
            making.inputs,
            log.rows,
            making.work.is_logged(making.relation),
        )
    )
    reach("build.before_commit")
    return Outcome(Status.SUCCESS, making.reason, total, number, accounting, mode=making.mode, checks=checks)
