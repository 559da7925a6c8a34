"""`penstock plan`: the steps of the next run, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from penstock.cli.options import EXIT_CODES, common, selection, waiting
from penstock.cli.output import note, style, write, write_json
from penstock.domain.maintenance import counted, listed
from penstock.domain.plan import BuildStep, ExportStep, LandStep, LoadStep, Plan, Step

GROUPS = ("land", "load", "build", "export")
MOST = 6
"""Members of a publish group that are named."""


@click.command(epilog=EXIT_CODES)
@selection
@waiting(10)
@common
def plan(
    *,
    where: Path,
    environment: str | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    wait: float,
    as_json: bool,
) -> int:
    """Say what `penstock run` would do now, step by step, and why. Reads no data and changes nothing.

    \b
    Examples:
      penstock plan
      penstock plan --select serv.*
      penstock plan --json | jq '.steps[] | select(.needed)'
    """
    from penstock.commands.plan import plan as command

    found = command(where, environment=environment, select=select, exclude=exclude, wait=wait)
    if as_json:
        steps = [described(step) for step in found.steps]
        write_json({"environment": found.environment, "steps": steps, "notes": found.notes})
        return 0
    _write(found)
    return 0


def target(step: Step) -> str:
    match step:
        case LandStep():
            return step.table.id
        case LoadStep():
            return str(step.table.relation)
        case BuildStep():
            return str(step.model.relation)
        case ExportStep():
            return step.export.name


def described(step: Step) -> dict[str, Any]:
    """A step as JSON: what it is and why, not the whole definition behind it."""
    found: dict[str, Any] = {
        "id": step.id,
        "kind": step.kind,
        "target": target(step),
        "needed": step.needed,
        "reason": step.reason,
        "depends_on": step.depends_on,
    }
    if isinstance(step, BuildStep):
        found["materialization"] = step.materialization
        found["publish_group"] = step.group or None
        if step.maintenance is not None:
            found["maintenance"] = {
                "unit": step.maintenance.unit,
                "rebuilt": step.maintenance.reason,
                "this_time": step.anew,
                "affected": step.affected,
            }
    if isinstance(step, LoadStep):
        found["batches"] = [batch.id for batch in step.batches]
    return found


def _how(step: BuildStep) -> str:
    """`auto, maintained by (region), 3 units affected`, or why it is rebuilt, where that is known."""
    found, strategy = step.maintenance, step.model.strategy
    if step.model.language == "python" and strategy.partial:
        parts = f"groups of {listed(strategy.group)}" if strategy.group else "rows"
        return f"python, called with the {parts} that changed"
    if found is None:
        return step.materialization
    if found.reason:
        return f"{step.materialization}, rebuilt ({found.reason})"
    if step.anew:
        return f"{step.materialization}, all of it this time, else {found}"
    known = "" if step.affected is None else f", {counted(step.affected)}"
    return f"{step.materialization}, {found}{known}"


def _why(step: Step) -> str:
    """The reason, and why a model that is else maintained is not so this time, where that is another one."""
    if isinstance(step, BuildStep):
        more = f"; {step.anew}" if step.anew and step.anew not in step.reason else ""
        return f"{_how(step)}; {step.reason}{more}"
    return step.reason


def _groups(steps: Sequence[Step]) -> Iterator[str]:
    """What becomes visible together, where more than one has something to do."""
    groups: dict[str, list[str]] = {}
    for step in steps:
        if isinstance(step, BuildStep) and step.group and step.needed:
            groups.setdefault(step.group, []).append(target(step))
    for name, members in groups.items():
        if len(members) > 1:
            more = f" and {len(members) - MOST:,} more" if len(members) > MOST else ""
            yield f"  published together ({name}): {', '.join(members[:MOST])}{more}"


def _write(found: Plan) -> None:
    width = max((len(target(step)) for step in found.steps), default=0)
    for kind in GROUPS:
        steps = [step for step in found.steps if step.kind == kind]
        if not steps:
            continue
        write(style(kind, bold=True))
        for step in steps:
            sign = "+" if step.needed else " "
            text = f"  {sign} {target(step):<{width}}  {_why(step)}"
            write(text if step.needed else style(text, dim=True))
        for line in _groups(steps):
            write(line)
        write("")
    for text in found.notes:
        note(f"note: {text}")
    needed = len(found.needed)
    idle = len(found.steps) - needed
    write(f"{found.environment}: {needed:,} to do, {idle:,} up to date")
