"""The maintained statements alone: what DuckDB spends on three models on day 2 of the bank.

Everything before them is done: both files are landed and loaded, the snapshots are kept. Ours: `penstock run --select`
of `savings_accounts`, `account_summary` and `customer_profile` in one process, of which only the CPU seconds inside
DuckDB count: once of the statements that find the affected units, make them anew, compare and correct, and once of all,
with those that read and write change logs and ledger.

Theirs: the same three tables in a copy of the same warehouse by hand, DELETE and INSERT of the accounts that the
snapshots say have changed since, or whose customer has, and of their customers.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks import banking
from benchmarks.measure import PENSTOCK, Failed, Figures, least, main, penstock

MODELS = ("intermediate.savings_accounts", "marts.account_summary", "marts.customer_profile")
_OURS = """
import contextlib, json, sys, time
from penstock.engines.duckdb.session import DuckSession

spent = {"models": 0.0, "books": 0.0}
count = {"models": 0, "books": 0}

def timed(method):
    def run(self, sql, *rest, **named):
        begun = time.process_time()
        try:
            return method(self, sql, *rest, **named)
        finally:
            which = "books" if '_penstock.' in sql or '"_penstock"' in sql or "_schema." in sql else "models"
            spent[which] += time.process_time() - begun
            count[which] += 1
    return run

for name in ("execute", "query", "describe"):
    setattr(DuckSession, name, timed(getattr(DuckSession, name)))
from penstock.cli.main import main
sys.argv = ["penstock", "run", "--json"]
for model in MODELS:
    sys.argv += ["--select", model]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(sys.stderr):
    main()
print(json.dumps({"models": spent["models"], "all": sum(spent.values()), "statements": sum(count.values())}))
"""
_THEIRS = """
import json, sys, time
import duckdb

sys.path.insert(0, sys.argv[2])
import banking_day as hand

with duckdb.connect(sys.argv[1]) as connection:
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET TimeZone = 'UTC'")
    (now,) = connection.execute("SELECT max(valid_from) FROM snapshots.accounts").fetchone()
    (begun,) = connection.execute("SELECT max(calculated_at) FROM marts.account_summary").fetchone()
    day = hand.Day(connection, now.isoformat())
    start = time.process_time()
    day.run("BEGIN")
    for table, key in (("accounts", "account_id"), ("customers", "customer_id")):
        day.run(
            f"CREATE TEMP TABLE changed_{table} AS SELECT * FROM snapshots.{table} "
            f"WHERE valid_from > TIMESTAMP '{begun}' OR valid_to > TIMESTAMP '{begun}'"
        )
    day.affected()
    day.marts(savings=True)
    day.run("COMMIT")
    print(json.dumps({"all": time.process_time() - start}))
"""


def _told(command: list[str], cwd: Path) -> dict[str, float]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{command[:1]} ended with {done.returncode}:\\n{(done.stdout + done.stderr)[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(work: Path, *, times: int = 7) -> Figures:
    sizes = {"accounts": banking.ACCOUNTS, "customers": banking.CUSTOMERS, "changed": banking.CHANGED}
    day1, day2 = (banking.generated(work, day, **sizes) for day in (1, 2))
    base = banking.project(work / "statements_base")
    settings = base / "penstock.yml"
    settings.write_text(settings.read_text().replace("dev: {}", "dev: {threads: 1}", 1))  # one step after another
    banking.ours(base, day1)
    for file in day2:
        (base / "inbox" / file.name).hardlink_to(file)
    penstock("run", "--select", "snapshots.*", "--select", "+snapshots.*", cwd=base)

    def fresh(name: str) -> Path:
        root = work / f"statements_{name}"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(base, root)
        return root

    ours = _OURS.replace("MODELS", repr(MODELS))
    mine, theirs = [], []
    for _ in range(times):
        mine.append(_told([PENSTOCK[0], "-c", ours], fresh("ours")))
        hand = fresh("by_hand") / "data" / "dev" / "warehouse.duckdb"
        theirs.append(_told([sys.executable, "-c", _THEIRS, str(hand), str(banking.BY_HAND.parent)], hand.parent))
    banking.same(hand, work / "statements_ours" / "data" / "dev" / "warehouse.duckdb")
    figures = {
        "models_cpu_s": least([each["models"] for each in mine]),
        "with_books_cpu_s": least([each["all"] for each in mine]),
        "statements": int(mine[0]["statements"]),
        "by_hand_cpu_s": least([each["all"] for each in theirs]),
    }
    return {
        **figures,
        "ratio": round(figures["models_cpu_s"] / figures["by_hand_cpu_s"], 2),
        "ratio_with_books": round(figures["with_books_cpu_s"] / figures["by_hand_cpu_s"], 2),
        "target_ratio": 1.5,
    }


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--times", type=int, default=7, help="how many rounds (default %(default)s)")


def figures(options: argparse.Namespace, work: Path) -> Figures:
    return measure(work, times=options.times)


if __name__ == "__main__":
    main("statements", sys.modules[__name__], __doc__)
