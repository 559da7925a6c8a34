"""A run: one execution of a plan, and what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from penstock.domain.check_result import CheckResult
from penstock.errors import Problem
from penstock.record import record


class Status(StrEnum):
    """How a step or a run ended. `unchanged`: there was nothing to do. `skipped`: something before it failed."""

    RUNNING = "running"
    SUCCESS = "success"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    CRASHED = "crashed"


@record
class StepResult:
    """`rows`: what the relation holds (build), what was landed (land), loaded (load) or written (export).
    `accounting` says where a batch's rows went: rows_in = inserted + updated + unchanged + duplicates + quarantined;
    deleted counts keys that a full extract no longer has. Of a model it says how many rows were gone and came, how many
    units may have been affected, and of the relation as it is now: returned by its SELECT = published + quarantined,
    rows_in = returned + filtered. Where its SQL groups or joins, rows_in = returned, and filtered is not said. `mode`
    is how a model was made: built, maintained, rebuilt, appended, merged, replaced (ranges of time), versioned, view.
    `checks`: what came of those that were evaluated, also when the step failed by one of them."""

    step: str
    kind: str
    target: str
    status: Status
    reason: str
    seconds: float = 0.0
    rows: int | None = None
    commit: int | None = None
    accounting: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    transient: bool = False
    exit_code: int = 0
    output: str | None = None
    mode: str | None = None
    checks: tuple[CheckResult, ...] = ()


@record
class RunReport:
    """The result of a run: steps in the order they ended. `quality`: the page of the quality report it has written.
    `notes`: what went wrong beside the run and has changed nothing of how it ended."""

    run: str
    environment: str
    status: Status
    started: datetime
    finished: datetime
    steps: tuple[StepResult, ...]
    quality: str | None = None
    notes: tuple[Problem, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 when all is well, else the most actionable code of a failed step (2 before 3 before 4 …)."""
        if self.status is Status.CANCELLED:
            return 130
        codes = [result.exit_code for result in self.steps if result.status is Status.FAILED]
        return min(codes) if codes else 0
