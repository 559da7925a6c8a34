"""The log of rows that have left their quarantine, kept in the transaction in which they leave."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from penstock.domain.relation import RelationName
from penstock.materializations import departures
from penstock.ports import Session

KEPT = timedelta(days=400)
"""How long it is remembered that a row was set apart."""


def is_kept(session: Session) -> bool:
    """Whether this warehouse has such a log: one that an older Penstock made may have none."""
    return bool(session.query(departures.IS_KEPT).rows)


def note(session: Session, relation: RelationName, statement: str, now: datetime) -> None:
    """Carry out a statement that notes departures from the quarantine of a relation, and forget those of long ago.
    `now`: UTC."""
    if is_kept(session):
        session.execute(statement)
        session.execute(departures.FORGET, (str(relation), now.replace(tzinfo=None) - KEPT))


def read(session: Session, relation: RelationName | None) -> list[Mapping[str, Any]]:
    """All of them, or those of one relation, the oldest first. Times are UTC, without a zone."""
    if not is_kept(session):
        return []
    only = "" if relation is None else "WHERE relation = ? "
    found = session.query(
        f"SELECT relation, id, reasons, first_seen, left_at, run, cause, batch FROM {departures.DEPARTURES} {only}"
        "ORDER BY left_at, relation, id",
        () if relation is None else (str(relation),),
    )
    names = [column.name for column in found.columns]
    return [dict(zip(names, row, strict=True)) for row in found.rows]
