"""The build step: one model, one transaction with its ledger row."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from penstock.domain.model import Model
from penstock.domain.plan import BuildStep
from penstock.domain.relation import Column, RelationName
from penstock.domain.run import Status
from penstock.errors import DataError, Location, PenstockError
from penstock.executor import python_model
from penstock.executor.ledger import Entry, applied
from penstock.executor.work import Outcome, Work, unchanged
from penstock.failpoint import reach
from penstock.materializations.build import MATERIALIZATIONS, NEW, Build, Target, check_output, name_of
from penstock.planner.plan import positions, stale
from penstock.ports import Session
from penstock.sql.render import bind_parameters


def build(step: BuildStep, work: Work) -> Outcome:
    """Make the relation equal to its definition, if it is not so already.

    The plan could only guess what the steps before would change; by now it is known, and asked again.
    """
    model = step.model
    inputs = positions(work.ledger, step.inputs, work.committer.numbers)
    refresh = model.relation in work.refresh
    reason = "made anew" if refresh else stale(work.ledger, model.relation, step.fingerprint, inputs)
    if reason is None:
        commit = work.ledger.commits[model.relation]
        return unchanged("up to date", commit.rows)
    try:
        return _make(step, work, inputs, reason)
    except PenstockError as error:
        raise error.locate(Location(model.location.path, model.line if model.language == "sql" else None)) from None


def _make(step: BuildStep, work: Work, inputs: dict[RelationName, int], reason: str) -> Outcome:
    model, session = step.model, work.session
    with ExitStack() as stack:
        if model.language == "python":
            rows = python_model.call(model, work.root, work.warehouse.session, stack)
            stack.enter_context(session.register(python_model.INPUT, rows))
            select = python_model.check_columns(model, session)
        else:
            select = bind_parameters(model.sql, work.parameters) if model.parameters else model.sql
        target = _target(step, work, session)
        if model.relation not in work.bound:
            check_output(model, session.describe(select))
        made = MATERIALIZATIONS[step.materialization](model, select, target)
        reach("build.before_transaction")
        with work.committer.transaction(session) as transaction:
            changed, total = _run(made, model, target, session)
            number = None
            if changed or target.kind is None:
                fingerprint = step.fingerprint
                number = transaction.commit(Entry(model.relation, step.id, fingerprint, total, inputs))
            else:
                applied(session, model.relation, inputs)
            reach("build.before_commit")
        reach("build.committed")
    return Outcome(Status.SUCCESS if number else Status.UNCHANGED, reason, total, number)


def _target(step: BuildStep, work: Work, session: Session) -> Target:
    """What is there to build upon. A relation to be made anew counts as absent, unless a view is in the way."""
    relation = step.model.relation
    kind = work.ledger.existing.get(relation)
    if kind == "table" and relation in work.refresh:
        return Target(None)
    if step.materialization == "append" and kind == "table":
        found = session.describe(f"SELECT * FROM {name_of(step.model)}")
        return Target(kind, tuple(column.name for column in found))
    return Target(kind)


def _run(made: Build, model: Model, target: Target, session: Session) -> tuple[int, int | None]:
    """Run the statements. Returns how many rows changed (at least 1 for a relation made anew) and how many it has."""
    for statement in made.prepare:
        session.execute(statement)
    if made.prepare:
        _check_columns(session.describe(f"SELECT * FROM {NEW}"), model, target)
        _check_unique(made, model, session)
    counts = [session.execute(statement) for statement in made.statements]
    if not made.prepare:
        _check_unique(made, model, session)
    for statement in made.cleanup:
        session.execute(statement)
    if made.counted:
        total = session.query(f"SELECT count(*) FROM {name_of(model)}").rows[0][0]
        return sum(counts[position] for position in made.counted), total
    return 1, None if made.view else counts[-1]


def _check_unique(made: Build, model: Model, session: Session) -> None:
    if made.unique is None:
        return
    found = session.query(made.unique)
    if found.rows:
        keys = "; ".join(", ".join(str(value) for value in row[:-1]) for row in found.rows)
        raise DataError(
            f"{model.relation}: expected one row per key ({', '.join(model.key)}), found several for: {keys}",
            code="KEY_NOT_UNIQUE",
            hint="the SELECT gives several rows for one key: aggregate or deduplicate, or declare the right key",
        )


def _check_columns(found: Sequence[Column], model: Model, target: Target) -> None:
    names = [column.name for column in found]
    if target.columns and names != list(target.columns):
        raise DataError(
            f"{model.relation}: expected the columns it has ({', '.join(target.columns)}), found {', '.join(names)}",
            code="SCHEMA_CHANGED",
            hint=f"an appended table keeps its schema; to change it: penstock run --full-refresh {model.relation}",
        )
