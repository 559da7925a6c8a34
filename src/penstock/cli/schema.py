"""`penstock schema`: JSON Schemas of the YAML files, for editors."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import EXIT_CODES
from penstock.cli.output import write, write_json


@click.command(epilog=EXIT_CODES)
@click.option(
    "--project",
    "where",
    metavar="DIR",
    default=".",
    show_default="here, or the nearest folder above with a penstock.yml",
    type=click.Path(path_type=Path),
    help="The project's folder.",
)
@click.option("--print", "printed", is_flag=True, help="Print the schemas as one JSON document; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, errors included.")
def schema(where: Path, printed: bool, as_json: bool) -> int:
    """Write the JSON Schemas of a project's YAML files to `.schema/` in it: penstock.yml, sources, exports, tests.

    There are five, and --print gives one document with their names as keys: penstock, source, export, test, and model
    for the front matter of SQL models.

    Editors with a YAML language server complete and check files that begin with a line like
    `# yaml-language-server: $schema=../.schema/source.json`. `penstock init` writes both; call this after an upgrade.

    \b
    Examples:
      penstock schema
      penstock schema --print | jq .source
    """
    from penstock.commands.schema import documents
    from penstock.commands.schema import schema as command

    if printed:
        write_json(documents())
        return 0
    made = command(where)
    if as_json:
        write_json(made)
        return 0
    for name in made.files:
        write(f"wrote {made.directory / name}")
    return 0
