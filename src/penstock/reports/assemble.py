"""A report from what is known: the project, the last results of its checks, how its relations stand. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from penstock.domain.check import Check
from penstock.domain.project import Project
from penstock.domain.quality import (
    Accounting,
    Broken,
    CheckState,
    Held,
    LayerQuality,
    Point,
    QualityReport,
    RelationQuality,
    Said,
)
from penstock.domain.relation import RelationName
from penstock.domain.run import Status
from penstock.record import record
from penstock.reports.score import counted, score, scores

POINTS = 30
"""Runs that a trend shows, at most."""


@record
class Known:
    """What the state store says: the run that the report is about and its `steps`, `checks(POINTS)`, `targets()`, and
    what is in quarantine of each relation."""

    run: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]]
    checks: Sequence[Mapping[str, Any]]
    targets: Sequence[Mapping[str, Any]]
    quarantined: Mapping[str, Held]


@record
class _Declared:
    relation: RelationName
    step: str
    kind: str
    owner: str | None
    checks: tuple[Check, ...]


def assemble(project: Project, environment: str, known: Known, now: datetime) -> QualityReport:
    """`now`: when a run that has not ended is looked at."""
    run = known.run
    results = {(row["relation"], row["name"]): row for row in known.checks}
    targets = {row["step"]: row for row in known.targets}
    declared = tuple(_declared(project))
    checks = {
        each.relation: tuple(
            _apart(check, known.quarantined.get(str(each.relation), Held()), targets.get(each.step), run["run"])
            for check in _checks(each, results, run["run"], (targets.get(each.step) or {}).get("rows"))
        )
        for each in declared
    }
    relations = tuple(
        RelationQuality(
            each.relation,
            each.kind,
            each.owner,
            counted(checks[each.relation]),
            scores(checks[each.relation]),
            quarantined=known.quarantined.get(str(each.relation), Held()).rows,
            **_standing(targets.get(each.step)),
        )
        for each in declared
    )
    every = tuple(check for each in declared for check in checks[each.relation])
    started = datetime.fromisoformat(run["started"])
    finished = datetime.fromisoformat(run["finished"]) if run["finished"] else None
    return QualityReport(
        project=project.name,
        environment=environment,
        run=run["run"],
        command=run["command"],
        status=run["status"],
        timestamp=finished or now,
        seconds=(finished - started).total_seconds() if finished else None,
        summary=counted(every),
        scores=scores(every),
        layers=tuple(_layers(project, relations, every)),
        relations=relations,
        checks=every,
        broken=tuple(_broken(known.steps)),
    )


def _declared(project: Project) -> Iterator[_Declared]:
    """Every relation in the order of the layers, sources first."""
    order = {layer.name: position for position, layer in enumerate(project.layers)}
    owners = {source.name: source.owner for source in project.sources}
    for table in project.tables:
        owner = table.owner or owners[table.source]
        yield _Declared(table.relation, f"load:{table.id}", "source", owner, table.checks)
    for model in sorted(project.models, key=lambda each: (order[each.relation.layer], each.relation.name)):
        yield _Declared(model.relation, f"build:{model.relation}", model.materialization, model.owner, model.checks)


def _checks(
    each: _Declared, results: Mapping[tuple[str, str], Mapping[str, Any]], run: str, holds: int | None
) -> Iterator[CheckState]:
    """Those that are declared, and what else the run itself has judged. What was known of a check that is declared as
    another kind now says nothing of it. `holds`: the rows of the relation, as far as they are known."""
    relation = str(each.relation)
    for check in each.checks:
        state = CheckState(
            each.relation,
            check.name,
            check.kind,
            check.dimension,
            check.on_fail,
            each.owner,
            str(check.location),
            check.description,
        )
        found = results.get((relation, check.name))
        yield state if found is None or found["kind"] != check.kind else _judged(state, found, run, holds)
    names = {check.name for check in each.checks}
    for (of, name), found in results.items():
        if of == relation and name not in names and found["run"] == run:
            place = found["location"] or None
            state = CheckState(
                each.relation, name, found["kind"], found["dimension"], found["on_fail"], each.owner, place
            )
            yield _judged(state, found, run, holds)


def _judged(state: CheckState, found: Mapping[str, Any], run: str, holds: int | None) -> CheckState:
    others = max(0, (holds or 0) - (found["rows"] or 0)) if found["scope"] == "came" else 0
    return replace(
        state,
        outcome=found["outcome"],
        message=found["message"],
        scope=found["scope"],
        rows=found["rows"],
        failing=found["failing"],
        score=score(found["outcome"], found["rows"], found["failing"], others),
        samples=tuple(found["samples"]),
        run=found["run"],
        evaluated=datetime.fromisoformat(found["evaluated"]),
        fresh=found["run"] == run,
        trend=tuple(
            Point(
                point["run"],
                datetime.fromisoformat(point["evaluated"]),
                point["outcome"],
                point["rows"],
                point["failing"],
            )
            for point in found["points"]
        ),
    )


def _apart(check: CheckState, held: Held, target: Mapping[str, Any] | None, run: str) -> CheckState:
    """A check that sets rows apart holds for what is published, always: what tells is how many rows it keeps apart now,
    of these and those published, whether they came with the last run or long before."""
    if check.on_fail != "quarantine" or target is None or check.outcome == "failed":
        return check
    if check.outcome is None and (not target["changed"] or target["status"] in {Status.FAILED, Status.SKIPPED}):
        return check  # what is there was made before anyone asked
    failing = held.checks.get(check.name, 0)
    rows = (target["rows"] or 0) + held.rows
    message = (
        f"{failing:,} of {rows:,} {'rows' if rows != 1 else 'row'} set apart" if failing else "no row is set apart"
    )
    outcome = "warned" if failing else "passed"
    return replace(
        check,
        outcome=outcome,
        message=message if failing != check.failing or not check.message else check.message,
        scope="all",
        rows=rows,
        failing=failing,
        score=score(outcome, rows, failing),
        samples=check.samples if failing else (),
        run=check.run or target["run"],
        evaluated=check.evaluated or datetime.fromisoformat(target["changed"]),
        fresh=check.fresh if check.run else target["run"] == run,
    )


def _broken(steps: Sequence[Mapping[str, Any]]) -> Iterator[Broken]:
    for step in steps:
        problems = [problem for problem in json.loads(step["problems"]) if problem["code"] != "CHECK_FAILED"]
        if step["status"] == Status.FAILED and problems:
            said = (Said(each["code"], each["message"], each["location"], each["hint"]) for each in problems)
            yield Broken(step["kind"], step["target"], tuple(said))


def _standing(target: Mapping[str, Any] | None) -> dict[str, Any]:
    if target is None:
        return {}
    counts = json.loads(target["accounting"] or "{}")
    return {"rows": target["rows"], "state": target["status"], "accounting": _accounting(counts)}


def _accounting(counts: Mapping[str, Any]) -> Accounting | None:
    """Of a load: of the batches that came. Of a model: of all it reads where each of its rows is one of those, else of
    what its SELECT returns."""
    quarantined, filtered = counts.get("quarantined", 0), counts.get("filtered", 0)
    if "published" in counts:
        return Accounting(counts["rows_in"], counts["published"], quarantined, 0, filtered)
    if "rows_in" in counts:
        published = sum(counts.get(name, 0) for name in ("inserted", "updated", "unchanged"))
        return Accounting(counts["rows_in"], published, quarantined, counts.get("duplicates", 0), filtered)
    return None


def _layers(
    project: Project, relations: Sequence[RelationQuality], checks: Sequence[CheckState]
) -> Iterator[LayerQuality]:
    for layer in project.layers:
        of = [each for each in relations if each.relation.layer == layer.name]
        own = [check for check in checks if check.relation.layer == layer.name]
        yield LayerQuality(
            layer.name,
            len(of),
            sum(bool(each.checks.total) for each in of),
            counted(own),
            scores(own),
            sum(each.quarantined for each in of),
        )
