"""`penstock drop`: what is in the warehouse and in the project no more."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import EXIT_CODES, common, waiting
from penstock.cli.output import Table, cell, count, things, write, write_json, write_table
from penstock.domain.leftover import Dropped
from penstock.errors import UsageError


@click.command(epilog=EXIT_CODES)
@click.argument("relations", metavar="[RELATION]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Drop everything that the project declares no more.")
@waiting(0)
@common
def drop(
    *, where: Path, environment: str | None, relations: tuple[str, ...], everything: bool, wait: float, as_json: bool
) -> int:
    """Drop relations that are in the warehouse and not in the project any more. Without a name, only list them.

    A model or source table that is removed from the project leaves its relation in the warehouse, as it was last:
    nothing is dropped that nobody has named. What the project declares is never dropped. The landing is not touched: a
    source table that comes back is loaded from it. What a model with `append`, `merge` or `history` had kept is gone.

    \b
    Examples:
      penstock drop                          list them
      penstock drop stg.old_orders raw.items
      penstock drop --all
    """
    from penstock.commands.drop import drop as command

    if relations and everything:
        raise UsageError("name relations, or give --all: not both", code="USAGE", hint="see `penstock drop --help`")
    found = command(where, relations, everything=everything, environment=environment, wait=wait)
    if as_json:
        write_json(found)
    else:
        _write(found, asked=bool(relations or everything))
    return 0


def _write(found: Dropped, *, asked: bool) -> None:
    shown = found.dropped if asked else found.left
    if not shown:
        write("nothing to drop: everything in the warehouse is in the project")
        return
    rows = [(str(each.relation), each.kind, count(each.rows), cell(each.committed_at)) for each in shown]
    write_table(Table(("relation", "kind", "rows", "last commit"), rows, (2,)))
    what = "dropped" if asked else "not in the project any more"
    write(f"\n{found.environment}: {things(len(shown), 'relation')} {what}")
    if not asked:
        write("`penstock drop RELATION` drops one of them, `penstock drop --all` all")
