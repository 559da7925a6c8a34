"""What has changed in the inputs of a model since it was last made equal to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from penstock.domain.relation import RelationName
from penstock.executor.catalogue import Catalogue
from penstock.executor.ledger import EVERY
from penstock.materializations import changelog
from penstock.ports import Session
from penstock.quoting import identifier
from penstock.record import record


def moved(seen: Mapping[RelationName, int], inputs: Mapping[RelationName, int]) -> dict[RelationName, int]:
    """The inputs that have commits the model has not seen, each with the last one it has."""
    return {name: seen.get(name, 0) for name, number in inputs.items() if number != seen.get(name, 0)}


@record
class Logged:
    """What the change log of a relation holds after the commit `seen`: change rows of so many `commits`."""

    seen: int
    commits: int


def logged(
    session: Session, catalogue: Catalogue, since: Mapping[RelationName, int], settled: int = EVERY
) -> dict[RelationName, Logged] | str:
    """What the change logs hold of these relations, each since a commit; or why they do not tell all that changed.
    `settled`: the last commit that the ledger tells of; what comes after it was written by this very transaction."""
    logs = {relation: seen for relation, seen in since.items() if fits(session, catalogue, relation)}
    parts = [changelog.told(relation, place) for place, relation in enumerate(logs)]
    values = [value for name, seen in logs.items() for value in (str(name), str(name), seen, settled, seen)]
    told: dict[tuple[int, str], dict[int, int | None]] = {}
    for place, what, number, count in session.query(" UNION ALL ".join(parts), values).rows if parts else ():
        told.setdefault((place, what), {})[number] = count
    found: dict[RelationName, Logged] = {}
    for place, (relation, seen) in enumerate(logs.items()):
        why = _begun(relation, seen, max(told.get((place, "since"), ()), default=None))
        if why is not None:
            return why
        log = told.get((place, "log"), {})
        counted = {number: count for number, count in log.items() if number <= settled}
        if counted != {number: count for number, count in told.get((place, "ledger"), {}).items() if count != 0}:
            return _altered(relation)
        found[relation] = Logged(seen, len(log))
    unfit = next((relation for relation in since if relation not in found), None)
    if unfit is None:
        return found
    begins = session.query("SELECT max(since) FROM _penstock.logs WHERE relation = ?", (str(unfit),)).rows[0][0]
    return _begun(unfit, since[unfit], begins) or _altered(unfit)


def _begun(relation: RelationName, seen: int, since: int | None) -> str | None:
    """Why a log that reaches back to a commit (`since`; None: there is no log) does not tell all after `seen`."""
    if since is None:
        return f"{relation} keeps no change log"
    if since > seen:
        return f"the change log of {relation} begins after commit {since}, and {seen} is the last one seen"
    return None


def _altered(relation: RelationName) -> str:
    return f"the change log of {relation} was altered"


def fits(session: Session, catalogue: Catalogue, relation: RelationName) -> bool:
    """Whether there is a change table with the columns of the relation."""
    own = catalogue.columns(session, relation)
    log = catalogue.columns(session, changelog.name_of(relation))
    return own is not None and log is not None and set(log) == {*own, *changelog.META}


def gather(session: Session, catalogue: Catalogue, logs: Mapping[RelationName, Logged]) -> set[RelationName]:
    """Give the rows that left and entered each relation their names. Gives the relations that have any."""
    changed: set[RelationName] = set()
    statements: list[str] = []
    for relation, log in logs.items():
        if log.commits:
            changed.add(relation)
            found = catalogue.columns(session, relation) or ()
            statements += changelog.net(relation, found, log.seen, several=log.commits > 1)
    if statements:
        session.execute("; ".join(statements))
    for relation in [each for each in changed if logs[each].commits > 1]:
        if not session.query(changelog.any_rows(relation)).rows[0][0]:  # what one commit did another has undone
            changed.discard(relation)
            forget(session, (relation,))
    return changed


def forget(session: Session, relations: Collection[RelationName]) -> None:
    if relations:
        session.execute("; ".join(statement for relation in relations for statement in changelog.forget(relation)))


def drop(session: Session, *tables: str) -> None:
    """Temporary tables that are not needed any more, whether they are there or not."""
    session.execute("; ".join(f"DROP TABLE IF EXISTS {identifier(name)}" for name in dict.fromkeys(tables)))
