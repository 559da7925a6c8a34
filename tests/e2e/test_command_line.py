"""What each verb says on the starter project, and the exit codes of what can go wrong."""

import fcntl
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def starter(project: Callable[..., Any]) -> Any:
    return project()


@pytest.fixture
def used(project: Callable[..., Any]) -> Any:
    """The starter project after its first run."""
    return project(run=True)


def test_the_starter_runs_at_once(starter: Any) -> None:
    done = starter("run")
    assert "8 rows in = 7 published + 1 quarantined" in done.out
    assert "team_costs.csv" in done.out
    assert all(f"{kind} " in done.err for kind in ("land", "load", "build", "export"))
    shown = starter("show", "serv.team_costs", "--csv").out.splitlines()
    assert shown[0] == "month,team,expenses,amount"
    assert set(shown[1:]) == {
        "2026-01-01,design,2,259.90",
        "2026-01-01,sales,1,1310.50",
        "2026-02-01,sales,1,88.00",
        "2026-02-01,design,1,640.00",
        "2026-02-01,support,1,420.00",
    }
    assert starter("run", "--quiet").err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("validate",),
        ("plan",),
        ("run",),
        ("land",),
        ("status",),
        ("history",),
        ("show", "serv.team_costs"),
        ("query", "SELECT 1 AS one"),
        ("export",),
        ("rebuild",),
        ("schema",),
        ("schema", "--print"),
    ],
)
def test_json_is_one_document(used: Any, arguments: tuple[str, ...]) -> None:
    assert isinstance(json.loads(used(*arguments, "--json").out), dict)


def test_verbs_work_below_the_project_and_from_elsewhere(starter: Any, tmp_path: Path) -> None:
    starter("run", "--project", ".", "-q")
    type(starter)(starter.cwd / "models" / "stg")("plan")
    type(starter)(tmp_path)("status", "--project", "it")
    done = type(starter)(tmp_path)("status", code=2)
    assert "penstock.yml" in done.err


def test_selection(starter: Any) -> None:
    steps = starter("plan", "--select", "+stg.expenses", "--json").json["steps"]
    targets = {step["target"] for step in steps}
    assert "stg.expenses" in targets
    assert "bus.expenses_monthly" not in targets
    assert starter("plan", "--select", "stg.nothing", code=2).err


def test_environments_are_apart(starter: Any) -> None:
    (starter.cwd / "penstock.yml").write_text(
        "name: it\nvariables: {since: '2026-01-01'}\nenvironments: {dev: {}, test: {}}\n"
    )
    starter("run", "-q", PENSTOCK_ENV="test")
    assert starter("status", "--env", "test", "--json").json["relations"][0]["rows"]
    assert not (starter.cwd / "data" / "dev" / "warehouse.duckdb").exists()
    assert "test" in starter("run", "--env", "prod", code=2).err


def test_every_problem_of_a_project_at_once(starter: Any) -> None:
    (starter.cwd / "models" / "stg" / "bad.sql").write_text("SELECT x\nFROM raw.nothing\n")
    (starter.cwd / "models" / "stg" / "worse.sql").write_text("SELEC 1\n")
    for verb in ("validate", "run", "plan"):
        done = starter(verb, code=2)
        assert "models/stg/bad.sql:2" in done.err
        assert "models/stg/worse.sql:1" in done.err
    problems = starter("validate", "--json", code=2).json["error"]["problems"]
    assert len(problems) == 2
    assert all(problem["code"] and problem["location"]["line"] and problem["hint"] for problem in problems)


def test_a_failed_step_skips_what_needs_it_and_the_next_run_goes_on(starter: Any) -> None:
    model = starter.cwd / "models" / "bus" / "expenses_monthly.sql"
    good = model.read_text()
    model.write_text(
        "SELECT month(spent_on) AS month, team, CAST(team AS INTEGER) AS expenses, amount FROM stg.expenses\n"
    )
    done = starter("run", code=2)
    assert "failed: build bus.expenses_monthly" in done.out
    assert "serv.team_costs" in done.out.partition("skipped")[2]
    assert "run again" in done.err
    told = starter("run", "--json", code=2).json
    assert told["status"] == "failed"
    assert told["exit_code"] == 2
    model.write_text(good)
    steps = {step["step"]: step["status"] for step in starter("run", "--json").json["steps"]}
    assert steps["build:bus.expenses_monthly"] == "success"
    assert steps["load:office.expenses"] == "unchanged"


def test_an_environment_in_use_is_exit_4(used: Any) -> None:
    (used.cwd / "inbox" / "expenses_more.csv").write_text("expense_id,spent_on,team,amount\n9,01.03.2026,Sales,5.00\n")
    locks = sorted((used.cwd / "data" / "dev").rglob("*.lock"))
    assert locks
    with ExitStack() as stack:
        for path in locks:
            fcntl.flock(stack.enter_context(path.open("r+")), fcntl.LOCK_EX)
        done = used("run", code=4)
    assert "[LOCKED]" in done.err
    assert "--wait" in done.err
    used("run")


def test_a_broken_file_is_told_and_nothing_is_landed(used: Any) -> None:
    (used.cwd / "inbox" / "expenses_2.csv").write_text("expense_id,spent_on,team,amount\n9,01.03.2026,Sales\n")
    done = used("run", code=3)
    assert "expenses_2.csv" in done.out
    assert "fix:" in done.out
    (used.cwd / "inbox" / "expenses_2.csv").unlink()
    used("run")


def test_query_takes_stdin_and_only_reads(used: Any) -> None:
    assert used("query", "-", "--csv", stdin="SELECT 7 AS n").out == "n\n7\n"
    for sql in ("DROP TABLE raw.expenses_history", "SELECT 1; SELECT 2", "SELEC", "COPY raw.expenses TO 'x.csv'"):
        assert used("query", sql, code=2).err.startswith("error:")
    assert not (used.cwd / "x.csv").exists()
    assert used("query", "FROM raw.expenses", "--limit", "2").err.count("there are more") == 1


def test_init_never_overwrites(starter: Any) -> None:
    marked = starter.cwd / "penstock.yml"
    marked.write_text("name: mine\n")
    done = starter("init", ".", "--example", "shop", code=2)
    assert "[INIT_CONFLICT]" in done.err
    assert marked.read_text() == "name: mine\n"
    assert not (starter.cwd / "day2").exists()
    assert "shop" in starter("init", "x", "--example", "nope", code=2).err


def test_init_keeps_an_own_gitignore_and_names_the_project_after_its_folder(starter: Any, tmp_path: Path) -> None:
    folder = tmp_path / "1. My Pipeline"
    folder.mkdir()
    (folder / ".gitignore").write_text("mine\n")
    made = type(starter)(tmp_path)("init", str(folder), "--json").json
    assert (folder / ".gitignore").read_text() == "mine\n"
    assert any(".gitignore" in step for step in made["next_steps"])
    assert "name: project_1_my_pipeline\n" in (folder / "penstock.yml").read_text()
    type(starter)(folder)("run", "-q")


def test_schemas_lie_where_the_files_say(starter: Any) -> None:
    for path in [starter.cwd / "penstock.yml", *starter.cwd.glob("sources/*.yml"), *starter.cwd.glob("exports/*.yml")]:
        first = path.read_text().splitlines()[0]
        schema = path.parent / first.partition("$schema=")[2]
        assert json.loads(schema.read_text())["properties"]
    for path in (starter.cwd / ".schema").iterdir():
        path.unlink()
    starter("schema")
    assert (starter.cwd / ".schema" / "penstock.json").exists()
