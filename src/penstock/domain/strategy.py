"""How a model's rows are kept, where a person has chosen that."""

from __future__ import annotations

from typing import Literal

from penstock.record import record

Grain = Literal["hour", "day", "month"]
VALIDITY = ("valid_from", "valid_to", "is_current")
"""Columns that a history adds to those of its SELECT."""


@record
class TimeRange:
    """Whole ranges (a `grain` long, UTC) of the time `column` are replaced. `lookback`: seconds before the latest time
    seen from which ranges are made anew when nobody can tell which have changed."""

    column: str
    grain: Grain
    lookback: float = 0


@record
class Versioning:
    """Versions of the rows of a SELECT. `by` changes: a version is valid from when the change was seen; by updated_at:
    from what `column` says. `columns` are those that make a version when they differ, empty: all. `deletes`: whether
    the version of a key that is gone ends."""

    by: Literal["changes", "updated_at"] = "changes"
    column: str | None = None
    columns: tuple[str, ...] = ()
    deletes: Literal["close", "ignore"] = "close"


@record
class Strategy:
    """What a model's front matter says beside its materialization. `deletes` goes with merge; `map` and `group` are for
    Python models that are called with changed rows, or with the whole groups that changed."""

    deletes: Literal["ignore", "remove"] = "ignore"
    time_range: TimeRange | None = None
    history: Versioning | None = None
    map: bool = False
    group: tuple[str, ...] = ()

    @property
    def partial(self) -> bool:
        """Whether a Python model is called with a part of what it reads."""
        return self.map or bool(self.group)
