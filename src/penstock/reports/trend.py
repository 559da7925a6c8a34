"""What came of a check over its last runs, as a small picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from penstock.domain.quality import Point
from penstock.reports.markup import Markup, tag

WIDTH, HEIGHT, STEP = 5, 24, 7
"""Of a bar, of the picture, and from bar to bar."""
LOW, LEAST = 4, 9
"""How high a run that passed is, and one that did not at least."""


def sparkline(points: Sequence[Point]) -> Markup | None:
    """A bar for each run: low when the check passed, else as high as the share of rows that failed is beside that of
    the worst run. None for a check that was never evaluated."""
    if not points:
        return None
    shares = [share(point) for point in points]
    worst = max(shares)
    heights = [
        LOW if point.outcome == "passed" else round(LEAST + (HEIGHT - LEAST) * (part / worst if worst else 1.0), 1)
        for point, part in zip(points, shares, strict=True)
    ]
    bars: dict[str, str] = {}
    for place, (point, height) in enumerate(zip(points, heights, strict=True)):
        bar = f"M{place * STEP} {HEIGHT}v-{height:g}h{WIDTH}v{height:g}z"
        bars[point.outcome] = bars.get(point.outcome, "") + bar
    said = told(points)
    width = len(points) * STEP - (STEP - WIDTH)
    return tag(
        "svg",
        tag("title", said),
        [tag("path", d=drawn, cls=outcome) for outcome, drawn in bars.items()],
        cls="trend",
        role="img",
        aria_label=said,
        viewBox=f"0 0 {width} {HEIGHT}",
        width=width,
        height=HEIGHT,
    )


def share(point: Point) -> float:
    """Of the rows that failed, 0 … 1; of a check that is not about rows, 1 when it did not hold."""
    if point.rows and point.failing is not None:
        return min(point.failing, point.rows) / point.rows
    return 0.0 if point.outcome == "passed" else 1.0


def told(points: Sequence[Point]) -> str:
    """`last 12 runs: 11 passed, 1 failed; failing rows 0, 3, 0`: what the picture shows, for those who do not see."""
    ends = Counter(point.outcome for point in points)
    parts = ", ".join(f"{ends[name]} {name}" for name in ("passed", "warned", "failed") if ends[name])
    runs = "last run" if len(points) == 1 else f"last {len(points)} runs"
    rows = [point.failing for point in points if point.failing is not None]
    failing = f"; failing rows {', '.join(map(str, rows))}" if any(rows) else ""
    return f"{runs}: {parts}{failing}"
