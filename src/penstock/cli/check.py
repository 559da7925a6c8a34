"""`penstock check`: does what is published hold to its checks?"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from penstock.cli.encode import plain
from penstock.cli.failure import indented
from penstock.cli.options import EXIT_CODES, common, waiting
from penstock.cli.output import Table, count, row_text, style, things, write, write_json, write_table
from penstock.domain.check_result import Checked, CheckOutcome, CheckResult

COLOURS = {CheckOutcome.PASSED: "green", CheckOutcome.WARNED: "yellow", CheckOutcome.FAILED: "red"}


@click.command(epilog=EXIT_CODES)
@click.argument("select", metavar="[SELECTOR]...", nargs=-1)
@waiting(10)
@common
def check(*, where: Path, environment: str | None, select: tuple[str, ...], wait: float, as_json: bool) -> int:
    """Evaluate the checks of relations over what is published now. Changes nothing.

    All rows are judged, also where a run would judge those that came alone. Exit code 3 when a check fails (warnings
    are none) or cannot be evaluated.

    \b
    Examples:
      penstock check
      penstock check serv.* raw.orders
      penstock check tag:hourly --json | jq '.results[] | select(.outcome == "failed")'
    """
    from penstock.commands.check import check as command

    found = command(where, select, environment=environment, wait=wait)
    if as_json:
        document: dict[str, Any] = plain(found)
        write_json({**document, "exit_code": found.exit_code})
    else:
        _write(found)
    return found.exit_code


def _write(found: Checked) -> None:
    if not (found.results or found.missing or found.problems):
        write("nothing to check: no model and no source table has checks")
        return
    if found.results:
        rows = [
            (each.outcome.value, str(each.relation), each.name, count(each.rows), count(each.failing), each.message)
            for each in found.results
        ]
        head = ("outcome", "relation", "check", "rows", "failing", "found")
        write_table(Table(head, rows, right=(3, 4)))
        write("")
    for each in found.results:
        if each.outcome is not CheckOutcome.PASSED:
            _explain(each)
    for problem in found.problems:
        write(f"{style('not evaluated:', fg='red', bold=True)}\n{indented(problem)}\n")
    if found.missing:
        write(f"not built yet: {', '.join(map(str, found.missing))}\n")
    write(_summary(found))


def _explain(each: CheckResult) -> None:
    """What a person needs to act: where the check stands, who answers for the relation, rows to look at."""
    owner = f", owner {each.owner}" if each.owner else ""
    head = style(f"{each.outcome.value}: {each.relation}: {each.name}", fg=COLOURS[each.outcome])
    lines = [f"{head} ({each.location}{owner})", f"  {each.message}"]
    lines += [f"    {row_text(row)}" for row in each.samples]
    more = (each.failing or 0) - len(each.samples)
    if each.samples and more > 0 and each.kind != "unique":
        lines.append(f"    and {things(more, 'more row')}")
    write("\n".join([*lines, ""]))


def _summary(found: Checked) -> str:
    outcomes = Counter(each.outcome for each in found.results)
    parts = [style(f"{outcomes[each]:,} {each.value}", fg=COLOURS[each]) for each in CheckOutcome if outcomes[each]]
    parts += [f"{len(found.problems):,} not evaluated"] if found.problems else []
    return f"{found.environment} as of commit {found.commit}: {', '.join(parts) or 'nothing to check'}"
