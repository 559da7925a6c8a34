"""Landing and loading a CSV of five million rows, against DuckDB reading it and writing Parquet.

Ours is `penstock run` of a project with one source, as a whole process: the file is hashed and looked over for what
DuckDB's reader lets pass, copied to Parquet as text, made durable, hashed again, and loaded into a raw history table
with its key checked for duplicates and NULLs. No model, no export.

Theirs is `COPY (SELECT * FROM read_csv(file)) TO … (FORMAT parquet)`: types are guessed, nothing is checked or loaded.
Reported beside it: the same with all values as text, the way they are landed; the same and then loaded into a table,
which is what a person would do next; and `penstock land` alone.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from benchmarks.measure import Cost, Figures, in_turns, main, middle, penstock, ratio, script

ROWS = 5_000_000
COLUMNS = """
    i AS order_id, (hash(i) % 20000)::INT AS customer_id, (hash(i * 7) % 500)::INT AS product_id,
    strftime(TIMESTAMP '2026-11-01' + INTERVAL (i % 2592000) SECOND, '%d/%m/%Y %H:%M:%S') AS order_date,
    (hash(i * 3) % 9 + 1)::INT AS quantity, ((hash(i * 11) % 100000) / 100.0)::DECIMAL(10, 2) AS revenue,
    i % 2 = 0 AS internal_flag, 'L' || i AS legacy_id, md5(i::VARCHAR) AS system_generated_ref,
    'batch-' || (i % 10) AS etl_batch_code, 'shop' AS source_system
"""
"""Eleven columns, about 106 bytes a row; two of them are different in every row."""
SOURCE = """\
root: inbox
tables:
  orders:
    path: orders.*
    extract: full
    key: order_id
    columns: {order_id: bigint, customer_id: bigint, product_id: bigint, quantity: integer, revenue: "decimal(10,2)"}
"""


def project(work: Path, rows: int, *, kind: str = "csv") -> Path:
    """A project with one source and one file of `rows` rows. Kept between calls."""
    root = work / f"landing_{kind}_{rows}"
    file = root / "inbox" / f"orders.{kind}"
    if not file.exists():
        for folder in (file.parent, root / "sources", root / "models"):
            folder.mkdir(parents=True, exist_ok=True)
        (root / "penstock.yml").write_text("name: landing\n")
        (root / "sources" / "shop.yml").write_text(SOURCE)
        form = "FORMAT csv, HEADER" if kind == "csv" else "FORMAT json"
        unfinished = work / "unfinished"
        sql = f"COPY (SELECT {COLUMNS} FROM range({rows}) AS t(i)) TO '{unfinished}' ({form})"
        script(sql, work, name="generate", database=False)
        unfinished.replace(file)
    return root


def fresh(root: Path, verb: str = "run") -> Cost:
    shutil.rmtree(root / "data", ignore_errors=True)
    return penstock(verb, cwd=root)


def measure(work: Path, *, rows: int = ROWS, times: int = 3) -> Figures:
    root = project(work, rows)
    csv, parquet = root / "inbox" / "orders.csv", work / "by_hand.parquet"
    copied = f"COPY (SELECT * FROM read_csv('{csv}')) TO '{parquet}' (FORMAT parquet);\n"
    as_text = copied.replace("')", "', all_varchar = true)", 1)
    loaded = f"{copied}CREATE TABLE orders AS SELECT * FROM read_parquet('{parquet}');\n"
    found = in_turns(
        times,
        {
            "penstock_run": lambda: fresh(root),
            "penstock_land": lambda: fresh(root, "land"),
            "copy": lambda: script(copied, work, name="copy", database=False),
            "copy_as_text": lambda: script(as_text, work, name="copy_as_text", database=False),
            "copy_and_load": lambda: script(loaded, work, name="copy_and_load"),
        },
    )
    ours = found["penstock_run"]
    return {
        "rows": rows,
        "csv_mb": round(csv.stat().st_size / 1e6),
        **{f"{name}_cpu_s": middle(seconds) for name, seconds in found.items()},
        "ratio_to_copy": ratio(ours, found["copy"]),
        "ratio_to_copy_as_text": ratio(ours, found["copy_as_text"]),
        "ratio_to_copy_and_load": ratio(ours, found["copy_and_load"]),
        "ratio_of_landing_to_copy_as_text": ratio(found["penstock_land"], found["copy_as_text"]),
        "target_ratio_to_copy": 2.0,
    }


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the CSV (default %(default)s)")
    parser.add_argument("--times", type=int, default=3, help="how many rounds (default %(default)s)")


def figures(options: argparse.Namespace, work: Path) -> Figures:
    return measure(work, rows=options.rows, times=options.times)


if __name__ == "__main__":
    main("landing", sys.modules[__name__], __doc__)
