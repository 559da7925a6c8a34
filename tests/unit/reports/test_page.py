"""The page: one file, sound HTML, nothing from elsewhere, and nobody's data can break out of it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from penstock.domain.quality import Point
from penstock.reports.markup import join, tag, text
from penstock.reports.page import page
from penstock.reports.trend import sparkline, told

VOID = {"meta", "br", "hr"}
LOADS = {"src", "srcset", "data", "action", "formaction", "poster", "background", "xlink:href", "manifest", "style"}
HOSTILE = (
    '<script>alert("x")</script><img src=x onerror=y>\'" onclick="z" &amp; </style></title> \x00\x1b[2J\u202e\u2028 ü'
)


class Page(HTMLParser):
    """Elements as they are nested. Fails for an end without a beginning and for what is never ended."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        assert len({key for key, _ in attributes}) == len(attributes)
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        self.said += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == name]


def sound(html: str) -> Page:
    """What must hold of every page."""
    found = Page(html)
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    names = {name for name, _ in found.elements}
    assert not names & {"script", "link", "iframe", "object", "embed", "img", "base", "form", "foreignobject"}
    for _, attributes in found.elements:
        assert not LOADS & attributes.keys()
        assert not [key for key in attributes if key.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")
    css = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert len(css) == 1
    assert not re.search(r"url\(|@import|expression\(", css[0])
    assert "://" not in html.replace(HOSTILE, "")
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["aria-labelledby"] for attributes in found.all("section")} <= set(ids)
    assert len(found.all("table")) == len(found.all("caption"))
    assert all(each.get("scope") in {"row", "col"} for each in found.all("th"))
    assert all(each.get("aria-label") for each in found.all("svg"))
    assert [len(found.all(name)) for name in ("html", "head", "body", "main", "h1", "title")][:5] == [1, 1, 1, 1, 1]
    policy = next(each for each in found.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in str(policy["content"])
    return found


def test_an_empty_project_has_a_page(lab: Any) -> None:
    assert "No check was evaluated yet." in sound(page(lab.report([], []))).said


def test_what_failed_is_told_with_its_rows(lab: Any) -> None:
    failed = lab.result("stg.a", "c", "failed", 12, 3, samples=[{"id": 101, "why": None}, {"id": 205, "why": True}])
    targets = [{"step": "build:stg.a", "status": "failed", "rows": 12,
                "accounting": '{"rows_in": 13, "inserted": 10, "quarantined": 2, "duplicates": 1}'}]  # fmt: skip
    models = [lab.model("stg.a", lab.check("c"), lab.check("w")), lab.model("serv.b", lab.check("never"))]
    report = lab.report(models, [failed, lab.result("stg.a", "w", "warned", 10, 1)], targets=targets)
    said = sound(page(report)).said
    for part in ("✕ failed stg.a · c", "3 of 12 rows fail", "sales", "NULL", "true", "205", "not evaluated", "0.0 %"):
        assert part in said, part
    assert "it stopped the commit: what was published before stands" in said
    assert "the commit was stopped by something else" in said
    assert "13 in = 10 published + 2 quarantined + 1 duplicates" in said


def test_nobody_breaks_out(lab: Any) -> None:
    check = lab.check(HOSTILE, description=HOSTILE)
    points = [{"run": HOSTILE, "evaluated": lab.now.isoformat(), "outcome": "failed", "rows": 1, "failing": 1}]
    failed = lab.result(
        "stg.a", HOSTILE, "failed", 12, 3, samples=[{HOSTILE: HOSTILE}], message=HOSTILE, location=HOSTILE,
        points=points, run=lab.run,
    )  # fmt: skip
    problem = {"code": HOSTILE, "message": HOSTILE, "location": HOSTILE, "hint": HOSTILE}
    step = {"kind": HOSTILE, "target": HOSTILE, "status": "failed", "problems": json.dumps([problem])}
    models = [lab.model("stg.a", check, owner=HOSTILE)]
    report = lab.report(models, [failed], name=HOSTILE, command=HOSTILE, steps=[step])
    html = page(report)
    found = sound(html)
    for name in ("title", "h1", "h3", "code", "td"):
        assert found.all(name)
    assert not re.search(r"<(script|img)", html)
    assert not any(character in html for character in "\x00\x1b\u202e\u2028")
    plain = sound(
        page(
            lab.report(
                [lab.model("stg.a", lab.check("c"))], [lab.result("stg.a", "c", "failed", 12, 3, samples=[{"a": "b"}])]
            )
        )
    )
    assert {name for name, _ in found.elements} == {name for name, _ in plain.elements} | {"p"}


def test_markup() -> None:
    assert tag("a", "<b>", tag("i", 1), None, ["x", ["y"]], cls='"', aria_label="&") == (
        '<a class="&quot;" aria-label="&amp;">&lt;b&gt;<i>1</i>xy</a>'
    )
    assert tag("p", open=None) == "<p></p>"
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'
    assert text("a\tb\nc\u202e") == "a\\tb\nc\\u202e"
    assert join("<", tag("b", "<")) == "&lt;<b>&lt;</b>"


def bars(drawn: Page) -> dict[int, tuple[str, float]]:
    """By their place: the outcome they are drawn as, and how high they are. All stand on the ground."""
    found = {}
    for path in drawn.all("path"):
        parts = re.findall(r"M(\d+) 24v-([\d.]+)h5v([\d.]+)z", str(path["d"]))
        assert parts and "".join(f"M{x} 24v-{up}h5v{down}z" for x, up, down in parts) == path["d"]
        assert all(up == down and float(up) <= 24 for _, up, down in parts)
        found |= {int(x): (str(path["class"]), float(up)) for x, up, _ in parts}
    return found


def point(outcome: str, failing: int | None, rows: int | None = 10, lab: Any = None) -> Point:
    from datetime import UTC, datetime

    return Point("r", datetime(2026, 11, 21, tzinfo=UTC), outcome, rows, failing)


def test_a_trend_is_drawn_by_the_share_that_failed() -> None:
    points = [point("passed", 0), point("failed", 10), point("warned", 5), point("passed", 1)]
    drawn = Page(str(sparkline(points)))
    found = bars(drawn)
    assert [found[place][0] for place in (0, 7, 14, 21)] == ["passed", "failed", "warned", "passed"]
    heights = [found[place][1] for place in (0, 7, 14, 21)]
    assert heights[1] > heights[2] > heights[0] == heights[3]
    assert drawn.said == "last 4 runs: 2 passed, 1 warned, 1 failed; failing rows 0, 10, 5, 1"


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([point("passed", 0)], "last run: 1 passed"),
        ([point("failed", None, None)] * 2, "last 2 runs: 2 failed"),
        ([point("failed", 3, 0)], "last run: 1 failed; failing rows 3"),
    ],
)
def test_a_trend_in_words(points: list[Point], said: str) -> None:
    assert told(points) == said
    assert sound_svg(points)


def sound_svg(points: list[Point]) -> bool:
    return len(bars(Page(str(sparkline(points))))) == len(points)


def test_no_runs_no_picture() -> None:
    assert sparkline([]) is None
