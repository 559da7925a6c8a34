"""anomaly: what the history of a figure lets expect, whatever its shape."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from penstock.checks.anomaly import KIND
from penstock.checks.kind import Judgement, Subject
from penstock.domain.check import Check
from penstock.domain.relation import RelationName
from penstock.errors import Location

MONDAY = datetime(2026, 3, 2, 6)
DEFAULTS = {name: option.default for name, option in KIND.options.items()}


def judge(
    past: Sequence[float], found: float | None, every: timedelta = timedelta(days=1), **options: Any
) -> Judgement:
    """`past`: the oldest first, from a Monday on; `found` comes next."""
    check = Check("c", "anomaly", Location("m.sql"), options={**DEFAULTS, **options})
    figures = [{"at": MONDAY + place * every, "figure": figure} for place, figure in enumerate(past)]
    now = MONDAY + len(past) * every
    subject = Subject(RelationName("stg", "m"), "t", "t", (), now, {"c": figures[::-1]})
    return KIND.judge(check, subject, {"figure": found})


def week(place: int) -> float:
    return 300 if place % 7 >= 5 else 1000


SHAPES: dict[str, Callable[[int], float]] = {
    "level": lambda place: 1000,
    "grows by as many": lambda place: 100 + 20 * place,
    "grows by a tenth": lambda place: 10 * 1.1**place,
    "shrinks": lambda place: 5000 - 30 * place,
    "short on Sundays": week,
    "short on Sundays and growing": lambda place: week(place) * 1.01**place,
    "negative": lambda place: -500,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("days", [8, 14, 20, 36, 50, 90])
def test_the_next_figure_of_a_shape_is_none_and_half_of_it_is_one(shape: str, days: int) -> None:
    past, found = [SHAPES[shape](place) for place in range(days)], SHAPES[shape](days)
    assert judge(past, found).holds
    assert not judge(past, found * 0.1).holds or (shape.startswith("short") and days < 36)
    if not shape.startswith("short") or days >= 36:
        half = judge(past, found / 2)
        assert not half.holds, half.message
        assert "expected about" in half.message


@pytest.mark.parametrize("shape", SHAPES)
def test_noise_raises_no_alarm_and_half_is_found_in_it(shape: str) -> None:
    made = random.Random(f"anomaly {shape}")
    alarms = missed = 0
    for _ in range(200):
        days = made.randint(40, 80)
        past = [SHAPES[shape](place) * made.gauss(1, 0.03) for place in range(days)]
        found = SHAPES[shape](days) * made.gauss(1, 0.03)
        alarms += not judge(past, found).holds
        missed += judge(past, found / 2).holds
    assert alarms <= 6
    assert missed <= 4


@pytest.mark.parametrize("bad", [0, 100, 5000, 1e9])
def test_a_bad_day_in_the_past_moves_nothing(bad: float) -> None:
    past = [1000.0 + place % 3 for place in range(30)]
    past[20] = past[28] = bad
    assert judge(past, 1001).holds
    assert not judge(past, 500).holds
    assert not judge(past, 2000).holds


@pytest.mark.parametrize(
    ("past", "found", "options", "holds"),
    [
        ([200.0] * 10, 201, {}, True),
        ([200.0] * 10, 219, {}, True),
        ([200.0] * 10, 221, {}, False),
        ([200.0] * 10, 221, {"min_change": 0.2}, True),
        ([200.0] * 10, 201, {"min_change": 0.0}, False),
        ([200.0] * 10, 100, {"direction": "rise"}, True),
        ([200.0] * 10, 100, {"direction": "drop"}, False),
        ([200.0] * 10, 400, {"direction": "drop"}, True),
        ([200.0] * 10, 400, {"direction": "rise"}, False),
        ([200.0] * 10, 0, {}, False),
        ([0.0] * 10, 0, {}, True),
        ([0.0] * 10, 5, {}, False),
        ([0.0] * 10, -5, {}, False),
        ([200.0] * 6, 1, {}, True),
        ([200.0] * 6, 1, {"min_runs": 6}, False),
        ([200.0] * 3 + [1000.0] * 7, 1000, {}, True),
        ([1.0] * 50 + [1000.0] * 10, 1000, {"runs": 10}, True),
        ([0.0] * 10, 0.05, {"measure": "null_rate"}, True),
        ([0.0] * 10, 0.11, {"measure": "null_rate"}, False),
        ([0.0] * 10, 0.05, {"measure": "null_rate", "min_change": 0.01}, False),
        ([0.5, 0.6, 0.4, 0.5, 0.55, 0.45, 0.5], 0.62, {"measure": "null_rate"}, True),
        ([math.sin(place * place) for place in range(60)], 0.5, {"measure": "mean"}, True),
        ([math.sin(place * place) for place in range(60)], 20, {"measure": "mean"}, False),
        ([5.0] * 10, None, {"measure": "mean"}, True),
        ([1e300] * 10, 1e300, {"measure": "sum"}, True),
        ([1e300] * 10, 1.0, {"measure": "sum"}, False),
        ([1e-300] * 10, 1e-300, {"measure": "sum"}, True),
    ],
)
def test_single_cases(past: Sequence[float], found: float | None, options: dict[str, Any], holds: bool) -> None:
    assert judge(past, found, **options).holds is holds, judge(past, found, **options).message


def test_too_little_history_is_said() -> None:
    assert "too little history: 3 of 7 figures yet" in judge([10, 11, 12], 5).message
    assert judge([], 5).message == "5; too little history: 0 of 7 figures yet"


def test_weekdays_are_compared_once_there_are_enough_of_them() -> None:
    past = [week(place) for place in range(40)]  # the next one is a Saturday
    low, high = judge(past, 300), judge(past, 1000)
    assert (low.holds, high.holds) == (True, False)
    assert "5 earlier figures of a Saturday" in high.message
    assert judge(past, 150).holds is False
    assert judge(past, 1000, weekdays=False).holds


def test_the_second_odd_saturday_is_known_from_the_first() -> None:
    rows = [1000 + place for place in range(19)]
    rows[5] = rows[12] = 300
    assert judge(rows, 300).holds  # the 20th day: a Saturday again
    assert not judge(rows, 600).holds


def test_many_runs_a_day_are_compared_with_one_another() -> None:
    past = [1000 + math.sin(place) for place in range(50)]
    assert judge(past, 1000, timedelta(hours=1)).holds
    assert not judge(past, 500, timedelta(hours=1)).holds


def test_the_message_says_what_was_expected_and_how_far_off_it_is() -> None:
    found = judge([1000.0, 1010.0] * 6, 500)
    assert found.message == "expected about 1,020 (918 to 1,122), by 12 earlier figures, found 500, 51 % less"
