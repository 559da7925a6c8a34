"""Rows of a model that fail a check with `on_fail: quarantine`, set apart in the transaction that publishes the others.

The quarantine follows the model by the rule the table follows it by: where rows as they should be take the place of
rows as they are, those of them that fail take the place of those that are set apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from penstock.checks.compile import fails, kind_of
from penstock.checks.kind import RowKind, Subject
from penstock.checks.values import shown
from penstock.checks.verdict import allowed, masked
from penstock.domain.check import Check
from penstock.domain.check_result import CheckOutcome, CheckResult
from penstock.domain.model import Model
from penstock.domain.quarantine import META, fingerprint, rules, table_of
from penstock.domain.relation import Column, RelationName
from penstock.errors import DataError, InternalError, UserError
from penstock.executor import checking
from penstock.executor.checking import SAMPLES, Checkable
from penstock.executor.departures import note
from penstock.executor.gate import naive
from penstock.executor.ledger import Transaction
from penstock.executor.work import Work
from penstock.failpoint import reach
from penstock.materializations import departures, maintain, quarantine
from penstock.materializations.quarantine import FAILED, HELD, Rule
from penstock.ports import Session

FEW = 20
"""Rows that have to come in one step before a share of them says anything."""


def compiled(model: Model, found: Sequence[Column]) -> list[Rule]:
    """The checks of a model that set rows apart, as conditions on rows with the columns `found`. Raises DataError for a
    column that is not there."""
    taken = {column.name.lower() for column in META}
    if clash := [column.name for column in found if column.name.lower() in taken]:
        raise UserError(
            f"{model.relation}: the column {clash[0]} is one that quarantine adds itself",
            code="RESERVED_NAME",
            hint="name it otherwise with AS, or leave it out",
        )
    table = maintain.name_of(model.relation)
    subject = Subject(model.relation, table, table, tuple(found), datetime.min)  # no row knows what time it is
    try:
        return [Rule(fails(check, subject), says(check)) for check in rules(model.checks)]
    except KeyError as error:
        raise checking.no_column(Checkable.of(model), subject, str(error.args[0])) from None


def says(check: Check) -> str:
    """`name: what is wrong`."""
    kind = kind_of(check)
    if not isinstance(kind, RowKind):
        raise TypeError(f"{kind.name} is not about single rows")
    return f"{check.name}: {check.description or f'expected {kind.says(check)}'}"


def split(session: Session, model: Model, rows: str, found: Sequence[Column], conditions: Sequence[Rule]) -> int:
    """Move the rows of a table (`rows`) that fail a check into FAILED. Gives their number. Raises DataError
    CHECK_INVALID when a check cannot be evaluated."""
    try:
        failing = session.execute(quarantine.failed(rows, found, conditions))
    except (UserError, DataError) as error:
        raise checking.invalid(Checkable.of(model), rules(model.checks), error) from error
    if failing:
        taken = session.execute(quarantine.passing(rows, found, conditions))
        if taken != failing:
            raise InternalError(f"{model.relation}: {failing} rows fail, {taken} were set apart", code="BUG")
    return failing


def forget(model: Model, work: Work, session: Session) -> None:
    """Take away what was set apart of a model that sets nothing apart any more: it is being made anew with all rows."""
    held = table_of(model.relation)
    if not rules(model.checks) and held in work.ledger.existing:
        _all_left(model, work, session, work.catalogue.columns(session, held) or (), "rules")
        session.execute(f"DROP TABLE IF EXISTS {maintain.name_of(table_of(model.relation))}")


def _all_left(model: Model, work: Work, session: Session, known: Sequence[Column], cause: str) -> None:
    """Note that all rows leave a quarantine with the columns `known`."""
    ours = {column.name for column in META}
    own, held = [column.name for column in known if column.name not in ours], maintain.name_of(table_of(model.relation))
    if own and ours <= {column.name for column in known}:
        statement = departures.of_all(model.relation, held, own, _text(work.now()), work.run, cause)
        note(session, model.relation, statement, work.now())


def _text(moment: datetime) -> str:
    return naive(moment).isoformat(sep=" ", timespec="microseconds")


class Apart:
    """One model in an open transaction: `split`, `correct`, `judge`, `commit`. `total`: how many rows are set apart;
    `came` and `gone`: how many of them were not before, and how many are no more."""

    def __init__(self, model: Model, work: Work, session: Session, transaction: Transaction) -> None:
        self.model, self._work, self._session, self._transaction = model, work, session, transaction
        self.relation: RelationName = table_of(model.relation)
        self._name = maintain.name_of(self.relation)
        self._fingerprint = fingerprint(model.checks)
        self._rules: list[Rule] = []
        self._published = ""
        self._found: Sequence[Column] = ()
        self._judged = self._failing = 0
        self._partly = False
        self.total = self.gone = self.came = 0

    @classmethod
    def of(cls, model: Model, work: Work, session: Session, transaction: Transaction) -> Apart | None:
        """None for a model that sets nothing apart."""
        return cls(model, work, session, transaction) if rules(model.checks) else None

    @property
    def is_there(self) -> bool:
        """Whether there is a quarantine of the columns that the relation has."""
        own = self._work.catalogue.columns(self._session, self.model.relation)
        return own is not None and self.fits(own)

    def fits(self, own: Sequence[Column]) -> bool:
        """Whether there is a quarantine of a SELECT that gives the columns `own`."""
        return self._work.catalogue.columns(self._session, self.relation) == quarantine.held_columns(own)

    def hold(self, statement: str) -> None:
        """Only rows that this statement puts into HELD may leave the quarantine."""
        self._session.execute(statement)
        self._partly = True

    def split(self, rows: str, found: Sequence[Column], count: int) -> None:
        """`rows`: a table of `count` rows as they should be, all of them or those that may differ."""
        self._found, self._published = found, rows
        self._rules = compiled(self.model, found)
        self._failing = split(self._session, self.model, rows, found, self._rules)
        self._judged = count

    def correct(self, stamps: Sequence[str] = ()) -> None:
        """FAILED into the quarantine: rows that are in it already stay as they are."""
        session, work = self._session, self._work
        known = work.catalogue.columns(session, self.relation)
        if known != quarantine.held_columns(self._found) or maintain.placeless(self._found):
            if known is not None and known != quarantine.held_columns(self._found):
                _all_left(self.model, work, session, known, "columns")
            session.execute(quarantine.table(self._name, self._found, entered=self._entered))
            self._transaction.on_commit(lambda: work.catalogue.changed(self.relation))
            self.came = self._failing
        else:
            self._replace(stamps)
            if not self._partly:
                told = (self._fingerprint, self._fingerprint)
                session.execute(quarantine.judged(self._name, self._rules), told)
        reach("quarantine.corrected")

    @property
    def _entered(self) -> str:
        return quarantine.entering(_text(self._work.now()), self._work.run, self._fingerprint)

    def _replace(self, stamps: Sequence[str]) -> None:
        session = self._session
        before, row = (HELD, maintain.ROW) if self._partly else (self._name, "rowid")
        if not self._failing and not session.query(f"SELECT count(*) FROM {before}").rows[0][0]:
            return
        compared = quarantine.compared(self._found)
        ignored = (*stamps, compared[-1].name)
        session.execute(maintain.difference(before, compared, ignored, FAILED))
        self.gone, self.came = session.query(maintain.DIFFERENT).rows[0]
        if self.gone:
            session.execute(maintain.gone(before, compared, ignored, row))
            left = departures.of_model(
                self.model.relation,
                self._name,
                self._found,
                _text(self._work.now()),
                self._work.run,
                key=self.model.key,
                stamps=stamps,
                published=self._published,
            )
            note(session, self.model.relation, left, self._work.now())
            session.execute(maintain.delete(self.relation))
        if self.came:
            session.execute(maintain.came(compared, ignored, FAILED))
            session.execute(quarantine.insert(self._name, self._found, entered=self._entered))

    def judge(self, published: int, came: int) -> tuple[CheckResult, ...]:
        """What came of the checks. `published`: how many rows are; `came`: how many of them were not before. Raises
        DataError when too many rows are set apart."""
        self.total = self._session.query(f"SELECT count(*) FROM {self._name}").rows[0][0]
        if self.model.materialization == "history":  # of its versions only the current ones were judged
            table = maintain.name_of(self.model.relation)
            published = self._session.query(f"SELECT count(*) FROM {table} WHERE is_current").rows[0][0]
        self._limit(published, came if self._partly else None)
        return self._results()

    def commit(self, number: int) -> None:
        """`number`: the commit of the relation that does not show what is set apart."""
        if self.came:
            self._session.execute(quarantine.committed(self._name), (number,))

    def _limit(self, published: int, came: int | None) -> None:
        most = self.model.max_quarantined
        if most is None:
            return
        if not most.holds(self.total, self.total + published):
            raise self._too_many(self.total, self.total + published, "rows")
        of = self.came + (came or 0)
        if most.share is not None and came is not None and of >= FEW and not most.holds(self.came, of):
            raise self._too_many(self.came, of, "rows that came")

    def _too_many(self, apart: int, of: int, what: str) -> DataError:
        most = self.model.max_quarantined
        causes = [rule.says for rule, count in zip(self._rules, self._counts(), strict=True) if count]
        told = f": {'; '.join(causes)}" if causes else ""
        return DataError(
            f"{self.model.relation}: expected at most {allowed(most) if most else 0} of its rows to be set apart, "
            f"found {shown(apart)} of {shown(of)} {what}{told}",
            code="QUARANTINE_LIMIT",
            hint="what was published stays as it was; correct the data or the checks, or raise `quarantine: {max: …}`",
        )

    def _counts(self) -> Sequence[int]:
        """How many of the rows that were looked at each check is against."""
        if not self._failing:
            return [0] * len(self._rules)
        found: Sequence[int] = self._session.query(quarantine.counts(FAILED, self._rules)).rows[0]
        return found

    def _results(self) -> tuple[CheckResult, ...]:
        of, found = Checkable.of(self.model), []
        checks = rules(self.model.checks) if self._rules else ()  # nothing was split: nothing that is judged has moved
        for check, rule, failing in zip(checks, self._rules, self._counts(), strict=True):
            apart = f"{shown(failing)} of {shown(self._judged)} rows set apart"
            found.append(
                CheckResult(
                    relation=of.relation,
                    name=check.name,
                    kind=check.kind,
                    dimension=check.dimension,
                    on_fail=check.on_fail,
                    outcome=CheckOutcome.WARNED if failing else CheckOutcome.PASSED,
                    message=f"expected {self._expected(check)}: {apart}" if failing else "no row fails",
                    location=check.location,
                    scope="came" if self._partly else "all",
                    rows=self._judged,
                    failing=failing,
                    samples=self._samples(of, check, rule) if failing else (),
                )
            )
        return tuple(found)

    @staticmethod
    def _expected(check: Check) -> str:
        kind = kind_of(check)
        return kind.says(check) if isinstance(kind, RowKind) else check.name

    def _samples(self, of: Checkable, check: Check, rule: Rule) -> tuple[Mapping[str, Any], ...]:
        rows = self._session.query(quarantine.sample(FAILED, self._found, rule, SAMPLES))
        told = [dict(zip((c.name for c in rows.columns), row, strict=True)) for row in rows.rows]
        return masked(told, of.key, check, of.private)
