"""The change log of one relation, written in the transaction that changes it."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.domain.relation import Column, RelationName
from penstock.executor import changes
from penstock.executor.ledger import Transaction
from penstock.executor.work import Work
from penstock.materializations import changelog
from penstock.ports import Session


class TableLog:
    """`rows`: the change rows written so far; None when there are none to be had, because the relation keeps no log or
    the log cannot take them: it begins anew then, and what follows the relation is rebuilt once."""

    def __init__(self, work: Work, session: Session, transaction: Transaction, relation: RelationName) -> None:
        self._work = work
        self._session = session
        self._transaction = transaction
        self._relation = relation
        self._name = changelog.name_of(relation)
        self.rows: int | None = None
        self._begins_anew = False
        self._is_wider = False

    def widen(self, added: Sequence[Column]) -> None:
        """The relation is about to be given these columns."""
        self._is_wider = True
        for name in (self._relation, self._name):
            self._transaction.on_commit(lambda name=name: self._work.catalogue.changed(name))  # type: ignore[misc]
        if changes.fits(self._session, self._work.catalogue, self._relation):
            for column in added:
                self._session.execute(changelog.add_column(self._relation, column))

    def retype(self, column: Column) -> None:
        """The relation is about to give this column another type: what was logged before is no longer of its kind."""
        self._begins_anew = True
        self._transaction.on_commit(lambda: self._work.catalogue.changed(self._relation))
        self._transaction.on_commit(lambda: self._work.catalogue.gone(self._name))

    def write(self, names: Sequence[str], rows: Sequence[tuple[int, str]]) -> None:
        """Log row images: signs and FROM items that have the columns `names`. Takes the transaction's number."""
        work, session = self._work, self._session
        if not work.is_logged(self._relation) or self._begins_anew:
            return
        if work.catalogue.columns(session, self._name) is None:
            session.execute(changelog.create(self._relation))
            own = work.catalogue.columns(session, self._relation)
            if own is None or self._is_wider:
                self._transaction.on_commit(lambda: work.catalogue.changed(self._name))
            else:
                self._transaction.on_commit(lambda: work.catalogue.made(self._name, (*own, *changelog.META)))
        elif not changes.fits(session, work.catalogue, self._relation):
            return
        number = self._transaction.take()
        written = session.execute(changelog.write(self._relation, names, number, rows)) if rows else 0
        self.rows = (self.rows or 0) + written
