"""Several steps in one transaction: each commits as if it were alone, and nobody else sees any of it before the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from penstock.domain.relation import RelationName
from penstock.errors import InternalError, PenstockError
from penstock.executor.ledger import SCHEMA, UNKNOWN, Committer, Entry, Transaction
from penstock.failpoint import reach
from penstock.materializations import changelog
from penstock.ports import Session
from penstock.quoting import identifier, qualified


class Again(Exception):
    """Inside of a transaction of several steps a statement has failed that a step could do without; the engine has
    ended the transaction with it. `relation` has to be made in another way, and all of it again from the beginning."""

    def __init__(self, relation: RelationName, attempt: str, why: str) -> None:
        super().__init__(why)
        self.relation = relation
        self.attempt = attempt
        self.why = why


class GroupCommitter(Committer):
    """The Committer of steps that commit together, all by one session. It gives out the numbers that come next; when
    others have committed before the end, the numbers are moved on then, wherever they were written.

    `numbers` holds what the steps so far have committed too, `inside` the relations of it; `moved`: by how much."""

    def __init__(self, whole: Committer, first: int) -> None:
        super().__init__(whole._warehouse, whole._run, whole._ledger, whole._now, whole._revision)
        self.numbers = dict(whole.numbers)
        self._first = self._last = first
        self._entries: list[Entry] = []
        self._broken = False
        self.inside: set[RelationName] = set()
        self.moved = 0

    @property
    def settled(self) -> int:
        return self._first

    @property
    def made(self) -> int:
        """How many commits there are."""
        return len(self._entries)

    @contextmanager
    def transaction(self, session: Session) -> Iterator[Transaction]:
        """One step. An exception in it is the end of all of them."""
        if self._broken:
            raise InternalError("a step goes on in a transaction that has failed", code="BUG")
        with ExitStack() as stack:
            work = Transaction(self, session, stack)
            try:
                yield work
            except BaseException:
                self._broken = True
                raise
            if work.number is not None and work.entry is not None:
                self._last = work.number
                self.numbers[work.entry.relation] = work.number
                self.inside.add(work.entry.relation)
            work.committed()

    def enter(self, session: Session, entries: Sequence[tuple[int, Entry]]) -> None:
        """Numbers may be those of others by the end: the rows that must have their own are written then."""
        self._entries.extend(entry for _, entry in entries)

    def adopt(self, session: Session, relation: RelationName, fingerprint: str) -> None:
        own = [place for place, entry in enumerate(self._entries) if entry.relation == relation]
        if own:
            self._entries[own[-1]] = replace(self._entries[own[-1]], fingerprint=fingerprint)
        else:
            super().adopt(session, relation, fingerprint)

    def settle(self, session: Session, last: int) -> None:
        """Write the rows of the commits, in the order in which they were made, after `last`."""
        if last != self._first:
            self._move(session, last - self._first)
        super().enter(session, list(enumerate(self._entries, self._first + 1)))

    def _move(self, session: Session, by: int) -> None:
        """Others have committed meanwhile, which this transaction does not see: what it finds beyond its first number
        is its own."""
        for relation in sorted(self.inside):
            values = [by, str(relation), self._first]
            session.execute("UPDATE _penstock.applied SET number = number + ? WHERE input = ? AND number > ?", values)
            session.execute("UPDATE _penstock.logs SET since = since + ? WHERE relation = ? AND since > ?", values)
            for table in _numbered(session, relation):
                session.execute(
                    f"UPDATE {table} SET {identifier(changelog.COMMIT)} = {identifier(changelog.COMMIT)} + ? "
                    f"WHERE {identifier(changelog.COMMIT)} > ?",
                    (by, self._first),
                )
        self._first, self._last, self.moved = self._first + by, self._last + by, by
        self.numbers |= {relation: self.numbers[relation] + by for relation in self.inside}


def _numbered(session: Session, relation: RelationName) -> list[str]:
    """The tables of the ledger's schema that say of rows of this relation in which commit they came or went."""
    found = session.query(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = ? AND column_name = ? "
        "AND substr(table_name, strpos(table_name, '_') + 1) = ?",
        (SCHEMA, changelog.COMMIT, str(relation)),
    )
    return [qualified(SCHEMA, name) for (name,) in found.rows]


@contextmanager
def together(whole: Committer, session: Session) -> Iterator[GroupCommitter]:
    """One transaction of several steps, committed at the end of the block; an exception takes all of it back.

    Numbers are settled under the lock of all commits, as the last thing: until then others commit as they like.
    """
    with ExitStack() as stack:
        inner: GroupCommitter | None = None
        try:
            with session.transaction():
                with whole._lock:  # what is visible from here on, and the number of it
                    session.query("SELECT max(number) FROM _penstock.commits")
                    inner = GroupCommitter(whole, whole.last)
                yield inner
                reach("group.built")
                if inner.made:
                    stack.enter_context(whole._lock)
                    inner.settle(session, whole.last)
                reach("group.before_commit")
        except PenstockError as error:
            number = inner.last if inner is not None and inner.made else None
            if error.code != UNKNOWN or not whole._in_ledger(number, error):
                raise
        if inner is not None and inner.made:
            reach("group.committed")
            whole._confirm(session, inner.last)
            whole._last = inner.last
            whole.numbers.update({relation: inner.numbers[relation] for relation in inner.inside})
