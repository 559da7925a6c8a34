"""The folder of reports: whole files, the latest under its name, and not too many of them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import DriverError
from penstock.reports.page import page
from penstock.reports.shelf import put


def names(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "reports").iterdir())


def run(home: Path, kind: str = "latest") -> str:
    found: str = json.loads((home / "reports" / f"{kind}.json").read_text())["run"]
    return found


def test_both_files_and_the_latest(lab: Any, tmp_path: Path) -> None:
    report = lab.report([], [])
    assert put(report, tmp_path, kept=30) == tmp_path / "reports" / f"{lab.run}.html"
    assert names(tmp_path) == [f"{lab.run}.html", f"{lab.run}.json", "latest.html", "latest.json"]
    assert (tmp_path / "reports" / "latest.html").read_text() == page(report)
    assert run(tmp_path) == run(tmp_path, lab.run) == lab.run


def test_an_earlier_run_does_not_become_the_latest(lab: Any, tmp_path: Path) -> None:
    put(lab.report([], [], run="20261121T060001-0000"), tmp_path, kept=30)
    put(lab.report([], [], run="20261121T060000-ffff"), tmp_path, kept=30)
    assert run(tmp_path) == "20261121T060001-0000"
    put(lab.report([], [], run="20261121T060001-aaaa"), tmp_path, kept=30)
    put(lab.report([], [], run="20261121T060001-0001"), tmp_path, kept=30)
    assert run(tmp_path) == "20261121T060001-0001", "of one second, the one that reports last"


def test_old_ones_go_and_what_is_not_ours_stays(lab: Any, tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "mine.html").write_text("mine")
    (tmp_path / "reports" / ".20261121T050000-dead.html.part").write_text("hal")
    for second in range(5):
        put(lab.report([], [], run=f"20261121T06000{second}-aaaa"), tmp_path, kept=3)
    kept = [f"20261121T06000{second}-aaaa.{kind}" for second in (2, 3, 4) for kind in ("html", "json")]
    assert names(tmp_path) == [*kept, "latest.html", "latest.json", "mine.html"]


def test_a_text_that_is_none(lab: Any, tmp_path: Path) -> None:
    """Half of a surrogate pair, which no encoding can write."""
    failed = lab.result("stg.a", "c", "failed", 1, 1, samples=[{"a": "\ud800"}])
    put(lab.report([lab.model("stg.a", lab.check("c"))], [failed]), tmp_path, kept=3)
    assert "\\ud800" in (tmp_path / "reports" / "latest.html").read_text()
    assert json.loads((tmp_path / "reports" / "latest.json").read_text())["failures"][0]["test"] == "c"


def test_a_folder_that_cannot_be_written_is_told(lab: Any, tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("in the way")
    with pytest.raises(DriverError) as caught:
        put(lab.report([], []), tmp_path, kept=3)
    assert caught.value.code == "HOME_UNUSABLE"
    assert os.listdir(tmp_path) == ["reports"]  # noqa: PTH208
