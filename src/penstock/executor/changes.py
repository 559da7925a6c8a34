"""What has changed in the inputs of a model since it was last made equal to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from penstock.domain.relation import RelationName
from penstock.executor.catalogue import Catalogue
from penstock.executor.ledger import EVERY
from penstock.materializations import changelog
from penstock.ports import Session


def moved(seen: Mapping[RelationName, int], inputs: Mapping[RelationName, int]) -> dict[RelationName, int]:
    """The inputs that have commits the model has not seen, each with the last one it has."""
    return {name: seen.get(name, 0) for name, number in inputs.items() if number != seen.get(name, 0)}


def incomplete(
    session: Session, catalogue: Catalogue, since: Mapping[RelationName, int], settled: int = EVERY
) -> str | None:
    """Why the change logs do not tell all that changed in these relations, each since a commit; None when they do.
    `settled`: the last commit that the ledger tells of; what comes after it was written by this very transaction."""
    for relation, seen in since.items():
        found = session.query("SELECT since FROM _penstock.logs WHERE relation = ?", (str(relation),)).rows
        if not found:
            return f"{relation} keeps no change log"
        if found[0][0] > seen:
            return f"the change log of {relation} begins after commit {found[0][0]}, and {seen} is the last one seen"
        if not fits(session, catalogue, relation):
            return f"the change log of {relation} was altered"
        if session.query(changelog.altered(relation), (str(relation), *(seen, settled) * 2)).rows:
            return f"the change log of {relation} was altered"
    return None


def fits(session: Session, catalogue: Catalogue, relation: RelationName) -> bool:
    """Whether there is a change table with the columns of the relation."""
    own = catalogue.columns(session, relation)
    log = catalogue.columns(session, changelog.name_of(relation))
    return own is not None and log is not None and set(log) == {*own, *changelog.META}


def gather(session: Session, catalogue: Catalogue, since: Mapping[RelationName, int]) -> set[RelationName]:
    """Make the temporary tables of rows that left and entered each relation. Gives the relations that have any."""
    changed: set[RelationName] = set()
    for relation, seen in since.items():
        commits, rows = session.query(changelog.extent(relation), (seen,)).rows[0]
        if not rows:
            continue
        found = catalogue.columns(session, relation) or ()
        for statement in changelog.net(relation, found, seen, several=commits > 1):
            session.execute(statement)
        if session.query(changelog.any_rows(relation)).rows[0][0]:
            changed.add(relation)
        else:
            forget(session, (relation,))
    return changed


def forget(session: Session, relations: Collection[RelationName]) -> None:
    for relation in relations:
        for statement in changelog.forget(relation):
            session.execute(statement)
