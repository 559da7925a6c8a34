"""A quality report: how a project's data stands, by its checks, and where its rows went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from penstock.domain.relation import RelationName
from penstock.record import record

DIMENSIONS = ("completeness", "accuracy", "consistency", "timeliness", "uniqueness", "validity")


@record
class Held:
    """Rows of a relation that are in quarantine, and how many of them each check has set apart."""

    rows: int = 0
    checks: Mapping[str, int] = field(default_factory=dict)


@record
class Point:
    """What came of a check in one run. `rows` and `failing` as in CheckResult."""

    run: str
    at: datetime
    outcome: str
    rows: int | None = None
    failing: int | None = None


@record
class CheckState:
    """A check and its last known result; `outcome` is None when it was never evaluated.

    `score` is 0 … 1: of a check of rows, the share of those judged that pass; of any other, 1 when it holds and 0 when
    it does not. `fresh`: it was evaluated in the run that the report is about. `trend`: the last times, oldest first.
    """

    relation: RelationName
    name: str
    kind: str
    dimension: str
    on_fail: str
    owner: str | None = None
    location: str | None = None
    description: str = ""
    outcome: str | None = None
    message: str = ""
    scope: str = "all"
    rows: int | None = None
    failing: int | None = None
    score: float | None = None
    samples: tuple[Mapping[str, Any], ...] = ()
    run: str | None = None
    evaluated: datetime | None = None
    fresh: bool = False
    trend: tuple[Point, ...] = ()


@record
class Counted:
    """Checks by what came of them. `pass_rate`: percent of those evaluated that passed, None when none was; it is
    rounded down to one place, so that 100.0 means all."""

    total: int = 0
    passed: int = 0
    warned: int = 0
    failed: int = 0
    not_evaluated: int = 0

    @property
    def evaluated(self) -> int:
        return self.passed + self.warned + self.failed

    @property
    def pass_rate(self) -> float | None:
        return self.passed * 1000 // self.evaluated / 10 if self.evaluated else None


@record
class Scores:
    """0 … 1, None where there is nothing to judge by: the mean of the scores of checks, of all and by dimension."""

    overall: float | None = None
    dimensions: Mapping[str, float] = field(default_factory=dict)


@record
class Accounting:
    """Where rows went, of a source table those that came last, of a model all of them: rows_in = published +
    quarantined + duplicates + filtered when it `adds_up`. `duplicates`: identical copies beside the one that was kept;
    `filtered`: what the SQL leaves out."""

    rows_in: int
    published: int
    quarantined: int = 0
    duplicates: int = 0
    filtered: int = 0

    @property
    def adds_up(self) -> bool:
        return self.rows_in == self.published + self.quarantined + self.duplicates + self.filtered


@record
class RelationQuality:
    """A relation of the project. `kind`: `source`, or how the model is kept. `rows` it holds; `quarantined`: rows held
    back that are in quarantine now; `state`: how the last step on it ended, None when there was none."""

    relation: RelationName
    kind: str
    owner: str | None
    checks: Counted
    scores: Scores
    rows: int | None = None
    quarantined: int = 0
    accounting: Accounting | None = None
    state: str | None = None


@record
class Said:
    """A problem as it was told when it came up."""

    code: str
    message: str
    location: str | None = None
    hint: str | None = None


@record
class Broken:
    """A step of the run that failed by something else than a check: a contract, SQL, a source that does not answer."""

    kind: str
    target: str
    problems: tuple[Said, ...]


@record
class LayerQuality:
    """`relations` it has, `checked` of which have checks."""

    layer: str
    relations: int
    checked: int
    checks: Counted
    scores: Scores
    quarantined: int = 0


@record
class QualityReport:
    """The whole project as it stands after a run: `run`, `command` and `status` are those of the run, `seconds` how
    long it took (None: it was broken off), `timestamp` (UTC) when it ended. Layers and relations in the order of the
    project, checks by relation in the order they are declared; `broken`: what failed in the run beside them."""

    project: str
    environment: str
    run: str
    command: str
    status: str
    timestamp: datetime
    seconds: float | None
    summary: Counted
    scores: Scores
    layers: tuple[LayerQuality, ...]
    relations: tuple[RelationQuality, ...]
    checks: tuple[CheckState, ...]
    broken: tuple[Broken, ...] = ()

    @property
    def failures(self) -> tuple[CheckState, ...]:
        return tuple(each for each in self.checks if each.outcome == "failed")

    @property
    def warnings(self) -> tuple[CheckState, ...]:
        return tuple(each for each in self.checks if each.outcome == "warned")

    @property
    def quarantined(self) -> int:
        return sum(each.quarantined for each in self.relations)
