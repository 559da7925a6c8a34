"""show: the first rows of a relation."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from penstock.commands.reading import reading
from penstock.commands.workspace import open_to_look
from penstock.domain.relation import RelationName
from penstock.domain.rows import Rows
from penstock.errors import UsageError
from penstock.ports import Session
from penstock.quoting import qualified


def show(where: Path, relation: str, *, environment: str | None = None, limit: int = 20, wait: float = 10.0) -> Rows:
    """At most `limit` rows of `layer.name`, in no particular order. Raises UsageError when there is none."""
    try:
        name = RelationName.parse(relation)
    except ValueError as error:
        raise UsageError(str(error), code="NOT_A_RELATION", hint="name a relation as layer.name") from None
    space = open_to_look(where, environment)
    return reading(space, "show", wait, lambda session: _first_rows(session, name, limit))


def _first_rows(session: Session, name: RelationName, limit: int) -> Rows:
    rows = session.query(
        "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema <> '_penstock'"
    ).rows
    known = sorted(str(row[0]) for row in rows)
    if str(name) not in known:
        close = get_close_matches(str(name), known, 3)
        hint = f"did you mean {', '.join(close)}?" if close else f"relations: {', '.join(known)}"
        raise UsageError(f"the warehouse has no relation {name}", code="UNKNOWN_RELATION", hint=hint)
    return session.query(f"SELECT * FROM {qualified(name.layer, name.name)} LIMIT {int(limit)}")
