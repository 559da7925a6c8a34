"""quarantine discard: a person says that rows set apart need no further look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from penstock.commands.quarantine import entry, relation_of, required
from penstock.commands.workspace import open_to_look, utc_now
from penstock.domain.quarantined import Discard
from penstock.errors import UsageError


def quarantine_discard(
    where: Path,
    relation: str,
    rows: Sequence[str],
    *,
    why: str,
    by: str | None = None,
    environment: str | None = None,
    wait: float = 0.0,
    now: datetime | None = None,
) -> Discard:
    """Show and count these rows (ids, or how they begin) no more, also when they are judged or sent again as they are.
    The decision is kept beside the landing; the rows themselves stay where they are. Raises UsageError for a row that
    is not there: then none of them is discarded."""
    reason, person = required(why, by)
    if not rows:
        raise UsageError("which rows?", code="NOT_IN_QUARANTINE", hint="see `penstock quarantine show`")
    space = open_to_look(where, environment)
    name = relation_of(space, relation)
    ids = [str(entry(space, name, row, "quarantine discard", wait)["id"]) for row in rows]
    with space.landing.lock("quarantine discard", wait):
        decision = Discard(name, tuple(dict.fromkeys(ids)), person, reason, now or utc_now())
        space.landing.discard(decision)
    return decision
