"""Makes the shop's data, any size, the same bytes every time.

    python -m penstock.examples.shop_data INBOX [--day 1] [--orders 400] [--seed 7]

Day 1 is 2026-11-17. Each day gives three files: `orders_<day>.csv` with that day's new and corrected orders, and
complete snapshots `products_<day>.csv` and `customers_<day>.csv`. What happens between the days:

* from day 2 product 3 has a new name and customer 5 lives in another region,
* one in fifty of the orders of a later day was placed the day before and arrives late,
* the first till order of the day before is corrected.

Orders are made by DuckDB row by row, so that ten million of them need no more memory than ten. The arithmetic is plain
integers: a hash function may differ between versions of an engine, and the files must not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from penstock.embedded.connection import connect
from penstock.quoting import literal

FIRST_DAY = date(2026, 11, 17)
ORDERS_A_DAY = 100_000_000
"""Room for order ids: order 3 of day 2 is 200000003."""
HAND_MADE = 90_000_000
"""Where the ids of hand-made orders begin within a day."""

PRODUCTS = (
    ("Canyon 29 trail bike", "bikes", "1499.00"),
    ("Willow city bike", "bikes", "649.50"),
    ("Sprout kids bike", "bikes", "219.00"),
    ("Ridge helmet", "safety", "79.90"),
    ("Beam front light", "safety", "34.95"),
    ("Chain lock 90 cm", "safety", "44.00"),
    ("Tube 28 inch", "parts", "6.95"),
    ("Chain 11-speed", "parts", "32.50"),
    ("Brake pads, pair", "parts", "14.20"),
    ("Rain jacket", "clothing", "119.00"),
    ("Merino socks", "clothing", "17.50"),
    ("Gloves, winter", "clothing", "39.90"),
)
RENAMED = {3: "Sprout kids bike 20 inch"}
REGIONS = ("north", "east", "south", "west")
MOVED = {5: "west"}
TIERS = ("standard", "standard", "silver", "gold")
FIRST_NAMES = ("Ada", "Bram", "Chloe", "Dario", "Elif", "Femke", "Goran", "Hana", "Idris", "Juno")
LAST_NAMES = ("Okafor", "Lindqvist", "Moreau", "Tanaka", "Novak", "Silva", "Weber", "Haddad")

ORDER_COLUMNS = (
    "order_id,customer_id,product_id,order_date,quantity,revenue,"
    "internal_flag,legacy_id,system_generated_ref,etl_batch_code,source_system"
)


def generate(inbox: Path, *, orders: int, day: date, seed: int) -> tuple[Path, ...]:
    """Write one day's three files into `inbox` (made if missing); an existing file of that day is replaced.

    `orders` is the number of clean orders; the hand-made dirty ones come on top. The number of products and customers
    grows slowly with it. Raises ValueError for a day before the first one.
    """
    number = (day - FIRST_DAY).days
    if number < 0 or not 0 <= orders < HAND_MADE:
        raise ValueError(f"expected a day from {FIRST_DAY} on and 0 to {HAND_MADE - 1} orders: {day}, {orders}")
    inbox.mkdir(parents=True, exist_ok=True)
    products = min(len(PRODUCTS) + orders // 10_000, 2_000)
    customers = min(40 + orders // 200, 200_000)
    made = (
        _written(inbox / f"products_{day:%Y%m%d}.csv", _products(products, later=number > 0)),
        _written(inbox / f"customers_{day:%Y%m%d}.csv", _customers(customers, later=number > 0)),
    )
    path = inbox / f"orders_{day:%Y%m%d}.csv"
    unfinished = path.with_name(f".{path.name}.part")
    _orders(unfinished, orders, day, number, seed=seed, products=products, customers=customers)
    with unfinished.open("a", encoding="utf-8", newline="") as file:
        file.writelines(f"{row}\n" for row in dirty_rows(day, number))
    unfinished.replace(path)
    return (path, *made)


def _written(path: Path, lines: Sequence[str]) -> Path:
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    return unfinished.replace(path)


def _products(count: int, *, later: bool) -> list[str]:
    lines = ["product_id,product_name,category,unit_price"]
    for number in range(1, count + 1):
        name, category, price = PRODUCTS[(number - 1) % len(PRODUCTS)]
        if number > len(PRODUCTS):
            name = f"{name} no. {number}"
        if later:
            name = RENAMED.get(number, name)
        quoted = f'"{name}"' if "," in name else name
        lines.append(f"{number},{quoted},{category},{price}")
    return lines


def _customers(count: int, *, later: bool) -> list[str]:
    lines = ["customer_id,customer_name,region,account_tier"]
    for number in range(1, count + 1):
        name = f"{FIRST_NAMES[number % len(FIRST_NAMES)]} {LAST_NAMES[number % len(LAST_NAMES)]}"
        region = REGIONS[number % len(REGIONS)]
        if later:
            region = MOVED.get(number, region)
        lines.append(f"{number},{name},{region},{TIERS[(number // 3) % len(TIERS)]}")
    return lines


def _orders(path: Path, orders: int, day: date, number: int, *, seed: int, products: int, customers: int) -> None:
    """Stream the clean orders. `mix` spreads the row number over 32 bits, differently for each salt."""
    prices = ", ".join(price for _, _, price in PRODUCTS)
    base = (number + 1) * ORDERS_A_DAY
    late = "r4 % 50 = 0" if number else "false"
    sql = f"""
        COPY (
          WITH numbers AS (SELECT i FROM range(1, {orders} + 1) AS t(i)),
          mixed AS (
            SELECT i, mix(i, {seed} + 1) AS r1, mix(i, {seed} + 2) AS r2, mix(i, {seed} + 3) AS r3,
                   mix(i, {seed} + 4) AS r4
            FROM numbers
          ),
          placed AS (
            SELECT i, r2 % {products} + 1 AS product, r1 % {customers} + 1 AS customer, 1 + r3 % 4 AS quantity, r3, r4,
                   TIMESTAMP '{day} 08:00:00' + to_seconds(CAST(r3 // 4 % 43200 AS BIGINT))
                     - to_days(CASE WHEN {late} THEN 1 ELSE 0 END) AS placed_at
            FROM mixed
          )
          SELECT {base} + i AS order_id, customer AS customer_id, product AS product_id,
                 strftime(placed_at, '%d/%m/%Y %H:%M:%S') AS order_date, quantity,
                 CAST(quantity * list_extract([{prices}]::DECIMAL(10, 2)[], (product - 1) % {len(PRODUCTS)} + 1)
                   AS DECIMAL(12, 2)) AS revenue,
                 CASE WHEN r4 % 7 = 0 THEN 'Y' ELSE 'N' END AS internal_flag,
                 lpad(CAST(r4 % 1000 AS VARCHAR), 3, '0') AS legacy_id,
                 'REF' || lpad(CAST({base} + i AS VARCHAR), 12, '0') AS system_generated_ref,
                 'B{day:%Y%m%d}' AS etl_batch_code, 'webshop' AS source_system
          FROM placed
        ) TO {literal(str(path))} (FORMAT csv, HEADER)
    """
    connection = connect(allowed=[path.parent], threads=1)  # one thread writes rows in their order
    try:
        connection.execute("CREATE TEMP MACRO stir(x) AS xor(x, x // 65536) * 73244475 % 4294967296")
        connection.execute("CREATE TEMP MACRO mix(i, salt) AS stir(stir((i + salt * 1000003) % 4294967296))")
        connection.execute(sql)
    finally:
        connection.close()


def dirty_rows(day: date, number: int) -> tuple[str, ...]:
    """The rows written by hand, as CSV lines: what a real export brings along."""
    base = (number + 1) * ORDERS_A_DAY + HAND_MADE

    def row(order: int | str, customer: str, product: str, placed: str, *rest: str) -> str:
        """`rest`: quantity and revenue, the number of the reference, the legacy id."""
        amount, ref, legacy = rest
        stamp = f"REF{base + int(ref):012d}"
        return f"{order},{customer},{product},{placed},{amount},N,{legacy},{stamp},B{day:%Y%m%d},till"

    at = f"{day:%d/%m/%Y}"
    if number == 0:
        return (
            # the same order twice, byte for byte
            row(base + 1, "7", "4", f"{at} 10:15:00", "1,79.90", "1", "007"),
            row(base + 1, "7", "4", f"{at} 10:15:00", "1,79.90", "1", "007"),
            # the same order twice, with different amounts: the later reference is the one that counts
            row(base + 2, "8", "7", f"{at} 10:40:00", "2,13.90", "3", "008"),
            row(base + 2, "8", "7", f"{at} 10:40:00", "3,20.85", "4", "008"),
            # a refund that was booked as an order: negative revenue
            row(base + 3, "9", "1", f"{at} 11:05:00", "1,-1499.00", "5", "009"),
            # no order number: cannot be kept with a history, goes to quarantine
            row("", "10", "2", f"{at} 11:20:00", "1,649.50", "6", "010"),
            # no customer, no product
            row(base + 4, "", "5", f"{at} 12:00:00", "1,34.95", "7", "011"),
            row(base + 5, "11", "", f"{at} 12:10:00", "1,44.00", "8", "012"),
            # a date that does not exist
            row(base + 6, "12", "6", f"31/02/{day:%Y} 13:30:00", "1,44.00", "9", "013"),
            # numbers that are none: go to quarantine
            row(base + 7, "13", "8", f"{at} 14:00:00", "two,65.00", "10", "014"),
            row(base + 8, "14", "9", f"{at} 14:30:00", "1,EUR 14.20", "11", "015"),
            # a product the catalogue does not know: stays, with nothing to join
            row(base + 9, "15", "999", f"{at} 15:00:00", "1,10.00", "12", "016"),
        )
    before = day - timedelta(days=1)
    earlier = base - ORDERS_A_DAY
    return (
        # yesterday's order 1 corrected: two helmets, not one
        row(earlier + 1, "7", "4", f"{before:%d/%m/%Y} 10:15:00", "2,159.80", "1", "007"),
        # an order of yesterday that arrives late
        row(base + 2, "5", "3", f"{before:%d/%m/%Y} 19:45:00", "1,219.00", "2", "008"),
        row(base + 1, "7", "4", f"{at} 10:15:00", "1,79.90", "4", "007"),
        # the renamed product, bought by the customer who moved
        row(base + 3, "5", "3", f"{at} 09:30:00", "1,219.00", "3", "009"),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m penstock.examples.shop_data", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("inbox", type=Path, help="the folder to write to")
    parser.add_argument("--day", type=int, default=1, help="1 is 2026-11-17 (default), 2 the day after, …")
    parser.add_argument("--orders", type=int, default=400, help="clean orders to make (default 400)")
    parser.add_argument("--seed", type=int, default=7, help="another seed, other orders (default 7)")
    given = parser.parse_args(arguments)
    day = FIRST_DAY + timedelta(days=given.day - 1)
    for path in generate(given.inbox, orders=given.orders, day=day, seed=given.seed):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
