"""The quality report of real runs: what it says, what it keeps to itself, and when it is written."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict

from penstock import Project
from penstock.cli.main import run as command_line
from penstock.errors import DriverError, StateError

GATE = """/*---
owner: sales
key: id
pii: [email]
checks:
  - not_null: id
  - range: {column: amount, max: 100}
  - regex: {column: email, pattern: '.*@.*', on_fail: warn}
  - row_count: {min: 1}
---*/
SELECT id, amount, region || '@example.org' AS email FROM raw.orders
"""
QUIET = """/*---
checks: [{not_null: city}]
---*/
SELECT 'Delft' AS city
"""


@pytest.fixture
def shop(folder: Any) -> Any:
    folder.write("models/stg/orders.sql", GATE)
    folder.write("models/stg/cities.sql", QUIET)
    return folder


def orders(folder: Any, *amounts: int, region: str = "north") -> None:
    lines = [f"{number},{region},{amount}" for number, amount in enumerate(amounts, 1)]
    folder.write("inbox/orders.csv", "\n".join(["id,region,amount", *lines, ""]))


def written(folder: Any, kind: str = "latest.json") -> Any:
    text = (folder.root / "data/dev/reports" / kind).read_text()
    return json.loads(text) if kind.endswith("json") else text


def files(folder: Any) -> list[str]:
    return sorted(path.name for path in (folder.root / "data/dev/reports").glob("*"))


# What the document is


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Counts(Strict):
    total_tests: int
    passed: int
    failed: int
    warned: int
    not_evaluated: int
    pass_rate: float | None


class Summary(Counts):
    rows_quarantined: int
    score: float | None


class Known(Strict):
    test: str
    model: str
    message: str
    kind: str
    dimension: Literal["completeness", "accuracy", "consistency", "timeliness", "uniqueness", "validity"]
    on_fail: Literal["warn", "fail", "quarantine"]
    owner: str | None
    location: str | None
    rows: int | None
    failing: int | None
    run: str | None
    evaluated: str | None
    fresh: bool


class Failure(Known):
    samples: list[dict[str, Any]]


class Point(Strict):
    run: str
    at: str
    outcome: Literal["passed", "warned", "failed"]
    rows: int | None
    failing: int | None


class Judged(Known):
    description: str
    outcome: Literal["passed", "warned", "failed", "not_evaluated"]
    scope: Literal["all", "came"]
    score: float | None
    trend: list[Point]


class Accounting(Strict):
    rows_in: int
    published: int
    quarantined: int
    duplicates: int
    filtered: int
    adds_up: bool


class Relation(Counts):
    relation: str
    layer: str
    kind: str
    owner: str | None
    rows: int | None
    state: str | None
    score: float | None
    dimensions: dict[str, float]
    quarantined: int
    accounting: Accounting | None


class Layer(Counts):
    layer: str
    relations: int
    relations_with_tests: int
    score: float | None
    dimensions: dict[str, float]
    quarantined: int


class Told(Strict):
    code: str
    message: str
    location: str | None
    hint: str | None


class Error(Strict):
    step: str
    target: str
    problems: list[Told]


class Document(Strict):
    """The JSON of a report. Whoever reads it relies on this: add, never rename."""

    format: Literal[1]
    timestamp: str
    project: str
    environment: str
    run: str
    command: str
    status: str
    duration_seconds: float | None
    summary: Summary
    dimensions: dict[str, float]
    failures: list[Failure]
    warnings: list[Failure]
    errors: list[Error]
    layers: list[Layer]
    relations: list[Relation]
    tests: list[Judged]


def test_the_report_of_a_run(shop: Any) -> None:
    shop.run()
    told = Document.model_validate(written(shop))
    assert datetime.fromisoformat(told.timestamp).utcoffset() is not None
    assert (told.summary.total_tests, told.summary.passed, told.summary.pass_rate) == (5, 5, 100.0)
    assert told.summary.score == 100.0
    assert [each.layer for each in told.layers] == ["raw", "stg", "bus", "serv"]
    assert [each.relation for each in told.relations] == ["raw.orders", "stg.cities", "stg.orders"]
    accounting = told.relations[0].accounting
    assert accounting == Accounting(rows_in=3, published=3, quarantined=0, duplicates=0, filtered=0, adds_up=True)
    assert files(shop) == [f"{told.run}.html", f"{told.run}.json", "latest.html", "latest.json"]
    assert written(shop, "latest.html") == written(shop, f"{told.run}.html")


def test_a_gate_that_failed(shop: Any) -> None:
    orders(shop, 10, 999)
    report = shop.project.run()
    assert report.exit_code == 3
    told = Document.model_validate(written(shop))
    assert report.quality == str(shop.root / "data/dev/reports" / f"{report.run}.html")
    assert (told.status, told.summary.failed, told.summary.pass_rate) == ("failed", 1, 80.0)
    (failure,) = told.failures
    assert (failure.test, failure.model, failure.owner) == ("range(amount)", "stg.orders", "sales")
    assert failure.message == "expected amount at most 100: 1 of 2 rows fails"
    assert failure.samples == [{"id": 2, "amount": 999}]
    assert told.relations[2].score == 87.5, "half of the rows fail one of four checks"
    assert "✕</span> failed" in written(shop, "latest.html")


def test_personal_values_are_masked_wherever_they_are_told(shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    personal = "erika.mustermann"
    shop.write("models/stg/orders.sql", GATE.replace("region || '@example.org'", "region"))
    orders(shop, 10, 20, region=personal)
    assert command_line(["run", "--project", str(shop.root)]) == 0
    assert command_line(["run", "--project", str(shop.root), "--json", "--full-refresh", "stg.orders"]) == 0
    assert command_line(["report", "--project", str(shop.root)]) == 0
    out, err = capsys.readouterr()
    assert "warned" in out
    told = Document.model_validate(written(shop))
    assert told.warnings[0].samples == [{"id": 1, "email": "***"}, {"id": 2, "email": "***"}]
    state = (shop.root / "data/dev/state.sqlite").read_bytes()
    for place in (out, err, json.dumps(written(shop)), written(shop, "latest.html"), state.decode("latin-1")):
        assert personal not in place


def test_what_failed_by_something_else_is_told_too(shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shop.write("models/stg/cities.sql", "SELECT CAST(region AS INTEGER) AS city FROM raw.orders\n")
    assert shop.project.run().exit_code != 0
    told = Document.model_validate(written(shop))
    (error,) = told.errors
    assert (error.step, error.target, error.problems[0].location) == ("build", "stg.cities", "models/stg/cities.sql:1")
    assert (told.summary.failed, told.summary.passed) == (0, 4)
    assert {each.relation: each.state for each in told.relations}["stg.cities"] == "failed"
    assert "✕</span> failed</span> build <code>stg.cities</code>" in written(shop, "latest.html")
    assert command_line(["report", "--project", str(shop.root)]) == 0
    assert "failed: build stg.cities\n" in capsys.readouterr().out


def test_a_batch_that_was_refused_is_reported_though_nothing_was_judged(folder: Any) -> None:
    folder.run()
    folder.write("inbox/orders.csv", "id,amount\n1,10\n")
    assert folder.project.run().exit_code == 3
    told = Document.model_validate(written(folder))
    assert [(each.step, each.problems[0].code) for each in told.errors] == [("load", "COLUMN_GONE")]
    assert told.summary.pass_rate is None


# The whole project, also when little has run


def test_what_has_not_run_keeps_its_last_result(shop: Any) -> None:
    shop.run()
    first = written(shop)["run"]
    orders(shop, 10, 20)
    shop.run()
    told = Document.model_validate(written(shop))
    assert told.run != first
    assert (told.summary.total_tests, told.summary.passed, told.summary.not_evaluated) == (5, 5, 0)
    runs = {(each.model, each.fresh, each.run) for each in told.tests}
    assert runs == {("stg.cities", False, first), ("stg.orders", True, told.run)}
    assert "last known" in written(shop, "latest.html")


def test_a_run_that_changed_nothing_writes_nothing(shop: Any) -> None:
    shop.run()
    before = [(path.name, path.stat().st_mtime_ns) for path in sorted((shop.root / "data/dev/reports").iterdir())]
    report = shop.project.run()
    assert (report.status, report.quality) == ("unchanged", None)
    # found by walking the plan, and not only by the fingerprint of the last run
    assert shop.project.run(select=["raw.orders+"]).quality is None
    assert before == [
        (path.name, path.stat().st_mtime_ns) for path in sorted((shop.root / "data/dev/reports").iterdir())
    ]


def test_a_warning_stands_until_the_rows_are_right(shop: Any) -> None:
    """Rows that come and are right say nothing of those that are there and are not."""
    shop.write("models/stg/orders.sql", GATE.replace("max: 100", "max: 100, on_fail: warn"))
    for amounts, failing in (((10, 999, 998), 2), ((11, 999, 998), 2), ((11, 20, 998), 1), ((11, 20, 30), 0)):
        orders(shop, *amounts)
        shop.run()
        told = Document.model_validate(written(shop))
        (check,) = [each for each in told.tests if each.test == "range(amount)"]
        assert (check.failing, check.rows, check.scope) == (failing, 3, "all")
        assert (check.outcome == "passed") == (failing == 0)
    orders(shop, 12, 20, 30)
    shop.run()
    (check,) = [each for each in written(shop)["tests"] if each["test"] == "range(amount)"]
    assert (check["failing"], check["rows"], check["scope"]) == (0, 1, "came")


def test_trends_over_several_runs(shop: Any) -> None:
    for amounts in ((10, 20), (10, 999, 998), (10, 999), (10, 30)):
        orders(shop, *amounts)
        shop.project.run()
    told = Document.model_validate(written(shop))
    by_name = {(each.model, each.test): each for each in told.tests}
    trend = by_name["stg.orders", "range(amount)"].trend
    # the first run judges both rows, the second three, the others as many as there are until one passes; then what came
    assert [(point.outcome, point.failing) for point in trend] == [
        ("passed", 0), ("failed", 2), ("failed", 1), ("passed", 0),
    ]  # fmt: skip
    assert [point.at for point in trend] == sorted(point.at for point in trend)
    assert trend[-1].run == told.run
    assert len(by_name["stg.cities", "not_null(city)"].trend) == 1
    assert len(files(shop)) == 2 * 4 + 2


def test_reports_are_kept_as_long_as_the_project_says(shop: Any) -> None:
    shop.write("penstock.yml", "name: test\nenvironments:\n  dev: {keep_reports: 2}\n")
    for number in range(4):
        orders(shop, 10, number)
        shop.run()
    assert len(files(shop)) == 2 * 2 + 2


def test_rows_in_quarantine_are_counted_until_they_are_gone(shop: Any) -> None:
    shop.write("inbox/orders.csv", "id,region,amount\n1,north,10\nx,north,10\n,south,5\n")
    shop.run()
    told = Document.model_validate(written(shop))
    assert told.summary.rows_quarantined == told.relations[0].quarantined == told.layers[0].quarantined == 2
    accounting = told.relations[0].accounting
    assert accounting and (accounting.rows_in, accounting.published, accounting.quarantined) == (3, 1, 2)
    assert accounting.adds_up
    assert "3 in = 1 published + 2 quarantined" in written(shop, "latest.html")


def test_a_project_without_checks_writes_none(folder: Any) -> None:
    folder.run()
    assert not (folder.root / "data/dev/reports").exists()
    told = folder.project.report()
    assert (told.summary.total, told.summary.pass_rate, told.scores.overall) == (0, None, None)


def test_a_rebuild_reports_too(shop: Any) -> None:
    shop.run()
    report = shop.project.rebuild()
    assert report.quality == str(shop.root / "data/dev/reports" / f"{report.run}.html")
    told = Document.model_validate(written(shop))
    assert (told.command, told.run, told.summary.passed) == ("rebuild", report.run, 5)
    assert all(each.fresh for each in told.tests)


# On demand


def test_on_demand_it_is_of_the_last_run(shop: Any, tmp_path: Path) -> None:
    with pytest.raises(StateError) as caught:
        shop.project.report()
    assert caught.value.code == "NOTHING_BUILT"
    shop.run()
    idle = shop.project.run()
    page = tmp_path / "else" / "quality.html"
    report = shop.project.report(html=page)
    assert (report.run, report.status) == (idle.run, "unchanged")
    assert not any(each.fresh for each in report.checks)
    assert report.summary.pass_rate == 100.0
    assert page.read_text() == written(shop, "latest.html")
    assert written(shop)["run"] == idle.run


def test_it_answers_when_the_project_has_problems(shop: Any) -> None:
    shop.run()
    shop.write("models/stg/bad.sql", "SELECT FROM WHERE")
    assert shop.project.report().summary.passed == 5


def test_on_the_command_line(shop: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--project", str(shop.root)]
    shop.write("inbox/orders.csv", "id,region,amount\n1,north,10\n2,north,500\nx,north,10\n")
    assert command_line(["run", *at]) == 3
    out = capsys.readouterr().out
    assert "checks: 4 passed, 1 failed; 1 row quarantined" in out
    assert "quality report: " in out
    assert "range(amount): expected amount at most 100: 1 of 2 rows fails: id = 2, amount = 500 [CHECK_FAILED]" in out
    assert command_line(["report", *at, "--html", str(tmp_path / "q.html")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["layer", "score", "completeness"]
    assert "failed: stg.orders: range(amount): expected amount at most 100: 1 of 2 rows fails" in lines
    assert lines[-2].endswith("in dev: 80.0 % of checks pass: 4 passed, 1 failed; 1 row in quarantine")
    assert lines[-1] == f"page: {tmp_path / 'q.html'}"
    assert command_line(["report", *at, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == written(shop)


def test_a_warning_is_told_after_the_run(shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shop.write("models/stg/orders.sql", GATE.replace("max: 100", "max: 15, on_fail: warn"))
    assert command_line(["run", "--project", str(shop.root)]) == 0
    out = capsys.readouterr().out
    assert "warned: stg.orders: range(amount): expected amount at most 15: 2 of 3 rows fail\n" in out
    assert "at models/stg/orders.sql:7:5" in out
    assert "checks: 4 passed, 1 warned\n" in out


# What goes wrong with the report is not the run's fault


def test_a_report_that_cannot_be_written_is_a_note(shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (shop.root / "data/dev").mkdir(parents=True)
    (shop.root / "data/dev/reports").write_text("in the way")
    assert command_line(["run", "--project", str(shop.root)]) == 0
    out, err = capsys.readouterr()
    assert "checks: 5 passed" in out
    assert "the quality report was not written: " in err
    report = Project(shop.root).run(full_refresh=["stg.orders"])
    assert ([problem.code for problem in report.notes], report.quality) == (["HOME_UNUSABLE"], None)


def test_a_page_for_a_place_that_does_not_take_it(shop: Any, tmp_path: Path) -> None:
    shop.run()
    (tmp_path / "file").write_text("")
    with pytest.raises(DriverError) as caught:
        shop.project.report(html=tmp_path / "file" / "page.html")
    assert caught.value.code == "EXPORT_IO"
