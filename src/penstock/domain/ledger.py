"""What the ledger in the warehouse says has been committed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Literal

from penstock.domain.relation import RelationName
from penstock.record import record

RelationKind = Literal["table", "view"]


@record
class Commit:
    """One warehouse transaction that changed one relation. `rows` is what the relation held afterwards, None for a
    view."""

    number: int
    relation: RelationName
    run: str
    step: str
    fingerprint: str
    rows: int | None
    committed_at: datetime


@record
class Ledger:
    """`commits`: the last commit of each relation. `applied[model][input]`: the commit of `input` that the last build
    of `model` has seen. `loaded`: sha256 of every batch in the warehouse, by batch id. `last`: the highest commit
    number, 0 when there is none. `existing`: what the warehouse's catalog really holds. `exported`: the fingerprint of
    what each export last wrote. `logs`: the change log of a relation holds all that changed after this commit. `gates`:
    what the checks of a relation were when they were asked last."""

    commits: Mapping[RelationName, Commit] = field(default_factory=dict)
    applied: Mapping[RelationName, Mapping[RelationName, int]] = field(default_factory=dict)
    loaded: Mapping[str, str] = field(default_factory=dict)
    last: int = 0
    existing: Mapping[RelationName, RelationKind] = field(default_factory=dict)
    exported: Mapping[str, str] = field(default_factory=dict)
    logs: Mapping[RelationName, int] = field(default_factory=dict)
    gates: Mapping[RelationName, str] = field(default_factory=dict)
