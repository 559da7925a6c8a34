"""Change rows that nobody needs any more are deleted at the end of a run that went well."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from penstock.domain.ledger import Ledger
from penstock.domain.relation import RelationName
from penstock.executor.ledger import either_way
from penstock.materializations import changelog
from penstock.ports import Session

_OLD = (
    "SELECT l.relation, l.since, max(c.number) FROM _penstock.logs AS l JOIN _penstock.commits AS c "
    "ON c.relation = l.relation AND c.number > l.since WHERE c.committed_at < CAST(? AS TIMESTAMP) GROUP BY ALL"
)


def prune(
    session: Session, ledger: Ledger, readers: Mapping[RelationName, Collection[RelationName]], before: datetime
) -> dict[RelationName, int]:
    """Delete the change rows of commits made before a time (UTC) that every reader has applied. Gives the relations
    whose log is shorter now, with the commit it begins after. `ledger`: as it is now; `readers`: the models that may
    follow a relation. One query when there is nothing to prune."""
    moment = before.replace(tzinfo=None).isoformat(sep=" ")
    old = [(RelationName.parse(name), since, last) for name, since, last in session.query(_OLD, (moment,)).rows]
    upto = {name: min([last, *_applied(ledger, name, readers)]) for name, _, last in old}
    shorter = {name: upto[name] for name, since, _ in old if upto[name] > since}
    if shorter:
        with either_way(session):
            for name, number in shorter.items():
                if changelog.name_of(name) in ledger.existing:
                    session.execute(changelog.prune(name), (number,))
                session.execute("UPDATE _penstock.logs SET since = ? WHERE relation = ?", (number, str(name)))
    return shorter


def _applied(
    ledger: Ledger, relation: RelationName, readers: Mapping[RelationName, Collection[RelationName]]
) -> Iterator[int]:
    """What each reader has seen. One that is not built yet will be built from the whole relation, log or no log."""
    for reader in readers.get(relation, ()):
        if reader in ledger.commits and reader in ledger.existing:
            yield ledger.applied.get(reader, {}).get(relation, 0)
