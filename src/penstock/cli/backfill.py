"""`penstock backfill`: a range of time made anew, partition by partition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from penstock.cli.encode import plain
from penstock.cli.options import EXIT_CODES, common, quiet, waiting
from penstock.cli.output import Table, count, note, style, things, write, write_json, write_table
from penstock.cli.progress import watching
from penstock.cli.report import failures
from penstock.domain.backfill import Partition, PartitionStep
from penstock.domain.plan import Plan
from penstock.domain.run import RunReport, Status, StepResult


@click.command(epilog=EXIT_CODES)
@click.argument("select", metavar="SELECTOR...", nargs=-1, required=True)
@click.option("--from", "begin", metavar="TIME", required=True, help="The first moment of the range.")
@click.option("--to", "end", metavar="TIME", required=True, help="The first moment after the range.")
@click.option("--column", metavar="NAME", help="The time column; by default that of the model's `time_range`.")
@click.option(
    "--grain",
    metavar="hour|day|month",
    help="How long a partition is; by default that of the model's `time_range`, else a day.",
)
@click.option("--restart", is_flag=True, help="Do partitions again that an earlier call has done.")
@click.option("--dry-run", is_flag=True, help="List the partitions and change nothing.")
@waiting(0)
@quiet
@common
def backfill(
    *,
    where: Path,
    environment: str | None,
    select: tuple[str, ...],
    dry_run: bool,
    wait: float,
    quiet: bool,
    as_json: bool,
    **asked: Any,
) -> int:
    """Make the rows of models in a range of time anew from their definitions, and replace what is stored.

    Each hour, day or month is a transaction of its own; several are done at once. A call that was broken off is gone on
    with by giving it again: what is done is not repeated. Times without a zone are UTC. What reads the models follows
    in the next run.

    \b
    Examples:
      penstock backfill stg.orders_daily --from 2026-01-01 --to 2026-02-01
      penstock backfill stg.orders_daily --from 2026-01-01 --to 2026-02-01 --dry-run
      penstock backfill serv.* --from 2025-01-01 --to 2026-01-01 --column order_date --grain month
    """
    from penstock.commands.backfill import backfill as command
    from penstock.commands.backfill import plan_backfill

    if dry_run:
        return _planned(plan_backfill(where, select, environment=environment, wait=wait, **asked), as_json)
    with watching(quiet) as emit:
        report = command(where, select, environment=environment, emit=emit, wait=wait, **asked)
    return _told(report, as_json)


def _planned(plan: Plan, as_json: bool) -> int:
    steps = [step for step in plan.steps if isinstance(step, PartitionStep) and step.partition]
    if as_json:
        write_json({"environment": plan.environment, "partitions": [_described(step) for step in steps]})
        return 0
    for step in steps:
        sign = "+" if step.needed else " "
        part = step.partition
        text = f"  {sign} {step.model.relation}  {part.label if part else ''}  {step.reason}"
        write(text if step.needed else style(text, dim=True))
    needed = sum(step.needed for step in steps)
    write(f"{plan.environment}: {things(needed, 'partition')} to do, {len(steps) - needed:,} done before")
    return 0


def _described(step: PartitionStep) -> dict[str, Any]:
    part = step.partition
    bounds = {"from": part.begin, "to": part.end} if isinstance(part, Partition) else {}
    found = {"relation": step.model.relation, "column": step.column, **bounds, "needed": step.needed}
    return {name: plain(value) for name, value in (found | {"reason": step.reason}).items()}


def _told(report: RunReport, as_json: bool) -> int:
    if as_json:
        document: dict[str, Any] = plain(report)
        write_json({**document, "exit_code": report.exit_code})
        return report.exit_code
    models: dict[str, list[StepResult]] = {}
    for result in report.steps:
        models.setdefault(result.step.split(":")[1], []).append(result)
    write_table(_table(models))
    write("")
    failures(report)
    seconds = (report.finished - report.started).total_seconds()
    write(f"run {report.run}: {report.status.value} in {seconds:.1f} s in {report.environment}")
    if report.status not in (Status.SUCCESS, Status.UNCHANGED):
        note("give the same command again to go on: partitions that are done are not repeated")
    return report.exit_code


def _table(models: dict[str, list[StepResult]]) -> Table:
    """A line for each model: what became of its partitions."""
    rows = []
    for name, results in models.items():
        parts = [result for result in results if result.step.count(":") > 1]
        made = [result for result in parts if result.mode]
        done = [result for result in parts if result.status is Status.UNCHANGED and not result.mode]
        open_ = len(parts) - len(made) - len(done)
        gone, came = (sum(result.accounting.get(key, 0) for result in made) for key in ("gone", "came"))
        rows.append((name, *map(count, (len(made), len(done), open_, gone, came))))
    headers = ("relation", "made", "done before", "not done", "rows gone", "rows new")
    return Table(headers, rows, right=range(1, len(headers)))
