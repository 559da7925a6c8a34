"""check: evaluate checks against what is published, on demand."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.commands.reading import reading
from penstock.commands.workspace import Workspace, open_workspace, utc_now
from penstock.domain.check_result import Checked, CheckResult
from penstock.domain.model import Model
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.errors import DataError, Problem, UsageError
from penstock.ports import Session

if TYPE_CHECKING:
    from penstock.domain.ledger import Ledger


def check(
    where: Path,
    select: Sequence[str] = (),
    *,
    environment: str | None = None,
    wait: float = 10.0,
    now: datetime | None = None,
) -> Checked:
    """Evaluate the checks of the selected relations (none given: all) over all rows that are published. Nothing is
    changed, and nothing is remembered: a check that is judged by earlier figures is judged by those of earlier runs.

    Raises ProjectError when the project has problems, UsageError when what is selected has no checks, Locked when a run
    holds the warehouse longer than `wait` seconds. A check that cannot be evaluated is among the `problems`.
    """
    space = open_workspace(where, environment)
    wanted = tuple(_wanted(space, select))
    if select and not wanted:
        raise UsageError(
            f"{', '.join(select)} selects nothing that has checks",
            code="UNKNOWN_SELECTION",
            hint="add `checks:` to the model or the source table, or a SELECT to checks/",
        )
    return reading(space, "check", wait, lambda session: _check(space, session, wanted, now or utc_now()))


def _wanted(space: Workspace, select: Sequence[str]) -> Iterator[Model | SourceTable]:
    chosen: Collection[str] | None = None
    if select:
        from penstock.commands.selection import resolve

        chosen = resolve(space.project, select, ())
    for table in space.project.tables:
        if table.checks and (chosen is None or table.id in chosen):
            yield table
    for model in space.project.models:
        if model.checks and (chosen is None or str(model.relation) in chosen):
            yield model


def _check(space: Workspace, session: Session, wanted: Sequence[Model | SourceTable], now: datetime) -> Checked:
    from penstock.executor import ledger as ledgers

    ledger = ledgers.read(session)
    results: list[CheckResult] = []
    missing: list[RelationName] = []
    problems: list[Problem] = []
    for what in wanted:
        if what.relation not in ledger.existing:
            missing.append(what.relation)
            continue
        found, wrong = _results(space, session, what, ledger, now)
        results += found
        problems += wrong
    return Checked(space.environment.name, ledger.last, tuple(results), tuple(missing), tuple(problems))


def _results(
    space: Workspace, session: Session, what: Model | SourceTable, ledger: Ledger, now: datetime
) -> tuple[Sequence[CheckResult], Sequence[Problem]]:
    """What comes of the checks of one relation. Where one cannot be evaluated, each is asked alone: the others are
    evaluated all the same."""
    from penstock.checks.kind import Subject
    from penstock.executor import checking
    from penstock.executor.gate import naive
    from penstock.quoting import qualified

    of = checking.Checkable.of(what)
    table = qualified(what.relation.layer, what.relation.name)
    commit = ledger.commits.get(what.stored if isinstance(what, SourceTable) else what.relation)
    kept = RelationName.parse("_penstock.measures") in ledger.existing
    past = checking.past(session, of, naive(now), but=commit.run if commit else None) if kept else {}
    columns = session.describe(f"SELECT * FROM {table}")
    subject = Subject(what.relation, table, table, columns, naive(now), past)
    parameters = space.parameters(now)
    try:
        return checking.evaluate(session, of, subject, parameters, space.root), ()
    except DataError:
        results: list[CheckResult] = []
        problems: list[Problem] = []
        for check in of.checks:
            try:
                results += checking.evaluate(session, replace(of, checks=(check,)), subject, parameters, space.root)
            except DataError as error:
                problems += error.problems
        return results, problems
