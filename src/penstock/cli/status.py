"""`penstock status`: what the warehouse holds, and how fresh it is."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import EXIT_CODES, common
from penstock.cli.output import Table, age, count, write, write_json, write_table


@click.command(epilog=EXIT_CODES)
@common
def status(where: Path, environment: str | None, as_json: bool) -> int:
    """Each relation: its rows, its last commit and how long ago that was, its owner and its state.

    The time of the commit, and the file that defines the relation, are in --json.

    \b
    Examples:
      penstock status
      penstock status --json | jq '.relations[] | select(.age_seconds > 86400)'
    """
    from penstock.commands.status import status as command

    relations = command(where, environment=environment)
    if as_json:
        write_json({"relations": relations})
        return 0
    if not relations:
        write("this project declares no relations yet: add a table below sources/")
        return 0
    rows = [
        (
            str(found.relation),
            str(found.kind),
            count(found.rows),
            count(found.commit),
            age(found.age_seconds),
            found.owner or "",
            str(found.state),
        )
        for found in relations
    ]
    write_table(Table(("relation", "kind", "rows", "commit", "age", "owner", "state"), rows, (2, 3, 4)))
    return 0
