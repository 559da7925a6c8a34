"""Expected rows against found ones: as multisets, or in order; rows that differ aligned, cell by cell."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from penstock.domain.unit_test import RowDifference
from penstock.errors import Location
from penstock.record import record

CLOSE = 1e-9
"""Relative: a sum of floating-point numbers depends on the order they are added in."""
SHOWN = 20
"""Rows that differ, at most."""
_PAIRED = 200
"""Rows on both sides up to which those that are most alike are looked for."""
Row = tuple[Any, ...]


@record
class Comparing:
    """`columns` of the rows, `key` those of them that tell rows apart (empty: nothing does). `place` gives the place of
    an expected row by its number."""

    columns: Sequence[str]
    key: Sequence[str]
    tolerance: float
    place: Callable[[int], Location]

    def alike(self, left: Any, right: Any) -> bool:
        if isinstance(left, float) and isinstance(right, float):
            if math.isnan(left) or math.isnan(right):
                return math.isnan(left) and math.isnan(right)
            return math.isclose(left, right, rel_tol=CLOSE, abs_tol=self.tolerance)
        return bool(left == right)

    def same(self, left: Row, right: Row) -> bool:
        return all(self.alike(one, other) for one, other in zip(left, right, strict=True))

    def row(self, row: Row) -> Mapping[str, Any]:
        return dict(zip(self.columns, row, strict=True))

    def pair(self, place: int, expected: Row, found: Row) -> RowDifference:
        changed = [
            name for name, one, other in zip(self.columns, expected, found, strict=True) if not self.alike(one, other)
        ]
        return RowDifference(self.row(expected), self.row(found), tuple(changed), location=self.place(place))


def in_order(this: Comparing, expected: Sequence[Row], found: Sequence[Row]) -> list[RowDifference]:
    """Row by row."""
    result = [
        this.pair(place, one, other)
        for place, (one, other) in enumerate(zip(expected, found, strict=False))
        if not this.same(one, other)
    ]
    short = min(len(expected), len(found))
    result += [
        RowDifference(this.row(row), None, location=this.place(place))
        for place, row in enumerate(expected[short:], short)
    ]
    return result + [RowDifference(None, this.row(row)) for row in found[short:]]


def in_any_order(this: Comparing, expected: Sequence[Row], found: Sequence[Row]) -> list[RowDifference]:
    """As multisets: copies count."""
    missing, extra = _left(this, list(enumerate(expected)), list(found))
    if not missing and not extra:
        return []
    places = [this.columns.index(name) for name in this.key if name in this.columns]
    result: list[RowDifference] = []
    if places and len(places) == len(this.key):
        missing, extra = _aligned(this, missing, extra, _by(places), result)
    elif len(missing) * len(extra) <= _PAIRED * _PAIRED:
        missing, extra = _likest(this, missing, extra, result)
    result += [RowDifference(this.row(row), None, location=this.place(place)) for place, row in missing]
    return result + _folded(this, extra)


Missing = list[tuple[int, Row]]


def _left(this: Comparing, expected: Missing, found: list[Row]) -> tuple[Missing, list[Row]]:
    """The rows that only one side has."""
    counts = Counter(map(_exact, found))
    missing: Missing = []
    for place, row in expected:
        if counts[_exact(row)]:
            counts[_exact(row)] -= 1
        else:
            missing.append((place, row))
    extra: list[Row] = []
    for row in reversed(found):
        if counts[_exact(row)]:
            counts[_exact(row)] -= 1
            extra.insert(0, row)
    if not any(isinstance(value, float) for _, row in missing for value in row):
        return missing, extra
    still: Missing = []
    for place, row in missing:
        twin = next((at for at, other in enumerate(extra) if this.same(row, other)), None)
        if twin is None:
            still.append((place, row))
        else:
            extra.pop(twin)
    return still, extra


def _exact(row: Row) -> Row:
    """The row as something that is equal to itself, NaN or not, and can be counted."""
    return tuple(("nan",) if isinstance(value, float) and math.isnan(value) else value for value in row)


def _by(places: Sequence[int]) -> Callable[[Row], Row]:
    return lambda row: _exact(tuple(row[place] for place in places))


def _aligned(
    this: Comparing, missing: Missing, extra: list[Row], key: Callable[[Row], Row], result: list[RowDifference]
) -> tuple[Missing, list[Row]]:
    """Rows of one key are one difference."""
    still: Missing = []
    for place, row in missing:
        twin = next((at for at, other in enumerate(extra) if key(other) == key(row)), None)
        if twin is None:
            still.append((place, row))
        else:
            result.append(this.pair(place, row, extra.pop(twin)))
    return still, extra


def _likest(
    this: Comparing, missing: Missing, extra: list[Row], result: list[RowDifference]
) -> tuple[Missing, list[Row]]:
    """Without a key: rows of which more than half the cells are the same are one difference, the likest first; so are
    two that are alone."""
    if len(missing) == len(extra) == 1:
        result.append(this.pair(*missing[0], extra[0]))
        return [], []
    scored = sorted(
        (
            (sum(this.alike(a, b) for a, b in zip(row, other, strict=True)), -one, -two)
            for one, (_, row) in enumerate(missing)
            for two, other in enumerate(extra)
        ),
        reverse=True,
    )
    gone: set[int] = set()
    came: set[int] = set()
    for score, one, two in scored:
        if 2 * score <= len(this.columns):
            break
        if -one not in gone and -two not in came:
            gone.add(-one)
            came.add(-two)
            place, row = missing[-one]
            result.append(this.pair(place, row, extra[-two]))
    return (
        [each for at, each in enumerate(missing) if at not in gone],
        [each for at, each in enumerate(extra) if at not in came],
    )


def _folded(this: Comparing, extra: Sequence[Row]) -> list[RowDifference]:
    """Copies of one row are one difference."""
    counts = Counter(map(_exact, extra))
    found: list[RowDifference] = []
    for row in extra:
        copies = counts.pop(_exact(row), 0)
        if copies:
            found.append(replace(RowDifference(None, this.row(row)), copies=copies))
    return found
