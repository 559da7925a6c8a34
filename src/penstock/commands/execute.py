"""What run, export and rebuild have in common: take the locks, read the ledger, plan, walk the plan, record."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from penstock import registry
from penstock.commands.freshness import asked, measure
from penstock.commands.identity import run_id
from penstock.commands.observe import observe
from penstock.commands.report import after_run, changed
from penstock.commands.revision import revision
from penstock.commands.signals import noted
from penstock.commands.workspace import Workspace, utc_now
from penstock.domain.event import StepFinished
from penstock.domain.ledger import Ledger
from penstock.domain.leftover import LEFT, told, written
from penstock.domain.model import Model
from penstock.domain.plan import BuildStep, ExportStep, LandStep, LoadStep, Plan, Step
from penstock.domain.quality import Held
from penstock.domain.quarantined import hidden
from penstock.domain.relation import RelationName
from penstock.domain.run import RunReport, Status
from penstock.errors import StateError
from penstock.executor import checking
from penstock.executor import ledger as ledgers
from penstock.executor.build import build
from penstock.executor.catalogue import Catalogue
from penstock.executor.compiled import Compiler
from penstock.executor.compiled import folder as compiled
from penstock.executor.export import export
from penstock.executor.forecast import Forecast
from penstock.executor.land import land
from penstock.executor.leftover import leftovers
from penstock.executor.load import load
from penstock.executor.prune import prune
from penstock.executor.publish import Publishing
from penstock.executor.quarantined import held, rules
from penstock.executor.retry import retried
from penstock.executor.runner import Runner
from penstock.executor.work import Outcome, Work
from penstock.exports.publish import inside, publish
from penstock.failpoint import reach
from penstock.planner.plan import Observed, Planner
from penstock.planner.reach import Reach
from penstock.ports import Emit, Session, StateStore, Warehouse, WarehouseOptions
from penstock.record import record

LAST_COMMIT = "last_commit"
"""The highest commit number, mirrored outside the warehouse: a ledger behind it has lost commits."""


@record
class Request:
    """How a verb wants its plan made and walked. `now` fixes the run's time; later moments are read from the clock.
    `run`: the run that this walk goes on with, None for a run of its own. `plan` and `do`: for a verb whose plan is not
    what has changed, who makes it (from the ledger, with a session that may write) and carries a step out. `ages`: ask
    the age of what is published, too."""

    command: str
    now: datetime
    emit: Emit | None = None
    selected: Collection[str] | None = None
    refresh: frozenset[RelationName] = frozenset()
    bound: frozenset[RelationName] = frozenset()
    wait: float = 0.0
    keep: Callable[[Step], bool] = lambda step: True
    sources: bool = True
    always_export: bool = False
    run: str | None = None
    plan: Callable[[Session, Ledger], Plan] | None = None
    do: Callable[[Step, Work], Outcome] | None = None
    ages: bool = False


def ignore(event: object) -> None:
    """The subscriber of those who do not listen."""


def _planned(space: Workspace, request: Request, observed: Observed) -> Plan:
    planner = Planner(
        space.project,
        observed,
        space.parameters(request.now),
        selected=request.selected,
        refresh=request.refresh,
    )
    plan = planner.plan(space.environment.name)
    return Plan(plan.environment, tuple(step for step in plan.steps if request.keep(step)))


def planned(space: Workspace, request: Request) -> Plan:
    """The plan as it would be walked now. Reads the ledger if there is one; changes nothing."""
    options = space.options(request.command, read_only=True, wait=request.wait)
    if space.engine.exists(options):
        warehouse = space.engine.open(options)
        try:
            session = warehouse.session()
            ledger = ledgers.read(session)
            plan = _planned(space, request, observe(space, ledger, sources=request.sources))
            parameters, catalogue = space.parameters(request.now), Catalogue()
            compiler = Compiler(compiled(space.root), Reach(space.project, parameters), catalogue)
            plan = Forecast(compiler, catalogue, session, ledger, parameters, request.refresh).of(plan)
            left = leftovers(space.project, ledger)
            return replace(plan, notes=(told(left),)) if left else plan
        finally:
            warehouse.close()
    return _planned(space, request, observe(space, Ledger(), sources=request.sources))


def land_only(space: Workspace, request: Request) -> RunReport:
    """source → landing and no further. The warehouse is not opened."""
    with ExitStack() as stack:
        state = _opened_state(space, stack)
        run = run_id(request.now)
        plan = _planned(space, request, observe(space, Ledger()))
        work = _work(space, request, run, Ledger())
        return _walk(space, request, plan, work, state)


def execute(
    space: Workspace, request: Request, *, after: Callable[[Walked, StateStore], None] | None = None
) -> RunReport:
    """Plan and walk in the environment's own warehouse. `after` is called when the warehouse is closed again."""
    with ExitStack() as stack:
        options = space.options(request.command, wait=request.wait)
        existed = space.engine.exists(options)
        warehouse = stack.enter_context(_opened(space, options))
        state = _opened_state(space, stack)
        walked = walk_in(space, request, warehouse, state, mirrored=True)
        reach("run.before_mirror")
        if state.get(LAST_COMMIT) != str(walked.last):
            state.put(LAST_COMMIT, str(walked.last))
        reach("run.mirrored")
        if walked.changed or not existed:
            warehouse.checkpoint()
        warehouse.close()
        if after is not None:
            after(walked, state)
        report = walked.report
        if request.ages:
            report = asked(space.project, state, report, request.now, emit=request.emit, selected=request.selected)
        return after_run(space, state, report, walked.held)


@record
class Walked:
    """What came of a walk: its report, the last commit number afterwards, whether there were new commits; the stamp of
    each source table when the walk was planned, the batches that are loaded now; whether what is in the warehouse
    depends on the time by more than stamps; how many rows of each relation are in quarantine, None when that cannot
    have changed."""

    report: RunReport
    last: int
    changed: bool
    sources: Mapping[str, str]
    loaded: Collection[str]
    timed: bool
    held: Mapping[str, Held] | None = None


def walk_in(space: Workspace, request: Request, warehouse: Warehouse, state: StateStore, *, mirrored: bool) -> Walked:
    """Plan and walk in an open warehouse and record the run. `mirrored`: the state store knows how far this warehouse
    had come, so that one which has lost commits is noticed before anything is built on it; and is told how it goes on.
    """
    session = warehouse.session()
    ledgers.prepare(session, space.environment.name, tuple(layer.name for layer in space.project.layers))
    ledger = ledgers.read(session)
    reach("run.prepared")
    if mirrored:
        _check_mirror(ledger, state)
    run = request.run or run_id(request.now)
    if request.plan is not None:
        observed, plan = Observed(ledger), request.plan(session, ledger)
    else:
        observed = observe(space, ledger, sources=request.sources)
        plan = _planned(space, request, observed)
    committer = ledgers.Committer(warehouse, run, ledger, utc_now, revision(space.root))
    work = _work(space, request, run, ledger, warehouse, committer)
    report = _walk(space, request, plan, work, state, mirrored=mirrored)
    after = ledgers.read(session)
    measure(session, space.project, after, state)
    left = written(leftovers(space.project, after))
    if mirrored and left != (state.get(LEFT) or written(())):
        state.put(LEFT, left)
    reach_of = Reach(space.project, work.parameters)
    if report.status in {Status.SUCCESS, Status.UNCHANGED}:
        prune(session, after, reach_of.followers, utc_now() - timedelta(seconds=space.environment.retention))
        checking.prune(session, request.now)
    return Walked(
        report,
        committer.last,
        committer.last != ledger.last,
        {table: pending.stamp for table, pending in observed.pending.items()},
        after.loaded,
        any(reach_of.uses_time(model) or "@" in _made_from(after, model) for model in space.project.models),
        _held(space, session, after) if changed(report) else None,
    )


def _held(space: Workspace, session: Session, ledger: Ledger) -> Mapping[str, Held]:
    discarded: Mapping[RelationName, Collection[str]] = {}
    with suppress(StateError):  # a decision that is damaged is told to who asks for it; this run has ended
        discarded = hidden(space.landing.discards())
    return held(session, rules(space.project), ledger.existing, discarded)


def _made_from(ledger: Ledger, model: Model) -> str:
    commit = ledger.commits.get(model.relation)
    return commit.fingerprint if commit else ""


def _work(
    space: Workspace,
    request: Request,
    run: str,
    ledger: Ledger,
    warehouse: Warehouse | None = None,
    committer: ledgers.Committer | None = None,
) -> Work:
    parameters = space.parameters(request.now)
    return Work(
        run=run,
        root=space.root,
        home=space.home,
        landing=space.landing,
        roots=space.roots,
        parameters=parameters,
        ledger=ledger,
        now=utc_now,
        started=request.now,
        warehouse=warehouse,
        committer=committer,
        wait=request.wait,
        command=request.command,
        refresh=request.refresh,
        bound=request.bound,
        reach=Reach(space.project, parameters),
    )


def _walk(
    space: Workspace, request: Request, plan: Plan, work: Work, state: StateStore, *, mirrored: bool = False
) -> RunReport:
    run = work.run
    emit = request.emit or ignore

    def both(event: object) -> None:
        if isinstance(event, StepFinished):
            if mirrored and event.result.commit is not None:
                state.note(LAST_COMMIT, str(work.committer.last))
            state.finish_step(run, event.result, utc_now())
        emit(event)

    def do(step: Step) -> Outcome:
        if request.do is not None:
            return request.do(step, work)
        return _do(step, space, work, always_export=request.always_export)

    if request.run is None:
        state.start_run(run, space.environment.name, request.command, revision(space.root), request.now)

    def alone(step: Step) -> Outcome:
        return retried(lambda: do(step))

    runner = Runner(
        alone,
        threads=space.threads,
        emit=both,
        now=utc_now,
        timer=time.perf_counter,
        interrupt=work.interrupt,
        together=Publishing(plan, work, alone, time.perf_counter),
    )
    try:
        with noted(runner.cancel):
            report = runner.run(plan, run)
    except BaseException:
        state.finish_run(RunReport(run, plan.environment, Status.CRASHED, request.now, utc_now(), ()))
        raise
    state.finish_run(report)
    return report


def _do(step: Step, space: Workspace, work: Work, *, always_export: bool) -> Outcome:
    match step:
        case LandStep():
            return land(step, space.reader(step.table), work)
        case LoadStep():
            return load(step, work)
        case BuildStep():
            return build(step, work)
        case ExportStep():
            exporter = registry.export(step.export.format)
            return export(
                step,
                exporter,
                lambda write, path, run: publish(write, inside(space.exports, path), run=run),
                work,
                always=always_export,
            )


def _check_mirror(ledger: Ledger, state: StateStore) -> None:
    mirrored = int(state.get(LAST_COMMIT) or 0)
    if mirrored and not ledger.last:
        state.put(LAST_COMMIT, "0")  # an empty warehouse in the place of one that was removed: all is loaded anew
    elif ledger.last < mirrored:
        raise StateError(
            f"the warehouse has lost commits: expected commit {mirrored} or later, found {ledger.last}",
            code="LEDGER_BEHIND",
            hint="it was restored from an older copy or its write-ahead log was damaged; "
            "`penstock rebuild` makes it anew from landing, where nothing is lost",
        )


@contextmanager
def _opened(space: Workspace, options: WarehouseOptions) -> Iterator[Warehouse]:
    warehouse = space.engine.open(options)
    try:
        yield warehouse
    finally:
        warehouse.close()


def _opened_state(space: Workspace, stack: ExitStack) -> StateStore:
    state = space.state()
    stack.callback(state.close)
    return state


def kinds(*wanted: type) -> Callable[[Step], bool]:
    """Keep only steps of these kinds."""
    return lambda step: isinstance(step, wanted)


def chosen(space: Workspace, select: Sequence[str], exclude: Sequence[str]) -> Collection[str] | None:
    """The ids that selection patterns mean, None when nothing was selected or excluded."""
    if not select and not exclude:
        return None
    from penstock.commands.selection import resolve

    return resolve(space.project, select, exclude)
