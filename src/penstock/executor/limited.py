"""Models with ORDER BY and LIMIT at their top: the rows below are kept whole in a table of their own, in the ledger's
schema; the model's rows are the first few of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from penstock.domain.maintenance import BELOW, Maintenance
from penstock.domain.relation import RelationName
from penstock.errors import UserError
from penstock.executor.ledger import SCHEMA
from penstock.executor.rebuilt import Rebuilding
from penstock.executor.work import Work
from penstock.materializations import maintain
from penstock.ports import Session
from penstock.quoting import identifier, qualified
from penstock.sql.render import bind_parameters

_BELOW = "below"


def below(relation: RelationName) -> RelationName:
    """The table of the rows below a model's LIMIT."""
    return RelationName(SCHEMA, f"below_{relation}")


def shown(relation: RelationName, above: str) -> str:
    """The model's rows, taken from that table."""
    hidden = below(relation)
    table = qualified(hidden.layer, hidden.name)
    return f"WITH {identifier(BELOW)} AS (SELECT * FROM {table}) {above}"


def wanted(plain: Rebuilding, found: Maintenance, work: Work) -> Rebuilding:
    """A model that is made anew, and the rows below its LIMIT with it; or without them, where it has none any more."""
    relation = plain.step.model.relation
    hidden = below(relation)
    table = qualified(hidden.layer, hidden.name)
    select = bind_parameters(found.below, work.parameters)
    if select and _reads(select, relation, work):
        first = f"CREATE OR REPLACE TABLE {table} AS {select}"
        work.catalogue.changed(hidden)
        return replace(plain, select=shown(relation, found.above), first=(first,))
    return replace(plain, first=(f"DROP TABLE IF EXISTS {table}",))


def _reads(select: str, relation: RelationName, work: Work) -> bool:
    """Whether the engine takes the query as it was written out here; else the model's own SELECT has to do."""
    if work.given_up(relation, _BELOW) is not None:
        return False
    try:
        work.session.describe(select)
    except UserError as error:
        work.give_up(relation, _BELOW, error.problem.message)
        return False
    return True


def correct(session: Session, relation: RelationName, gone: int, came: int, work: Work, stamps: Sequence[str]) -> None:
    """Put what `maintain.difference` found into that table."""
    hidden = below(relation)
    found = work.catalogue.columns(session, hidden) or ()
    if gone:
        session.execute(maintain.gone(maintain.OLD, found, stamps, maintain.ROW))
        session.execute(maintain.delete(hidden))
    if came:
        session.execute(maintain.came(found, stamps))
        session.execute(maintain.insert(hidden, [column.name for column in found]))
