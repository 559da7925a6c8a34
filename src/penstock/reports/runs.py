"""What came of all checks in each of the last runs, as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from penstock.domain.quality import CheckState
from penstock.reports.markup import Markup, tag

MOST = 30
"""Runs that are shown."""
WIDTH, HEIGHT, STEP = 16, 72, 22
"""Of a bar, of the picture, and from bar to bar."""
LEAST = 4
"""How high a part of a bar is at least, so that one check of a thousand is seen."""
OUTCOMES = ("passed", "warned", "failed")


def chart(checks: Sequence[CheckState]) -> Markup | None:
    """A bar for each run, as high as checks were evaluated in it, in parts by how these came out. None before there are
    two runs."""
    found = counted(checks)
    if len(found) < 2:
        return None
    highest = max(counts.total() for _, _, counts in found)
    bars = [_bar(place * STEP, run, at, counts, highest) for place, (run, at, counts) in enumerate(found)]
    width = len(found) * STEP - (STEP - WIDTH)
    said = "; ".join(_told(at, counts) for _, at, counts in found)
    picture = tag("svg", bars, role="img", aria_label=said, viewBox=f"0 0 {width} {HEIGHT}", width=width, height=HEIGHT)
    span = f"{_time(found[0][1])} to {_time(found[-1][1])}"
    caption = f"what came of the checks in the last {len(found)} runs that evaluated some, {span}"
    return tag("figure", tag("figcaption", caption), picture, cls="runs")


def counted(checks: Sequence[CheckState]) -> list[tuple[str, datetime, Counter[str]]]:
    """The last runs, the oldest first: when the first of their checks was evaluated, and how many came out how."""
    runs: dict[str, tuple[datetime, Counter[str]]] = {}
    for check in checks:
        for point in check.trend:
            at, counts = runs.get(point.run, (point.at, Counter()))
            counts[point.outcome] += 1
            runs[point.run] = (min(at, point.at), counts)
    found = sorted((at, run, counts) for run, (at, counts) in runs.items())
    return [(run, at, counts) for at, run, counts in found[-MOST:]]


def _bar(left: int, run: str, at: datetime, counts: Counter[str], highest: int) -> Markup:
    heights = {name: max(LEAST, HEIGHT * counts[name] / highest) for name in OUTCOMES if counts[name]}
    over = sum(heights.values()) - HEIGHT
    if over > 0:  # what had to be made visible is taken from what is seen anyway
        heights[max(heights, key=lambda name: heights[name])] -= over
    parts, bottom = [], float(HEIGHT)
    for name, height in heights.items():
        bottom -= height
        parts.append(tag("path", d=f"M{left} {bottom:g}h{WIDTH}v{height:g}h-{WIDTH}z", cls=name))
    return tag("g", tag("title", f"{run}, {_told(at, counts)}"), parts)


def _told(at: datetime, counts: Counter[str]) -> str:
    parts = ", ".join(f"{counts[name]} {name}" for name in OUTCOMES if counts[name])
    return f"{_time(at)}: {parts}"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
