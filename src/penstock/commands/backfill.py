"""backfill: a range of a time column made anew from the definition, partition by partition."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from penstock.commands.bind import check
from penstock.commands.execute import Request, execute
from penstock.commands.selection import resolve
from penstock.commands.workspace import Workspace, open_workspace, utc_now
from penstock.domain.backfill import PartitionStep, Range
from penstock.domain.ledger import Ledger
from penstock.domain.model import Model
from penstock.domain.plan import Plan, Step
from penstock.domain.run import RunReport
from penstock.domain.strategy import Grain
from penstock.errors import InternalError, StateError, UsageError, UserError
from penstock.executor import backfill as partition
from penstock.executor import ledger as ledgers
from penstock.executor.partitions import plan_partitions
from penstock.executor.work import Outcome, Work
from penstock.planner.plan import in_order
from penstock.planner.reach import Reach
from penstock.ports import Emit, Session


def backfill(
    where: Path,
    select: Sequence[str],
    *,
    begin: str | datetime,
    end: str | datetime,
    column: str | None = None,
    grain: str | None = None,
    restart: bool = False,
    environment: str | None = None,
    emit: Emit | None = None,
    wait: float = 0.0,
    now: datetime | None = None,
) -> RunReport:
    """Make the rows of the selected models whose time is at or after `begin` and before `end` anew from the definition
    and replace what is stored, each hour, day or month (`grain`) in a transaction of its own, several at once.

    A call that was broken off is gone on with by the next one that asks for the same: partitions that are done are left
    alone, as long as neither the definition nor the inputs have changed; `restart` does them again. Raises UserError
    when a model cannot be backfilled, before anything is changed; what goes wrong in a partition is in the report.
    """
    asked = _range(begin, end, column, grain)
    space = open_workspace(where, environment)
    models = _models(space, select)
    moment = now or utc_now()
    bound = check(space)
    shared = partition.Backfilling()

    def planned(session: Session, ledger: Ledger) -> Plan:
        partition.prepare(session, [model.relation for model in models if model.relation in ledger.logs])
        reach = Reach(space.project, space.parameters(moment))
        found = plan_partitions(session, ledger, reach, models, asked)
        if restart:
            partition.forget(session, {step.backfill for step in found})
            found = plan_partitions(session, ledger, reach, models, asked)
        return Plan(space.environment.name, tuple(found))

    def do(step: Step, work: Work) -> Outcome:
        if not isinstance(step, PartitionStep):
            raise InternalError(f"{step.id} is no partition", code="BUG")
        return shared.carry_out(step, work)

    request = Request(command="backfill", now=moment, emit=emit, bound=bound, wait=wait, plan=planned, do=do)
    _warehouse(space)
    return execute(space, request)


def plan_backfill(
    where: Path,
    select: Sequence[str],
    *,
    begin: str | datetime,
    end: str | datetime,
    column: str | None = None,
    grain: str | None = None,
    restart: bool = False,
    environment: str | None = None,
    wait: float = 10.0,
    now: datetime | None = None,
) -> Plan:
    """The partitions that `backfill` would make now; those that are done already are not `needed`. Changes nothing."""
    from penstock.commands.reading import reading

    asked = _range(begin, end, column, grain)
    space = open_workspace(where, environment)
    models = _models(space, select)
    check(space)

    def read(session: Session) -> list[PartitionStep]:
        reach = Reach(space.project, space.parameters(now or utc_now()))
        return plan_partitions(session, ledgers.read(session), reach, models, asked, anew=restart)

    return Plan(space.environment.name, tuple(reading(space, "backfill", wait, read)))


def _warehouse(space: Workspace) -> None:
    """A warehouse must be there: making an empty one would help nobody."""
    if not space.engine.exists(space.options("backfill")):
        raise StateError(
            f"nothing has been built in {space.home.name} yet", code="NOTHING_BUILT", hint="run `penstock run` first"
        )


# What is asked for


def _range(begin: str | datetime, end: str | datetime, column: str | None, grain: str | None) -> Range:
    low, high = _time("--from", begin), _time("--to", end)
    if low >= high:
        raise UsageError(
            f"--from {low.isoformat()} is not before --to {high.isoformat()}",
            code="BACKFILL_RANGE",
            hint="--from is the first moment of the range, --to the first moment after it",
        )
    known = get_args(Grain)
    for each in known:
        if grain is None or grain == each:
            return Range(low, high, column, each if grain else None)
    raise UsageError(f"{grain!r} is no grain of time", code="BACKFILL_RANGE", hint=f"use one of: {', '.join(known)}")


def _time(option: str, value: str | datetime) -> datetime:
    """A time in UTC without a zone."""
    found = value if isinstance(value, datetime) else None
    if found is None:
        with suppress(ValueError):
            found = datetime.fromisoformat(str(value).strip())
    if found is None:
        raise UsageError(
            f"{option}: {value!r} is not a time",
            code="TIME_INVALID",
            hint="as in 2026-01-01 or 2026-01-01T06:00Z; a time without a zone is UTC",
        )
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def _models(space: Workspace, select: Sequence[str]) -> list[Model]:
    """The selected models, each after those it reads. Raises UsageError when there is none, or one is a view."""
    chosen = resolve(space.project, select, ())
    found = [model for model in in_order(space.project.models) if str(model.relation) in chosen]
    if not found:
        raise UsageError(
            f"{', '.join(select)} selects no model",
            code="UNKNOWN_SELECTION",
            hint="source tables are loaded from landing: `penstock rebuild` loads all of them again",
        )
    reach = Reach(space.project, {})
    for model in found:
        why = _impossible(model, reach)
        if why is not None:
            raise UserError(
                f"{model.relation} cannot be backfilled: {why[0]}",
                code="BACKFILL_IMPOSSIBLE",
                location=model.location,
                hint=why[1],
            )
    return found


def _impossible(model: Model, reach: Reach) -> tuple[str, str] | None:
    anew = f"penstock run --full-refresh {model.relation}"
    if reach.is_view(model):
        return "it is a view, and stores nothing", "backfill what it reads"
    if model.materialization == "history":
        return "it keeps versions, and what was is not made again", "correct what it reads; versions follow"
    if model.language == "python":
        return "it is a Python model, which gives no part of its result", anew
    return None
