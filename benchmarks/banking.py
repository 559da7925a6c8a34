"""Day 2 of the bank: 50,000 accounts, 20,000 customers, 47 accounts changed.

Ours is `penstock run` of the project `benchmarks/bank`, which is the example `banking` without exports, checks and
quarantine, as a whole process: both files are hashed, looked over, landed and loaded, histories and snapshots kept,
every layer brought up to date, the ledger written. The example as it is, with its checks, is measured beside it.

Theirs is `benchmarks/by_hand/banking_day.py`, a whole process too: the same day in Python and DuckDB, as fast as
could be thought of; its text says what it does not do. Beside it the same with --plain: what one writes first.

Every round begins with the same day 1, a copy of it; a round in which the marts of the three differ is no figure. The
statements alone are measured by `statements.py`, and the peers by `peers.py`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from datetime import date, timedelta
from pathlib import Path

from benchmarks.measure import Cost, Figures, cost, in_turns, least, main, penstock

ACCOUNTS = 50_000
CUSTOMERS = 20_000
CHANGED = 47
FIRST_DAY = date(2026, 11, 17)
BY_HAND = Path(__file__).parent / "by_hand" / "banking_day.py"
PROJECT = Path(__file__).parent / "bank"
_COMPARE = """
import duckdb, sys
with duckdb.connect() as connection:
    for name, file in zip("ab", sys.argv[1:]):
        connection.execute(f"ATTACH '{file}' AS {name} (READ_ONLY)")
    for mart in ("account_summary", "customer_profile"):
        a, b = (f"SELECT * EXCLUDE (calculated_at) FROM {name}.marts.{mart}" for name in "ab")
        found = connection.execute(f"SELECT count(*) FROM (({a} EXCEPT ALL {b}) UNION ALL ({b} EXCEPT ALL {a}))")
        (rows,) = found.fetchone()
        (total,) = connection.execute(f"SELECT count(*) FROM ({a})").fetchone()
        if rows or not total:
            sys.exit(f"marts.{mart}: {rows} rows differ, of {total}")
"""


def generated(work: Path, day: int, *, accounts: int, customers: int, changed: int) -> tuple[Path, Path]:
    """The two files of one day. Kept between calls."""
    folder = work / f"bank_{accounts}"
    stamp = f"{FIRST_DAY + timedelta(days=day - 1):%Y%m%d}"
    files = folder / f"customers_{stamp}.csv", folder / f"accounts_{stamp}.csv"
    if not all(file.exists() for file in files):
        command: list[str | Path] = [sys.executable, "-m", "penstock.examples.banking_data", folder]
        sizes = ("--accounts", accounts, "--customers", customers, "--changed", changed, "--day", day)
        cost([*command, *map(str, sizes)], work)
    return files


def by_hand(folder: Path, files: tuple[Path, Path], *, plain: bool = False) -> Cost:
    (folder / "archive").mkdir(parents=True, exist_ok=True)
    options = ["--plain"] if plain else []
    return cost([sys.executable, BY_HAND, folder / "bank.duckdb", *files, folder / "archive", *options], folder)


def ours(root: Path, files: tuple[Path, Path]) -> Cost:
    """`penstock run` after the files have arrived."""
    for file in files:
        (root / "inbox" / file.name).unlink(missing_ok=True)
        (root / "inbox" / file.name).hardlink_to(file)
    return penstock("run", cwd=root)


def project(root: Path, *, checked: bool = False) -> Path:
    """The bank without a file. `checked`: the example with its checks; it sets rows aside that the others publish."""
    shutil.rmtree(root, ignore_errors=True)
    if checked:
        penstock("init", root, "--example", "banking", cwd=root.parent)
        for folder in ("exports", "inbox"):
            shutil.rmtree(root / folder)
    else:
        shutil.copytree(PROJECT, root)
    (root / "inbox").mkdir()
    return root


def same(one: Path, other: Path) -> None:
    cost([sys.executable, "-c", _COMPARE, one, other], one.parent)


def measure(
    work: Path, *, accounts: int = ACCOUNTS, customers: int = CUSTOMERS, changed: int = CHANGED, times: int = 7
) -> Figures:
    sizes = {"accounts": accounts, "customers": customers, "changed": changed}
    day1, day2 = (generated(work, day, **sizes) for day in (1, 2))
    base = work / f"bank_{accounts}_day1"
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir()
    ours(project(base / "penstock"), day1)
    ours(project(base / "checked", checked=True), day1)
    for name in ("fast", "plain"):
        by_hand(base / name, day1, plain=name == "plain")

    def fresh(name: str) -> Path:
        folder = work / f"bank_{accounts}_day2" / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base / name, folder)
        return folder

    peaks: dict[str, float] = {}

    def noted(name: str, spent: Cost) -> Cost:
        peaks[name] = min(spent.peak, peaks.get(name, spent.peak))
        return spent

    found = in_turns(
        times,
        {
            "penstock": lambda: noted("penstock", ours(fresh("penstock"), day2)),
            "penstock_checked": lambda: ours(fresh("checked"), day2),
            "by_hand": lambda: noted("by_hand", by_hand(fresh("fast"), day2)),
            "by_hand_plain": lambda: noted("by_hand_plain", by_hand(fresh("plain"), day2, plain=True)),
            "python_and_duckdb": lambda: cost([sys.executable, "-c", "import duckdb; duckdb.connect().close()"], work),
        },
    )
    after = work / f"bank_{accounts}_day2"
    same(after / "fast" / "bank.duckdb", after / "plain" / "bank.duckdb")
    same(after / "fast" / "bank.duckdb", after / "penstock" / "data" / "dev" / "warehouse.duckdb")
    mine = least(found["penstock"])
    return {
        **sizes,
        **{f"{name}_cpu_s": least(seconds) for name, seconds in found.items()},
        **{f"{name}_peak_mib": round(peak) for name, peak in peaks.items()},
        "ratio_to_by_hand": round(mine / least(found["by_hand"]), 2),
        "ratio_to_by_hand_plain": round(mine / least(found["by_hand_plain"]), 2),
    }


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--accounts", type=int, default=ACCOUNTS, help="how many accounts (default %(default)s)")
    parser.add_argument("--customers", type=int, default=CUSTOMERS, help="how many customers (default %(default)s)")
    parser.add_argument("--changed", type=int, default=CHANGED, help="accounts that change (default %(default)s)")
    parser.add_argument("--times", type=int, default=7, help="how many rounds (default %(default)s)")


def figures(options: argparse.Namespace, work: Path) -> Figures:
    found = measure(
        work,
        accounts=options.accounts,
        customers=options.customers,
        changed=options.changed,
        times=options.times,
    )
    return {**found, "target_ratio_to_by_hand": 1.5}


if __name__ == "__main__":
    main("banking", sys.modules[__name__], __doc__)
