"""Relations of the warehouse that the project declares no more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from penstock.domain.relation import RelationName
from penstock.record import record

LEFT = "left"
"""Under this name the state store has what the last run found of them: `status` opens no warehouse."""


@record
class Leftover:
    """`relations` are dropped together: the relation, or a history with the view of its current rows. `rows` is what
    was stored after the last commit, None for a view; times are UTC."""

    relation: RelationName
    relations: tuple[RelationName, ...]
    kind: str
    rows: int | None
    committed_at: datetime


@record
class Dropped:
    """What `drop` found that the project declares no more (`left`), and which of these it has dropped."""

    environment: str
    left: tuple[Leftover, ...]
    dropped: tuple[Leftover, ...] = ()


def told(left: Sequence[Leftover], most: int = 5) -> str:
    """What a plan says of them."""
    names = ", ".join(str(each.relation) for each in left[:most])
    more = f" and {len(left) - most:,} more" if len(left) > most else ""
    return f"in the warehouse and not in the project any more: {names}{more}; `penstock drop` lists and drops them"


def written(left: Sequence[Leftover]) -> str:
    """As JSON, for the state store."""
    rows = [
        [str(e.relation), [str(name) for name in e.relations], e.kind, e.rows, e.committed_at.isoformat()] for e in left
    ]
    return json.dumps(rows)


def read(text: str | None) -> tuple[Leftover, ...]:
    """What `written` wrote; nothing where nothing was."""
    return tuple(
        Leftover(
            RelationName.parse(relation),
            tuple(RelationName.parse(name) for name in relations),
            kind,
            rows,
            datetime.fromisoformat(committed_at),
        )
        for relation, relations, kind, rows, committed_at in json.loads(text or "[]")
    )
