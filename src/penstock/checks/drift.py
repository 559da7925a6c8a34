"""What the kinds of drift have in common: a figure of now against the median of those published before.

The median and not the mean: one odd day must not move what is expected. Fewer than `min_runs` figures: nothing is said.
NULL, NaN and infinities are left out of the figure; a table without a number has none, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from penstock.checks.kind import Judgement, Option, Subject, Trouble
from penstock.checks.values import finite, percent, shown
from penstock.domain.check import Check

OPTIONS = {
    "max": Option("share", None, "How far from before, as a share of that: 20%."),
    "max_absolute": Option("number", None, "How far from before, as a number."),
    "runs": Option("count", 10, "How many earlier figures are looked at."),
    "min_runs": Option("count", 3, "How many there have to be before anything is said."),
}


def aggregate(check: Check, subject: Subject, function: str, more: str = "") -> Mapping[str, str]:
    """One measure: `function` over the finite values of the check's column, as a double."""
    column = check.columns[0]
    given = f"CAST({subject.quoted(column)} AS DOUBLE)"
    return {"figure": f"{function}({given}{more}){finite(check, subject, column)}"}


def judge(check: Check, subject: Subject, values: Mapping[str, Any]) -> Judgement:
    figure, options = values["figure"], check.options
    past = [each["figure"] for each in subject.past.get(check.name, ()) if each.get("figure") is not None]
    past = past[: options["runs"]]
    if figure is None:
        return Judgement(True, f"no value of {check.columns[0]} to judge")
    if len(past) < max(1, options["min_runs"]):
        return Judgement(True, f"{shown(figure)}; {len(past)} of {max(1, options['min_runs'])} earlier figures yet")
    expected = median(past)
    apart = abs(figure - expected)
    wrong = []
    if options["max"] is not None and apart > options["max"] * abs(expected):
        wrong.append(percent(options["max"]))
    if options["max_absolute"] is not None and apart > options["max_absolute"]:
        wrong.append(shown(options["max_absolute"]))
    if wrong:
        return Judgement(False, f"expected {shown(expected)} give or take {' and '.join(wrong)}, found {shown(figure)}")
    return Judgement(True, f"{shown(figure)}, {shown(expected)} before")


def wrong(options: Mapping[str, Any]) -> Sequence[Trouble]:
    if options["max"] is None and options["max_absolute"] is None:
        return [("max", "nothing says how far is too far", "give max (as in 20%) or max_absolute")]
    if options["max_absolute"] is not None and options["max_absolute"] < 0:
        return [("max_absolute", "expected zero or more", "write a distance")]
    if options["min_runs"] > options["runs"]:
        return [("min_runs", "min_runs is more than the runs that are looked at", "raise runs, or lower min_runs")]
    return ()
