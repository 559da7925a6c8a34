"""The picture of the last runs: counts, the order, and that every part can be seen."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.domain.quality import Point
from penstock.reports.page import page
from penstock.reports.runs import HEIGHT, LEAST, MOST, chart, counted

START = datetime(2026, 11, 21, 6, tzinfo=UTC)
PART = re.compile(r'<path d="M(\d+) ([\d.]+)h\d+v([\d.]+)h-\d+z" class="(\w+)">')


class Trend:
    """As much of a check as the picture looks at."""

    def __init__(self, *outcomes: str | None) -> None:
        """What came of it run by run; None: it was not evaluated."""
        at = enumerate(outcomes)
        self.trend = tuple(Point(f"r{n:03}", START + timedelta(hours=n), each) for n, each in at if each)


def drawn(*checks: Any) -> dict[int, dict[str, tuple[float, float]]]:
    """By bar: top and height of each part."""
    found: dict[int, dict[str, tuple[float, float]]] = {}
    for left, top, height, name in PART.findall(str(chart(checks))):
        found.setdefault(int(left), {})[name] = (float(top), float(height))
    return found


def test_each_run_counts_what_was_evaluated_in_it() -> None:
    checks: Any = [Trend("passed", "failed", None), Trend("passed", None, "warned"), Trend(None, "passed", "warned")]
    assert [(run, dict(counts)) for run, _, counts in counted(checks)] == [
        ("r000", {"passed": 2}),
        ("r001", {"failed": 1, "passed": 1}),
        ("r002", {"warned": 2}),
    ]
    bars = list(drawn(*checks).values())
    assert [sorted(each) for each in bars] == [["passed"], ["failed", "passed"], ["warned"]]
    assert bars[1]["failed"][0] < bars[1]["passed"][0]  # what failed stands on top
    said = str(chart(checks))
    assert "2026-11-21 07:00 UTC: 1 passed, 1 failed" in said
    assert "3 runs that evaluated some, 2026-11-21 06:00 UTC to 2026-11-21 08:00 UTC" in said


def test_one_of_a_thousand_is_seen_and_no_bar_is_higher_than_the_picture() -> None:
    checks = [Trend("passed", "passed") for _ in range(999)] + [Trend("failed", "warned")]
    for parts in drawn(*checks).values():
        assert sum(height for _, height in parts.values()) <= HEIGHT + 0.01
        assert min(height for _, height in parts.values()) >= LEAST
        assert min(top for top, _ in parts.values()) >= -0.01


def test_of_many_runs_the_last() -> None:
    checks: Any = [Trend(*["passed"] * (MOST + 9))]
    found = counted(checks)
    assert (len(found), found[-1][0]) == (MOST, f"r{MOST + 8:03}")


def test_one_run_is_no_trend(lab: Any) -> None:
    one: Any = [Trend("passed")]
    assert chart(one) is None
    assert chart([]) is None
    report = lab.report([lab.model("stg.a", lab.check("c"))], [lab.result("stg.a", "c")])
    assert "<figure" not in page(report)


def test_the_page_has_it(lab: Any) -> None:
    before = {"run": "r0", "evaluated": "2026-11-20T06:00:00+00:00", "outcome": "failed", "rows": 10, "failing": 2}
    result = lab.result("stg.a", "c")
    result["points"] = [*result["points"], before]
    html = page(lab.report([lab.model("stg.a", lab.check("c"))], [result]))
    assert html.count("<figure") == 1
    assert "2026-11-20 06:00 UTC: 1 failed" in html


def test_headers_stand_over_their_numbers(lab: Any) -> None:
    html = page(lab.report([lab.model("stg.a", lab.check("c"))], [lab.result("stg.a", "c")]))
    assert '<th scope="col" class="number">score</th>' in html
    assert '<th scope="col">owner</th>' in html
