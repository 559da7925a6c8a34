"""What a run tells its subscribers (progress bars, logs, the state store) while it works."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from penstock.domain.run import RunReport, StepResult


@dataclass(frozen=True, slots=True)
class RunStarted:
    run: str
    environment: str
    steps: int
    started: datetime


@dataclass(frozen=True, slots=True)
class StepStarted:
    run: str
    step: str
    kind: str
    target: str


@dataclass(frozen=True, slots=True)
class StepFinished:
    run: str
    result: StepResult


@dataclass(frozen=True, slots=True)
class RunFinished:
    report: RunReport


Event = RunStarted | StepStarted | StepFinished | RunFinished
