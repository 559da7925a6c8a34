"""The contracts of a project, held against those of another state of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Literal

from penstock.contracts.compatibility import Change, compare
from penstock.contracts.impact import Impact
from penstock.domain.contract import Compatibility, Contract
from penstock.domain.relation import RelationName
from penstock.record import record

Verdict = Literal["same", "additive", "breaking", "versioned", "told"]
"""`versioned`: breaking, under a higher version. `told`: a relation without a contract, which promises nothing."""
Readers = Callable[[RelationName, Sequence[str]], Sequence[Impact]]


@record
class Difference:
    """What changed of one relation. `before` and `after` are versions: None where it is not there, 0 where it has no
    contract. `reasons`: why it is breaking. `below`: who reads what is gone, or is something else now."""

    relation: RelationName
    verdict: Verdict
    before: int | None
    after: int | None
    compatibility: Compatibility
    changes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    below: tuple[Impact, ...] = ()


def differences(
    before: Mapping[RelationName, Contract], after: Mapping[RelationName, Contract], today: date, readers: Readers
) -> tuple[Difference, ...]:
    """Every relation that changed, by name. `readers`: who reads columns of these names of a relation now."""
    found = (_difference(name, before.get(name), after.get(name), today, readers) for name in sorted({*before, *after}))
    return tuple(each for each in found if each is not None)


def _difference(
    name: RelationName, old: Contract | None, new: Contract | None, today: date, readers: Readers
) -> Difference | None:
    if old is None and new is not None:
        told: Verdict = "additive" if new.declared else "told"
        return Difference(name, told, None, _version(new), new.compatibility, ("it is new",))
    if old is None:
        return None
    if new is None:
        return _gone(name, old, today, readers(name, [each.name for each in old.columns]))
    changes = compare(old, new)
    if not changes and old.declared == new.declared and old.version == new.version:
        return None
    mode = new.compatibility
    breaking = [change for change in changes if change.breaks(mode)]
    reasons = [change.breaks(mode) for change in breaking]
    below = tuple(readers(name, _columns(changes)))
    verdict: Verdict = "additive" if changes or old.version != new.version else "same"
    if old.declared and not new.declared:
        verdict, reasons = "breaking", ["its contract is gone", *reasons]
    elif not old.declared and new.declared:  # compared by what it has: whoever promises more breaks nothing
        given = Difference(name, "additive", 0, new.version, mode, (), (), below)
        return replace(given, changes=(f"it has a contract now, version {new.version}", *(c.message for c in changes)))
    elif not old.declared:
        verdict = "told"
    elif new.version < old.version:
        verdict, reasons = "breaking", [f"version {old.version} has become version {new.version}", *reasons]
    elif reasons and new.version > old.version:
        verdict = "versioned"
    elif reasons and not (new.mode == "evolve" and all(c.column and not readers(name, [c.column]) for c in breaking)):
        verdict = "breaking"
    messages = tuple(change.message for change in changes)
    return Difference(name, verdict, _version(old), _version(new), mode, messages, tuple(reasons), below)


def _gone(name: RelationName, old: Contract, today: date, below: Sequence[Impact]) -> Difference:
    """A relation may go when nobody was to read it any more."""
    if not old.declared:
        return Difference(name, "told", 0, None, old.compatibility, ("it is gone",), (), tuple(below))
    if old.deprecated and date.fromisoformat(old.deprecated) <= today:
        message = f"it is gone, and was to be read until {old.deprecated}"
        return Difference(name, "versioned", old.version, None, old.compatibility, (message,), (), tuple(below))
    why = f"it is gone, and may be read until {old.deprecated}" if old.deprecated else "it is gone"
    return Difference(name, "breaking", old.version, None, old.compatibility, ("it is gone",), (why,), tuple(below))


def _columns(changes: Sequence[Change]) -> list[str]:
    """Columns that readers may notice: not new ones, and not what is only told."""
    return [change.column for change in changes if change.what in ("removed", "type", "nullable")]


def _version(contract: Contract) -> int:
    return contract.version if contract.declared else 0
