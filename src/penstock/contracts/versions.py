"""Versions of one contract in the course of time: what may follow what."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from penstock.contracts.compatibility import verdict
from penstock.domain.contract import Contract, Held

Readers = Callable[[Sequence[str]], Sequence[str]]


def refused(history: Sequence[Held], new: Contract, readers: Readers) -> str:
    """Why `new` may not follow what was held before (oldest first), in words; empty when it may.

    A version is a promise: under the same number only what its compatibility allows may change. A higher number is
    free to be anything. A lower one is a way back, to what that number meant. `readers` says who names columns below:
    where none does, `mode: evolve` may break what nobody reads.
    """
    if not history:
        return ""
    same = [held for held in history if held.contract.version == new.version]
    if not same:
        newest = max(held.contract.version for held in history)
        if new.version > newest:
            return ""
        return f"version {new.version} comes after version {newest}, and was never held before"
    before = same[-1].contract
    found = verdict(before, new, new.compatibility)
    if found.additive:
        return ""
    changed = [change for change in found.changes if change.breaks(new.compatibility)]
    if new.mode == "evolve" and all(change.column and not readers([change.column]) for change in changed):
        return ""
    return f"version {new.version} has changed in a way that is not {_word(new)}: {'; '.join(found.reasons)}"


def _word(contract: Contract) -> str:
    return {"full": "fully compatible"}.get(contract.compatibility, f"{contract.compatibility} compatible")
