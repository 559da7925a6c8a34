"""Small projects in a folder, run through the Python API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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


CHECKS = "[{positive: {column: amount, on_fail: quarantine}}, {not_null: {columns: [who], on_fail: quarantine}}]"


class Shop:
    """One source table whose files are extracts in the order of their names."""

    def __init__(self, root: Path, extract: str = "full", checks: str = CHECKS, more: str = "") -> None:
        self.root, self.extract, self.more, self.days = root, extract, more, 0
        for folder in ("sources", "inbox", "models/stg"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "penstock.yml").write_text("name: shop\nlayers: raw-stg-bus-serv\n")
        self.declare(checks)

    def declare(self, checks: str = CHECKS, more: str | None = None) -> None:
        kind = f"extract: {self.extract}" + (", files: each" if self.extract == "full" else "")
        key = "" if self.extract == "append" else ", key: id"
        self.more = self.more if more is None else more
        (self.root / "sources/s.yml").write_text(
            f"root: inbox\ntables:\n  t: {{path: t_*.csv, {kind}{key}, columns: {{id: bigint, amount: integer}},\n"
            f"    checks: {checks}{self.more}}}\n"
        )

    def send(self, *rows: str, header: str = "id,amount,who") -> None:
        self.days += 1
        (self.root / f"inbox/t_{self.days:03}.csv").write_text("".join(f"{line}\n" for line in (header, *rows)))

    @property
    def project(self) -> Project:
        return Project(self.root)

    def run(self, *rows: str) -> Any:
        if rows:
            self.send(*rows)
        report = self.project.run()
        assert report.exit_code == 0, [problem for step in report.steps for problem in step.problems]
        return report

    def rows(self, sql: str = "SELECT id, amount, who FROM raw.t") -> list[tuple[Any, ...]]:
        return sorted(self.project.query(sql).rows, key=repr)

    def held(self, relation: str = "raw.t") -> dict[str, list[str]]:
        """By the row as text, the names of what is wrong with it."""
        found = self.project.quarantine_show(relation)
        return {
            ",".join(map(str, row.payload.values())): [reason.partition(":")[0] for reason in row.reasons]
            for row in found
        }

    def id(self, number: int = 0, relation: str = "raw.t") -> str:
        return self.project.quarantine_show(relation)[number].id

    def batches(self) -> int:
        return len(list((self.root / "data/dev/landing").glob("s/t/*/*.json")))

    def everything(self) -> Any:
        versions = "raw.t_history" if self.extract != "append" else "raw.t"
        held = "SELECT * EXCLUDE (run, quarantined_at) FROM _penstock.quarantine"
        return [self.rows(f"FROM {versions}"), self.rows(held), self.rows("FROM _penstock.corrections")]


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., Shop]:
    return lambda *args, **more: Shop(tmp_path, *args, **more)
