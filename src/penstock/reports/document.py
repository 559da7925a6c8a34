"""A report as JSON. What is here is read by programs of other people: keys are added, never renamed."""

from __future__ import annotations

import math
from typing import Any

from penstock.domain.encode import plain
from penstock.domain.quality import (
    Accounting,
    Broken,
    CheckState,
    Counted,
    LayerQuality,
    Point,
    QualityReport,
    RelationQuality,
    Scores,
)

FORMAT = 1


def document(report: QualityReport) -> dict[str, Any]:
    """What json.dumps takes. Shares are percent, rounded down: only what is whole is 100."""
    return {
        "format": FORMAT,
        "timestamp": plain(report.timestamp),
        "project": report.project,
        "environment": report.environment,
        "run": report.run,
        "command": report.command,
        "status": report.status,
        "duration_seconds": report.seconds,
        "summary": {
            **_counted(report.summary),
            "rows_quarantined": report.quarantined,
            "score": percent(report.scores.overall, 2),
        },
        "dimensions": _dimensions(report.scores),
        "failures": [_failure(check) for check in report.failures],
        "warnings": [_failure(check) for check in report.warnings],
        "errors": [_broken(each) for each in report.broken],
        "layers": [_layer(layer) for layer in report.layers],
        "relations": [_relation(relation) for relation in report.relations],
        "tests": [_check(check) for check in report.checks],
    }


def percent(share: float | None, places: int) -> float | None:
    """`0.99999` is 99.99 and not 100.0. A share that is a hair's breadth below is not taken for less."""
    if share is None:
        return None
    return math.floor(share * 100 * 10**places + 1e-6) / 10**places if share < 1 else 100.0


def _counted(counted: Counted) -> dict[str, Any]:
    return {
        "total_tests": counted.total,
        "passed": counted.passed,
        "failed": counted.failed,
        "warned": counted.warned,
        "not_evaluated": counted.not_evaluated,
        "pass_rate": counted.pass_rate,
    }


def _dimensions(scores: Scores) -> dict[str, float | None]:
    return {name: percent(share, 2) for name, share in scores.dimensions.items()}


def _failure(check: CheckState) -> dict[str, Any]:
    return {
        "test": check.name,
        "model": str(check.relation),
        "message": check.message,
        "kind": check.kind,
        "dimension": check.dimension,
        "on_fail": check.on_fail,
        "owner": check.owner,
        "location": check.location,
        "rows": check.rows,
        "failing": check.failing,
        "samples": plain(check.samples),
        "run": check.run,
        "evaluated": plain(check.evaluated),
        "fresh": check.fresh,
    }


def _broken(broken: Broken) -> dict[str, Any]:
    return {"step": broken.kind, "target": broken.target, "problems": plain(broken.problems)}


def _check(check: CheckState) -> dict[str, Any]:
    found = {
        **_failure(check),
        "description": check.description,
        "outcome": check.outcome or "not_evaluated",
        "scope": check.scope,
        "score": percent(check.score, 2),
        "trend": [_point(point) for point in check.trend],
    }
    del found["samples"]  # are with failures and warnings
    return found


def _point(point: Point) -> dict[str, Any]:
    return {
        "run": point.run,
        "at": plain(point.at),
        "outcome": point.outcome,
        "rows": point.rows,
        "failing": point.failing,
    }


def _relation(relation: RelationQuality) -> dict[str, Any]:
    return {
        "relation": str(relation.relation),
        "layer": relation.relation.layer,
        "kind": relation.kind,
        "owner": relation.owner,
        "rows": relation.rows,
        "state": relation.state,
        **_counted(relation.checks),
        "score": percent(relation.scores.overall, 2),
        "dimensions": _dimensions(relation.scores),
        "quarantined": relation.quarantined,
        "accounting": _accounting(relation.accounting),
    }


def _accounting(accounting: Accounting | None) -> dict[str, Any] | None:
    if accounting is None:
        return None
    return {
        "rows_in": accounting.rows_in,
        "published": accounting.published,
        "quarantined": accounting.quarantined,
        "duplicates": accounting.duplicates,
        "filtered": accounting.filtered,
        "adds_up": accounting.adds_up,
    }


def _layer(layer: LayerQuality) -> dict[str, Any]:
    return {
        "layer": layer.layer,
        "relations": layer.relations,
        "relations_with_tests": layer.checked,
        **_counted(layer.checks),
        "score": percent(layer.scores.overall, 2),
        "dimensions": _dimensions(layer.scores),
        "quarantined": layer.quarantined,
    }
