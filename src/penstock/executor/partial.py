"""Python models that are called with a part of what they read: the rows of the keys that changed, or whole groups.

The first relation a model reads is cut into parts, by its key (`map`) or by the columns of `group`; the others it is
given whole. What it returns belongs to the parts it was given. Which parts changed is found out in a session of its
own, whose result the function reads while another one stores what it returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace

from penstock.domain.maintenance import AFFECTED, Program, listed
from penstock.domain.model import Model
from penstock.domain.plan import BuildStep
from penstock.domain.quarantine import is_split, table_of
from penstock.domain.relation import RelationName
from penstock.domain.run import Status
from penstock.errors import DataError
from penstock.executor import changes, delta, python_model
from penstock.executor.ledger import applied
from penstock.executor.quarantine import Apart
from penstock.executor.work import Outcome, Work
from penstock.failpoint import reach
from penstock.materializations import maintain, strategy
from penstock.materializations.quarantine import HELD, TEMPORARY
from penstock.planner.plan import stale
from penstock.ports import Session
from penstock.quoting import columns, identifier, qualified
from penstock.sql.render import bind_parameters

_PARTS = "_penstock_parts"


def unit_of(model: Model) -> tuple[str, ...]:
    """The columns by which a model's first input is cut."""
    return model.strategy.group or model.key


def partial(step: BuildStep, work: Work, inputs: Mapping[RelationName, int], reason: str) -> Outcome | str:
    """Call the model with the parts that changed and replace what it gave for them, or say why it has to be called with
    everything."""
    model = step.model
    since = changes.moved(work.ledger.applied.get(model.relation, {}), inputs)
    why = _why_whole(step, work, since)
    if why is not None:
        return why
    with ExitStack() as stack:
        reader = work.warehouse.session()
        stack.callback(reader.close)
        logs = changes.logged(reader, work.catalogue, since, work.committer.settled)
        if isinstance(logs, str):
            return logs
        changed = changes.gather(reader, work.catalogue, logs)
        if not changed:
            return _unmoved(step, work, inputs)
        first = qualified(model.reads[0].layer, model.reads[0].name)
        part = replace(
            model, language="sql", sql=f"SELECT * FROM {first}", reads=model.reads[:1], key=unit_of(model), columns=()
        )
        program = work.compiler.program(part, changed, reader)
        if isinstance(program, str):
            return program
        if {name.lower() for name in program.unit} != {name.lower() for name in unit_of(model)}:
            return f"{model.reads[0]} cannot be cut by {', '.join(unit_of(model))}"
        for statement in program.prepare:
            reader.execute(bind_parameters(statement, work.parameters))
        return _called(step, work, inputs, reason=reason, program=program, reader=reader, stack=stack)


def _why_whole(step: BuildStep, work: Work, since: Mapping[RelationName, int]) -> str | None:
    model = step.model
    if maintain.placeless(work.catalogue.columns(work.session, model.relation) or ()):
        return "a column is named rowid, as the place of a row is"
    if model.relation in work.refresh:
        return "made anew"
    if work.ledger.existing.get(model.relation) != "table":
        return "its first build"
    if is_split(model) and table_of(model.relation) not in work.ledger.existing:
        return "what was set apart of it is not there"
    why = stale(work.ledger, model.relation, step.fingerprint, step.moment, {})
    if why is not None:
        return why
    cut = set(work.reach.stored(model.reads[0]))
    whole = {stored for read in model.reads[1:] for stored in work.reach.stored(read)}
    together = [name for name in since if name in work.uncommitted]
    if together:
        return f"{together[0]} is published together with it"
    moved = [name for name in since if name in whole or name not in cut]
    return f"{moved[0]} has changed, which it is given whole" if moved else None


def _unmoved(step: BuildStep, work: Work, inputs: Mapping[RelationName, int]) -> Outcome:
    relation = step.model.relation
    with work.committer.transaction(work.session):
        applied(work.session, relation, inputs)
    return Outcome(Status.UNCHANGED, "no row it reads has changed", work.ledger.commits[relation].rows)


def _called(
    step: BuildStep,
    work: Work,
    inputs: Mapping[RelationName, int],
    *,
    reason: str,
    program: Program,
    reader: Session,
    stack: ExitStack,
) -> Outcome:
    model, session = step.model, work.session
    names = columns(f"u{place}" for place in range(len(program.unit)))
    with session.register(_PARTS, reader.arrow(f"SELECT {names} FROM {identifier(AFFECTED)}")):
        session.execute(f"CREATE OR REPLACE TEMP TABLE {identifier(AFFECTED)} AS SELECT * FROM {_PARTS}")
    count = session.query(f"SELECT count(*) FROM {identifier(AFFECTED)}").rows[0][0]
    rows = reader.arrow(bind_parameters(program.select, work.parameters))
    result = python_model.call(
        model, work.root, work.warehouse.session, stack, first=rows, unseen=work.unseen(model), own=session
    )
    stack.enter_context(session.register(python_model.INPUT, result))
    select = python_model.check_columns(model, session)
    reach("build.before_transaction")
    with work.committer.transaction(session) as transaction:
        rows_new = session.execute(maintain.aside(select))
        _check_parts(model, session, program.unit)
        session.execute(maintain.old(model.relation, program.unit))
        found = session.describe(f"SELECT * FROM {maintain.NEW}")
        if found != work.catalogue.columns(session, model.relation):
            raise DataError(
                f"{model.relation}: expected columns of the types it has, found "
                f"{', '.join(f'{column.name} ({column.type})' for column in found)}",
                code="TYPE_CHANGED",
                hint="return the same types whatever the rows, with an explicit schema; "
                f"to change them: penstock run --full-refresh {model.relation}",
            )
        making = delta.Making(
            step=keyless(step),
            work=work,
            session=session,
            transaction=transaction,
            inputs=inputs,
            fingerprint=step.fingerprint,
            found=found,
            mode="maintained",
            reason=f"{reason}; called with what changed by {listed(program.unit)}",
            counts={"affected": count},
            apart=Apart.of(model, work, session, transaction),
        )
        if making.apart is not None:
            making.apart.hold(maintain.old(making.apart.relation, program.unit, HELD))
            making.apart.split(maintain.NEW, found, rows_new)
            making.apart.correct()
        gone, came = delta.compare(making, maintain.OLD)
        done = delta.settle(making, gone, came, maintain.OLD, maintain.ROW)
        changes.drop(session, *maintain.TEMPORARY, *TEMPORARY, AFFECTED)
    reach("build.committed")
    return done


def keyless(step: BuildStep) -> BuildStep:
    """The step of a model whose key says which input row gave a row, and not that there is one row for each."""
    return replace(step, model=replace(step.model, key=())) if step.model.strategy.map else step


def _check_parts(model: Model, session: Session, unit: tuple[str, ...]) -> None:
    """What the model returned must belong to what it was given: other rows would be there twice, or never go."""
    same = strategy.concerned(unit)
    found = session.query(f"SELECT {columns(unit, 'h')} FROM {maintain.NEW} AS h WHERE NOT {same} LIMIT 5")
    if found.rows:
        shown = "; ".join(", ".join(str(value) for value in row) for row in found.rows)
        raise DataError(
            f"{model.relation}: expected rows of the {', '.join(unit)} it was given, found rows of: {shown}",
            code="PYTHON_MODEL_PARTS",
            location=model.location,
            hint=f"give back {', '.join(unit)} as they came; a model that looks further has neither map nor group",
        )
