"""The verbs that change something: run, land, export, rebuild."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import EXIT_CODES, common, quiet, selection, waiting
from penstock.cli.progress import watching
from penstock.cli.report import hint_after, write_report
from penstock.domain.run import RunReport


def _told(report: RunReport, as_json: bool) -> int:
    exit_code = write_report(report, as_json=as_json)
    if not as_json:
        hint_after(report)
    return exit_code


@click.command(epilog=EXIT_CODES)
@selection
@click.option(
    "--full-refresh",
    metavar="SELECTOR",
    multiple=True,
    help="Make these models anew, whatever the plan thinks; repeatable.",
)
@waiting(0)
@quiet
@common
def run(
    *,
    where: Path,
    environment: str | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    full_refresh: tuple[str, ...],
    wait: float,
    quiet: bool,
    as_json: bool,
) -> int:
    """Land what sources have new, load it, build the models it changes, write the exports they change.

    Run it as often as you like: a second run finds nothing to do. A failed step skips what depends on it and nothing
    else; the next run goes on where this one failed.

    \b
    Examples:
      penstock run
      penstock run --select +serv.sales_report     one relation and all it needs
      penstock run -s tag:hourly --env prod --wait 600
      penstock run --full-refresh serv.sales_report
    """
    from penstock.commands.run import run as command

    with watching(quiet) as emit:
        report = command(
            where,
            environment=environment,
            select=select,
            exclude=exclude,
            full_refresh=full_refresh,
            emit=emit,
            wait=wait,
        )
    return _told(report, as_json)


@click.command(epilog=EXIT_CODES)
@selection
@waiting(0)
@quiet
@common
def land(
    *,
    where: Path,
    environment: str | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    wait: float,
    quiet: bool,
    as_json: bool,
) -> int:
    """Copy what sources have new to the landing, and stop there. The warehouse is not opened.

    \b
    Examples:
      penstock land
      penstock land --select raw.orders
    """
    from penstock.commands.land import land as command

    with watching(quiet) as emit:
        report = command(where, environment=environment, select=select, exclude=exclude, emit=emit, wait=wait)
    return _told(report, as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("names", nargs=-1, metavar="[EXPORT]...")
@waiting(0)
@quiet
@common
def export(
    *, where: Path, environment: str | None, names: tuple[str, ...], wait: float, quiet: bool, as_json: bool
) -> int:
    """Write exports again from what the serving layer holds now: all of them, or those named.

    Files are written aside and renamed when they are whole.

    \b
    Examples:
      penstock export
      penstock export sales_report
    """
    from penstock.commands.export import export as command

    with watching(quiet) as emit:
        report = command(where, names, environment=environment, emit=emit, wait=wait)
    return _told(report, as_json)


@click.command(epilog=EXIT_CODES)
@waiting(0)
@quiet
@common
def rebuild(where: Path, environment: str | None, wait: float, quiet: bool, as_json: bool) -> int:
    """Make the whole warehouse anew from the landing alone, aside, and put it in the place of the old one.

    For a warehouse file that was lost or damaged, or to check that it holds nothing the landing cannot explain. Sources
    are not read.

    \b
    Examples:
      penstock rebuild
      penstock rebuild --env prod --wait 600
    """
    from penstock.commands.rebuild import rebuild as command

    with watching(quiet) as emit:
        report = command(where, environment=environment, emit=emit, wait=wait)
    return _told(report, as_json)
