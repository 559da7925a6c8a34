"""The shop from its files to its reports, checked against plain Python on the same files."""

import csv
import shutil
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from python_calamine import CalamineWorkbook

from penstock.examples import shop_data

DROPPED = ("internal_flag", "legacy_id", "system_generated_ref", "etl_batch_code", "source_system")
Hour = tuple[str, int, int]


def expected(inbox: Path) -> dict[Hour, tuple[int, Decimal, int]]:
    """(hour, product, customer) → quantity, revenue, orders; from the CSV files alone."""
    current: dict[int, dict[str, str]] = {}
    for path in sorted(inbox.glob("orders_*.csv")):
        with path.open(newline="") as file:
            for row in sorted(csv.DictReader(file), key=lambda row: row["system_generated_ref"]):
                if (
                    row["order_id"]
                    and row["quantity"].isdigit()
                    and row["revenue"].lstrip("-").replace(".", "").isdigit()
                ):
                    current[int(row["order_id"])] = row
    hours: dict[Hour, list[tuple[int, Decimal]]] = defaultdict(list)
    for row in current.values():
        try:
            at = datetime.strptime(row["order_date"], "%d/%m/%Y %H:%M:%S")
        except ValueError:
            continue
        if row["product_id"] and row["customer_id"] and Decimal(row["revenue"]) >= 0:
            hour = at.replace(minute=0, second=0).isoformat()
            key = (hour, int(row["product_id"]), int(row["customer_id"]))
            hours[key].append((int(row["quantity"]), Decimal(row["revenue"])))
    return {key: (sum(q for q, _ in got), sum(r for _, r in got), len(got)) for key, got in hours.items()}  # type: ignore[misc]


def report(rows: list[dict[str, Any]]) -> dict[Hour, tuple[int, Decimal, int]]:
    found = {
        (row["order_hour"], row["product_id"], row["customer_id"]): (
            row["quantity"],
            Decimal(str(row["revenue"])),
            row["order_count"],
        )
        for row in rows
    }
    assert len(found) == len(rows), "an hour stands twice in the report"
    return found


@pytest.fixture
def shop(project: Callable[..., Any]) -> Any:
    return project("shop")


@pytest.fixture
def used(project: Callable[..., Any]) -> Any:
    """The shop after its first run."""
    return project("shop", run=True)


def test_two_days(shop: Any) -> None:
    inbox = shop.cwd / "inbox"
    shop("validate")
    first = shop("run", "--json").json
    assert first["status"] == "success"
    orders = next(step for step in first["steps"] if step["step"] == "load:shop.orders")
    counts = orders["accounting"]
    assert counts["rows_in"] == 412
    assert counts["quarantined"] == 4
    assert counts["duplicates"] == 1
    parts = ("inserted", "updated", "unchanged", "duplicates", "quarantined")
    assert counts["rows_in"] == sum(counts.get(part, 0) for part in parts)
    assert report(shop.rows("FROM serv.sales_report")) == expected(inbox)
    why = " ".join(str(row["reasons"]) for row in shop.rows("FROM _penstock.quarantine"))
    assert all(said in why for said in ("'two'", "'EUR 14.20'", "order_id is NULL", "a later row"))
    before = shop.rows("SELECT * FROM serv.sales_report WHERE product_id = 4 AND customer_id = 7")

    for path in (shop.cwd / "day2").iterdir():
        shutil.copy(path, inbox)
    plan = shop("plan", "--json").json
    assert {step["id"] for step in plan["steps"] if step["needed"]} >= {"land:shop.orders", "load:shop.orders"}
    shop("run")
    assert report(shop.rows("FROM serv.sales_report")) == expected(inbox)

    # the hour of a corrected order is corrected, too
    after = shop.rows("SELECT * FROM serv.sales_report WHERE product_id = 4 AND customer_id = 7")
    hour = "2026-11-17T10:00:00"
    assert [row["quantity"] for row in before if row["order_hour"] == hour] == [1]
    assert [row["quantity"] for row in after if row["order_hour"] == hour] == [2]

    # both names, both regions; the join gives each sale once, with the current ones
    products = shop.rows(
        "SELECT product_name, is_current FROM raw.products_history WHERE product_id = 3 ORDER BY valid_from"
    )
    assert [(row["product_name"], row["is_current"]) for row in products] == [
        ("Sprout kids bike", False),
        ("Sprout kids bike 20 inch", True),
    ]
    customers = shop.rows("SELECT region FROM raw.customers_history WHERE customer_id = 5 ORDER BY valid_from")
    assert [row["region"] for row in customers] == ["east", "west"]
    assert {row["product_name"] for row in shop.rows("FROM serv.sales_report WHERE product_id = 3")} == {
        "Sprout kids bike 20 inch"
    }
    assert shop.rows("FROM serv.sales_report WHERE product_id = 999")[0]["category"] is None

    # the five columns end in raw; legacy ids are as they came
    assert not set(DROPPED) & set(shop.rows("FROM stg.orders_hourly LIMIT 1")[0])
    assert shop.rows("SELECT legacy_id FROM raw.orders WHERE order_id = 190000001")[0]["legacy_id"] == "007"
    assert list(shop.rows("FROM raw.orders LIMIT 1")[0])[:11] == shop_data.ORDER_COLUMNS.split(",")
    assert set(shop.rows("FROM raw.orders LIMIT 1")[0]) == {*shop_data.ORDER_COLUMNS.split(","), "processing_ts"}


def test_exports(used: Any) -> None:
    out = used.cwd / "data" / "dev" / "exports"
    wanted = expected(used.cwd / "inbox")
    revenue = sum(amount for _, amount, _ in wanted.values())

    workbook = CalamineWorkbook.from_path(str(out / "sales_report.xlsx"))
    assert len(workbook.sheet_names) == 2
    data = workbook.get_sheet_by_name(workbook.sheet_names[0]).to_python()
    assert data[0][0] == "order_hour"
    assert isinstance(data[1][0], datetime)
    pivot = workbook.get_sheet_by_name("Pivot").to_python()
    cells = [cell for row in pivot for cell in row]
    assert {"north", "east", "south", "west"} <= set(map(str, cells))
    assert {"bikes", "safety", "parts", "clothing"} <= set(map(str, cells))
    assert any(isinstance(cell, float) and abs(cell - float(revenue)) < 0.005 for cell in cells)

    with (out / "sales_report.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert sum(Decimal(line["revenue"]) for line in lines) == revenue
    with duckdb.connect() as connection:
        parquet = str(out / "sales_report_parquet" / "*" / "*.parquet")
        found = connection.execute("SELECT sum(revenue), count(DISTINCT category) FROM read_parquet(?)", [parquet])
        assert found.fetchall() == [(revenue, 4)]
    with duckdb.connect(str(out / "serving.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT sum(revenue) FROM serv.sales_report").fetchall() == [(revenue,)]


def test_a_second_run_does_nothing_and_a_rebuild_gives_the_same(shop: Any) -> None:
    shop("run")
    again = shop("run", "--json").json
    assert again["status"] == "unchanged"
    assert all(step["status"] == "unchanged" for step in again["steps"])
    sql = "FROM serv.sales_report ORDER BY ALL"
    history = "SELECT * EXCLUDE (processing_ts, valid_from, valid_to) FROM raw.orders_history ORDER BY ALL"
    before = shop.rows(sql), shop.rows(history)
    (shop.cwd / "data" / "dev" / "warehouse.duckdb").unlink()
    shop("rebuild")
    assert (shop.rows(sql), shop.rows(history)) == before
    assert [entry["command"] for entry in shop("history", "--json").json["runs"]] == ["rebuild", "run", "run"]


def test_the_files_that_come_with_the_example_are_the_generators(tmp_path: Path) -> None:
    example = Path(shop_data.__file__).parent / "shop"
    for folder, day in (("inbox", date(2026, 11, 17)), ("day2", date(2026, 11, 18))):
        made = shop_data.generate(tmp_path / folder, orders=400, day=day, seed=7)
        assert len(made) == 3
        for path in made:
            assert path.read_bytes() == (example / folder / path.name).read_bytes()


def test_more_orders_are_as_clean_as_few(shop: Any) -> None:
    for day in (17, 18):
        shop_data.generate(shop.cwd / "inbox", orders=3000, day=date(2026, 11, day), seed=11)
    shop("run")
    assert report(shop.rows("FROM serv.sales_report")) == expected(shop.cwd / "inbox")
