"""The bank from its files to its marts, checked after every day against plain Python on the same files."""

import csv
import shutil
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

from penstock.examples import banking_data

Marts = tuple[dict[str, tuple[Any, ...]], dict[int, tuple[Any, ...]]]
SUMMARY = (
    "account_id",
    "customer_id",
    "original_balance_amount",
    "interest_rate_pct",
    "annual_interest_amount",
    "new_balance_amount",
    "calculated_at",
)
PROFILE = (
    "customer_id",
    "customer_name",
    "has_loan_flag",
    "total_accounts_count",
    "total_balance_amount",
    "total_annual_interest_amount",
    "calculated_at",
)
LOAN = {"yes": True, "y": True, "true": True, "1": True, "no": False, "n": False, "false": False, "0": False}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def number(text: str, kind: Callable[[str], Any]) -> Any:
    try:
        return kind(text.strip())
    except (ValueError, InvalidOperation):
        return None


def expected(inbox: Path) -> Marts:
    """account → its row of account_summary, customer → their row of customer_profile, without calculated_at; from the
    newest two CSV files alone."""
    customers = {}
    for row in read(max(inbox.glob("customers_*.csv"))):
        id_, name = number(row["CustomerID"], int), row["Name"].strip()
        loan = LOAN.get(row["HasLoan"].strip().lower())
        if id_ is not None and name and loan is not None:
            customers[id_] = (name, loan)
    summary: dict[str, tuple[Any, ...]] = {}
    for row in read(max(inbox.glob("accounts_*.csv"))):
        customer, balance = number(row["CustomerID"], int), number(row["Balance"], Decimal)
        savings = row["AccountType"].strip().lower() == "savings"
        if not row["AccountID"] or customer not in customers or balance is None or balance < 0 or not savings:
            continue
        rate = Decimal("1") if balance < 10000 else Decimal("1.5") if balance < 20000 else Decimal("2")
        rate += Decimal("0.5") if customers[customer][1] else 0
        interest = (balance * rate / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
        summary[row["AccountID"]] = (customer, balance, rate, interest, balance + interest)
    accounts = defaultdict(list)
    for customer, balance, _, interest, _ in summary.values():
        accounts[customer].append((balance, interest))
    profile = {
        customer: (*customers[customer], len(got), sum(b for b, _ in got), sum(i for _, i in got))
        for customer, got in accounts.items()
    }
    return summary, profile


class Bank:
    """The example as a project, and what its marts say."""

    def __init__(self, cli: Any) -> None:
        self.cli = cli
        self.inbox: Path = cli.cwd / "inbox"

    def run(self) -> dict[str, Any]:
        report: dict[str, Any] = self.cli("run", "--json").json
        assert report["status"] == "success", report
        return report

    def _rows(self, relation: str, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
        file = str(self.cli.cwd / "data" / "dev" / "warehouse.duckdb")
        with duckdb.connect(file, read_only=True) as connection:
            found = connection.execute(f"SELECT * FROM {relation}")
            assert tuple(column[0] for column in found.description or ()) == columns
            return found.fetchall()

    def stamped(self) -> Marts:
        """Both marts as they are: key → row without the key, calculated_at last."""
        found = []
        for relation, columns in (("marts.account_summary", SUMMARY), ("marts.customer_profile", PROFILE)):
            rows = self._rows(relation, columns)
            assert len({row[0] for row in rows}) == len(rows), f"a key stands twice in {relation}"
            found.append({row[0]: row[1:] for row in rows})
        return found[0], found[1]

    def marts(self) -> Marts:
        summary, profile = self.stamped()
        return {key: row[:-1] for key, row in summary.items()}, {key: row[:-1] for key, row in profile.items()}

    def arrive(self, day: int, *, replacing: tuple[str, str] | None = None) -> None:
        """The files of the second day under the names of another one. `replacing`: a text of theirs, and what is there
        instead."""
        for path in (self.cli.cwd / "day2").iterdir():
            text = path.read_text()
            if replacing is not None:
                text = text.replace(*replacing)
            (self.inbox / f"{path.stem.partition('_')[0]}_202611{day}.csv").write_text(text)


@pytest.fixture
def bank(project: Callable[..., Any]) -> Bank:
    return Bank(project("banking"))


@pytest.fixture
def used(project: Callable[..., Any]) -> Bank:
    """After its first run."""
    return Bank(project("banking", run=True))


def moved(before: dict[Any, Any], after: dict[Any, Any]) -> set[Any]:
    """Keys whose row is there before and after and has another calculated_at."""
    return {key for key in before.keys() & after.keys() if before[key][-1] != after[key][-1]}


def differ(before: dict[Any, Any], after: dict[Any, Any]) -> set[Any]:
    return {key for key in before.keys() & after.keys() if before[key][:-1] != after[key][:-1]}


def test_two_days(bank: Bank) -> None:
    bank.cli("validate")
    bank.run()
    assert bank.marts() == expected(bank.inbox)
    first_summary, first_profile = bank.stamped()
    # a tier, a loan, half a cent, blanks; an overdrawn account, a customer without a name, loans nobody knows of
    assert first_summary["H001"][1:5] == (Decimal("9500.00"), Decimal("1.0"), Decimal("95.00"), Decimal("9595.00"))
    assert first_summary["H019"][2:4] == (Decimal("1.5"), Decimal("0.05"))
    assert first_summary["H017"][3:5] == (Decimal("0.01"), Decimal("0.51"))
    assert first_summary["H014"][1] == Decimal("18000.00")
    assert not {f"H{each:03}" for each in (*range(4, 14), 15)} & first_summary.keys()
    assert not {900003, 900004, 900006, 900010, 900014} & first_profile.keys()

    shutil.copytree(bank.cli.cwd / "day2", bank.inbox, dirs_exist_ok=True)
    bank.run()
    assert bank.marts() == expected(bank.inbox)
    summary, profile = bank.stamped()
    # her loan changed and none of her accounts did
    assert summary["H001"][1:5] == (Decimal("9500.00"), Decimal("1.5"), Decimal("142.50"), Decimal("9642.50"))
    assert profile[900001][1:5] == (True, 1, Decimal("9500.00"), Decimal("142.50"))
    # one of his two accounts changed, and both are in the sums
    assert profile[900002][2:5] == (2, Decimal("30000.00"), Decimal("700.00"))
    assert summary["H003"] == first_summary["H003"]
    # closed, found, arrived late
    assert "H016" not in summary
    assert 900011 not in profile
    assert {"H005", "H015", "H020"} <= summary.keys() - first_summary.keys()

    assert moved(first_summary, summary) == differ(first_summary, summary)
    assert moved(first_profile, profile) == differ(first_profile, profile)
    assert "H002" in moved(first_summary, summary)
    assert 900001 in moved(first_profile, profile)


def test_snapshots_by_both_strategies(used: Bank) -> None:
    shutil.copytree(used.cli.cwd / "day2", used.inbox, dirs_exist_ok=True)
    used.run()
    balances = used.cli.rows(
        "SELECT balance_amount, valid_from, valid_to, is_current FROM snapshots.accounts WHERE account_id = 'H002' "
        "ORDER BY valid_from"
    )
    assert [(row["balance_amount"], row["is_current"]) for row in balances] == [(9999.99, False), (10000.0, True)]
    assert balances[0]["valid_to"] == balances[1]["valid_from"]
    assert balances[1]["valid_to"] is None
    loans = used.cli.rows(
        "SELECT has_loan_flag, valid_from, valid_to FROM snapshots.customers WHERE customer_id = 900001 "
        "ORDER BY valid_from"
    )
    assert [row["has_loan_flag"] for row in loans] == [False, True]
    assert loans[0]["valid_to"] == loans[1]["valid_from"]
    closed = used.cli.rows("SELECT valid_to, is_current FROM snapshots.accounts WHERE account_id = 'H016'")
    assert [row["is_current"] for row in closed] == [False]
    assert closed[0]["valid_to"] is not None


def test_a_loan_alone(bank: Bank) -> None:
    """Of all that could change only one customer's loan does."""
    bank.arrive(18)
    bank.run()
    before = bank.stamped()
    bank.arrive(19, replacing=("900002,Omar Haddad,YES", "900002,Omar Haddad,no"))
    bank.run()
    assert bank.marts() == expected(bank.inbox)
    after = bank.stamped()
    assert differ(before[0], after[0]) == moved(before[0], after[0]) == {"H002", "H003"}
    assert differ(before[1], after[1]) == moved(before[1], after[1]) == {900002}


def test_one_of_two_accounts(bank: Bank) -> None:
    bank.arrive(18)
    bank.run()
    before = bank.stamped()
    bank.arrive(19, replacing=("H003,900002,20000.00,savings", "H003,900002,19999.99,savings"))
    bank.run()
    assert bank.marts() == expected(bank.inbox)
    after = bank.stamped()
    assert differ(before[0], after[0]) == moved(before[0], after[0]) == {"H003"}
    assert differ(before[1], after[1]) == moved(before[1], after[1]) == {900002}
    assert after[1][900002][2:4] == (2, Decimal("29999.99"))


def test_another_spelling_of_the_same_changes_no_mart(bank: Bank) -> None:
    bank.arrive(18)
    bank.run()
    before = bank.stamped()
    bank.arrive(19, replacing=("900002,Omar Haddad,YES", "900002, Omar Haddad ,true"))
    bank.run()
    assert bank.stamped() == before
    assert bank.marts() == expected(bank.inbox)


def test_the_second_day_needs_no_sql_parser(used: Bank) -> None:
    """What a day's changes need is compiled the day before, when the parser was at hand."""
    shutil.copytree(used.cli.cwd / "day2", used.inbox, dirs_exist_ok=True)
    imported = used.cli("run", PYTHONPROFILEIMPORTTIME="1").err
    assert "penstock.executor.maintained" in imported
    assert "sqlglot" not in imported
    assert used.marts() == expected(used.inbox)


def test_exports(used: Bank) -> None:
    out = used.cli.cwd / "data" / "dev" / "exports"
    summary, profile = expected(used.inbox)
    for name, columns, wanted in (("account_summary", SUMMARY, summary), ("customer_profile", PROFILE, profile)):
        lines = read(out / f"{name}.csv")
        assert tuple(lines[0]) == columns
        assert [str(line[columns[0]]) for line in lines] == [str(key) for key in sorted(wanted)]
        with duckdb.connect() as connection:
            found = connection.execute("FROM read_parquet(?)", [str(out / f"{name}.parquet")]).fetchall()
        assert {row[0]: row[1:-1] for row in found} == wanted


def test_a_rebuild_gives_the_same(used: Bank) -> None:
    shutil.copytree(used.cli.cwd / "day2", used.inbox, dirs_exist_ok=True)
    used.run()
    again = used.cli("run", "--json").json
    assert again["status"] == "unchanged"
    warehouse = used.cli.cwd / "data" / "dev" / "warehouse.duckdb"

    def snapshots() -> list[list[tuple[object, ...]]]:
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            names = ("accounts", "customers")
            return [connection.execute(f"FROM snapshots.{name} ORDER BY ALL").fetchall() for name in names]

    before = snapshots()
    assert any(not row[-1] for rows in before for row in rows), "no version has ended"
    warehouse.unlink()
    used.cli("rebuild")
    assert used.marts() == expected(used.inbox)
    assert snapshots() == before


def test_the_files_that_come_with_the_example_are_the_generators(tmp_path: Path) -> None:
    example = Path(banking_data.__file__).parent / "banking"
    for folder, day in (("inbox", date(2026, 11, 17)), ("day2", date(2026, 11, 18))):
        made = banking_data.generate(tmp_path / folder, accounts=40, customers=24, day=day, changed=8)
        for path in made:
            assert path.read_bytes() == (example / folder / path.name).read_bytes()


def test_as_many_accounts_change_as_are_asked_for(tmp_path: Path) -> None:
    days = []
    for day in (17, 18, 19):
        _, path = banking_data.generate(tmp_path, accounts=5000, customers=900, day=date(2026, 11, day), changed=47)
        days.append({row["AccountID"]: tuple(row.values()) for row in read(path) if row["AccountID"]})
    for before, after in pairwise(days):
        assert sum(before.get(key) != after.get(key) for key in before.keys() | after.keys()) == 47


def test_more_accounts_for_three_days(bank: Bank) -> None:
    for path in bank.inbox.iterdir():
        path.unlink()
    for day in (17, 18, 19):
        banking_data.generate(bank.inbox, accounts=3000, customers=700, day=date(2026, 11, day), changed=47)
        before = bank.stamped() if day > 17 else ({}, {})
        bank.run()
        assert bank.marts() == expected(bank.inbox)
        for was, is_ in zip(before, bank.stamped(), strict=True):
            assert moved(was, is_) == differ(was, is_)
