"""What came of a check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum
from typing import Any, Literal

from penstock.domain.relation import RelationName
from penstock.errors import Location, Problem
from penstock.record import record


class CheckOutcome(StrEnum):
    """`failed` stops what was to be published; `warned` does not."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"


@record
class CheckResult:
    """`scope`: whether all rows of the relation were judged, or those that came with this step. `rows`: how many that
    were, `failing`: how many of them fail; both None for a check that is not about single rows. `values`: what was
    measured. `message` says in words what was expected and found. `samples`: a few that fail, with the columns that
    tell them apart. `owner`: whoever answers for the relation."""

    relation: RelationName
    name: str
    kind: str
    dimension: str
    on_fail: str
    outcome: CheckOutcome
    message: str
    location: Location
    scope: Literal["all", "came"] = "all"
    rows: int | None = None
    failing: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    samples: tuple[Mapping[str, Any], ...] = ()
    owner: str | None = None


def folded(results: Sequence[CheckResult]) -> CheckResult:
    """One result of several that one check gave in one run, in their order (a step loads several batches, a backfill
    makes several partitions). Of rows that came, all are counted together, and what is worst is told; what was asked
    of the whole relation holds as it was asked last."""
    last = results[-1]
    if last.scope == "all" or last.rows is None:
        return last
    came = [each for each in results if each.scope == "came" and each.rows is not None]
    worst = max(came, key=lambda each: _SEVERITY.index(each.outcome))
    rows, failing = sum(each.rows or 0 for each in came), sum(each.failing or 0 for each in came)
    with_failing = sum(bool(each.failing) for each in came)
    message = f"{worst.message}; {failing:,} of {rows:,} in all that came" if with_failing > 1 else worst.message
    return replace(worst, rows=rows, failing=failing, message=message)


_SEVERITY = (CheckOutcome.PASSED, CheckOutcome.WARNED, CheckOutcome.FAILED)


@record
class Checked:
    """What an evaluation on demand gave. `commit`: the last commit of the warehouse it looked at; `missing`: relations
    with checks that are not built yet; `problems`: what could not be evaluated, and why."""

    environment: str
    commit: int
    results: tuple[CheckResult, ...]
    missing: tuple[RelationName, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def exit_code(self) -> int:
        """3 when a check failed or could not be evaluated, else 0; warnings are none."""
        failed = any(each.outcome is CheckOutcome.FAILED for each in self.results)
        return 3 if failed or self.problems else 0
