"""A source table that is to be loaded under another name."""

from __future__ import annotations

from tests.unit.commands.conftest import SOURCE, Folder


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
