"""The partitions of a backfill as steps, each with whether it is done already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from itertools import islice

from penstock.domain.backfill import PartitionStep, Range, partitions
from penstock.domain.ledger import Ledger
from penstock.domain.model import Model
from penstock.domain.strategy import Grain
from penstock.errors import UsageError, UserError
from penstock.executor.backfill import done
from penstock.materializations.partition import TIMES
from penstock.planner.plan import positions, rules_changed
from penstock.planner.reach import Reach
from penstock.ports import Session
from penstock.quoting import qualified

MOST = 100_000
"""Partitions of one call: more are a grain that is too fine."""


def plan_partitions(
    session: Session, ledger: Ledger, reach: Reach, models: Sequence[Model], asked: Range, *, anew: bool = False
) -> list[PartitionStep]:
    """Partitions in order, model by model. The last step of each model waits for all its partitions, and the next model
    waits for that. Those that an earlier call has done are not `needed`, unless `anew`. Raises UserError when a model
    has no such column, or the range does not fit it."""
    found: list[PartitionStep] = []
    before: tuple[str, ...] = ()
    for model in models:
        column, kind = _column(session, ledger, reach, model, asked)
        grain = _grain(model, asked, column, kind)
        end = PartitionStep(
            f"backfill:{model.relation}",
            model,
            reach.materialization(model),
            reach.inputs(model),
            reach.fingerprint(model),
            True,
            "all partitions are done",
            backfill=_identity(ledger, reach, model, (column, grain), asked),
            column=column,
            type=kind,
        )
        mine = _partitions(end, grain, before, asked, {} if anew else done(session, end.backfill))
        if len(found) + len(mine) > MOST:
            raise UsageError(
                f"expected at most {MOST:,} partitions in one call, found more",
                code="BACKFILL_RANGE",
                hint="use a coarser --grain, or a shorter range",
            )
        found += [*mine, replace(end, depends_on=tuple(step.id for step in mine))]
        before = (end.id,)
    return found


def _partitions(
    end: PartitionStep,
    grain: Grain,
    before: tuple[str, ...],
    asked: Range,
    known: dict[tuple[datetime, datetime], str],
) -> list[PartitionStep]:
    made = []
    for part in islice(partitions(asked.begin, asked.end, grain), MOST + 1):
        run = known.get((part.begin, part.end))
        made.append(
            replace(
                end,
                id=f"{end.id}:{part.label}",
                partition=part,
                needed=run is None,
                reason=f"done before, in run {run}" if run else f"{end.column} before {part.end.isoformat()}",
                depends_on=before,
            )
        )
    return made


def _column(session: Session, ledger: Ledger, reach: Reach, model: Model, asked: Range) -> tuple[str, str]:
    """The time column as the table has it, and its type."""
    relation, ranges = model.relation, model.strategy.time_range
    if relation not in ledger.commits or ledger.existing.get(relation) != "table":
        raise UserError(
            f"{relation} cannot be backfilled: it has not been built yet",
            code="BACKFILL_IMPOSSIBLE",
            location=model.location,
            hint="run `penstock run` first",
        )
    if rules_changed(ledger.commits[relation].fingerprint, reach.fingerprint(model)):
        raise UserError(
            f"{relation} cannot be backfilled: its quarantine rules have changed, and have to judge all of its rows",
            code="BACKFILL_IMPOSSIBLE",
            location=model.location,
            hint="run `penstock run` first",
        )
    wanted = asked.column or (ranges.column if ranges else None)
    stored = session.describe(f"SELECT * FROM {qualified(relation.layer, relation.name)}")
    times = ", ".join(column.name for column in stored if column.type in TIMES)
    if wanted is None:
        raise UsageError(
            f"{relation} does not say by which column it is cut into ranges",
            code="BACKFILL_COLUMN",
            location=model.location,
            hint=f"name one with --column: {times}" if times else "it has no column of dates or times",
        )
    column = next((each for each in stored if each.name.lower() == wanted.lower()), None)
    if column is None or column.type not in TIMES:
        what = "no such column" if column is None else f"a column of type {column.type}"
        raise UsageError(
            f"{relation}: expected {wanted} to be a column of dates or times in its output, found {what}",
            code="BACKFILL_COLUMN",
            location=model.location,
            hint=f"there are: {times}" if times else "it has none",
        )
    return column.name, column.type


def _grain(model: Model, asked: Range, column: str, kind: str) -> Grain:
    ranges = model.strategy.time_range
    grain: Grain = asked.grain or (ranges.grain if ranges else "day")
    uneven = [at.isoformat() for at in (asked.begin, asked.end) if at.time() != datetime.min.time()]
    if kind == "DATE" and (grain == "hour" or uneven):
        raise UsageError(
            f"{model.relation}.{column} holds dates: expected whole days, found {', '.join(uneven) or 'hours'}",
            code="BACKFILL_RANGE",
            hint="give dates for --from and --to, and --grain day or month",
        )
    return grain


def _identity(ledger: Ledger, reach: Reach, model: Model, cut: tuple[str, str], asked: Range) -> str:
    """The same for calls that would make the same of the same: with another definition, or other inputs, partitions
    that are done would come out otherwise."""
    seen = positions(ledger, reach.inputs(model))
    parts = [str(model.relation), *cut, asked.begin.isoformat(), asked.end.isoformat(), reach.fingerprint(model)]
    parts += [f"{name}@{number}" for name, number in sorted(seen.items())]
    return sha256("\n".join(parts).encode()).hexdigest()[:24]
