import json
from datetime import UTC, datetime, timedelta

import pytest

from penstock.cli.progress import Lines, line, watching
from penstock.cli.report import write_report
from penstock.domain.event import StepFinished
from penstock.domain.run import RunReport, Status, StepResult
from penstock.errors import Location, Problem

NOW = datetime(2026, 11, 17, 12, 0, 1, tzinfo=UTC)
BUILT = StepResult("build:stg.orders", "build", "stg.orders", Status.SUCCESS, "new", 0.123, 4120, 7)
IDLE = StepResult("build:stg.idle", "build", "stg.idle", Status.UNCHANGED, "up to date")
FAILED = StepResult(
    "build:bus.bad", "build", "bus.bad", Status.FAILED, "new", 0.01,
    problems=(Problem("SQL_INVALID", "no column\x1b[2J x", Location("models/bus/bad.sql", 4), "name another"),),
    exit_code=2,
)  # fmt: skip
SKIPPED = StepResult("build:serv.all", "build", "serv.all", Status.SKIPPED, "bus.bad failed")
LOADED = StepResult(
    "load:raw.orders", "load", "raw.orders", Status.SUCCESS, "1 batch", 0.2, 10, 3,
    accounting={"rows_in": 13, "inserted": 10, "duplicates": 1, "quarantined": 2, "deleted": 0},
)  # fmt: skip
WRITTEN = StepResult("export:r", "export", "r", Status.SUCCESS, "changed", 0.2, 10, output="data/dev/exports/r.csv")


def report(*steps: StepResult, status: Status = Status.SUCCESS) -> RunReport:
    return RunReport("7", "dev", status, NOW, NOW + timedelta(seconds=1.25), steps)


def test_a_line_of_progress() -> None:
    assert line(BUILT, NOW) == ("12:00:01  build   stg.orders                    success        4,120 rows  0.12 s")
    assert line(FAILED, NOW).endswith("0.01 s  [SQL_INVALID]")


def test_lines_tell_of_steps_that_did_something(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    for result in (BUILT, IDLE, SKIPPED):
        lines(StepFinished("7", result))
    out, err = capsys.readouterr()
    assert out == ""
    assert [text.split()[2] for text in err.splitlines()] == ["stg.orders", "serv.all"]


def test_quiet_means_no_subscriber() -> None:
    with watching(quiet=True) as emit:
        assert emit is None


def test_the_report_tells_what_was_built_and_where_rows_went(capsys: pytest.CaptureFixture[str]) -> None:
    assert write_report(report(LOADED, BUILT, IDLE, WRITTEN), as_json=False) == 0
    out = capsys.readouterr().out
    assert [text.split() for text in out.splitlines()[:4]][::2] == [
        ["layer", "relation", "rows", "seconds", "step", "status"],
        ["raw", "orders", "10", "0.20", "load", "success"],
    ]
    assert "stg.idle" not in out
    assert "raw.orders: 13 rows in = 10 published + 2 quarantined + 1 duplicated" in out
    assert "r: data/dev/exports/r.csv" in out
    assert out.splitlines()[-1] == "run 7: success in 1.2 s in dev; 1 loaded, 1 built, 1 exported, 1 unchanged"


def test_the_report_of_a_failure_says_how_to_fix_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert write_report(report(BUILT, FAILED, SKIPPED, status=Status.FAILED), as_json=False) == 2
    out = capsys.readouterr().out
    assert "failed: build bus.bad" in out
    assert "no column\\x1b[2J x [SQL_INVALID]" in out
    assert "at models/bus/bad.sql:4" in out
    assert "fix: name another" in out
    assert "skipped, because something they need failed: serv.all" in out


def test_the_report_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert write_report(report(LOADED, FAILED, status=Status.FAILED), as_json=True) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 2
    assert told["started"] == "2026-11-17T12:00:01Z"
    assert told["steps"][0]["accounting"]["quarantined"] == 2
    assert told["steps"][1]["problems"][0]["location"]["line"] == 4
