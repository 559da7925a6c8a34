"""Reports put together from what a state store could have said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.domain.check import Check
from penstock.domain.environment import Environment
from penstock.domain.layer import flow
from penstock.domain.model import Model
from penstock.domain.project import Project
from penstock.domain.quality import Held, QualityReport
from penstock.domain.relation import RelationName
from penstock.errors import Location
from penstock.reports.assemble import Known, assemble

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
RUN = "20261121T060000-aaaa"


class Lab:
    """Pieces of a project, what was found, and the report of both."""

    run = RUN
    now = NOW

    def check(self, name: str, dimension: str = "validity", kind: str = "range", **more: Any) -> Check:
        return Check(name, kind, Location("models/stg/a.sql", 3), dimension=dimension, **more)

    def model(self, relation: str, *checks: Check, owner: str | None = "sales") -> Model:
        name = RelationName.parse(relation)
        return Model(name, "sql", "auto", Location(f"models/{relation}.sql"), "f", checks=checks, owner=owner)

    def result(
        self,
        relation: str,
        name: str,
        outcome: str = "passed",
        rows: int | None = 10,
        failing: int | None = 0,
        **more: Any,
    ) -> dict[str, Any]:
        point = {"run": RUN, "evaluated": NOW.isoformat(), "outcome": outcome, "rows": rows, "failing": failing}
        return {
            **point, "relation": relation, "name": name, "kind": "range", "dimension": "validity", "on_fail": "fail",
            "scope": "all", "message": f"{failing} of {rows} rows fail", "location": "models/stg/a.sql:3",
            "figures": {}, "samples": [], "points": [point], **more,
        }  # fmt: skip

    def report(
        self,
        models: Sequence[Model],
        results: Sequence[Mapping[str, Any]],
        *,
        targets: Sequence[Mapping[str, Any]] = (),
        quarantined: Mapping[str, Held] | None = None,
        layers: tuple[str, ...] = ("raw", "stg", "serv"),
        name: str = "shop",
        steps: Sequence[Mapping[str, Any]] = (),
        **run: Any,
    ) -> QualityReport:
        project = Project(name, "/shop", flow(*layers), {"dev": Environment("dev")}, "dev", models=tuple(models))
        row = {
            "run": RUN, "command": "run", "status": "success", "started": NOW.isoformat(),
            "finished": (NOW + timedelta(seconds=1.5)).isoformat(), **run,
        }  # fmt: skip
        return assemble(project, "dev", Known(row, steps, results, targets, quarantined or {}), NOW)


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab()
