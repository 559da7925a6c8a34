"""quarantine list, show and log: rows that were set apart, and what was decided about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from penstock.commands.reading import Result, reading
from penstock.commands.workspace import Workspace, open_to_look
from penstock.domain.batch import Correction, Manifest
from penstock.domain.model import Model
from penstock.domain.quarantined import Decision, Discard, Quarantined, QuarantinedRow, ReasonCount, hidden
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.errors import UsageError
from penstock.executor import departures
from penstock.executor import set_apart as stored
from penstock.ports import Session
from penstock.sql.reason import FOUND, HIDDEN, is_private


def quarantine_list(
    where: Path, select: Sequence[str] = (), *, environment: str | None = None, wait: float = 10.0
) -> tuple[Quarantined, ...]:
    """What is set apart of each relation (of those that `select` names), counted by reason. Relations of which nothing
    is set apart are left out."""
    space = open_to_look(where, environment)
    wanted = _selected(space, select)
    discards = hidden(space.landing.discards())

    def read(session: Session) -> tuple[Quarantined, ...]:
        found = []
        for relation, table in stored.tables(session).items():
            if wanted is None or relation in wanted:
                found.append(_counted(session, relation, table, discards.get(relation, {})))
        return tuple(each for each in sorted(found, key=lambda each: str(each.relation)) if each.rows or each.discarded)

    return _looked(space, "quarantine list", wait, read, ())


def quarantine_show(
    where: Path,
    relation: str,
    *,
    environment: str | None = None,
    limit: int | None = 20,
    reason: str | None = None,
    discarded_too: bool = False,
    wait: float = 10.0,
) -> tuple[QuarantinedRow, ...]:
    """Rows set apart of one relation, the newest first; values of pii columns are replaced by `***`. `reason`: only
    rows with a reason that has this text in it. `discarded_too`: also those that a person has discarded."""
    space = open_to_look(where, environment)
    name = relation_of(space, relation)
    private = private_of(space, name)
    known = hidden(space.landing.discards(name)).get(name, {})
    unseen = () if discarded_too else tuple(known)

    def read(session: Session) -> tuple[QuarantinedRow, ...]:
        table = stored.tables(session).get(name)
        if table is None:
            return ()
        rows = stored.rows(session, name, table, limit=limit, reason=reason, hidden=unseen)
        return tuple(_shown(name, row, private, known.get(row["id"])) for row in rows)

    return _looked(space, "quarantine show", wait, read, ())


CAUSES = {
    "corrected": "corrected at the source",
    "replaced": "the source says something else, which is set apart too",
    "gone": "it is given no more",
    "fixed": "a person corrected it",
    "rules": "checks or types have changed",
    "columns": "the columns have changed, and all rows were judged anew",
}
"""Why a row left its quarantine, in words."""


def quarantine_log(
    where: Path, relation: str | None = None, *, environment: str | None = None, wait: float = 10.0
) -> tuple[Decision, ...]:
    """Every fix, discard and restore so far, with who, when and why, and every row that has left its quarantine, the
    oldest first. Decisions are read from the landing, what has left from the warehouse, where there is one."""
    space = open_to_look(where, environment)
    name = None if relation is None else relation_of(space, relation)
    found: list[Decision] = [
        Decision("restore" if each.restores else "discard", each.relation, each.rows, each.by, each.why, each.at)
        for each in space.landing.discards(name)
    ]
    for table in space.project.tables:
        if name is not None and name != table.relation:
            continue
        for batch in space.landing.batches(table.source, table.name):
            if batch.correction is not None:
                found += [_fix(table, batch, batch.correction)]
    nothing: list[Mapping[str, Any]] = []
    left = _looked(space, "quarantine log", wait, lambda session: departures.read(session, name), nothing)
    return tuple(sorted([*found, *map(_left, left)], key=_when))


def _left(row: Mapping[str, Any]) -> Decision:
    return Decision(
        "left",
        RelationName.parse(row["relation"]),
        (row["id"],),
        None,
        CAUSES.get(row["cause"], row["cause"]),
        row["left_at"].replace(tzinfo=UTC),
        row["batch"],
        row["run"],
        row["cause"],
        tuple(row["reasons"]),
        row["first_seen"].replace(tzinfo=UTC),
    )


def _when(decision: Decision) -> datetime:
    return decision.at


def _fix(table: SourceTable, batch: Manifest, made: Correction) -> Decision:
    return Decision("fix", table.relation, (made.row,), made.by, made.why, batch.processing_ts, batch.id)


def relation_of(space: Workspace, text: str) -> RelationName:
    """A relation of the project by its name; a source table answers to its history and to `source.table` too."""
    for table in space.project.tables:
        if text.lower() in {str(table.relation), str(table.stored), table.id.lower()}:
            return table.relation
    try:
        name = RelationName.parse(text.lower())
    except ValueError as error:
        raise UsageError(str(error), code="NOT_A_RELATION", hint="name a relation as layer.name") from None
    if all(model.relation != name for model in space.project.models):
        known = [str(table.relation) for table in space.project.tables]
        known += [str(model.relation) for model in space.project.models]
        from penstock.project.problems import did_you_mean

        raise UsageError(
            f"the project has no relation {text}",
            code="UNKNOWN_RELATION",
            hint=did_you_mean(text, known, f"relations: {', '.join(known)}"),
        )
    return name


def declared(space: Workspace, name: RelationName) -> SourceTable | Model | None:
    everything: Iterable[SourceTable | Model] = (*space.project.tables, *space.project.models)
    return next((each for each in everything if each.relation == name), None)


def private_of(space: Workspace, name: RelationName) -> tuple[str, ...] | None:
    """The columns of which no value is shown; None: all of them, also of a relation nobody knows any more."""
    what = declared(space, name)
    if what is None or "pii" in map(str.lower, what.tags):
        return None
    return what.pii


def _selected(space: Workspace, select: Sequence[str]) -> Collection[RelationName] | None:
    if not select:
        return None
    from penstock.commands.selection import resolve

    chosen = resolve(space.project, select, ())
    tables = {table.relation for table in space.project.tables if table.id in chosen}
    return tables | {model.relation for model in space.project.models if str(model.relation) in chosen}


def _looked(space: Workspace, command: str, wait: float, read: Callable[[Session], Result], nothing: Result) -> Result:
    """What `read` gives of the warehouse; `nothing` when there is none yet."""
    if not space.engine.exists(space.options(command, read_only=True)):
        return nothing
    return reading(space, command, wait, read)


def _counted(session: Session, relation: RelationName, table: str, known: Mapping[str, Discard]) -> Quarantined:
    rows, gone, first, last = stored.totals(session, relation, table, tuple(known))
    reasons = stored.reasons(session, relation, table, tuple(known))
    return Quarantined(relation, rows, gone, tuple(ReasonCount(*each) for each in reasons), first, last)


def _shown(
    name: RelationName, row: Mapping[str, Any], private: tuple[str, ...] | None, discard: Discard | None
) -> QuarantinedRow:
    payload = json.loads(row["payload"], parse_float=Decimal)
    secret = {column for column in payload if is_private(column, private)}
    values = [str(payload[column]) for column in secret if payload[column] not in (None, "")]
    return QuarantinedRow(
        relation=name,
        id=row["id"],
        reasons=tuple(_without(reason, values) for reason in row["reasons"]),
        payload={c: HIDDEN if c in secret and value is not None else value for c, value in payload.items()},
        copies=row["copies"],
        run=row["run"],
        rules=row["rules"],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        batch=row["batch"],
        commit=row["commit"],
        discarded=discard,
    )


def _without(reason: str, values: Sequence[str]) -> str:
    """A reason that tells none of the values: what was found stands at its end."""
    head, mark, tail = reason.rpartition(FOUND)
    if mark and any(value in tail for value in values):
        return f"{head}{mark}'{HIDDEN}'"
    return reason


def entry(space: Workspace, name: RelationName, row: str, command: str, wait: float) -> Mapping[str, Any]:
    """The one row set apart whose id begins with `row`. Raises UsageError when there is none, or several."""

    def read(session: Session) -> list[Mapping[str, Any]]:
        table = stored.tables(session).get(name)
        return stored.by_id(session, name, table, row) if table else []

    nothing: list[Mapping[str, Any]] = []
    found = _looked(space, command, wait, read, nothing)
    if len(found) == 1:
        return found[0]
    what = "no row" if not found else f"{len(found)} rows"
    raise UsageError(
        f"{what} in the quarantine of {name} has an id that begins with {row!r}",
        code="NOT_IN_QUARANTINE",
        hint=f"it may have been corrected at its source meanwhile; see `penstock quarantine show {name}`"
        if not found
        else "give more of it",
    )


def required(why: str, by: str | None) -> tuple[str, str]:
    """The reason and the person of a decision. Raises UsageError without a reason."""
    if not why.strip():
        raise UsageError("why? a decision is kept with its reason", code="WHY_MISSING", hint='--why "…"')
    return why.strip(), (by or _user()).strip()


def _user() -> str:
    import getpass
    import os

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return f"uid {os.getuid()}"
