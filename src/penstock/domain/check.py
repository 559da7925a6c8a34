"""A check: something that must hold for the rows of a relation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from penstock.domain.relation import RelationName
from penstock.errors import Location
from penstock.record import record

OnFail = Literal["warn", "fail", "quarantine"]
Dimension = Literal["completeness", "accuracy", "consistency", "timeliness", "uniqueness", "validity"]


@record
class Tolerance:
    """How many rows may fail before the check does: a number of rows, or a share (0 … 1) of those that were judged.
    At most one of them is given; neither: none may."""

    rows: int | None = None
    share: float | None = None

    @property
    def is_none(self) -> bool:
        return not self.rows and not self.share

    def holds(self, failing: int, judged: int) -> bool:
        """A share of no rows at all is none."""
        if self.share is not None:
            return failing <= self.share * judged
        return failing <= (self.rows or 0)


@record
class Incident:
    """A time whose figures are no measure of later ones. `begin` (None: since ever) and `end`, the first moment after
    it, are ISO times in UTC."""

    begin: str | None
    end: str
    why: str

    def covers(self, at: datetime) -> bool:
        """`at`: in UTC, without a zone."""
        return (self.begin is None or datetime.fromisoformat(self.begin) <= at) and at < datetime.fromisoformat(
            self.end
        )


@record
class Check:
    """`name` is unique among the checks of its relation. `columns` are those it is about, in the order declared;
    `options` what its kind takes beside them, completed: spans of time in seconds, shares as 0 … 1. `where`: a
    condition on the rows it is about. `refers`: relations it looks at beside its own. `sql`: the SELECT of a check of
    its own, `line` where that begins. `incidents`: for a check that is judged by what was measured before."""

    name: str
    kind: str
    location: Location
    columns: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    where: str | None = None
    on_fail: OnFail = "fail"
    tolerance: Tolerance = field(default_factory=Tolerance)
    dimension: str = "validity"
    description: str = ""
    refers: tuple[RelationName, ...] = ()
    sql: str = ""
    line: int = 1
    incidents: tuple[Incident, ...] = ()


@record
class Rule:
    """A check of single rows that sets rows apart, as SQL on the columns of one row. `fails`: the condition that a row
    is set apart, never NULL; `reason`: the text that says why, never NULL; `columns`: those the check is about."""

    fails: str
    reason: str
    columns: tuple[str, ...]
