"""What a run tells its subscribers (progress bars, logs, the state store) while it works."""

from __future__ import annotations

from datetime import datetime

from penstock.domain.run import RunReport, StepResult
from penstock.record import record


@record
class RunStarted:
    run: str
    environment: str
    steps: int
    started: datetime


@record
class StepStarted:
    run: str
    step: str
    kind: str
    target: str


@record
class StepFinished:
    run: str
    result: StepResult


@record
class RunFinished:
    report: RunReport


Event = RunStarted | StepStarted | StepFinished | RunFinished
