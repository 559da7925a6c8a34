"""Quarantine as people see it: rows set apart, and what was decided about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from penstock.domain.relation import RelationName
from penstock.record import record


@record
class Discard:
    """A person said that rows need no further look, or (`restores`) that they do after all. `rows`: their ids; `at`:
    UTC."""

    relation: RelationName
    rows: tuple[str, ...]
    by: str
    why: str
    at: datetime
    restores: bool = False


def hidden(decisions: Iterable[Discard]) -> dict[RelationName, dict[str, Discard]]:
    """By relation and id, the decision by which a row is discarded now. `decisions`: in the order they were made."""
    found: dict[RelationName, dict[str, Discard]] = {}
    for each in decisions:
        rows = found.setdefault(each.relation, {})
        for row in each.rows:
            if each.restores:
                rows.pop(row, None)
            else:
                rows.setdefault(row, each)
    return found


@record
class ReasonCount:
    """A fault, and how many rows have it. `reason` names no value."""

    reason: str
    rows: int


@record
class Quarantined:
    """What is set apart of a relation. `rows` without those that were `discarded`; a row with two faults is in the
    counts of both. `last_seen`: None for a model, whose rows are all of now."""

    relation: RelationName
    rows: int
    discarded: int
    reasons: tuple[ReasonCount, ...]
    first_seen: datetime | None
    last_seen: datetime | None


@record
class QuarantinedRow:
    """A row that was set apart. `id` is the same wherever the row has the same values; `payload` the row as received
    (of a model: as the SELECT gives it), private values replaced by `***`. `copies`: how often the row stands there.
    `batch` (of a source table): the last one that has it; `commit` (of a model): the one that set it apart. `rules`
    names the rules that judged. Times are UTC, without a zone."""

    relation: RelationName
    id: str
    reasons: tuple[str, ...]
    payload: Mapping[str, Any]
    copies: int
    run: str
    rules: str
    first_seen: datetime
    last_seen: datetime | None = None
    batch: str | None = None
    commit: int | None = None
    discarded: Discard | None = None


@record
class Decision:
    """A fix, a discard or its undoing, with who, when (UTC) and why. `rows`: ids; `batch` (of a fix): the correction.
    Or a row that has `left` by itself, in `run`: nobody decided that (`by` is None), `cause` and `why` say what
    happened, `reasons` what was wrong with it since `first_seen`; `batch`: the one with which it left."""

    what: Literal["fix", "discard", "restore", "left"]
    relation: RelationName
    rows: tuple[str, ...]
    by: str | None
    why: str
    at: datetime
    batch: str | None = None
    run: str | None = None
    cause: str | None = None
    reasons: tuple[str, ...] = ()
    first_seen: datetime | None = None


@record
class Fixed:
    """A correction that has landed as `batch`. It is loaded by the next run. `changed`: the columns that were set, of
    the source table `relation`; private values replaced by `***`."""

    relation: RelationName
    row: str
    batch: str
    changed: Mapping[str, str | None]
