"""Two hundred days of the bank, one `penstock run` after another: does a day cost more the more days there were?

Every day has two complete files in which 47 accounts differ; the inbox, the landing, the histories, the ledger and the
change logs grow. The figure is the least CPU of the last ten days against that of ten early ones (the third to the
twelfth: the first makes everything, the second knows no changes yet).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import banking
from benchmarks.measure import Failed, Figures, least, main

DAYS = 200
ACCOUNTS = 50_000
CUSTOMERS = 20_000


def measure(work: Path, *, days: int = DAYS, accounts: int = ACCOUNTS, customers: int = CUSTOMERS) -> Figures:
    if days < 22:
        raise Failed(f"expected at least 22 days, found {days}")
    root = banking.project(work / "bank_daily")
    spent: list[float] = []
    for day in range(1, days + 1):
        files = banking.generated(work, day, accounts=accounts, customers=customers, changed=banking.CHANGED)
        spent.append(banking.ours(root, files).cpu)
        if day > 3:
            for file in files:
                file.unlink()  # the inbox keeps them: nobody tidies it
    first, last = spent[2:12], spent[-10:]
    return {
        "days": days,
        "accounts": accounts,
        "first_day_cpu_s": round(spent[0], 3),
        "early_days_cpu_s": least(first),
        "last_days_cpu_s": least(last),
        "ratio": round(least(last) / least(first), 2),
        "target_ratio": 1.2,
    }


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--days", type=int, default=DAYS, help="how many days (default %(default)s)")
    parser.add_argument("--accounts", type=int, default=ACCOUNTS, help="how many accounts (default %(default)s)")
    parser.add_argument("--customers", type=int, default=CUSTOMERS, help="how many customers (default %(default)s)")


def figures(options: argparse.Namespace, work: Path) -> Figures:
    return measure(work, days=options.days, accounts=options.accounts, customers=options.customers)


if __name__ == "__main__":
    main("daily", sys.modules[__name__], __doc__)
