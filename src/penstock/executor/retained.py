"""Rows told apart where a relation keeps more than its SELECT gives now.

What would be kept without any check is told apart into the table and its quarantine: which rows a build replaces is the
strategy's matter, and it replaces them in both. When the checks change, all that is kept is judged anew, also rows that
the SELECT gives no more.
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock.domain.maintenance import Program
from penstock.domain.model import Model
from penstock.domain.quarantine import table_of
from penstock.domain.relation import RelationName
from penstock.executor import quarantine
from penstock.executor.keeping import Keeping
from penstock.executor.ledger import Transaction
from penstock.executor.quarantine import Apart
from penstock.materializations import maintain, strategy
from penstock.materializations.quarantine import HELD
from penstock.planner.plan import rules_changed, same_select
from penstock.planner.reach import RULES

ANEW = "all its rows are judged anew"


class Telling:
    """One build in an open transaction. `apart` is None where no check sets rows apart; `anew`: all that is kept has to
    be judged, since other checks than those of now have told it apart."""

    def __init__(self, keeping: Keeping, transaction: Transaction) -> None:
        self._keeping = keeping
        self._held = table_of(keeping.relation)
        held = keeping.work.catalogue.columns(keeping.session, self._held)
        commit = keeping.work.ledger.commits.get(keeping.relation)
        made = self._made = commit.fingerprint.partition("@")[0] if commit is not None else ""
        self.apart = Apart.of(keeping.model, keeping.work, keeping.session, transaction)
        if self.apart is None:
            self.anew = held is not None
        else:
            self.anew = (
                keeping.anew
                or not self.apart.fits(keeping.own)
                or maintain.placeless(keeping.own)
                or rules_changed(made, keeping.step.fingerprint)
            )

    @property
    def held(self) -> tuple[RelationName, ...]:
        """The quarantine, where there is one."""
        there = self._keeping.work.catalogue.columns(self._keeping.session, self._held)
        return (self._held,) if there is not None else ()

    def part(self, model: Model) -> Program | str | None:
        """What there is to follow (see Keeping.part); nothing, when all has to be judged."""
        return ANEW if self.anew else self._keeping.part(model)

    def part_of_kept(self, model: Model) -> Program | str | None:
        """The same where what is kept can be judged as it is kept: other checks do not make the SELECT give others."""
        if not self.anew:
            return self._keeping.part(model)
        was_split = bool(self._made.partition(RULES)[2])
        known = same_select(self._made, self._keeping.step.fingerprint) and was_split == bool(self.held)
        return self._keeping.part(model, self._made) if known else ANEW

    def keep(self, condition: str) -> None:
        """Add to NEW what is to stay of what is kept: rows for which the condition, on the alias `k`, is true."""
        session, own = self._keeping.session, self._keeping.own
        held = self._keeping.work.catalogue.columns(session, self._held) or ()
        known = {(column.name.lower(), column.type) for column in held}
        shared = [column for column in own if (column.name.lower(), column.type) in known]
        for statement in strategy.kept(self._keeping.relation, own, self._held if held else None, shared, condition):
            session.execute(statement)

    def hold(self, statement: str) -> None:
        """Only rows that this statement puts into HELD may leave the quarantine, unless all is judged."""
        if self.apart is not None and not self.anew:
            self.apart.hold(statement)

    def split(self, stamps: Sequence[str], *, of_now: bool = True) -> None:
        """Rows of NEW that fail a check into the quarantine. `of_now`: False for rows of a time gone by, which are only
        left out."""
        session, own, model = self._keeping.session, self._keeping.own, self._keeping.model
        if self.apart is None:
            return
        if not of_now:
            quarantine.split(session, model, maintain.NEW, own, quarantine.compiled(model, own))
            return
        rows = session.query(f"SELECT count(*) FROM {maintain.NEW}").rows[0][0]
        self.apart.split(maintain.NEW, own, rows)
        self.apart.correct(stamps)

    # Which rows of the quarantine a build replaces, strategy by strategy

    def by_key(self, stamps: Sequence[str]) -> None:
        """NEW has all rows of each key that it has."""
        key = self._keeping.model.key
        if self.anew:
            self.keep(f"NOT {strategy.given(key, 'k')}")
        elif self.apart is not None:
            self.hold(strategy.held_keys(self._held, key, HELD))
        self.split(stamps)

    def by_unit(self, part: Program | None, stamps: Sequence[str]) -> None:
        """NEW has the rows of the affected units of a program; None: all that there are."""
        if part is not None and self.apart is not None:
            self.hold(maintain.old(self._held, part.unit, HELD))
        self.split(stamps)
