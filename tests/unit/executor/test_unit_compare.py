"""Expected rows against found ones: the verdict against a plain count, and how rows are aligned."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock.errors import Location
from penstock.executor.unit.compare import Comparing, in_any_order, in_order

EXAMPLES = examples(200)
CELL = st.one_of(st.none(), st.integers(0, 2), st.sampled_from(["a", "b"]))
ROWS = st.lists(st.tuples(st.integers(0, 3), CELL, CELL), max_size=7)
NAN = float("nan")


def comparing(*columns: str, key: tuple[str, ...] = (), tolerance: float = 0.0) -> Comparing:
    return Comparing(columns, key, tolerance, lambda row: Location("t.yml", row + 1))


@settings(max_examples=EXAMPLES, deadline=None)
@given(expected=ROWS, found=ROWS, keyed=st.booleans())
def test_every_row_that_only_one_side_has_is_told_once(expected: list[Any], found: list[Any], keyed: bool) -> None:
    this = comparing("k", "a", "b", key=("k",) if keyed else ())
    told = in_any_order(this, expected, found)
    missing, extra = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    assert Counter(tuple(each.expected.values()) for each in told if each.expected is not None) == missing
    assert (
        sum((Counter({tuple(each.found.values()): each.copies}) for each in told if each.found is not None), Counter())
        == extra
    )
    for each in told:
        if each.expected is not None and each.found is not None:
            assert each.changed == tuple(n for n in ("k", "a", "b") if each.expected[n] != each.found[n])
            assert not keyed or each.expected["k"] == each.found["k"]
        if each.expected is not None and each.location is not None:
            assert expected[(each.location.line or 0) - 1] == tuple(each.expected.values())


@settings(max_examples=EXAMPLES, deadline=None)
@given(expected=ROWS, found=ROWS)
def test_in_order_every_place_counts(expected: list[Any], found: list[Any]) -> None:
    told = in_order(comparing("k", "a", "b"), expected, found)
    same = sum(one == other for one, other in zip(expected, found, strict=False))
    assert len(told) == max(len(expected), len(found)) - same


def test_floating_point_numbers_are_close_and_nan_is_itself() -> None:
    this = comparing("a")
    assert not in_any_order(this, [(0.1 + 0.2,), (NAN,)], [(NAN,), (0.3,)])
    assert in_any_order(this, [(0.3,)], [(0.3001,)])
    assert not in_any_order(comparing("a", tolerance=0.001), [(0.3,)], [(0.3001,)])
    assert in_any_order(this, [(NAN,)], [(1.0,)])


def test_without_a_key_the_likest_rows_are_one_difference() -> None:
    expected = [(1, "a", "x"), (2, "b", "y")]
    found = [(2, "b", "z"), (9, "q", "r")]
    told = in_any_order(comparing("n", "a", "b"), expected, found)
    assert [(each.changed, each.expected is None, each.found is None) for each in told] == [
        (("b",), False, False),
        ((), False, True),
        ((), True, False),
    ]
