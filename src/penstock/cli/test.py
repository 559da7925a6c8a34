"""`penstock test`: the unit tests of models, in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from penstock.cli.encode import plain
from penstock.cli.options import EXIT_CODES, common, quiet, selection
from penstock.cli.output import note, style, things, write, write_json
from penstock.domain.unit_test import UnitReport, UnitResult, UnitStatus
from penstock.errors import DriverError


@click.command(epilog=EXIT_CODES)
@selection
@click.option("--junit", metavar="FILE", type=click.Path(path_type=Path), help="Write a JUnit XML report, for CI.")
@click.option("--verbose", "-v", is_flag=True, help="Tell of tests that pass, too, and how models were made.")
@click.option("--threads", metavar="N", type=click.IntRange(1, 64), help="Tests at once. Default: the environment's.")
@quiet
@common
def test(
    *,
    where: Path,
    environment: str | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    junit: Path | None,
    verbose: bool,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Carry out the unit tests in tests/: given rows, changes, expected rows. Needs no warehouse and touches none.

    Selectors take models or the names of tests. After every step of a test the model, which is maintained as in a run,
    is also compared with a rebuild. Exit code 3 when a test fails, 2 when one cannot be understood.

    \b
    Examples:
      penstock test
      penstock test --select stg.orders_hourly -v
      penstock test --select "late_*"
      penstock test --junit report.xml
    """
    from penstock.commands.test import test as command

    listening = None if as_json or quiet else lambda result: _tell(result, verbose=verbose)
    report = command(where, select, environment=environment, exclude=exclude, threads=threads, emit=listening)
    if junit is not None:
        _write_junit(report, junit)
    if as_json:
        document: dict[str, Any] = plain(report)
        counts = {"passed": report.passed, "failed": report.failed, "exit_code": report.exit_code}
        write_json({**document, **counts})
        return report.exit_code
    if quiet:
        for result in report.results:
            _tell(result, verbose=False)
    _summary(report)
    return report.exit_code


def _tell(result: UnitResult, *, verbose: bool) -> None:
    passed = result.status is UnitStatus.PASSED
    if passed and not verbose:
        return
    head = style("ok  ", fg="green") if passed else style("FAIL", fg="red", bold=True)
    write(f"{head} {result.model}: {result.name}  ({result.location})")
    if verbose:
        for made in result.made:
            write(f"       {made.step or 'at first'}: {made.mode}, {things(made.rows or 0, 'row')} ({made.reason})")
    if not passed:
        from penstock.cli.differences import lines

        for line in lines(result):
            write(f"  {line}")
        write("")


def _summary(report: UnitReport) -> None:
    if not report.results:
        write("no tests: nothing in tests/ is about what is selected")
        return
    if any(mismatch.differences for result in report.results for mismatch in result.mismatches):
        from penstock.cli.differences import LEGEND

        note(LEGEND)
    failed = style(f"{report.failed:,} failed", fg="red", bold=True) if report.failed else "0 failed"
    passed = style(f"{report.passed:,} passed", fg="green")
    untested = f"; {things(len(report.untested), 'model')} without a test" if report.untested else ""
    write(f"{things(len(report.results), 'test')} in {report.seconds:.1f} s: {passed}, {failed}{untested}")


def _write_junit(report: UnitReport, path: Path) -> None:
    from penstock.cli.junit import document

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document(report), encoding="utf-8")
    except OSError as error:
        raise DriverError(
            f"cannot write {path}: {error.strerror}",
            code="WRITE_FAILED",
            hint="check the folder's permissions and the disk's free space",
        ) from error
