"""Ten million orders through the four layers, against the same SQL written by hand in one DuckDB script.

Both start from the same landed Parquet (landing is measured by `landing.py`) and end with the same tables. Ours is
`penstock run` as a whole process: Python, project, plan, every batch's sha256, ledger, run history, all of it.

The hand-written script, in DuckDB's default settings:

* casts the landed text of orders, products and customers to the declared types with TRY_CAST,
* sets rows that do not cast, or have no key, aside in a table of their own, as they came,
* keeps one row per key, the last one: QUALIFY row_number() OVER (PARTITION BY key ORDER BY … DESC) = 1,
* makes raw history tables with the same columns as ours (processing_ts, valid_from, valid_to, is_current, _batch), and
  views of the current rows,
* makes the three models with CREATE TABLE AS, from the very SELECTs of the project.

It does not: check that a text says exactly the number it casts to ('1.9' is no integer; TRY_CAST gives 2), give a
reason for a row set aside, tell exact copies from contradictions, check that the served keys are unique, hash the
files, write a ledger, or know how to run a second time.

Three variations are reported beside it: the script with `preserve_insertion_order = false`, which Penstock sets and a
person may; and a naive one, in both settings, that takes whatever TRY_CAST gives, NULLs included, resolves no
duplicates and sets nothing aside.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from benchmarks.measure import Cost, Figures, cost, in_turns, main, middle, penstock, ratio, script

ORDERS = 10_000_000
_TABLES = {
    # declared columns; columns as they are; what the last one of duplicates is told by
    "orders": (
        {"order_id": "BIGINT", "customer_id": "BIGINT", "product_id": "BIGINT", "quantity": "INTEGER",
         "revenue": "DECIMAL(12,2)"},
        "order_id, customer_id, product_id, order_date, quantity, revenue, internal_flag, legacy_id, "
        "system_generated_ref, etl_batch_code, source_system",
        "system_generated_ref",
    ),
    "products": (
        {"product_id": "BIGINT", "unit_price": "DECIMAL(10,2)"},
        "product_id, product_name, category, unit_price",
        "unit_price",
    ),
    "customers": (
        {"customer_id": "BIGINT"},
        "customer_id, customer_name, region, account_tier",
        "customer_name",
    ),
}  # fmt: skip
_META = (
    "TIMESTAMP '2026-11-18 06:00:00' AS processing_ts, TIMESTAMP '2026-11-18 06:00:00' AS valid_from, "
    "CAST(NULL AS TIMESTAMP) AS valid_to, true AS is_current, '{batch}' AS _batch"
)


def prepared(work: Path, orders: int) -> Path:
    """The shop with `orders` orders, landed and not loaded. Kept between calls."""
    root = work / f"shop_{orders}"
    done = root / ".landed"
    if not done.exists():
        shutil.rmtree(root, ignore_errors=True)
        penstock("init", root, "--example", "shop", cwd=work)
        shutil.rmtree(root / "exports")
        for path in (root / "inbox").glob("*.csv"):
            path.unlink()
        generator: list[str | Path] = [
            sys.executable,
            "-m",
            "penstock.examples.shop_data",
            root / "inbox",
            "--orders",
            str(orders),
        ]
        cost(generator, work)
        penstock("land", cwd=root)
        done.touch()
    return root


def landed(root: Path, table: str) -> tuple[Path, str]:
    """The data file of the table's one batch, and the batch's name."""
    (manifest,) = (root / "data/dev/landing/shop" / table).rglob("*.json")
    return manifest.with_suffix(".parquet"), f"shop.{table}/{manifest.stem}"


def by_hand(root: Path) -> str:
    statements = ["CREATE SCHEMA raw", "CREATE SCHEMA stg", "CREATE SCHEMA bus", "CREATE SCHEMA serv"]
    for table, (types, names, last) in _TABLES.items():
        path, batch = landed(root, table)
        key = names.split(", ")[0]
        fits = " AND ".join(
            f"TRY_CAST({name} AS {kind}) IS NOT NULL"
            if name == key
            else f"({name} IS NULL OR TRY_CAST({name} AS {kind}) IS NOT NULL)"
            for name, kind in types.items()
        )
        statements += [
            f"CREATE TABLE raw.{table}_set_aside AS SELECT * FROM read_parquet('{path}') WHERE NOT ({fits})",
            f"CREATE TABLE raw.{table}_history AS SELECT {_typed(names, types)}, {_META.format(batch=batch)} "
            f"FROM read_parquet('{path}') WHERE {fits} "
            f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {last} DESC) = 1",
            f"CREATE VIEW raw.{table} AS SELECT {names}, processing_ts FROM raw.{table}_history WHERE is_current",
        ]
    return ";\n".join([*statements, *models(root)]) + ";\n"


def naive(root: Path) -> str:
    statements = ["CREATE SCHEMA raw", "CREATE SCHEMA stg", "CREATE SCHEMA bus", "CREATE SCHEMA serv"]
    for table, (types, names, _) in _TABLES.items():
        path, batch = landed(root, table)
        statements.append(
            f"CREATE TABLE raw.{table} AS SELECT {_typed(names, types)}, {_META.format(batch=batch)} "
            f"FROM read_parquet('{path}')"
        )
    return ";\n".join([*statements, *models(root)]) + ";\n"


def models(root: Path) -> list[str]:
    """The project's own SELECTs as CREATE TABLE AS."""
    made = []
    for name in ("stg.orders_hourly", "bus.orders_enriched", "serv.sales_report"):
        text = (root / "models" / f"{name.replace('.', '/')}.sql").read_text(encoding="utf-8")
        select = text.partition("---*/")[2].strip().replace("$minimum_revenue", "0")
        made.append(f"CREATE TABLE {name} AS\n{select}")
    return made


def _typed(names: str, types: dict[str, str]) -> str:
    return ", ".join(
        f"TRY_CAST({name} AS {types[name]}) AS {name}" if name in types else name for name in names.split(", ")
    )


def unordered(sql: str) -> str:
    return f"SET preserve_insertion_order = false;\n{sql}"


def ours(root: Path) -> Cost:
    """`penstock run` into an empty warehouse."""
    home = root / "data/dev"
    for path in (*home.glob("warehouse*"), *home.glob("state*")):
        path.unlink()
    return penstock("run", cwd=root)


def measure(work: Path, *, orders: int = ORDERS, times: int = 3) -> Figures:
    root = prepared(work, orders)
    found = in_turns(
        times,
        {
            "penstock": lambda: ours(root),
            "by_hand": lambda: script(by_hand(root), work, name="by_hand"),
            "by_hand_unordered": lambda: script(unordered(by_hand(root)), work, name="by_hand_unordered"),
            "naive": lambda: script(naive(root), work, name="naive"),
            "naive_unordered": lambda: script(unordered(naive(root)), work, name="naive_unordered"),
        },
    )
    mine = found.pop("penstock")
    return {
        "orders": orders,
        "penstock_cpu_s": middle(mine),
        **{f"{name}_cpu_s": middle(theirs) for name, theirs in found.items()},
        **{f"ratio_to_{name}": ratio(mine, theirs) for name, theirs in found.items()},
        "target_ratio_to_by_hand": 1.15,
    }


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--orders", type=int, default=ORDERS, help="how many orders (default %(default)s)")
    parser.add_argument("--times", type=int, default=3, help="how many rounds (default %(default)s)")


def figures(options: argparse.Namespace, work: Path) -> Figures:
    return measure(work, orders=options.orders, times=options.times)


if __name__ == "__main__":
    main("layers", sys.modules[__name__], __doc__)
