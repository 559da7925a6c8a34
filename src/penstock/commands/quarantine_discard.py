"""quarantine discard and restore: a person says that rows set apart need no further look, or do after all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from penstock.commands.quarantine import entry, relation_of, required
from penstock.commands.workspace import open_to_look, utc_now
from penstock.domain.quarantined import Discard, hidden
from penstock.domain.relation import RelationName
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


def quarantine_restore(
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
    """Undo a discard: show and count these rows (ids, or how they begin) again, as far as they are still set apart.
    Both decisions stay in the log. Raises UsageError for a row that is not discarded: then none is taken back."""
    reason, person = required(why, by)
    space = open_to_look(where, environment)
    name = relation_of(space, relation)
    with space.landing.lock("quarantine restore", wait):
        known = hidden(space.landing.discards(name)).get(name, {})
        ids = [_discarded(name, row, known) for row in rows]
        if not ids:
            raise UsageError("which rows?", code="NOT_DISCARDED", hint="see `penstock quarantine show --discarded`")
        decision = Discard(name, tuple(dict.fromkeys(ids)), person, reason, now or utc_now(), restores=True)
        space.landing.discard(decision)
    return decision


def _discarded(name: RelationName, begins: str, known: Mapping[str, Discard]) -> str:
    found = [row for row in known if row.startswith(begins.lower())]
    if len(found) == 1:
        return found[0]
    what = "no row" if not found else f"{len(found)} rows"
    raise UsageError(
        f"{what} of {name} that were discarded have an id that begins with {begins!r}",
        code="NOT_DISCARDED",
        hint=f"see `penstock quarantine log {name}`" if not found else "give more of it",
    )
