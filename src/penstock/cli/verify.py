"""`penstock verify`: is what is stored what its definition gives?"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from penstock.cli.encode import plain
from penstock.cli.options import EXIT_CODES, common, waiting
from penstock.cli.output import Table, count, row_text, style, things, write, write_json, write_table
from penstock.domain.verification import Difference, Verdict, Verification, Verified

COLOURS = {Verdict.RIGHT: "green", Verdict.WRONG: "red", Verdict.STALE: "yellow", Verdict.OPEN: "yellow"}


@click.command(epilog=EXIT_CODES)
@click.argument("select", metavar="[SELECTOR]...", nargs=-1)
@click.option("--deep", is_flag=True, help="Recompute inputs too, from the source tables up.")
@waiting(10)
@common
def verify(
    *, where: Path, environment: str | None, select: tuple[str, ...], deep: bool, wait: float, as_json: bool
) -> int:
    """Recompute relations from their definitions and compare them with what is stored. Changes nothing.

    Each model is made again over its inputs as they are stored, so that one wrong model is named alone. Of source
    tables the history is checked: one current version of each key, no overlaps, as many rows as were loaded. Exit code
    3 when anything is wrong, 0 when not.

    \b
    Examples:
      penstock verify
      penstock verify serv.* bus.orders_enriched
      penstock verify --deep --json | jq '.relations[] | select(.verdict == "wrong")'
    """
    from penstock.commands.verify import verify as command

    found = command(where, select, environment=environment, deep=deep, wait=wait)
    if as_json:
        document: dict[str, Any] = plain(found)
        write_json({**document, "exit_code": found.exit_code})
    else:
        _write(found)
    return found.exit_code


def _write(found: Verification) -> None:
    if not found.relations:
        write("nothing to verify: what is selected stores nothing")
        return
    rows = [(each.verdict.value, str(each.relation), *_counts(each), each.checked) for each in found.relations]
    write_table(Table(("verdict", "relation", "rows", "missing", "extra", "checked"), rows, right=(2, 3, 4)))
    write("")
    for each in found.relations:
        _explain(each)
    verdicts = Counter(each.verdict for each in found.relations)
    said = ", ".join(style(f"{verdicts[v]:,} {v.value}", fg=COLOURS[v]) for v in Verdict if verdicts[v])
    how = ", inputs recomputed" if found.deep else ""
    write(f"{found.environment} as of commit {found.commit}{how}: {said}")


def _counts(each: Verified) -> tuple[str, str, str]:
    """Nothing where nothing was compared."""
    if each.rows is None:
        return "", "", ""
    return count(each.rows), count(each.missing), count(each.extra)


def _explain(each: Verified) -> None:
    if not (each.notes or each.differences):
        return
    lines = [style(f"{each.relation}: {each.verdict.value}", fg=COLOURS[each.verdict])]
    lines += [f"  {note}" for note in each.notes]
    lines += [f"  {_said(difference)}" for difference in each.differences]
    more = each.missing + each.extra - sum(_weight(difference) for difference in each.differences)
    if each.differences and more > 0:
        lines.append(f"  and {things(more, 'more row')} that differ" + ("s" if more == 1 else ""))
    write("\n".join([*lines, ""]))


def _weight(difference: Difference) -> int:
    """How many missing and extra rows one difference stands for."""
    return difference.copies * ((difference.expected is not None) + (difference.found is not None))


def _said(difference: Difference) -> str:
    """`order_id = 7: expected quantity = 2, found quantity = 3`."""
    key = row_text(difference.key)
    times = f" ({difference.copies:,} times)" if difference.copies > 1 else ""
    if difference.found is None:
        text = f"missing: {row_text(difference.expected or {})}"
    elif difference.expected is None:
        text = f"not expected: {row_text(difference.found)}"
    else:
        text = f"expected {row_text(difference.expected)}; found {row_text(difference.found)}"
    return f"{key}: {text}{times}" if key else f"{text}{times}"
