"""What the ledger in the warehouse says has been committed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from penstock.domain.relation import RelationName


@dataclass(frozen=True, slots=True)
class Commit:
    """One warehouse transaction that changed one relation. `rows` is what the relation held afterwards."""

    number: int
    relation: RelationName
    run: str
    step: str
    fingerprint: str
    rows: int
    committed_at: datetime


@dataclass(frozen=True, slots=True)
class Ledger:
    """`commits`: the last commit of each relation. `applied[model][input]`: the commit of `input` that the last build
    of `model` has seen. `loaded`: sha256 of every batch in the warehouse, by batch id. `last`: the highest commit
    number, 0 when there is none."""

    commits: Mapping[RelationName, Commit] = field(default_factory=dict)
    applied: Mapping[RelationName, Mapping[RelationName, int]] = field(default_factory=dict)
    loaded: Mapping[str, str] = field(default_factory=dict)
    last: int = 0
