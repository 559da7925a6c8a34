"""A history of a million rows, complete extracts of which 1 % has changed: what a batch costs.

Ours is `penstock run` as a whole process over a batch that was landed before: it is hashed, its types, keys and NULLs
are checked, the raw history is brought up to date, the ledger written. Theirs is `benchmarks/by_hand/scd2.py` over the
same Parquet, a whole process too. Of 1 % of the rows eight in ten have another amount, one is gone and one is new.

Beside them the whole way from CSV: `penstock run` that lands and loads, and the script reading the CSV itself and
keeping no copy.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from benchmarks.measure import Cost, Failed, Figures, cost, least, main, penstock, script

ROWS = 1_000_000
BATCHES = 3
BY_HAND = Path(__file__).parent / "by_hand" / "scd2.py"
SOURCE = """\
root: inbox
tables:
  people:
    path: people_*.csv
    extract: full
    files: each
    key: id
    columns: {id: bigint, amount: "decimal(12,2)", visits: integer}
"""
_SAME = """
import duckdb, sys
names = "id, name, city, amount, visits, note, is_current"
with duckdb.connect() as connection:
    for name, file in zip("ab", sys.argv[1:]):
        connection.execute(f"ATTACH '{file}' AS {name} (READ_ONLY)")
    a, b = f"SELECT {names} FROM a.raw.people_history", f"SELECT {names} FROM b.history"
    found = connection.execute(f"SELECT count(*) FROM (({a} EXCEPT ALL {b}) UNION ALL ({b} EXCEPT ALL {a}))")
    (rows,) = found.fetchone()
    if rows:
        sys.exit(f"{rows} rows differ")
"""


def extract(work: Path, rows: int, batch: int) -> Path:
    """The complete table as it is after `batch` batches. Row i changes in batch b when i % 100 = b: of ten such
    rows one is gone, one is new and eight have another amount."""
    path = work / f"people_{rows}" / f"people_{batch:03d}.csv"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    changed = f"(i % 100 BETWEEN 1 AND {batch})"
    gone = f"i // 100 % 10 = 0 AND {changed}"
    unknown = f"i // 100 % 10 = 1 AND i % 100 BETWEEN {batch + 1} AND 20"
    script(
        f"COPY (SELECT i AS id, 'name ' || hash(i) % 100000 AS name, 'city ' || i % 997 AS city, "
        f"((hash(i * 3) % 1000000 + CASE WHEN {changed} THEN 1 ELSE 0 END) / 100)::DECIMAL(12, 2) AS amount, "
        "i % 50 AS visits, md5(i::VARCHAR) AS note "
        f"FROM range({rows}) AS t(i) WHERE NOT ({gone}) AND NOT ({unknown})) "
        f"TO '{part}' (FORMAT csv, HEADER)",
        work,
        name="people",
        database=False,
    )
    return part.replace(path)


def project(root: Path) -> Path:
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("sources", "inbox", "models"):
        (root / folder).mkdir(parents=True)
    (root / "penstock.yml").write_text("name: people\n")
    (root / "sources" / "crm.yml").write_text(SOURCE)
    return root


def measure(work: Path, *, rows: int = ROWS, batches: int = BATCHES, whole: bool = True) -> Figures:
    root, whole_root = project(work / "history"), project(work / "history_whole")
    hand, hand_csv = work / "scd2.duckdb", work / "scd2_csv.duckdb"
    for file in (hand, hand_csv):
        file.unlink(missing_ok=True)
    found: dict[str, list[Cost]] = {}
    for batch in range(batches + 1):
        csv = extract(work, rows, batch)
        (root / "inbox" / csv.name).hardlink_to(csv)
        penstock("land", cwd=root)
        landed = max((root / "data/dev/landing/crm/people").rglob("*.parquet"))
        costs = {
            "penstock": penstock("run", cwd=root),
            "by_hand": cost([sys.executable, BY_HAND, hand, landed], work),
        }
        if whole:
            (whole_root / "inbox" / csv.name).hardlink_to(csv)
            costs["penstock_from_csv"] = penstock("run", cwd=whole_root)
            costs["by_hand_from_csv"] = cost([sys.executable, BY_HAND, hand_csv, csv], work)
        for name, spent in costs.items():
            found.setdefault(name, []).append(spent)
    if batches < 1:
        raise Failed("expected at least one batch after the first")
    cost([sys.executable, "-c", _SAME, root / "data/dev/warehouse.duckdb", hand], work)
    later = {name: spent[1:] for name, spent in found.items()}
    cpu = {name: least([each.cpu for each in spent]) for name, spent in later.items()}
    peak = {name: max(each.peak for each in spent) for name, spent in later.items()}
    figures: Figures = {
        "rows": rows,
        **{f"{name}_cpu_s": seconds for name, seconds in cpu.items()},
        **{f"{name}_peak_mib": round(mib) for name, mib in peak.items()},
        **{f"{name}_first_cpu_s": round(spent[0].cpu, 3) for name, spent in found.items()},
        "ratio": round(cpu["penstock"] / cpu["by_hand"], 2),
        "ratio_of_peaks": round(peak["penstock"] / peak["by_hand"], 2),
        "target_ratio": 1.5,
        "target_ratio_of_peaks": 1.5,
    }
    if whole:
        figures["ratio_from_csv"] = round(cpu["penstock_from_csv"] / cpu["by_hand_from_csv"], 2)
    return figures


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the table (default %(default)s)")
    parser.add_argument("--batches", type=int, default=BATCHES, help="how many batches (default %(default)s)")


def figures(options: argparse.Namespace, work: Path) -> Figures:
    return measure(work, rows=options.rows, batches=options.batches)


if __name__ == "__main__":
    main("history", sys.modules[__name__], __doc__)
