"""A backfill: ranges of a time column, each made anew from the definition in a transaction of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from penstock.domain.plan import BuildStep
from penstock.domain.strategy import Grain
from penstock.record import record


@record
class Range:
    """What is asked for: times at or after `begin` and before `end`, both UTC, without a zone. `column` and `grain`,
    where they are None, are those of the model."""

    begin: datetime
    end: datetime
    column: str | None = None
    grain: Grain | None = None


@record
class Partition:
    """Rows whose time is at or after `begin` and before `end`; both UTC, without a zone."""

    begin: datetime
    end: datetime
    grain: Grain

    @property
    def label(self) -> str:
        """`2026-01-31`, `2026-01-31T05`, `2026-01`; the whole beginning where a range does not begin with its grain."""
        if self.begin != truncated(self.begin, self.grain):
            return self.begin.isoformat()
        return self.begin.strftime({"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}[self.grain])


@record
class PartitionStep(BuildStep):
    """Make one partition of a model's relation equal to its definition. `backfill` identifies the backfill it belongs
    to; one that is not `needed` was done by an earlier call. The step without a partition ends the model's backfill,
    when all of its partitions are done."""

    backfill: str = ""
    column: str = ""
    type: str = ""
    partition: Partition | None = None
    kind = "backfill"


def truncated(at: datetime, grain: Grain) -> datetime:
    """The beginning of the hour, day or month that `at` lies in."""
    day = at.replace(hour=at.hour if grain == "hour" else 0, minute=0, second=0, microsecond=0)
    return day.replace(day=1) if grain == "month" else day


def partitions(begin: datetime, end: datetime, grain: Grain) -> Iterator[Partition]:
    """[begin, end) cut where hours, days or months begin. Nothing when it is empty."""
    while begin < end:
        cut = min(_next(begin, grain), end)
        yield Partition(begin, cut, grain)
        begin = cut


def _next(at: datetime, grain: Grain) -> datetime:
    """When the next hour, day or month begins; the end of time when there is none."""
    start = truncated(at, grain)
    try:
        if grain != "month":
            return start + timedelta(hours=1 if grain == "hour" else 24)
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    except (OverflowError, ValueError):
        return datetime.max
