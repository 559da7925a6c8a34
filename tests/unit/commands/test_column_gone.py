"""A batch without a column that was there before: it is refused, and both ways out that the error names lead out."""

from typing import Any

TWO = "root: inbox\ntables:\n  {name}: {{path: orders.csv, extract: full, key: id}}\n"


def _refused(folder: Any) -> None:
    folder.write("sources/shop.yml", TWO.format(name="orders"))
    folder.run()
    folder.write("inbox/orders.csv", "id,region\n1,north\n2,south\n3,north\n")
    report = folder.project.run()
    (problem,) = (p for step in report.steps for p in step.problems)
    assert problem.code == "COLUMN_GONE"
    assert report.exit_code == 3
    assert folder.rows("SELECT id, amount FROM raw.orders") == [("1", "10"), ("2", "20"), ("3", "30")]


def test_the_batch_is_moved_away_and_the_column_sent_again(folder: Any) -> None:
    _refused(folder)
    for file in sorted((folder.root / "data/dev/landing").rglob("000002.*")):
        file.unlink()
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,\n")
    assert folder.run()["load:shop.orders"] == "success"
    assert folder.rows("SELECT id, amount FROM raw.orders") == [("1", None)]


def test_the_table_is_declared_under_another_name(folder: Any) -> None:
    _refused(folder)
    folder.write("sources/shop.yml", TWO.format(name="shipments"))
    assert folder.run()["load:shop.shipments"] == "success"
    assert len(folder.rows("SELECT id, region FROM raw.shipments")) == 3
