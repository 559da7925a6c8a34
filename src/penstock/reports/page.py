"""A report as one HTML file: nothing is fetched, no script runs, and it can be read on a phone, in the dark, aloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from penstock.domain.quality import (
    DIMENSIONS,
    Accounting,
    Broken,
    CheckState,
    Counted,
    QualityReport,
    RelationQuality,
    Scores,
)
from penstock.reports.document import percent
from penstock.reports.markup import Content, Markup, tag
from penstock.reports.runs import chart
from penstock.reports.style import STYLE
from penstock.reports.trend import sparkline

SIGNS = {"passed": "✓", "warned": "!", "failed": "✕", None: "—"}
WORDS = {"passed": "passed", "warned": "warned", "failed": "failed", None: "not evaluated"}
NOTHING = "—"
LONGEST = 200
"""Characters of one value that are shown."""
GOOD, FAIR = 0.99, 0.9
"""Scores from which on a cell counts as good, and as fair."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(report: QualityReport) -> str:
    title = f"Quality of {report.project} ({report.environment})"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )
    body = tag(
        "body",
        tag("a", "Skip to the report", href="#report", cls="skip"),
        tag("header", tag("h1", title), _about(report)),
        tag(
            "main", _summary(report), _broken(report), _layers(report), _relations(report), _checks(report), id="report"
        ),
        tag("footer", tag("p", "Written by Penstock. How the scores are made: docs/quality.md.")),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _about(report: QualityReport) -> Markup:
    took = "" if report.seconds is None else f" in {report.seconds:,.1f} s"
    return tag(
        "p",
        f"After {report.command} ",
        tag("code", report.run),
        f", which ended as {report.status}{took}, ",
        _time(report.timestamp),
        cls="about",
    )


def _time(moment: datetime) -> Markup:
    utc = moment.astimezone(UTC)
    return tag("time", f"{utc:%Y-%m-%d %H:%M} UTC", datetime=utc.isoformat(timespec="seconds"))


def _summary(report: QualityReport) -> Markup:
    counts = report.summary
    tiles: list[tuple[str, str, str | None]] = [
        ("pass rate", _share(counts.pass_rate), None),
        ("score", _percent(report.scores.overall), None),
        ("passed", f"{counts.passed:,}", "passed"),
        ("warned", f"{counts.warned:,}", "warned" if counts.warned else None),
        ("failed", f"{counts.failed:,}", "failed" if counts.failed else None),
        ("not evaluated", f"{counts.not_evaluated:,}", None),
        ("rows in quarantine", f"{report.quarantined:,}", "warned" if report.quarantined else None),
    ]
    shown = (tag("div", tag("dt", name), tag("dd", value, cls=kind)) for name, value, kind in tiles)
    return _section("summary", "Summary", tag("dl", list(shown), cls="tiles"), chart(report.checks))


def _section(name: str, title: str, *contents: Content) -> Markup:
    return tag("section", tag("h2", title, id=name), *contents, aria_labelledby=name)


def _share(rate: float | None) -> str:
    return NOTHING if rate is None else f"{rate:.1f} %"


def _percent(share: float | None) -> str:
    found = percent(share, 1)
    return NOTHING if found is None else f"{found:.1f} %"


def _broken(report: QualityReport) -> Markup:
    wrong = [*report.failures, *report.warnings]
    if not wrong and not report.broken:
        said = "No check failed." if report.summary.evaluated else "No check was evaluated yet."
        return _section("failures", "What does not hold", tag("p", said))
    states = {each.relation: each.state for each in report.relations}
    steps = [_broken_step(broken) for broken in report.broken]
    checks = [_broken_check(check, states.get(check.relation)) for check in wrong]
    return _section("failures", "What does not hold", tag("div", steps, checks, cls="cards"))


def _broken_step(broken: Broken) -> Markup:
    said = [
        (
            tag("p", f"{problem.message} [{problem.code}]"),
            tag("p", tag("code", problem.location)) if problem.location else None,
            tag("p", problem.hint, cls="kind") if problem.hint else None,
        )
        for problem in broken.problems
    ]
    head = tag("h3", _outcome("failed"), f" {broken.kind} ", tag("code", broken.target))
    return tag("article", head, said, cls="broken failed")


def _broken_check(check: CheckState, state: str | None) -> Markup:
    facts: list[tuple[str, Content]] = [
        ("owner", check.owner),
        ("where", tag("code", check.location) if check.location else None),
        ("dimension", check.dimension),
        ("judged", _judged(check)),
        ("then", _consequence(check, state)),
    ]
    return tag(
        "article",
        tag("h3", _outcome(check.outcome), " ", tag("code", f"{check.relation}"), f" · {check.name}"),
        tag("p", check.message),
        tag("p", check.description) if check.description else None,
        tag("dl", [(tag("dt", name), tag("dd", value)) for name, value in facts if value], cls="facts"),
        _samples(check.samples),
        cls=f"broken {check.outcome}",
    )


def _consequence(check: CheckState, state: str | None) -> Content:
    """`state`: how the last step on the relation ended."""
    if check.outcome == "failed":
        return "it stopped the commit: what was published before stands"
    if state == "failed":
        return "the commit was stopped by something else"
    if check.on_fail == "quarantine":
        return "rows that fail are in quarantine: ", tag("code", f"penstock quarantine show {check.relation}")
    return "published all the same"


def _judged(check: CheckState) -> Content:
    when = "in this run" if check.fresh else "last time in run " + (check.run or "")
    return (when, ", ", _time(check.evaluated)) if check.evaluated else None


def _outcome(outcome: str | None) -> Markup:
    return tag("span", tag("span", SIGNS[outcome], aria_hidden="true"), f" {WORDS[outcome]}", cls=f"outcome {outcome}")


def _samples(samples: Sequence[Mapping[str, Any]]) -> Markup | None:
    if not samples:
        return None
    names = list(dict.fromkeys(name for row in samples for name in row))
    rows = [[_value(row.get(name)) for name in names] for row in samples]
    return _table("a few of the rows", names, rows)


def _value(value: Any) -> Content:
    if value is None:
        return tag("span", "NULL", cls="null")
    said = "true" if value is True else "false" if value is False else str(value)
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"


def _table(caption: str, headers: Sequence[Content], rows: Sequence[Sequence[Content]]) -> Markup:
    """The first column names its row. Wider than the screen, it scrolls by itself, by keys too."""
    number = [bool(rows) and str(rows[0][place]).startswith('<td class="number') for place in range(len(headers))]
    columns = zip(headers, number, strict=True)
    head = tag("thead", tag("tr", [tag("th", name, scope="col", cls="number" if n else None) for name, n in columns]))
    lines = [tag("tr", [_cell(cell, first=not place) for place, cell in enumerate(row)]) for row in rows]
    table = tag("table", tag("caption", caption), head, tag("tbody", lines))
    return tag("div", table, cls="scroll", tabindex=0, role="region", aria_label=caption)


def _cell(content: Content, *, first: bool) -> Markup:
    if isinstance(content, Markup) and content.startswith("<td"):
        return content
    return tag("th", content, scope="row") if first else tag("td", content)


def _layers(report: QualityReport) -> Markup:
    rows: list[list[Content]] = [
        [tag("code", layer.layer), _score(layer.scores.overall), *_by_dimension(layer.scores),
         _number(layer.checked, layer.relations), _tally(layer.checks)]
        for layer in report.layers
    ]  # fmt: skip
    whole = report.relations
    rows.append(
        ["all", _score(report.scores.overall), *_by_dimension(report.scores),
         _number(sum(bool(each.checks.total) for each in whole), len(whole)), _tally(report.summary)]
    )  # fmt: skip
    headers = ["layer", "score", *DIMENSIONS, "relations with checks", "checks"]
    return _section("layers", "Layers", _table("scores of the layers, in percent", headers, rows))


def _by_dimension(scores: Scores) -> Iterator[Markup]:
    return (_score(scores.dimensions.get(name)) for name in DIMENSIONS)


def _score(share: float | None) -> Markup:
    if share is None:
        return tag("td", NOTHING, cls="number none")
    kind = "good" if share >= GOOD else "fair" if share >= FAIR else "poor"
    return tag("td", f"{percent(share, 1):.1f}", cls=f"number score {kind}")


def _number(number: int | None, of: int | None = None) -> Markup:
    said = NOTHING if number is None else f"{number:,}" if of is None else f"{number:,} of {of:,}"
    return tag("td", said, cls="number")


def _tally(counts: Counted) -> Markup:
    names = ("passed", "warned", "failed")
    parts = [f"{getattr(counts, name):,} {name}" for name in names if getattr(counts, name)]
    if counts.not_evaluated:
        parts.append(f"{counts.not_evaluated:,} not evaluated")
    return tag("td", ", ".join(parts) or "none", cls="nowrap")


def _relations(report: QualityReport) -> Markup:
    scored: list[list[Content]] = [
        [tag("code", str(each.relation)), tag("td", each.owner or NOTHING, cls="nowrap"), _score(each.scores.overall),
         *_by_dimension(each.scores), _tally(each.checks)]
        for each in report.relations
    ]  # fmt: skip
    rows: list[list[Content]] = [
        [
            tag("code", str(each.relation)),
            each.state or NOTHING,
            _number(each.rows),
            _number(each.quarantined),
            _went(each),
        ]
        for each in report.relations
    ]
    scores = _table(
        "scores of the relations, in percent", ["relation", "owner", "score", *DIMENSIONS, "checks"], scored
    )
    headers = ["relation", "last step", "rows", "in quarantine", "where rows went"]
    return _section("relations", "Relations", scores, _table("rows of the relations", headers, rows))


def _went(relation: RelationQuality) -> Markup:
    found = relation.accounting
    return tag("td", NOTHING if found is None else equation(found))


def equation(found: Accounting) -> str:
    """`412 in = 400 published + 8 quarantined + 4 duplicates`"""
    apart = ("quarantined", "duplicates", "filtered")
    parts = [f"{getattr(found, name):,} {name}" for name in apart if getattr(found, name)]
    equal = "=" if found.adds_up else "≠"
    return f"{found.rows_in:,} in {equal} {' + '.join([f'{found.published:,} published', *parts])}"


def _checks(report: QualityReport) -> Markup:
    groups = []
    for relation in report.relations:
        own = [check for check in report.checks if check.relation == relation.relation]
        if own:
            groups.append(_group(relation, own))
    none = tag("p", "The project has no checks.") if not groups else None
    return _section("checks", "All checks", none, groups)


def _group(relation: RelationQuality, checks: Sequence[CheckState]) -> Markup:
    wrong = any(check.outcome in {"failed", "warned"} for check in checks)
    head = tag("summary", tag("code", str(relation.relation)), " ", _tally_text(relation.checks))
    rows = [[_name(check), _outcome(check.outcome), check.dimension, check.on_fail, _number(check.failing, check.rows)
             if check.rows is not None else _number(None), sparkline(check.trend), _as_of(check)]
            for check in checks]  # fmt: skip
    headers = ["check", "outcome", "dimension", "on fail", "rows that fail", "trend", "evaluated"]
    return tag("details", head, _table(f"checks of {relation.relation}", headers, rows), open="" if wrong else None)


def _name(check: CheckState) -> Content:
    return (check.name, tag("span", check.kind, cls="kind")) if check.kind not in check.name else check.name


def _tally_text(counts: Counted) -> Markup:
    rate = "" if counts.pass_rate is None else f", {_share(counts.pass_rate)} pass"
    return tag("span", f"{counts.total:,} {'check' if counts.total == 1 else 'checks'}{rate}", cls="kind")


def _as_of(check: CheckState) -> Content:
    if check.evaluated is None:
        return "never"
    return "in this run" if check.fresh else (_time(check.evaluated), tag("span", "last known", cls="kind"))
