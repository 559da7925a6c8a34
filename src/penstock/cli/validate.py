"""`penstock validate`: every problem of a project at once."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import EXIT_CODES, common
from penstock.cli.output import note, things, write, write_json


@click.command(epilog=EXIT_CODES)
@click.option("--columns", is_flag=True, help="Print the output columns of every model, too.")
@common
def validate(where: Path, environment: str | None, columns: bool, as_json: bool) -> int:
    """Check the YAML, the SQL, the layers, and every table and column the SQL names. Reads no data.

    All problems are reported at once, each with file, line and a fix.

    \b
    Examples:
      penstock validate
      penstock validate --columns
      penstock validate --json | jq '.error.problems[].location'
    """
    from penstock.commands.validate import validate as command

    found = command(where, environment=environment)
    if as_json:
        write_json(found)
        return 0
    if columns:
        for relation, names in found.columns.items():
            write(str(relation))
            for column in names:
                write(f"  {column.name}  {column.type.lower()}")
        write("")
    for text in found.notes:
        note(f"note: {text}")
    parts = [things(found.tables, "source table"), things(found.models, "model"), things(found.exports, "export")]
    if found.tests:
        parts.append(things(found.tests, "test"))
    write(f"no problems: {', '.join(parts)}")
    return 0
