"""What is wrong with a unit test, as text: the rows that differ, aligned, with the cells that do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from penstock.cli.failure import indented
from penstock.cli.output import Table, aligned, cell
from penstock.domain.unit_test import Mismatch, RowDifference, UnitResult, UnitStatus

LEGEND = "~ differs   - expected, not found   + found, not expected"


def lines(result: UnitResult) -> Iterator[str]:
    """The lines that tell of a test that failed; none for one that passed."""
    if result.status is UnitStatus.PASSED:
        return
    for each in result.mismatches:
        where = f"after {each.step!r}: " if each.step is not None else ""
        yield f"  {where}{each.message}"
        yield f"      at {each.location}"
        for problem in each.problems:
            yield from indented(problem, "    ").split("\n")
        if each.differences:
            yield from table(each)


def table(each: Mismatch) -> Iterator[str]:
    """The rows that differ. Of rows that are there on both sides, only the columns that tell them apart and those that
    differ somewhere are shown, unless whole rows are missing."""
    names = _shown(each)
    rows = [[_sign(row), *_cells(row, names), *_place(row)] for row in each.differences]
    found = aligned(Table(("", *map(cell, names), ""), rows))
    for number, line in enumerate(found.split("\n")):
        if number != 1:  # the rule under the headers
            yield f"    {line}"
    if each.more:
        yield f"      and {each.more:,} more"


def _shown(each: Mismatch) -> Sequence[str]:
    whole = any(row.expected is None or row.found is None for row in each.differences)
    if whole or not each.key:
        return each.columns
    wanted = {*each.key, *(name for row in each.differences for name in row.changed)}
    return [name for name in each.columns if name in wanted]


def _sign(row: RowDifference) -> str:
    return "-" if row.found is None else "+" if row.expected is None else "~"


def _cells(row: RowDifference, names: Sequence[str]) -> Iterator[str]:
    one = row.expected if row.expected is not None else row.found or {}
    for name in names:
        if name in row.changed and row.found is not None:
            yield f"{_said(one.get(name))} (found {_said(row.found.get(name))})"
        else:
            yield _said(one[name]) if name in one else ""


def _said(value: object) -> str:
    """Blanks that decide whether two texts are equal can be seen."""
    return f'"{cell(value)}"' if isinstance(value, str) and (not value or value != value.strip()) else cell(value)


def _place(row: RowDifference) -> Iterator[str]:
    copies = f"{row.copies} times " if row.copies > 1 else ""
    yield f"{copies}{row.location or ''}".rstrip()
