"""What came of recomputing relations and comparing them with what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from penstock.domain.relation import RelationName
from penstock.record import record


class Verdict(StrEnum):
    """`right`: no row differs. `wrong`: rows differ, or the relation is not there though the ledger has it. `stale`:
    its inputs, its definition or its time have moved since it was made, so that nothing can be said before the next
    run. `open`: it cannot be made again, because it depends on a time that nobody knows any more."""

    RIGHT = "right"
    WRONG = "wrong"
    STALE = "stale"
    OPEN = "open"


@record
class Difference:
    """One row that differs, or `copies` equal ones. `key`: what tells it apart; empty when nothing is declared to.
    `expected` is what the definition gives, `found` what is stored, of the columns in which they differ; None when
    there is no such row."""

    key: Mapping[str, Any]
    expected: Mapping[str, Any] | None
    found: Mapping[str, Any] | None
    copies: int = 1


@record
class Verified:
    """One relation. `checked`: what was compared, in words; `rows`: how many stored rows were. `missing` rows ought to
    be there and are not, `extra` ones are there and ought not to be; a row with a wrong value is one of each.
    `differences`: the first of them. `notes`: what else there is to say, such as broken rules of a history."""

    relation: RelationName
    verdict: Verdict
    checked: str
    rows: int | None = None
    missing: int = 0
    extra: int = 0
    differences: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@record
class Verification:
    """`commit`: the last commit of the warehouse that was looked at; `deep`: whether inputs were recomputed too."""

    environment: str
    commit: int
    deep: bool
    relations: tuple[Verified, ...] = field(default_factory=tuple)

    @property
    def exit_code(self) -> int:
        """3 when a relation is wrong, else 0."""
        return 3 if any(each.verdict is Verdict.WRONG for each in self.relations) else 0
