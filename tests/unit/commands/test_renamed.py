"""A source table, and columns of it, that are to be loaded under another name."""

from __future__ import annotations

import duckdb
import pytest
from tests.unit.commands.conftest import SOURCE, Folder

from penstock import Project


def test_a_table_loaded_under_a_new_name_is_loaded_from_landing(folder: Folder) -> None:
    folder.run()
    folder.write("sources/shop.yml", SOURCE.replace("{path", "{as: bookings, path"))
    folder.run()
    assert folder.rows("SELECT id, amount FROM raw.bookings") == [(1, 10), (2, 20), (3, 30)]
    assert folder.rows("SELECT relation, rows_in FROM _penstock.batches") == [("raw.bookings", 3)]
    assert set(folder.run().values()) <= {"unchanged"}


def test_a_table_that_takes_over_a_name_does_not_take_over_rows(folder: Folder) -> None:
    folder.run()
    moved = SOURCE.replace("  orders: {path", "  sales: {as: orders, path")
    folder.write("inbox/orders.csv", "id,region,amount\n7,west,70\n")
    folder.write("sources/shop.yml", moved)
    folder.run()
    assert folder.rows("SELECT id, amount FROM raw.orders") == [(7, 70)]
    assert folder.rows("SELECT id FROM raw.orders_history") == [(7,)]


CUSTOMERS = """
root: inbox
tables:
  customers:
    path: "customers*.csv"
    extract: incremental
    key: %(key)s
    columns: {%(key)s: bigint}
    rename: %(rename)s
"""


def customers(folder: Folder, rename: str, key: str = "id") -> None:
    folder.write("sources/shop.yml", CUSTOMERS % {"rename": rename, "key": key})


def landed(folder: Folder) -> list[list[str]]:
    files = sorted((folder.root / "data/dev/landing/shop/customers").glob("*/*.parquet"))
    with duckdb.connect() as reader:
        return [
            [row[0] for row in reader.execute(f"DESCRIBE SELECT * FROM read_parquet('{file}', hive_partitioning=false)")
             .fetchall()]
            for file in files
        ]  # fmt: skip


def test_columns_land_under_the_names_they_came_with(folder: Folder) -> None:
    customers(folder, '{"Customer ID": id, Name: name}')
    folder.write("inbox/customers_1.csv", "Customer ID,Name\n1,Ann\n2,Bob\n")
    folder.run()
    assert landed(folder) == [["Customer ID", "Name"]]
    assert folder.rows("SELECT id, name FROM raw.customers") == [(1, "Ann"), (2, "Bob")]
    assert set(folder.run().values()) <= {"unchanged"}


def test_a_new_name_goes_for_what_is_landed_already(folder: Folder) -> None:
    customers(folder, '{"Customer ID": id}')
    folder.write("inbox/customers_1.csv", "Customer ID,Name\n1,Ann\n")
    folder.run()
    customers(folder, '{"Customer ID": number, Name: name}', key="number")
    folder.write("inbox/customers_2.csv", "Customer ID,Name\n1,Anna\n2,Bob\n")
    folder.run()
    expected = [(1, "Ann"), (1, "Anna"), (2, "Bob")]
    assert folder.rows("SELECT number, name FROM raw.customers_history") == expected
    assert folder.project.rebuild().exit_code == 0
    assert folder.rows("SELECT number, name FROM raw.customers_history") == expected


def test_two_columns_may_change_names(folder: Folder) -> None:
    customers(folder, "{a: b, b: a}")
    folder.write("inbox/customers_1.csv", "id,a,b\n1,x,y\n")
    folder.run()
    assert landed(folder) == [["id", "a", "b"]]
    assert folder.rows("SELECT id, a, b FROM raw.customers") == [(1, "y", "x")]


def test_names_that_differ_in_letter_case_only_can_be_kept_apart(folder: Folder) -> None:
    customers(folder, "{A: upper}")
    folder.write("inbox/customers_1.csv", "id,a,A\n1,x,y\n")
    folder.run()
    assert landed(folder) == [["id", "a", "upper"]]
    assert folder.rows("SELECT id, a, upper FROM raw.customers") == [(1, "x", "y")]


def test_files_may_call_a_column_by_its_old_and_its_new_name(folder: Folder) -> None:
    customers(folder, "{Nr: id}")
    folder.write("inbox/customers_1.csv", "Nr,name\n1,Ann\n")
    folder.write("inbox/customers_2.csv", "id,name\n2,Bob\n")
    folder.run()
    assert landed(folder) == [["Nr", "name"], ["id", "name"]]
    assert folder.rows("SELECT id, name FROM raw.customers") == [(1, "Ann"), (2, "Bob")]


def test_a_new_name_that_a_batch_has_already_is_refused_and_nothing_is_lost(folder: Folder) -> None:
    customers(folder, "{}")
    folder.write("inbox/customers_1.csv", "id,a,b\n1,x,y\n")
    folder.run()
    customers(folder, "{a: b}")
    report = folder.project.run()
    assert [problem.code for step in report.steps for problem in step.problems] == ["COLUMN_TWICE"]
    assert folder.rows("SELECT id, a, b FROM raw.customers") == [(1, "x", "y")]


@pytest.mark.parametrize("again", ["{Nr: id, Age: age}", "{Nr: id, Age: years}"])
def test_a_correction_outlives_another_name(folder: Folder, again: str) -> None:
    declared = CUSTOMERS.replace("bigint}", "bigint, %(name)s: integer}")
    folder.write("sources/shop.yml", declared % {"rename": "{Nr: id, Age: age}", "key": "id", "name": "age"})
    folder.write("inbox/customers_1.csv", "Nr,Age\n1,40\n2,old\n")
    folder.run()
    project: Project = folder.project
    (row,) = project.quarantine_show("raw.customers")
    project.quarantine_fix("raw.customers", row.id, {"age": "70"}, why="asked her")
    folder.run()
    assert folder.rows("SELECT id, age FROM raw.customers") == [(1, 40), (2, 70)]
    assert landed(folder) == [["Nr", "Age"], ["Nr", "Age"]]
    name = "age" if again.endswith("age}") else "years"
    folder.write("sources/shop.yml", declared % {"rename": again, "key": "id", "name": name})
    folder.write("inbox/customers_2.csv", "Nr,Age\n2,old\n3,5\n")
    folder.run()
    assert folder.rows(f"SELECT id, {name} FROM raw.customers") == [(1, 40), (2, 70), (3, 5)]
    assert folder.project.rebuild().exit_code == 0
    assert folder.rows(f"SELECT id, {name} FROM raw.customers") == [(1, 40), (2, 70), (3, 5)]
