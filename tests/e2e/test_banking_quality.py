"""The bank's quarantine, its gate and its quality report: what is set apart and why, and what nobody ever sees."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).with_name("bank")
"""Two files of somebody else, with the defects that such files have."""
HELD = {
    "the example": {
        "source.customers": {"INVALID": "customer_id", "None": "key customer_id is NULL"},
        "source.accounts": {
            "H005": "balance is an amount",
            "H006": "balance is an amount",
            "H007": "balance is an amount",
            "H009": "there is a balance",
            "H010": "customer is a number",
            "H011": "there is a customer",
            "H012": "there is a type",
            "H013": "type is one we have",
            "None": "key account_id is NULL",
        },
        "staging.accounts": {"H008": "balance is not negative"},
        "staging.customers": {
            "900003": "there is a name",
            "900004": "loan is yes or no",
            "900006": "loan is yes or no",
            "900009": "there is a name",
            "900010": "loan is yes or no",
            "900014": "loan is yes or no",
        },
    },
    "somebody else": {
        "source.customers": {"INVALID": "customer_id", "None": "key customer_id is NULL"},
        "source.accounts": {
            "A006": "there is a balance",
            "A022": "balance is an amount",
            "A023": "customer is a number",
            "A025": "balance is an amount",
            "A027": "there is a type",
            "A028": "there is a customer",
            "A029": "balance is an amount",
            "A030": "type is one we have",
            "None": "key account_id is NULL",
        },
        "staging.accounts": {"A024": "balance is not negative"},
        "staging.customers": {
            "3": "there is a name",
            "8": "loan is yes or no",
            "12": "loan is yes or no",
            "14": "there is a name",
            "19": "loan is yes or no",
            "22": "there is a name",
            "24": "loan is yes or no",
        },
    },
}


@pytest.fixture
def bank(project: Callable[..., Any]) -> Any:
    return project("banking")


@pytest.fixture
def used(project: Callable[..., Any]) -> Any:
    """The bank after its first run."""
    return project("banking", run=True)


def theirs(cli: Any) -> None:
    """Have the files of somebody else in the inbox, and no others."""
    shutil.rmtree(cli.cwd / "inbox")
    shutil.copytree(FILES, cli.cwd / "inbox")


def held(cli: Any) -> dict[str, dict[str, str]]:
    """Relation → account or customer → the names of the checks that set it apart."""
    found: dict[str, dict[str, str]] = {}
    for table in ("accounts", "customers"):
        key = f"{table[:-1]}_id"
        sql = (
            f"SELECT relation, payload->>'{key}' AS key, reasons AS why FROM _penstock.quarantine "
            f"WHERE relation = 'source.{table}' UNION ALL "
            f"SELECT 'staging.{table}', CAST({key} AS VARCHAR), _penstock_reasons "
            f'FROM _penstock."quarantine_staging.{table}"'
        )
        for row in cli.rows(sql):
            why = ", ".join(text.partition(": ")[0] for text in row["why"])
            found.setdefault(row["relation"], {})[str(row["key"])] = why
    return found


def report(cli: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((cli.cwd / "data/dev/reports/latest.json").read_text())
    return told


@pytest.mark.parametrize("whose", HELD)
def test_every_dirty_row_is_set_apart_with_its_reason(whose: str, bank: Any) -> None:
    if whose != "the example":
        theirs(bank)
    said = bank("run").out
    assert "set apart: source.accounts: there is a type: expected a value in account_type: 1 of " in said
    assert held(bank) == HELD[whose]
    # with what was found, and the row as it came
    shown = bank("quarantine", "show", "source.accounts").out
    assert "balance is an amount: expected balance to read as decimal(12,2), found 'N/A'" in shown
    assert "balance=N/A" in shown


def test_the_files_of_somebody_else_give_what_they_should(bank: Any) -> None:
    theirs(bank)
    bank("run")
    summary = bank.rows("SELECT * EXCLUDE (calculated_at) FROM marts.account_summary ORDER BY account_id")
    assert {row["account_id"]: (row["interest_rate_pct"], row["annual_interest_amount"]) for row in summary} == {
        "A004": (1.0, 95), "A007": (2.5, 875), "A010": (2.5, 1500), "A011": (1.5, 157.5), "A015": (2.5, 750),
        "A016": (2.0, 300), "A017": (1.0, 80), "A018": (2.5, 550), "A020": (2.0, 360), "A021": (2.5, 625),
    }  # fmt: skip
    told = report(bank)
    orphans = [each for each in told["warnings"] if each["test"] == "customer is known"]
    assert [each["failing"] for each in orphans] == [6], "their customers are set apart or were never sent"
    for relation in told["relations"]:
        accounting = relation["accounting"]
        assert accounting is None or accounting["adds_up"], relation


def test_what_is_corrected_comes_back_by_itself(used: Any) -> None:
    shutil.copytree(used.cwd / "day2", used.cwd / "inbox", dirs_exist_ok=True)
    used("run")
    left = {relation: dict(rows) for relation, rows in HELD["the example"].items()}
    del left["source.accounts"]["H005"], left["staging.customers"]["900004"]
    assert held(used) == left
    assert used.rows("SELECT * FROM marts.account_summary WHERE account_id = 'H005'")[0]["customer_id"] == 900004


def test_what_somebody_corrects_here_is_published_and_stays_corrected(used: Any) -> None:
    shown = used("quarantine", "show", "source.accounts", "--json").json["rows"]
    (row,) = [each["id"] for each in shown if "H006" in json.dumps(each)]
    used("quarantine", "fix", "source.accounts", row, "--set", "balance=2000.00", "--why", "asked the branch")
    used("run")
    assert "H006" not in held(used)["source.accounts"]
    asked = "SELECT original_balance_amount AS balance FROM marts.account_summary WHERE account_id = 'H006'"
    assert used.rows(asked) == [{"balance": 2000}]
    shutil.copytree(used.cwd / "day2", used.cwd / "inbox", dirs_exist_ok=True)
    used("run")
    assert used.rows(asked) == [{"balance": 2000}], "the bank sends it as it was, and it is not wrong again"


def test_more_than_forty_checks_over_five_layers(used: Any) -> None:
    told = report(used)
    assert [layer["layer"] for layer in told["layers"]] == [
        "source", "staging", "snapshots", "intermediate", "marts",
    ]  # fmt: skip
    assert all(layer["relations_with_tests"] == layer["relations"] for layer in told["layers"])
    assert told["summary"]["total_tests"] >= 40
    assert (told["summary"]["failed"], told["summary"]["not_evaluated"]) == (0, 0)
    assert set(told["dimensions"]) == {
        "completeness", "accuracy", "consistency", "timeliness", "uniqueness", "validity",
    }  # fmt: skip
    assert all(layer["score"] == 100 for layer in told["layers"] if layer["layer"] in {"snapshots", "marts"})
    quarantined = {each["relation"]: each["quarantined"] for each in told["relations"] if each["quarantined"]}
    assert quarantined == {relation: len(rows) for relation, rows in HELD["the example"].items()}
    page = (used.cwd / "data/dev/reports/latest.html").read_text()
    assert "Tess Vogel" not in page, "a name of somebody is in the report"


def test_a_file_that_was_cut_off_is_not_published(used: Any) -> None:
    before = used.rows("FROM marts.account_summary ORDER BY account_id")
    whole = (used.cwd / "day2" / "accounts_20261118.csv").read_text().splitlines(keepends=True)
    (used.cwd / "inbox" / "accounts_20261118.csv").write_text("".join(whole[:20]))
    done = used("run", code=3)
    assert "row_count" in done.out and "expected at most 50 % fewer" in done.out, done.out
    assert used.rows("FROM marts.account_summary ORDER BY account_id") == before
    assert [each["test"] for each in report(used)["failures"]] == ["row_count"]


def test_when_half_of_it_is_wrong_nothing_is_published(used: Any) -> None:
    before = used.rows("FROM marts.account_summary ORDER BY account_id")
    text = (used.cwd / "day2" / "accounts_20261118.csv").read_text()
    (used.cwd / "inbox" / "accounts_20261118.csv").write_text(
        text.replace(",Savings", ",Gold").replace(",savings", ",")
    )
    done = used("run", code=3)
    assert "QUARANTINE_LIMIT" in done.out, done.out
    assert used.rows("FROM marts.account_summary ORDER BY account_id") == before
    assert [each["problems"][0]["code"] for each in report(used)["errors"]] == ["QUARANTINE_LIMIT"]


def test_the_page_is_opened_in_the_browser_that_people_have(used: Any, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path / "opened"}\n')
    browser.chmod(0o755)
    used("report", "--open", BROWSER=f"{browser} %s")
    page = next((used.cwd / "data/dev/reports").glob("2*.html"))
    assert (tmp_path / "opened").read_text().strip() == page.as_uri()
