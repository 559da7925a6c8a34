"""What a run did, told at its end: what was built, where rows went, what failed and how to fix it, where files lie."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

from penstock.cli.encode import plain
from penstock.cli.failure import indented
from penstock.cli.output import Table, count, note, printable, style, things, write, write_json, write_table
from penstock.domain.check_result import CheckOutcome, CheckResult, folded
from penstock.domain.run import RunReport, Status, StepResult

WITHHELD = "not published: "
"""How the reason begins of a step whose publish group was taken back."""
DONE = {"land": "landed", "load": "loaded", "build": "built", "export": "exported"}
APART = {"quarantined": "quarantined", "duplicates": "duplicated"}


def write_report(report: RunReport, *, as_json: bool) -> int:
    """Write the report of a run; give its exit code."""
    if as_json:
        document: dict[str, Any] = plain(report)
        write_json({**document, "exit_code": report.exit_code})
        return report.exit_code
    changed = [result for result in report.steps if result.status in (Status.SUCCESS, Status.FAILED)]
    tables = [result for kind in ("load", "build") for result in changed if result.kind == kind]
    if tables:
        write_table(_built(tables))
        write("")
    _rows_apart(changed)
    _files(changed)
    failures(report)
    warned(report)
    _judged(report)
    write(summary(report))
    return report.exit_code


def _built(results: list[StepResult]) -> Table:
    rows = []
    for result in results:
        layer, _, name = result.target.rpartition(".")
        rows.append((layer, name, count(result.rows), f"{result.seconds:.2f}", result.kind, result.status.value))
    return Table(("layer", "relation", "rows", "seconds", "step", "status"), rows, right=(2, 3))


def _rows_apart(results: list[StepResult]) -> None:
    """Rows that did not get through, and rows that were there twice. Nothing is dropped silently."""
    lines = []
    for result in results:
        if "returned" in result.accounting:
            lines += _equation(result)
        elif any(result.accounting.get(key) for key in (*APART, "deleted")):
            lines.append(_loaded(result))
    if lines:
        write("\n".join(["where rows went:", *lines]))
        if any(result.accounting.get("quarantined") for result in results):
            write("  see them: penstock quarantine list")
        write("")


def _loaded(result: StepResult) -> str:
    """`raw.orders: 412 rows in = 407 published + 4 quarantined + 1 duplicated; 3 deleted`"""
    sums = result.accounting
    parts = {"published": sum(sums.get(key, 0) for key in ("inserted", "updated", "unchanged"))}
    parts |= {said: sums[key] for key, said in APART.items() if sums.get(key)}
    equal = "=" if sums.get("rows_in", 0) == sum(parts.values()) else "≠"
    told = " + ".join(f"{number:,} {said}" for said, number in parts.items())
    gone = f"; {sums['deleted']:,} deleted" if sums.get("deleted") else ""
    return f"  {result.target}: {sums.get('rows_in', 0):,} rows in {equal} {told}{gone}"


def _equation(result: StepResult) -> list[str]:
    """`stg.orders: 118 rows in = 110 published + 5 quarantined + 3 filtered`; nothing where all is published."""
    sums = result.accounting
    parts = [f"{sums[key]:,} {key}" for key in ("published", "quarantined", "filtered") if key in sums]
    if not sums["quarantined"] and not sums.get("filtered"):
        return []
    what = "rows in" if "filtered" in sums else "rows made (it groups, joins or is Python)"
    return [f"  {result.target}: {sums['rows_in']:,} {what} = {' + '.join(parts)}"]


def _files(results: list[StepResult]) -> None:
    lines = [f"  {result.target}: {result.output}" for result in results if result.kind == "export" and result.output]
    if lines:
        write("\n".join(["exports:", *lines, ""]))


def failures(report: RunReport) -> None:
    """What failed and why, and what was not tried for that."""
    for result in report.steps:
        if result.status is Status.FAILED:
            retry = " (running again may help)" if result.transient else ""
            head = style("failed:", fg="red", bold=True)
            write(f"{head} {result.kind} {result.target}{retry}")
            for problem in result.problems:
                write(indented(problem))
            write("")
    skipped = [result for result in report.steps if result.status is Status.SKIPPED]
    withheld: dict[str, list[str]] = {}
    for result in skipped:
        if result.reason.startswith(WITHHELD):
            withheld.setdefault(result.reason.removeprefix(WITHHELD), []).append(result.target)
    for why, targets in withheld.items():
        write(f"not published, because {why.replace(' its ', ' their ')}: {', '.join(targets)}\n")
    needing = [result.target for result in skipped if not result.reason.startswith(WITHHELD)]
    if needing:
        write(f"skipped, because something they need failed: {', '.join(needing)}\n")


def warned(report: RunReport) -> None:
    """Checks that do not hold and let everything through all the same, or all but the rows that fail."""
    found = [each for each in judged(report) if each.outcome is CheckOutcome.WARNED]
    for each in found:
        head = style("set apart:" if each.on_fail == "quarantine" else "warned:", fg="yellow", bold=True)
        write(f"{head} {each.relation}: {printable(each.name)}: {printable(each.message)}\n    at {each.location}")
    if found:
        write("")


def judged(report: RunReport) -> list[CheckResult]:
    """What came of each check that the run has evaluated."""
    found: dict[tuple[str, str], list[CheckResult]] = {}
    for step in report.steps:
        for each in step.checks:
            found.setdefault((str(each.relation), each.name), []).append(each)
    return [folded(several) for several in found.values()]


def _judged(report: RunReport) -> None:
    """`checks: 41 passed, 1 warned; 3 rows quarantined`"""
    outcomes = Counter(each.outcome for each in judged(report))
    parts = [f"{outcomes[outcome]:,} {outcome.value}" for outcome in CheckOutcome if outcomes[outcome]]
    rows = sum(step.accounting.get("quarantined", 0) for step in report.steps)
    apart = f"{things(rows, 'row')} quarantined" if rows else ""
    if parts:
        write(f"checks: {'; '.join(filter(None, (', '.join(parts), apart)))}")
    if report.quality:
        write(f"quality report: {report.quality}")
    for problem in report.notes:
        note(f"{style('note:', sys.stderr, fg='yellow', bold=True)} {indented(problem).lstrip()}")


def summary(report: RunReport) -> str:
    """`run 7: success in 1.3 s in dev; 3 landed, 3 loaded, 3 built, 4 exported, 2 unchanged`"""
    done = Counter(result.kind for result in report.steps if result.status is Status.SUCCESS)
    parts = [f"{done[kind]:,} {verb}" for kind, verb in DONE.items() if done[kind]]
    for status in (Status.UNCHANGED, Status.FAILED, Status.SKIPPED, Status.CANCELLED):
        number = sum(result.status is status for result in report.steps)
        if number:
            parts.append(f"{number:,} {status.value}")
    seconds = (report.finished - report.started).total_seconds()
    colour = {Status.SUCCESS: "green", Status.FAILED: "red"}.get(report.status)
    ended = style(report.status.value, fg=colour, bold=True)
    what = ", ".join(parts) or "everything is up to date"
    return f"run {report.run}: {ended} in {seconds:.1f} s in {report.environment}; {what}"


def hint_after(report: RunReport) -> None:
    """One line to stderr for a run that failed: how to go on."""
    if report.status is Status.FAILED:
        note("fix what failed and run again: steps that succeeded are not repeated")
