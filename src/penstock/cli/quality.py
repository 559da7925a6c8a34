"""`penstock report`: how the data of the project stands."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import EXIT_CODES, common
from penstock.cli.output import Table, count, printable, style, things, write, write_table
from penstock.domain.quality import DIMENSIONS, CheckState, QualityReport, Said, Scores


@click.command(epilog=EXIT_CODES)
@click.option("--html", metavar="FILE", type=click.Path(path_type=Path), help="Write the page to this file, too.")
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@common
def report(*, where: Path, environment: str | None, html: Path | None, show: bool, as_json: bool) -> int:
    """How the data stands after the last run: what checks say of it, scores, where rows went, and a page of all that.

    Each run that evaluates checks has written its report already, to `reports/` in the environment's folder. A check
    that the last run had no reason to evaluate counts with what came of it when it was.

    \b
    Examples:
      penstock report
      penstock report --open
      penstock report --json | jq .summary
      penstock report --html quality.html
    """
    from penstock.commands.report import report as command
    from penstock.reports.shelf import as_json as document

    written = command(where, environment=environment, html=html)
    if show:
        from webbrowser import open as browse

        browse(written.page.as_uri())
    if as_json:
        write(document(written.report).rstrip())
        return 0
    _tell(written.report)
    write(f"page: {html or written.page}")
    return 0


def _tell(found: QualityReport) -> None:
    rows = [
        (layer.layer, *_scores(layer.scores), _of(layer.checked, layer.relations), count(layer.checks.total))
        for layer in found.layers
    ]
    headers = ("layer", "score", *DIMENSIONS, "checked", "checks")
    write_table(Table(headers, rows, right=range(1, len(headers))))
    write("")
    for broken in found.broken:
        write(f"{style('failed:', fg='red', bold=True)} {broken.kind} {broken.target}")
        for problem in broken.problems:
            write(_told(problem))
    for check in (*found.failures, *found.warnings):
        write(_line(check))
    if found.broken or found.failures or found.warnings:
        write("")
    write(_summary(found))


def _scores(scores: Scores) -> tuple[str, ...]:
    from penstock.reports.document import percent

    shares = (scores.overall, *(scores.dimensions.get(name) for name in DIMENSIONS))
    return tuple("" if share is None else f"{percent(share, 1):.1f}" for share in shares)


def _of(number: int, whole: int) -> str:
    return f"{number:,} of {whole:,}"


def _told(problem: Said) -> str:
    place = f"\n    at {printable(problem.location)}" if problem.location else ""
    hint = f"\n    fix: {printable(problem.hint)}" if problem.hint else ""
    return f"  {printable(problem.message)} [{problem.code}]{place}{hint}"


def _line(check: CheckState) -> str:
    colour = "red" if check.outcome == "failed" else "yellow"
    head = style(f"{check.outcome}:", fg=colour, bold=True)
    known = "" if check.fresh else f" (in run {check.run})"
    place = f"\n    at {check.location}" if check.location else ""
    owner = f"\n    owner: {printable(check.owner)}" if check.owner else ""
    return f"{head} {check.relation}: {printable(check.name)}: {printable(check.message)}{known}{place}{owner}"


def _summary(found: QualityReport) -> str:
    """`run 7 in dev: 95.0 % of 40 checks pass: 38 passed, 2 failed; 3 rows in quarantine`"""
    counts = found.summary
    parts = [
        f"{number:,} {name}"
        for number, name in (
            (counts.passed, "passed"),
            (counts.warned, "warned"),
            (counts.failed, "failed"),
            (counts.not_evaluated, "not evaluated"),
        )
        if number
    ]
    rate = "no check was evaluated" if counts.pass_rate is None else f"{counts.pass_rate:.1f} % of checks pass"
    held = f"; {things(found.quarantined, 'row')} in quarantine" if found.quarantined else ""
    return f"run {found.run} in {found.environment}: {rate}{': ' if parts else ''}{', '.join(parts)}{held}"
