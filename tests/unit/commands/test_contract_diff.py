"""What a change of contracts breaks, and for whom: against what is published, a folder, a file, a git revision."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.commands.conftest import Folder

from penstock.cli.main import cli
from penstock.commands.contract_diff import ContractDiff, contract_diff
from penstock.errors import PenstockError

HEAD = "/*---\ncontract: {%s, columns: {region: varchar, total: bigint, n: bigint}}\n---*/\n"
TOTALS = "SELECT region, sum(amount)::BIGINT AS total, count(*) AS n FROM raw.orders GROUP BY region"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def project(folder: Folder) -> Folder:
    folder.write("models/stg/totals.sql", HEAD % "version: 1" + TOTALS)
    folder.write(
        "models/bus/shares.sql",
        "WITH t AS (SELECT region AS r, total AS s FROM stg.totals) SELECT r, s / 2 AS half FROM t",
    )
    folder.write("models/serv/report.sql", "SELECT r, half FROM bus.shares")
    folder.write("models/serv/regions.sql", "SELECT region FROM stg.totals WHERE n > 0")
    folder.write(
        "exports/all.yml",
        "exports:\n  halves: {format: csv, relation: serv.report, path: a.csv, columns: [half]}\n"
        "  names: {format: csv, relation: serv.report, path: b.csv, columns: [r]}\n",
    )
    folder.run()
    return folder


def narrow(folder: Folder, more: str = "version: 1") -> None:
    """`total` is gone."""
    head = HEAD.replace("total: bigint, ", "") % more
    folder.write("models/stg/totals.sql", head + TOTALS.replace("sum(amount)::BIGINT AS total, ", ""))


def diff(folder: Folder, against: str | Path | None = None) -> ContractDiff:
    return contract_diff(folder.root, against=None if against is None else str(against), now=NOW)


def verdicts(found: ContractDiff) -> dict[str, str]:
    return {str(each.relation): each.verdict for each in found.relations}


def test_nothing_changed(project: Folder) -> None:
    assert diff(project).relations == () and diff(project).exit_code == 0


def test_a_column_that_is_gone_concerns_those_that_are_made_from_it_and_no_others(project: Folder) -> None:
    narrow(project)
    found = diff(project)
    assert (verdicts(found), found.exit_code) == ({"stg.totals": "breaking"}, 3)
    [each] = found.relations
    assert "total is gone" in each.reasons[0]
    assert [(one.name, one.columns) for one in each.below] == [
        ("bus.shares", ("stg.totals.total",)),
        ("serv.report", ("bus.shares.half",)),
        ("export:halves", ("serv.report.half",)),
    ]
    narrow(project, "version: 2")
    found = diff(project)
    assert (verdicts(found), found.exit_code) == ({"stg.totals": "versioned"}, 0)
    assert len(found.relations[0].below) == 3


def test_backward_lets_a_column_go_and_forward_lets_one_come(project: Folder) -> None:
    narrow(project, "compatibility: backward")
    assert verdicts(diff(project)) == {"stg.totals": "additive"}
    head = HEAD.replace("n: bigint", "n: bigint, more: {type: date, nullable: false}") % "version: 1"
    project.write("models/stg/totals.sql", head + TOTALS.replace("count(*) AS n", "count(*) AS n, today() AS more"))
    assert verdicts(diff(project)) == {"stg.totals": "additive"}
    text = (project.root / "models/stg/totals.sql").read_text()
    project.write("models/stg/totals.sql", text.replace("version: 1", "compatibility: full"))
    assert verdicts(diff(project)) == {"stg.totals": "breaking"}


def test_evolve_breaks_only_what_is_read(project: Folder) -> None:
    narrow(project, "mode: evolve")
    assert verdicts(diff(project)) == {"stg.totals": "breaking"}
    project.write("models/bus/shares.sql", "SELECT region AS r, 1 AS half FROM stg.totals")
    assert verdicts(diff(project)) == {"stg.totals": "additive"}


def test_against_a_folder_what_has_no_contract_is_told_too(
    project: Folder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other") / "copy"
    shutil.copytree(project.root, other, ignore=shutil.ignore_patterns("data", ".penstock"))
    project.write("models/serv/report.sql", "SELECT r, half::VARCHAR AS half FROM bus.shares")
    found = diff(project, other)
    assert (verdicts(found), found.exit_code) == ({"serv.report": "told"}, 0)
    assert "half: double has become varchar" in found.relations[0].changes[0]
    assert [one.name for one in found.relations[0].below] == ["export:halves"]
    (project.root / "models/stg/totals.sql").write_text(TOTALS)
    assert verdicts(diff(project, other))["stg.totals"] == "breaking"


def test_against_a_file(project: Folder) -> None:
    runner = CliRunner()
    shown = runner.invoke(cli, ["contract", "list", "--json", "--project", str(project.root)])
    file = project.root / "contracts.json"
    file.write_text(shown.output)
    assert diff(project, file).relations == ()
    narrow(project)
    done = runner.invoke(
        cli,
        ["contract", "diff", "--json", "--project", str(project.root), "--against", str(file)],
        standalone_mode=False,
    )
    document = json.loads(done.output)
    assert document["exit_code"] == done.return_value == 3
    assert document["relations"][0]["verdict"] == "breaking"
    file.write_text("[]")
    with pytest.raises(PenstockError, match="CONTRACT_FILE"):
        diff(project, file)


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=me", "-c", "user.email=me@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, "-C", str(folder), *arguments], check=True, capture_output=True)


def test_against_a_revision_of_a_project_in_a_folder_of_the_repository(project: Folder, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "models", "sources", "penstock.yml", "exports")
    git(tmp_path, "commit", "-q", "-m", "first")
    inner = tmp_path / "inner"
    shutil.copytree(project.root, inner, ignore=shutil.ignore_patterns("inner", ".git"))
    git(tmp_path, "add", "inner/models", "inner/sources", "inner/penstock.yml", "inner/exports")
    git(tmp_path, "commit", "-q", "-m", "second")
    narrow(project)
    assert verdicts(diff(project, "main"))["stg.totals"] == "breaking"
    assert verdicts(diff(project, "HEAD~1"))["stg.totals"] == "breaking"
    assert contract_diff(inner, against="HEAD").relations == ()
    for wrong in ("nowhere", "--output=x", "HEAD~7"):
        with pytest.raises(PenstockError, match="UNKNOWN_REVISION"):
            diff(project, wrong)
    with pytest.raises(PenstockError, match="UNKNOWN_REVISION"):
        contract_diff(inner, against="HEAD~1")


def test_a_relation_that_is_gone(project: Folder) -> None:
    (project.root / "models/stg/totals.sql").unlink()
    for name in ("bus/shares", "serv/report", "serv/regions"):
        (project.root / f"models/{name}.sql").unlink()
    (project.root / "exports/all.yml").unlink()
    assert verdicts(diff(project)) == {"stg.totals": "breaking"}


@pytest.mark.parametrize(("day", "verdict"), [("2025-12-31", "versioned"), ("2026-02-01", "breaking")])
def test_a_relation_may_go_when_its_day_has_come(project: Folder, day: str, verdict: str) -> None:
    project.write("models/stg/totals.sql", HEAD % f"deprecated: {day}" + TOTALS)
    project.run()
    for name in ("stg/totals", "bus/shares", "serv/report", "serv/regions"):
        (project.root / f"models/{name}.sql").unlink()
    (project.root / "exports/all.yml").unlink()
    assert verdicts(diff(project)) == {"stg.totals": verdict}


def test_list_and_show(project: Folder) -> None:
    narrow(project, "version: 2")
    shown = CliRunner().invoke(cli, ["contract", "list", "--project", str(project.root)]).output
    assert "stg.totals" in shown and "changed" in shown
    project.write("models/bus/shares.sql", "SELECT region AS r, 1 AS half FROM stg.totals")
    project.run()
    project.write("inbox/orders.csv", "id,region,amount,more\n1,north,10,x\n")
    project.run()
    shown = CliRunner().invoke(cli, ["contract", "show", "stg.totals", "--project", str(project.root)]).output
    assert "version 2, additive, forward compatible; held" in shown
    assert "first published" in shown and "version 1 → 2; total is gone" in shown
    shown = CliRunner().invoke(cli, ["contract", "show", "raw.orders_history", "--project", str(project.root)]).output
    assert "raw.orders has no contract" in shown and "more varchar, new" in shown
    with pytest.raises(PenstockError, match="has no contract and never had one"):
        CliRunner().invoke(
            cli,
            ["contract", "show", "serv.nope", "--project", str(project.root)],
            standalone_mode=False,
            catch_exceptions=False,
        )


def test_what_a_person_reads(project: Folder) -> None:
    narrow(project)
    done = CliRunner().invoke(cli, ["contract", "diff", "--project", str(project.root)], standalone_mode=False)
    assert done.return_value == 3
    assert done.stdout.splitlines() == [
        "stg.totals: breaking (version 1)",
        "  not forward compatible: total is gone, and has no default for those who read it",
        "  below: bus.shares reads stg.totals.total",
        "  below: serv.report reads bus.shares.half",
        "  below: export:halves reads serv.report.half",
        "",
        "1 relation changed against what is published in dev: 1 contract broken",
    ]


def copied(project: Folder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    other = tmp_path_factory.mktemp("other") / "copy"
    shutil.copytree(project.root, other, ignore=shutil.ignore_patterns("data", ".penstock"))
    return other


def test_a_contract_that_is_new_takes_nothing_away(project: Folder, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It lists two of three columns: the third is there all the same."""
    other = copied(project, tmp_path_factory)
    (other / "models/stg/totals.sql").write_text(TOTALS)
    found = diff(project, other)
    assert (verdicts(found), found.exit_code) == ({"stg.totals": "additive"}, 0)
    assert found.relations[0].changes == ("it has a contract now, version 1",)
    project.write(
        "models/stg/totals.sql",
        "/*---\ncontract: {columns: {region: {type: varchar, nullable: false}}}\n---*/\n" + TOTALS,
    )
    assert diff(project, other).relations[0].changes == ("it has a contract now, version 1",)
    project.write(
        "models/stg/totals.sql", "/*---\ncontract: {columns: {region: varchar}}\n---*/\nSELECT region FROM raw.orders"
    )
    [change] = [each for each in diff(project, other).relations if str(each.relation) == "stg.totals"]
    assert change.changes[1:] == ("total is gone", "n is gone")
    assert [one.name for one in change.below][:3] == ["bus.shares", "serv.regions", "serv.report"]


def test_what_does_not_bind_is_not_gone(project: Folder, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = copied(project, tmp_path_factory)
    project.write("models/serv/report.sql", "SELECT r, nope FROM bus.shares")
    found = diff(project, other)
    assert found.relations == ()
    assert "nope" in found.notes[0]
    (project.root / "models/serv/report.sql").write_text("SELECT r, half FROM bus.shares")
    (other / "models/serv/report.sql").write_text("SELECT r, nope FROM bus.shares")
    found = diff(project, other)
    assert found.relations == ()
    assert found.notes[0].startswith("in what is compared with: models/serv/report.sql")


def test_of_a_project_with_problems_the_rest_is_compared(
    project: Folder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = copied(project, tmp_path_factory)
    narrow(project)
    project.write("models/serv/regions.sql", "/*---\nwrong: 1\n---*/\nSELECT 1 AS a")
    found = diff(project, other)
    assert verdicts(found) == {"stg.totals": "breaking"}
    assert ([each.code for each in found.problems], found.exit_code) == (["UNKNOWN_KEY"], 2)
    done = CliRunner().invoke(
        cli,
        ["contract", "diff", "--project", str(project.root), "--against", str(other)],
        standalone_mode=False,
    )
    assert done.return_value == 2
    assert "1 contract broken, as far as it can be compared" in done.stdout
    found = diff(Folder(other), project.root)
    assert found.problems[0].message.startswith("in what is compared with: ")


def test_without_its_sources_nothing_can_be_compared(project: Folder, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = copied(project, tmp_path_factory)
    (other / "sources/shop.yml").write_text("wrong: 1\n")
    with pytest.raises(PenstockError, match="in what is compared with: "):
        diff(project, other)
