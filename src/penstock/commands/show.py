"""show: the first rows of a relation, as it is or as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

from penstock.commands.reading import reading, reading_all
from penstock.commands.workspace import Workspace, open_to_look, utc_now
from penstock.domain.relation import RelationName
from penstock.domain.rows import Rows
from penstock.errors import UsageError
from penstock.ports import Session, Warehouse
from penstock.quoting import qualified


def show(
    where: Path,
    relation: str,
    *,
    environment: str | None = None,
    limit: int | None = 20,
    at: str | int | datetime | None = None,
    wait: float = 10.0,
    now: datetime | None = None,
) -> Rows:
    """At most `limit` rows (None: all) of `layer.name`, in no particular order. Raises UsageError when there is none.

    `at`: as it was at that time (a time without a zone is UTC), or after the commit of that number. Raises UserError
    when that cannot be told any more, or not yet.
    """
    try:
        name = RelationName.parse(relation)
    except ValueError as error:
        raise UsageError(str(error), code="NOT_A_RELATION", hint="name a relation as layer.name") from None
    moment = None if at is None else moment_of(at)
    space = open_to_look(where, environment)
    if moment is None:
        return reading(space, "show", wait, lambda session: _first_rows(session, name, limit))
    options = space.options("show", read_only=True, beside=True, wait=wait)
    return reading_all(space, options, lambda warehouse: _then(space, warehouse, name, moment, limit, now or utc_now()))


def moment_of(at: str | int | datetime) -> int | datetime:
    """The number of a commit, or a time in UTC. Raises UsageError for text that is neither."""
    if isinstance(at, str):
        text = at.strip()
        if text.isascii() and text.isdigit():
            return int(text)
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise UsageError(
                f"{at!r} is neither a time nor the number of a commit",
                code="TIME_INVALID",
                hint="as in 2026-11-18T09:00Z, 2026-11-18 or 17; a time without a zone is UTC",
            ) from None
    if isinstance(at, int):
        return at
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _first_rows(session: Session, name: RelationName, limit: int | None) -> Rows:
    rows = session.query(
        "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema <> '_penstock'"
    ).rows
    _known(name, [str(row[0]) for row in rows])
    return _rows(session, name, limit)


def _rows(session: Session, name: RelationName, limit: int | None) -> Rows:
    """One row more than wanted is asked for: whether there are more is told, too."""
    some = "" if limit is None else f" LIMIT {int(limit) + 1}"
    return session.query(f"SELECT * FROM {qualified(name.layer, name.name)}{some}", limit=limit)


def _known(name: RelationName, found: list[str]) -> None:
    known = sorted(found)
    if str(name) not in known:
        close = get_close_matches(str(name), known, 3)
        hint = f"did you mean {', '.join(close)}?" if close else f"relations: {', '.join(known)}"
        raise UsageError(f"the warehouse has no relation {name}", code="UNKNOWN_RELATION", hint=hint)


def _then(
    space: Workspace, warehouse: Warehouse, name: RelationName, at: int | datetime, limit: int | None, now: datetime
) -> Rows:
    from penstock.executor import ledger as ledgers
    from penstock.executor.past import Past
    from penstock.materializations.past import inside

    session = warehouse.session()
    session.execute(inside())
    ledger = ledgers.read(session)
    _known(name, [str(known) for known in ledger.existing if known.layer != ledgers.SCHEMA])
    histories = {table.relation: table.stored for table in space.project.tables if table.relation != table.stored}
    past = Past(session, ledger, histories)
    past.lay_out(name, past.commit_at(at, now))
    return _rows(session, name, limit)
