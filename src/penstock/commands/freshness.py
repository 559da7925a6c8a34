"""How old the newest rows are, asked in every run: a source that falls silent publishes nothing, and no gate is asked.

What was newest is kept in the state store whenever something was published, and compared with the clock from then on,
without opening the warehouse. Of a source table's own `processing_ts` a batch that has arrived counts, also when no row
of it was new. Nothing is kept of a private column: its age is asked when something is published.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock import registry
from penstock.checks.compile import Wanted, measured
from penstock.checks.kind import Subject, TableKind
from penstock.domain.check import Check
from penstock.domain.check_result import CheckOutcome, CheckResult
from penstock.domain.event import StepFinished
from penstock.domain.ledger import Ledger
from penstock.domain.model import Model
from penstock.domain.project import Project
from penstock.domain.relation import RelationName
from penstock.domain.run import RunReport, Status, StepResult
from penstock.domain.source import SourceTable
from penstock.errors import DataError, UserError
from penstock.executor.checking import PRIVATE, Checkable, table_result
from penstock.executor.gate import naive, problem
from penstock.ports import Emit, Session, StateStore
from penstock.quoting import qualified

KIND = "freshness"
KNOWN = "freshness"
"""The fact with what was newest: relation → check → {of, commit, newest, outcome}, as JSON."""
FRESH_UNTIL = "fresh_until"
"""The fact that says from when on a check may not hold any more: a time in UTC as text, empty when that never comes."""
_BATCHES = "SELECT max(processing_ts) FROM _penstock.batches WHERE relation = ?"


def stamp(moment: datetime) -> str:
    """A time as FRESH_UNTIL has it: text that compares as the time does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def measure(session: Session, project: Project, ledger: Ledger, state: StateStore) -> None:
    """Note what is newest in each published relation that a check asks the age of."""
    before = json.loads(state.get(KNOWN) or "{}")
    found: dict[str, dict[str, Any]] = {}
    for what, check in _declared(project):
        commit = ledger.commits.get(what.stored if isinstance(what, SourceTable) else what.relation)
        if commit is None or what.relation not in ledger.existing:
            continue
        name, known = str(what.relation), {"of": measured(check), "commit": commit.number}
        old = before.get(name, {}).get(check.name, {})
        by_batch = isinstance(what, SourceTable) and check.columns[0].lower() == "processing_ts"
        if by_batch or {key: old.get(key) for key in known} != known:
            try:
                newest = _newest(session, what, check, by_batch=by_batch)
            except (UserError, DataError, KeyError):
                continue  # the gate says so when there is something to publish, and `penstock check` at any time
            text = None if newest is None else newest.isoformat()
            same = {**known, "newest": text} == {key: old.get(key) for key in (*known, "newest")}
            old = {**known, "newest": text, "outcome": old.get("outcome") if same else None}
        found.setdefault(name, {})[check.name] = old
    _keep(state, project, found)


def asked(
    project: Project,
    state: StateStore,
    report: RunReport,
    now: datetime,
    *,
    emit: Emit | None = None,
    selected: Collection[str] | None = None,
) -> RunReport:
    """The report of a run, with what came of each check of age that the run itself has not judged and that does not
    hold, or held not when it was asked last."""
    known = json.loads(state.get(KNOWN) or "{}")
    judged = {(str(each.relation), each.name) for step in report.steps for each in step.checks}
    results: dict[RelationName, list[CheckResult]] = {}
    for what, check in _declared(project):
        fact = known.get(str(what.relation), {}).get(check.name)
        if fact is None or fact["of"] != measured(check) or (str(what.relation), check.name) in judged:
            continue
        if selected is not None and _id(what) not in selected:
            continue
        result = _judged(what, check, fact["newest"], now)
        if result.outcome is not CheckOutcome.PASSED or fact["outcome"] not in (None, str(CheckOutcome.PASSED)):
            results.setdefault(what.relation, []).append(result)
        fact["outcome"] = str(result.outcome)
    _keep(state, project, known)
    steps = [_step(relation, found) for relation, found in results.items()]
    if not steps:
        return report
    for step in steps:
        state.finish_step(report.run, step, now)
        if emit is not None:
            emit(StepFinished(report.run, step))
    failed = any(step.status is Status.FAILED for step in steps) and report.status is not Status.CANCELLED
    done = replace(report, steps=(*report.steps, *steps), status=Status.FAILED if failed else report.status)
    state.finish_run(done)
    return done


def _declared(project: Project) -> Iterator[tuple[SourceTable | Model, Check]]:
    relations: tuple[SourceTable | Model, ...] = (*project.tables, *project.models)
    for what in relations:
        hidden = None if PRIVATE in map(str.lower, what.tags) else {name.lower() for name in what.pii}
        for check in what.checks:
            if check.kind == KIND and hidden is not None and check.columns[0].lower() not in hidden:
                yield what, check


def _id(what: SourceTable | Model) -> str:
    return what.id if isinstance(what, SourceTable) else str(what.relation)


def _kind() -> TableKind:
    kind = registry.check(KIND)
    if not isinstance(kind, TableKind):
        raise TypeError(f"{KIND} is not about tables")
    return kind


def _subject(session: Session, what: SourceTable | Model) -> Subject:
    table = qualified(what.relation.layer, what.relation.name)
    columns = session.describe(f"SELECT * FROM {table}")
    return Subject(what.relation, table, table, columns, datetime.min)


def _newest(session: Session, what: SourceTable | Model, check: Check, *, by_batch: bool) -> datetime | None:
    """UTC, without a zone."""
    subject = _subject(session, what)
    measure = _kind().measures(check, subject)["newest"]
    newest: datetime | None = session.query(f"SELECT {measure} FROM {subject.table}").rows[0][0]
    arrived = session.query(_BATCHES, (str(what.relation),)).rows[0][0] if by_batch else None
    return max((naive(each) for each in (newest, arrived) if each is not None), default=None)


def _judged(what: SourceTable | Model, check: Check, newest: str | None, now: datetime) -> CheckResult:
    subject = Subject(what.relation, "", "", (), naive(now))
    values = {"newest": None if newest is None else datetime.fromisoformat(newest)}
    return table_result(Checkable.of(what), Wanted(check, _kind(), subject, {}), values)


def _step(relation: RelationName, results: list[CheckResult]) -> StepResult:
    failed = [each for each in results if each.outcome is CheckOutcome.FAILED]
    hint = "nothing newer has come: ask whoever sends it, or change the check"
    return StepResult(
        step=f"check:{relation}",
        kind="check",
        target=str(relation),
        status=Status.FAILED if failed else Status.SUCCESS,
        reason="its age is asked in every run",
        problems=tuple(replace(problem(each), hint=hint) for each in failed),
        exit_code=DataError.exit_code if failed else 0,
        checks=tuple(results),
    )


def _keep(state: StateStore, project: Project, found: Mapping[str, Mapping[str, Any]]) -> None:
    ends = [
        end
        for what, check in _declared(project)
        if (fact := found.get(str(what.relation), {}).get(check.name)) is not None
        for end in (_end(check, fact["newest"]),)
        if end is not None
    ]
    for key, text in ((KNOWN, json.dumps(found)), (FRESH_UNTIL, min(ends, default=""))):
        if (state.get(key) or "") != text and (found or state.get(key)):
            state.put(key, text)


def _end(check: Check, newest: str | None) -> str | None:
    """Until when a check holds, as text; None: for as long as there are dates."""
    spans = [check.options[name] for name in ("warn_after", "error_after") if check.options[name] is not None]
    if newest is None:
        return stamp(datetime(1, 1, 1, tzinfo=UTC))
    try:
        return stamp(datetime.fromisoformat(newest).replace(tzinfo=UTC) + timedelta(seconds=min(spans)))
    except OverflowError:
        return None
