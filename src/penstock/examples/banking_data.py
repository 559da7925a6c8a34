"""Makes the bank's data, any size, the same bytes every time.

    python -m penstock.examples.banking_data INBOX [--day 1] [--accounts 40] [--customers 24] [--changed 8] [--seed 7]

Day 1 is 2026-11-17. Each day gives two files, both complete: `customers_<day>.csv` and `accounts_<day>.csv`. What
happens between one day and the next:

* `changed` accounts differ from the day before. Nothing else does from day 3 on.
* On day 2, four of these are made by hand: a balance moves over a tier in the name of somebody with a second account, a
  balance that was `N/A` is found, an account is closed, and one is opened.
* On day 2 also a customer takes a loan while none of her accounts changes, one who was `MAYBE` a borrower is not, and a
  customer arrives whose account was there the day before.

Accounts are made by DuckDB row by row, so that ten million need no more memory than ten. The arithmetic is plain
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
MOST_CUSTOMERS = 900_000
"""The numbers after it belong to customers made by hand."""
HAND_MADE_CHANGES = 4
"""Accounts made by hand that differ between day 1 and day 2."""

CUSTOMERS_BY_HAND = (
    "900001,Nora Bakker,No",
    "900002,Omar Haddad,YES",
    # nobody wrote down a name: set apart until somebody does
    "900003,,Yes",
    # no number, and one that is none: nothing could ever be said about them again
    ",Piet de Wit,Yes",
    "INVALID,Quinn Adler,Yes",
    # a loan that nobody knows of: set apart
    "900004,Rosa Lima,MAYBE",
    "900006,Tess Vogel,Invalid",
    "900010,Wim Kuiper,123",
    "900014,Yara Novak,UNKNOWN",
    # the same thing said in other ways
    '900005,"Sato, Kenji",true',
    "900007,  Umar Said , 1 ",
    "900008,Vera Holm,FALSE",
    "900009,,no",
    "900011,Xenia Petrova,N",
    "900012,Yusuf Demir,0",
)
CUSTOMERS_LATER = {
    "900001": "900001,Nora Bakker,Yes",
    "900004": "900004,Rosa Lima,no",
    "900013": "900013,Zoe Marsh,y",
}
ACCOUNTS_BY_HAND = (
    "H001,900001,9500.00,Savings",
    "H002,900002,9999.99,Savings",
    "H003,900002,20000.00,savings",
    "H004,900003,12500.00,Savings",
    # balances that are none, and one that should not be: set apart
    "H005,900004,N/A,Savings",
    "H006,900005,null,SAVINGS",
    "H007,900006,ABC123,Savings",
    "H009,900007,,Savings",
    "H008,900006,-5000.00,Savings",
    # accounts of nobody, and of somebody who is not known yet
    "H010,INVALID,12000.00,Savings",
    "H011,,20000.00,Savings",
    "H015,900013,27000.00,Savings",
    # no number
    ",900008,10000.00,Savings",
    # no type, and one that there is none of: set apart
    "H012,900008,15000.00,",
    "H013,900009,30000.00,Investment",
    # the same thing with blanks around it
    "H014,900007, 18000.00 , Savings ",
    "H016,900011,60000.00,Savings",
    # half a cent of interest, twice
    "H017,900012,0.50,Savings",
    "H018,900012,1.50,Savings",
    "H019,900005,3.00,Savings",
)
ACCOUNTS_LATER = {
    "H002": "H002,900002,10000.00,Savings",
    "H005": "H005,900004,15000.00,Savings",
    "H016": None,
    "H020": "H020,900007,500.00,Savings",
}


def generate(
    inbox: Path, *, accounts: int, customers: int, day: date, changed: int, seed: int = 7
) -> tuple[Path, Path]:
    """Write one day's two files into `inbox` (made if missing); an existing file of that day is replaced.

    `accounts` and `customers` count the regular ones; those made by hand come on top. `changed`: accounts that differ
    from the day before, those made by hand among them. Raises ValueError for a day before the first one, and when fewer
    accounts are to change than are made by hand or more than there are.
    """
    number = (day - FIRST_DAY).days
    if number < 0 or not 1 <= customers <= MOST_CUSTOMERS:
        raise ValueError(f"expected a day from {FIRST_DAY} on and 1 to {MOST_CUSTOMERS} customers: {day}, {customers}")
    if not HAND_MADE_CHANGES <= changed <= accounts:
        raise ValueError(f"expected {HAND_MADE_CHANGES} to {accounts} accounts to change: {changed}")
    inbox.mkdir(parents=True, exist_ok=True)
    made = inbox / f"customers_{day:%Y%m%d}.csv", inbox / f"accounts_{day:%Y%m%d}.csv"
    regular = (_customers(customers, seed), _accounts(accounts, customers, number, changed, seed))
    by_hand = (
        _later(CUSTOMERS_BY_HAND, CUSTOMERS_LATER if number else {}),
        _later(ACCOUNTS_BY_HAND, ACCOUNTS_LATER if number else {}),
    )
    for path, rows, sql in zip(made, by_hand, regular, strict=True):
        unfinished = path.with_name(f".{path.name}.part")
        _write(unfinished, sql)
        with unfinished.open("a", encoding="utf-8", newline="") as file:
            file.writelines(f"{row}\n" for row in rows)
        unfinished.replace(path)
    return made


def _later(rows: Sequence[str], changes: dict[str, str] | dict[str, str | None]) -> list[str]:
    """The rows by hand with some replaced, left out (None) or added, by what they begin with."""
    ids = [row.partition(",")[0] for row in rows]
    kept = [changes.get(id_, row) for id_, row in zip(ids, rows, strict=True)]
    return [row for row in (*kept, *(row for id_, row in changes.items() if id_ not in ids)) if row is not None]


def _customers(customers: int, seed: int) -> str:
    """The regular customers. They say what they owe in eight ways, and one in thirty has a name with blanks around."""
    return f"""
        SELECT i AS "CustomerID",
               CASE WHEN i % 30 = 0 THEN '  ' || name || ' ' ELSE name END AS "Name",
               list_extract(['Yes', 'no', 'YES', 'No', 'true', 'FALSE', '1', '0'], mix(i, {seed} + 1) % 8 + 1)
                 AS "HasLoan"
        FROM (
          SELECT i,
                 list_extract(['Ada', 'Bram', 'Chloe', 'Dario', 'Elif', 'Femke', 'Goran', 'Hana', 'Idris', 'Juno'],
                   i % 10 + 1) || ' ' ||
                 list_extract(['Okafor', 'Lindqvist', 'Moreau', 'Tanaka', 'Novak', 'Silva', 'Weber'], i % 7 + 1)
                 AS name
          FROM range(1, {customers} + 1) AS t(i)
        )
        ORDER BY i
    """


def _accounts(accounts: int, customers: int, number: int, changed: int, seed: int) -> str:
    """The regular accounts as they are on day `number`. A change moves the balance by an amount that is the day's own,
    so that no two days of an account have the same one."""

    def every(count: int) -> int:
        return max(1, accounts // max(1, count))

    # on day 2 the hand-made changes are among those that were asked for
    days = [
        f"SELECT {day} AS day, j * {every(count)} + {(day * day * 31 + day * 17) % every(count)} + 1 AS i "
        f"FROM range({count}) AS t(j)"
        for day in range(1, number + 1)
        for count in (changed - HAND_MADE_CHANGES if day == 1 else changed,)
    ]
    moved = " UNION ALL ".join(days) or "SELECT 0 AS day, 0 AS i WHERE false"
    return f"""
        SELECT 'A' || lpad(CAST(i AS VARCHAR), 8, '0') AS "AccountID",
               CASE WHEN i % 500 = 0 THEN NULL ELSE mix(i, {seed} + 2) % {customers} + 1 END AS "CustomerID",
               CASE WHEN i % 400 = 0 AND day = 0 THEN 'N/A'
                    ELSE (cents // 100) || '.' || lpad(CAST(cents % 100 AS VARCHAR), 2, '0') END AS "Balance",
               list_extract(['Savings', 'Savings', 'Savings', 'savings', 'SAVINGS', 'Checking', 'Checking',
                 'Checking'], mix(i, {seed} + 3) % 8 + 1) AS "AccountType"
        FROM (
          SELECT numbers.i, coalesce(moves.day, 0) AS day,
                 mix(numbers.i, {seed} + 4) % 4500000 + 10007 * coalesce(moves.day, 0) AS cents
          FROM range(1, {accounts} + 1) AS numbers(i)
          LEFT JOIN (SELECT i, max(day) AS day FROM ({moved}) GROUP BY i) AS moves ON moves.i = numbers.i
        )
        ORDER BY i
    """


def _write(path: Path, sql: str) -> None:
    connection = connect(allowed=[path.parent], threads=1)  # one thread writes rows in their order
    try:
        connection.execute("CREATE TEMP MACRO stir(x) AS xor(x, x // 65536) * 73244475 % 4294967296")
        connection.execute("CREATE TEMP MACRO mix(i, salt) AS stir(stir((i + salt * 1000003) % 4294967296))")
        connection.execute(f"COPY ({sql}) TO {literal(str(path))} (FORMAT csv, HEADER)")
    finally:
        connection.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m penstock.examples.banking_data", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("inbox", type=Path, help="the folder to write to")
    parser.add_argument("--day", type=int, default=1, help="1 is 2026-11-17 (default), 2 the day after, …")
    parser.add_argument("--accounts", type=int, default=40, help="regular accounts (default 40)")
    parser.add_argument("--customers", type=int, default=24, help="regular customers (default 24)")
    parser.add_argument("--changed", type=int, default=8, help="accounts that change from day to day (default 8)")
    parser.add_argument("--seed", type=int, default=7, help="another seed, other accounts (default 7)")
    given = parser.parse_args(arguments)
    day = FIRST_DAY + timedelta(days=given.day - 1)
    for path in generate(
        given.inbox,
        accounts=given.accounts,
        customers=given.customers,
        day=day,
        changed=given.changed,
        seed=given.seed,
    ):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
