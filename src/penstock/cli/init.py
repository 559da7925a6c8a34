"""`penstock init`: a new project that runs at once."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import EXIT_CODES
from penstock.cli.output import things, write, write_json


@click.command(epilog=EXIT_CODES)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--example", metavar="NAME", help="Start from an example instead: `shop` or `banking`.")
@click.option("--quiet", "-q", is_flag=True, help="Do not list the files.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, errors included.")
def init(directory: Path, example: str | None, quiet: bool, as_json: bool) -> int:
    """Make a small commented project in DIRECTORY. It runs at once; change it into your own.

    Files that are there already are never overwritten.

    \b
    Examples:
      penstock init my_project
      penstock init shop --example shop     four layers, dirty data, a spreadsheet
      penstock init bank --example banking  five layers, histories, only what changed
    """
    from penstock.commands.init import init as command

    made = command(directory, example=example)
    if as_json:
        write_json(made)
        return 0
    write(f"made {made.directory} with {things(len(made.files), 'file')}")
    if quiet:
        return 0
    for name in made.files:
        write(f"  {name}")
    write("\nnext:")
    for step in made.next_steps:
        write(f"  {step}")
    return 0
