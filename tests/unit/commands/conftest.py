"""Small projects in a folder, run through the Python API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock import Project

SOURCE = """
root: inbox
tables:
  orders: {path: orders.csv, extract: full, key: id, columns: {id: bigint, amount: bigint}}
"""
ORDERS = "id,region,amount\n1,north,10\n2,south,20\n3,north,30\n"


class Folder:
    """A project's folder that a test writes to. `run()` must succeed; `project.run()` may do anything."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("penstock.yml", "name: test\n")

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    @property
    def project(self) -> Project:
        return Project(self.root)

    def run(self, **options: object) -> dict[str, str]:
        """Run and give each step's status."""
        report = self.project.run(**options)  # type: ignore[arg-type]
        assert report.exit_code == 0, [problem for step in report.steps for problem in step.problems]
        return {step.step: str(step.status) for step in report.steps}

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return sorted(self.project.query(sql).rows, key=repr)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A project with one source table of three orders and no models."""
    made = Folder(tmp_path)
    made.write("sources/shop.yml", SOURCE)
    made.write("inbox/orders.csv", ORDERS)
    return made


@pytest.fixture
def empty(tmp_path: Path) -> Callable[[], Folder]:
    return lambda: Folder(tmp_path)
