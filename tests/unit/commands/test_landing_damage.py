"""What is damaged in the landing of one table stops that table and what needs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.commands.conftest import SOURCE, Folder

BOTH = SOURCE + "  items: {path: items.csv, extract: full, key: id, columns: {id: bigint}}\n"


@pytest.fixture
def two(folder: Folder) -> Folder:
    """Two source tables with a model each, run once; then the manifest of one is damaged."""
    folder.write("sources/shop.yml", BOTH)
    folder.write("inbox/items.csv", "id\n1\n")
    for name in ("orders", "items"):
        folder.write(f"models/stg/{name}.sql", f"SELECT id FROM raw.{name}")
    folder.run()
    (manifest,) = (folder.root / "data/dev/landing/shop/orders").glob("*/*.json")
    manifest.write_text(manifest.read_text().replace('"rows": 3', '"rows": 4'))
    folder.write("inbox/items.csv", "id\n1\n2\n")
    folder.write("inbox/orders.csv", "id,region,amount\n9,north,10\n")
    return folder


def landed(folder: Folder) -> list[Path]:
    return sorted((folder.root / "data/dev/landing/shop/orders").rglob("*.*"))


def test_a_damaged_manifest_stops_its_table_only(two: Folder) -> None:
    before = landed(two)
    report = two.project.run()
    status = {step.step: str(step.status) for step in report.steps}
    assert report.exit_code == 5
    assert [(step.step, problem.code) for step in report.steps for problem in step.problems] == [
        ("land:shop.orders", "MANIFEST_DAMAGED")
    ]
    assert status["load:shop.orders"] == status["build:stg.orders"] == "skipped"
    assert status["load:shop.items"] == status["build:stg.items"] == "success"
    assert two.rows("SELECT id FROM stg.items") == [(1,), (2,)]
    assert two.rows("SELECT id FROM stg.orders") == [(1,), (2,), (3,)]
    assert landed(two) == before
    again = {step.step: str(step.status) for step in two.project.run().steps}
    assert again["land:shop.orders"] == "failed"


def test_plan_says_which_table_it_is(two: Folder) -> None:
    (step,) = (step for step in two.project.plan().steps if step.id == "land:shop.orders")
    assert step.needed
    assert "000001.json" in step.reason


def test_a_rebuild_does_not_do_without_it(two: Folder) -> None:
    two.project.run()
    report = two.project.rebuild()
    assert report.exit_code == 5
    assert two.rows("SELECT id FROM stg.orders") == [(1,), (2,), (3,)]
