"""`penstock history`: runs, or the steps of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from penstock.cli.options import EXIT_CODES, common
from penstock.cli.output import Table, cell, is_number, write, write_json, write_table

TIMES = ("started", "finished", "ended")


@click.command(epilog=EXIT_CODES)
@click.argument("run", required=False)
@click.option("--limit", "-n", type=click.IntRange(min=1), default=20, show_default=True, help="How many runs.")
@common
def history(where: Path, environment: str | None, run: str | None, limit: int, as_json: bool) -> int:
    """The last runs, newest first; with RUN, the steps of that run in the order they ended.

    \b
    Examples:
      penstock history
      penstock history 20261118T060000-1a2b        the steps of one run
      penstock history --limit 100 --json
    """
    from penstock.commands.history import history as command

    found = [_timed(entry) for entry in command(where, environment=environment, limit=limit, run=run)]
    if as_json:
        write_json({"steps" if run else "runs": found})
        return 0
    if not found:
        write("no such run" if run else "no runs yet: `penstock run` makes the first")
        return 0
    write_table(tabled(found))
    return 0


def _timed(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Times as times, however the state store keeps them."""
    return {
        name: datetime.fromisoformat(value) if name in TIMES and isinstance(value, str) else value
        for name, value in entry.items()
    }


def tabled(entries: Sequence[Mapping[str, Any]]) -> Table:
    """Simple values as columns; what is nested (accounting, problems) is for --json."""
    names = [name for name in entries[0] if not any(isinstance(entry[name], (dict, list, tuple)) for entry in entries)]
    rows = [tuple("" if entry[name] is None else _short(entry[name]) for name in names) for entry in entries]
    right = [place for place, name in enumerate(names) if any(is_number(entry[name]) for entry in entries)]
    return Table(names, rows, right)


def _short(value: Any) -> str:
    if isinstance(value, datetime):
        value = value.replace(microsecond=0)
    return f"{value:.2f}" if isinstance(value, float) else cell(value)
