"""Day 2 of the bank, side by side with dbt-duckdb and SQLMesh, each in an environment of its own that is made here.

The same five layers and the same SQL (`benchmarks/peers/`), with what each has to be incremental: snapshots that
compare all columns, marts that are merged by their key from what changed since they were made last, uniqueness and
NULLs of both keys checked. dbt is called as `dbt build`, SQLMesh by its `Context.run`, which is `sqlmesh run` with the
time of the run given; a daily model would not run twice a day otherwise. Whole processes.

`wrong_rows` counts rows of account_summary that differ from what the files say: neither takes an account out of a mart
when it is closed.

Needs `uv` and a package index. Figures of Penstock and of the script by hand are those of the same round.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import banking
from benchmarks.measure import Cost, Failed, Figures, cost, in_turns, least, main

HERE = Path(__file__).parent / "peers"
WANTED = {"dbt": ("dbt-core>=1.11,<1.12", "dbt-duckdb>=1.10"), "sqlmesh": ("sqlmesh>=0.236",)}
QUIET = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "true"}
_COPY = """
import duckdb, sys
database, file = sys.argv[1:]
names = "account_id, customer_id, original_balance_amount, annual_interest_amount, new_balance_amount"
with duckdb.connect(database, read_only=True) as connection:
    connection.execute(f"COPY (SELECT {names} FROM marts.account_summary) TO '{file}' (FORMAT parquet)")
"""
_WRONG = """
import duckdb, sys
with duckdb.connect() as connection:
    a, b = (f"SELECT * FROM read_parquet('{file}')" for file in sys.argv[1:])
    found = connection.execute(f"SELECT count(*) FROM (({a} EXCEPT ALL {b}) UNION ALL ({b} EXCEPT ALL {a}))")
    print(found.fetchone()[0])
"""
_VERSIONS = "from importlib.metadata import version; import sys; print(*[version(name) for name in sys.argv[1:]])"


def environment(work: Path, name: str, uv: str) -> Path:
    """The Python of an environment with the peer in it. Kept between calls."""
    python = work / f"env_{name}" / "bin" / "python"
    if not python.exists():
        cost([uv, "venv", "--quiet", work / f"env_{name}"], work)
        cost([uv, "pip", "install", "--quiet", "--python", python, *WANTED[name]], work)
        cost([python, "-m", "compileall", "-q", "-j", "2", work / f"env_{name}" / "lib"], work)
    return python


def _printed(python: Path, code: str, *arguments: str | Path) -> str:
    done = subprocess.run([str(python), "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(done.stderr[-2000:])
    return done.stdout.strip()


def day(name: str, folder: Path, python: Path, files: tuple[Path, Path], number: int) -> Cost:
    inbox = folder / "inbox"
    inbox.mkdir(exist_ok=True)
    for target, file in zip(("customers.csv", "accounts.csv"), files, strict=True):
        (inbox / target).unlink(missing_ok=True)
        (inbox / target).hardlink_to(file)
    if name == "dbt":
        return cost([python.parent / "dbt", "build", "--profiles-dir", "."], folder, environment=QUIET)
    at = f"2026-11-{20 + number} {number:02d}:00:00"
    return cost([python, "day.py", at], folder, environment=QUIET)


def measure(
    work: Path,
    *,
    accounts: int = banking.ACCOUNTS,
    customers: int = banking.CUSTOMERS,
    changed: int = banking.CHANGED,
    times: int = 3,
    uv: str = "uv",
) -> Figures:
    sizes = {"accounts": accounts, "customers": customers, "changed": changed}
    day1, day2 = (banking.generated(work, number, **sizes) for number in (1, 2))
    pythons = {name: environment(work, name, uv) for name in WANTED}
    base, after = work / "peers_day1", work / "peers_day2"
    for folder in (base, after):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    for name, python in pythons.items():
        shutil.copytree(HERE / name, base / name)
        day(name, base / name, python, day1, 1)
    banking.ours(banking.project(base / "penstock"), day1)
    banking.by_hand(base / "by_hand", day1)
    peaks: dict[str, float] = {}

    def fresh(name: str) -> Path:
        shutil.rmtree(after / name, ignore_errors=True)
        shutil.copytree(base / name, after / name)
        return after / name

    def noted(name: str, run: Callable[[Path], Cost]) -> Callable[[], Cost]:
        def once() -> Cost:
            spent = run(fresh(name))
            peaks[name] = max(spent.peak, peaks.get(name, 0))
            return spent

        return once

    def peer(name: str) -> Callable[[Path], Cost]:
        return lambda folder: day(name, folder, pythons[name], day2, 2)

    found = in_turns(
        times,
        {
            "penstock": noted("penstock", lambda folder: banking.ours(folder, day2)),
            "by_hand": noted("by_hand", lambda folder: banking.by_hand(folder, day2)),
            **{name: noted(name, peer(name)) for name in pythons},
        },
    )
    right = after / "by_hand" / "bank.duckdb"
    banking.same(right, after / "penstock" / "data" / "dev" / "warehouse.duckdb")
    cpu = {name: least(seconds) for name, seconds in found.items()}
    return {
        **sizes,
        **{f"{name}_cpu_s": seconds for name, seconds in cpu.items()},
        **{f"{name}_peak_mib": round(peak) for name, peak in peaks.items()},
        **{f"{name}_times_penstock": round(cpu[name] / cpu["penstock"], 1) for name in pythons},
        **{
            f"{name}_wrong_rows": _wrong(right, after / name / "bank.duckdb", python)
            for name, python in pythons.items()
        },
        "dbt_version": _printed(pythons["dbt"], _VERSIONS, "dbt-core", "dbt-duckdb", "duckdb"),
        "sqlmesh_version": _printed(pythons["sqlmesh"], _VERSIONS, "sqlmesh", "duckdb"),
        "target_times": 5.0,
    }


def _wrong(right: Path, found: Path, python: Path) -> int:
    """Rows of account_summary that differ. Each DuckDB reads its own file: they are of different versions."""
    copies = []
    for database, reader in ((right, Path(sys.executable)), (found, python)):
        copies.append(database.with_suffix(".parquet"))
        _printed(reader, _COPY, database, copies[-1])
    return int(_printed(Path(sys.executable), _WRONG, *copies))


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--times", type=int, default=3, help="how many rounds (default %(default)s)")
    parser.add_argument("--accounts", type=int, default=banking.ACCOUNTS, help="accounts (default %(default)s)")
    parser.add_argument("--customers", type=int, default=banking.CUSTOMERS, help="customers (default %(default)s)")
    parser.add_argument("--changed", type=int, default=banking.CHANGED, help="that change (default %(default)s)")
    parser.add_argument("--uv", default=os.environ.get("UV", "uv"), help="the program uv (default %(default)s)")


def figures(options: argparse.Namespace, work: Path) -> Figures:
    uv = shutil.which(options.uv)
    if uv is None:
        raise Failed(f"expected the program uv, found none called {options.uv}: pip install uv, or give --uv")
    return measure(
        work,
        accounts=options.accounts,
        customers=options.customers,
        changed=options.changed,
        times=options.times,
        uv=uv,
    )


if __name__ == "__main__":
    main("peers", sys.modules[__name__], __doc__)
