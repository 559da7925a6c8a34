"""The build step: one model, one transaction with its ledger row."""

from __future__ import annotations

from contextlib import ExitStack

from penstock.domain.maintenance import Maintenance
from penstock.domain.plan import BuildStep
from penstock.domain.relation import RelationName
from penstock.errors import Location, PenstockError
from penstock.executor import limited, python_model
from penstock.executor.agreed import agreed
from penstock.executor.declared import declared, is_declared
from penstock.executor.keeping import Keeping
from penstock.executor.maintained import maintained
from penstock.executor.partial import keyless, partial
from penstock.executor.rebuilt import Rebuilding, rebuilt
from penstock.executor.work import Outcome, Work, unchanged
from penstock.materializations.build import check_output
from penstock.materializations.strategy import check_named
from penstock.planner.plan import defined, positions, stale
from penstock.sql.render import bind_parameters


def build(step: BuildStep, work: Work) -> Outcome:
    """Make the relation equal to its definition, if it is not so already, and true to its contract."""
    return agreed(step.model, work, _built(step, work))


def _built(step: BuildStep, work: Work) -> Outcome:
    """The plan could only guess what the steps before would change; by now it is known, and asked again."""
    model = step.model
    inputs = positions(work.ledger, step.inputs, work.committer.numbers)
    refresh = model.relation in work.refresh
    definition = (step.fingerprint, step.moment)
    reason = "made anew" if refresh else stale(work.ledger, model.relation, *definition, inputs, told=work.reach.told)
    if reason is None:
        commit = work.ledger.commits[model.relation]
        return unchanged("up to date", commit.rows)
    try:
        if not refresh and _only_inputs_moved(step, work):
            done = maintained(step, work, inputs, reason)
            if isinstance(done, Outcome):
                return done
            reason = f"{reason}; rebuilt: {done}"
        if model.strategy.partial:
            done = partial(step, work, inputs, reason)
            if isinstance(done, Outcome):
                return done
            reason = f"{reason}; called with all of it: {done}"
            step = keyless(step)
        return _rebuilt(step, work, inputs, reason)
    except PenstockError as error:
        raise error.locate(Location(model.location.path, model.line if model.language == "sql" else None)) from None


def _only_inputs_moved(step: BuildStep, work: Work) -> bool:
    """Whether the table is there and equal to what this definition gave: then changes can be followed."""
    relation = step.model.relation
    return (
        _is_its_select(step)
        and work.ledger.existing.get(relation) == "table"
        and stale(work.ledger, relation, step.fingerprint, step.moment, {}) is None
    )


def _is_its_select(step: BuildStep) -> bool:
    """Whether the relation is to hold the rows of its SELECT and no others, and how is up to us."""
    merged = step.materialization == "merge" and step.model.strategy.deletes == "remove"
    return step.materialization == "auto" or merged


def _rebuilt(step: BuildStep, work: Work, inputs: dict[RelationName, int], reason: str) -> Outcome:
    model, session = step.model, work.session
    with ExitStack() as stack:
        if model.language == "python":
            rows = python_model.call(
                model, work.root, work.warehouse.session, stack, unseen=work.unseen(model), own=session
            )
            stack.enter_context(session.register(python_model.INPUT, rows))
            select = python_model.check_columns(model, session)
        else:
            select = bind_parameters(model.sql, work.parameters) if model.parameters else model.sql
        if model.relation not in work.bound:
            output = session.describe(select)
            check_output(model, output)
            check_named(model, output)
        anew = model.relation in work.refresh
        if is_declared(step, work, anew=anew):
            done = declared(Keeping(step, work, inputs, reason, select, session.describe(select), anew))
            _foreseen(step, work)
            return done
        found = _maintenance(step, work, anew=anew)
        wanted = Rebuilding(
            step=step,
            select=select,
            inputs=inputs,
            fingerprint=defined(step.fingerprint, step.moment, timed=found.timed),
            reason=reason,
            stamps=found.stamps,
            anew=anew,
        )
        if found.below or limited.below(model.relation) in work.ledger.existing:
            wanted = limited.wanted(wanted, found, work)
        done = rebuilt(wanted, work)
        _foreseen(step, work)
        return done


def _foreseen(step: BuildStep, work: Work) -> None:
    """What the next run will need, if all goes well: the table has its rows, and only changes will come."""
    if step.model.language == "sql" and step.materialization in {"auto", "merge", "history"}:
        work.compiler.foresee(step.model, work.session)


def _maintenance(step: BuildStep, work: Work, *, anew: bool) -> Maintenance:
    """What analysis says of stamps, times and limits, where that makes a difference: a table is there to be compared,
    or the model uses a time or, perhaps, a LIMIT."""
    over = work.ledger.existing.get(step.model.relation) == "table" and not anew
    if not _is_its_select(step) or not (over or step.moment or "limit" in step.model.sql.lower()):
        return Maintenance()
    return work.compiler.analysis(step.model, work.session)
