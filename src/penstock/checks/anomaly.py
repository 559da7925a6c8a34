"""anomaly: a figure of the relation is about what its own history lets expect.

What is judged is not the figure but its step: how far it is from the median of the three figures before. So a table
that grows is not odd for growing, nor is one that grows by a tenth every day. A step is odd when its modified z-score
is above `threshold`: 0.6745 * |step - median of the earlier steps| / MAD of these. Median and MAD, so that one bad day
in the past moves nothing. Source: B. Iglewicz and D. C. Hoaglin, How to Detect and Handle Outliers (ASQC, 1993),
chapter 3.3, which recommends the threshold 3.5. What is within `min_change` of what was expected is never odd: a table
that always had 200 rows has a MAD of 0, and may have 201.

Weekdays (UTC) have steps of their own: as soon as there are five of today's they are compared with one another, and
before that a step like an earlier one of the same weekday is none. With five figures of the weekday the steps from week
to week are judged too, and a figure is odd only when it is by both: a bad Sunday makes no odd Monday.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from statistics import median
from typing import Any

from penstock.checks.kind import Judgement, Option, Subject, TableKind, Trouble, filtered
from penstock.checks.values import finite, percent, shown
from penstock.domain.check import Check
from penstock.record import record

WEEKS = 5
"""Figures of one weekday that there have to be before the others are left out."""
FEW = 3
"""Steps of one weekday that there have to be before those of others no longer count."""
BEFORE = 3
"""Figures that a step is measured from: the median of three is not moved by one bad day."""
_NORMAL = 0.6745
_OF_ROWS = ("rows",)
_OF_VALUES = ("mean", "sum", "min", "max", "null_rate", "distinct")


Figure = tuple[datetime, float]
"""When it was measured (UTC), and what it was."""


@record
class Expectation:
    """What a figure may be: `low` to `high`, about `about`. `like`: how the figures it comes from are called."""

    about: float
    low: float
    high: float
    like: str

    def allows(self, figure: float) -> bool:
        return self.low <= figure <= self.high


def _measures(check: Check, subject: Subject) -> Mapping[str, str]:
    measure, keep = check.options["measure"], filtered(check)
    if measure == "rows":
        return {"figure": f"count(*){keep}"}
    column = check.columns[0]
    name = subject.quoted(column)
    if measure == "distinct":
        return {"figure": f"count(DISTINCT {name}){keep}"}
    if measure == "null_rate":
        return {"figure": f"1 - count({name}){keep} / nullif(count(*){keep}, 0)"}
    function = "avg" if measure == "mean" else measure
    return {"figure": f"{function}(CAST({name} AS DOUBLE)){finite(check, subject, column)}"}


def _judge(check: Check, subject: Subject, values: Mapping[str, Any]) -> Judgement:
    found, options = values["figure"], check.options
    if found is None:
        return Judgement(True, "nothing to judge")
    past = [
        (each["at"], float(each["figure"]))
        for each in subject.past.get(check.name, ())
        if "at" in each and "figure" in each
    ]
    past = past[: options["runs"]]
    if len(past) < options["min_runs"]:
        return Judgement(True, f"{shown(found)}; too little history: {len(past)} of {options['min_runs']} figures yet")
    figure = float(found)
    expected = expectations(past[::-1], subject.now, options)
    low, high = min(each.low for each in expected), max(each.high for each in expected)
    odd = not any(each.allows(figure) for each in expected)
    odd = odd and not (options["direction"] == "drop" and figure > high)
    odd = odd and not (options["direction"] == "rise" and figure < low)
    best = expected[-1]
    whole = options["measure"] in {"rows", "distinct"}
    about = f"about {_said(best.about, whole=whole)} ({_reach(low, high, whole=whole)}), by {best.like}"
    if odd:
        change = ""
        if best.about and math.isfinite(best.about) and options["measure"] != "null_rate":
            share = (figure - best.about) / abs(best.about)
            change = f", {percent(round(abs(share), 3))} {'more' if share > 0 else 'less'}"
        return Judgement(False, f"expected {about}, found {shown(found)}{change}")
    return Judgement(True, f"{shown(found)}; expected {about}")


@record
class _Scale:
    """How figures are compared. `plain`: by their difference, as shares are, and what may be above or below zero; else
    by their relative difference. `least`: what is never odd, as a share of what is expected, or as it is if `plain`."""

    plain: bool
    least: float

    @classmethod
    def of(cls, figures: Sequence[float], options: Mapping[str, Any]) -> _Scale:
        if options["measure"] == "null_rate":
            return cls(plain=True, least=options["min_change"])
        if min(figures) < 0 < max(figures):
            return cls(plain=True, least=options["min_change"] * median(map(abs, figures)))
        return cls(plain=False, least=options["min_change"])


def expectations(past: Sequence[Figure], now: datetime, options: Mapping[str, Any]) -> list[Expectation]:
    """What comes after `past` (the oldest first, at least three): by all of its steps, by those from week to week."""
    figures = [figure for _, figure in past]
    scale, like = _Scale.of(figures, options), f"{len(past)} earlier figures"
    base, steps = walked(figures, plain=scale.plain)
    every = _expected(base, steps, like, options["threshold"], scale)
    if not options["weekdays"]:
        return [every]
    alike = of_weekday(list(zip((at for at, _ in past[-len(steps) :]), steps, strict=True)), now)
    same = of_weekday(past, now)
    if len(alike) >= WEEKS:
        found = [_expected(base, alike, like, options["threshold"], scale)]
    elif alike:
        among = alike if len(alike) >= FEW else steps
        found = [
            _expected(base, each, like, options["threshold"], scale) for each in (*([one] for one in alike), among)
        ]
    else:  # the figure of a week ago may be told by itself, where there have been such steps
        known = [each for each in same if abs(step(base, each, plain=scale.plain)) <= 2 * max(map(abs, steps))]
        found = [*(_expected(each, [0.0], like, options["threshold"], scale) for each in known), every]
    if len(same) >= WEEKS:
        weekly = walked(same, plain=scale.plain)
        found.append(_expected(*weekly, f"{len(same)} earlier figures of a {now:%A}", options["threshold"], scale))
    return found


def walked(figures: Sequence[float], *, plain: bool) -> tuple[float, list[float]]:
    """The base of the figure to come, and the steps there were. The first ones have fewer figures to stand on, and are
    left out where there are enough others."""
    bases = [median(figures[max(0, place - BEFORE) : place]) for place in range(1, len(figures) + 1)]
    steps = [step(base, after, plain=plain) for base, after in zip(bases, figures[1:], strict=False)]
    return bases[-1], steps[min(BEFORE - 1, max(0, len(steps) - BEFORE)) :]


def _expected(base: float, steps: Sequence[float], like: str, threshold: float, scale: _Scale) -> Expectation:
    usual = median(steps)
    width = threshold * spread(steps, usual)
    about, one, other = (stepped(base, usual + way * width, plain=scale.plain) for way in (0, -1, 1))
    least = scale.least if scale.plain else scale.least * abs(about)
    return Expectation(about, min(one, other, about - least), max(one, other, about + least), like)


def of_weekday(past: Sequence[Figure], now: datetime) -> list[float]:
    """The last figure of each earlier day that was the same weekday, the oldest first."""
    days: dict[date, float] = {}
    for at, figure in past:
        if at.weekday() == now.weekday() and at.date() != now.date():
            days[at.date()] = figure
    return list(days.values())


def spread(steps: Sequence[float], usual: float) -> float:
    """About the standard deviation, if they are normal, and not moved by a few that are not."""
    return median(abs(each - usual) for each in steps) / _NORMAL


def step(before: float, after: float, *, plain: bool) -> float:
    """The relative difference, -2 to 2: symmetrical, and defined for zero too. `plain`: the difference."""
    if plain or before == after:
        return after - before
    return 2 * (after - before) / (abs(after) + abs(before))


def stepped(before: float, size: float, *, plain: bool) -> float:
    """The figure that is `size` away from `before`."""
    if plain:
        return before + size
    towards = size if before >= 0 else -size
    if towards >= 2:
        return math.inf if before >= 0 else -math.inf
    if towards <= -2:
        return -math.inf if before >= 0 else math.inf
    return before * (2 + towards) / (2 - towards)


def _said(figure: float, *, whole: bool) -> str:
    if not math.isfinite(figure):
        return shown(figure)
    return shown(round(figure)) if whole or abs(figure) >= 1000 else shown(float(f"{figure:.4g}"))


def _reach(low: float, high: float, *, whole: bool) -> str:
    least, most = _said(low, whole=whole), _said(high, whole=whole)
    if low == -math.inf or (whole and low <= 0):
        return f"at most {most}" if high != math.inf else "anything"
    return f"{least} to {most}" if high != math.inf else f"at least {least}"


def _wrong(options: Mapping[str, Any]) -> Sequence[Trouble]:
    measure, columns = options["measure"], options["columns"]
    if measure in _OF_VALUES and not columns:
        return [("measure", f"{measure} of which column?", "add `column: …`")]
    if measure in _OF_ROWS and columns:
        return [
            ("column", "rows are counted, whatever is in a column", f"say what to measure: {', '.join(_OF_VALUES)}")
        ]
    if options["threshold"] <= 0:
        return [("threshold", f"expected more than 0, found {options['threshold']}", "3.5 is usual")]
    if options["min_runs"] < 3:
        return [("min_runs", f"expected 3 or more, found {options['min_runs']}", "two figures say nothing of a third")]
    if options["min_runs"] > options["runs"]:
        return [("min_runs", "min_runs is more than the runs that are looked at", "raise runs, or lower min_runs")]
    return ()


KIND = TableKind(
    name="anomaly",
    dimension="accuracy",
    measures=_measures,
    judge=_judge,
    options={
        "measure": Option("choice", "rows", "What is measured.", (*_OF_ROWS, *_OF_VALUES)),
        "direction": Option("choice", "both", "Whether drops, rises or both count.", ("both", "drop", "rise")),
        "threshold": Option("number", 3.5, "How far from the usual step, in robust standard deviations."),
        "min_change": Option("share", 0.1, "How far from what is expected at least."),
        "weekdays": Option("flag", True, "Figures of the same weekday are compared once there are enough."),
        "runs": Option("count", 100, "How many earlier figures are looked at."),
        "min_runs": Option("count", 7, "How many there have to be before anything is said."),
    },
    wrong=_wrong,
    kept=True,
    tells=lambda check: check.options["measure"] in {"min", "max"},
    bare=True,
    takes=lambda check: "numbers" if check.options["measure"] in {"mean", "sum", "min", "max"} else "anything",
)
