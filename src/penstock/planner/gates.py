"""What the gate of a relation was asked last, and whether it has to be asked again although no row changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from penstock.domain.check import Check
from penstock.domain.ledger import Ledger
from penstock.domain.model import Model
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.errors import Location
from penstock.planner.reach import Reach

SOME_FAIL = "some fail"
"""Stands before what was asked when rows that fail are published all the same."""
CHANGED = "its checks changed"


def asked(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Those of the checks that the gate asks: rows that the others set apart are gone by then."""
    return tuple(check for check in checks if check.on_fail != "quarantine")


def fingerprint(checks: Sequence[Check]) -> str:
    """Changes when rows that passed may not pass any more; empty without checks. Where a check stands does not
    count."""
    place = Location("")
    alike = [replace(check, location=place, line=1, incidents=()) for check in asked(checks)]
    return sha256(repr(alike).encode()).hexdigest() if alike else ""


def referred(what: Model | SourceTable, reach: Reach) -> tuple[RelationName, ...]:
    """The stored relations that the checks of a relation look at beside it."""
    own = what.relation if isinstance(what, Model) else what.stored
    found = dict.fromkeys(
        stored for check in asked(what.checks) for name in check.refers for stored in reach.stored(name)
    )
    return tuple(name for name in found if name not in (own, what.relation))


def stamp(print_of: str, seen: Mapping[RelationName, int]) -> str:
    """What the ledger keeps of a gate that was asked: the checks' fingerprint, and as of which commit of each relation
    that they look at."""
    return " ".join([print_of, *(f"{name}@{number}" for name, number in sorted(seen.items()))])


def moved(kept: str, seen: Mapping[RelationName, int]) -> tuple[RelationName, ...]:
    """Which of the relations have changed since the gate was asked; `kept` is its stamp."""
    before = set(kept.split(" "))
    return tuple(name for name, number in seen.items() if f"{name}@{number}" not in before)


def due(what: Model | SourceTable, ledger: Ledger, seen: Mapping[RelationName, int]) -> str | None:
    """Why the checks of a relation that is there have to be asked again, or None. `seen`: the last commit of each
    relation that they look at."""
    now = fingerprint(what.checks)
    if not now:
        return None
    kept = ledger.gates.get(what.relation, "").removeprefix(SOME_FAIL).strip()
    if kept.partition(" ")[0] != now:
        return CHANGED
    others = moved(kept, seen)
    return f"a check of it looks at {others[0]}, which changed" if others else None
