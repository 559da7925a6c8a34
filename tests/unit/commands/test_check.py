"""`penstock check`: what is published is judged as it is, shown to people and programs, and nothing is changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from penstock.cli.main import run
from penstock.domain.check_result import CheckOutcome
from penstock.errors import PenstockError

MODEL = """/*---
owner: sales
key: id
pii: [region]
checks:
- not_null: id
- positive: {column: amount, name: big, on_fail: warn, where: region = 'north'}
- accepted_values: {column: region, values: [north, south]}
---*/
SELECT id, region, amount FROM raw.orders
"""
NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)


@pytest.fixture
def life(folder: Any) -> Any:
    folder.write("models/stg/m.sql", MODEL)
    folder.run()
    return folder


def sabotage(folder: Any, sql: str) -> None:
    with duckdb.connect(str(folder.root / "data" / "dev" / "warehouse.duckdb")) as connection:
        connection.execute(sql)


def test_what_holds_passes(life: Any) -> None:
    found = life.project.check()
    assert (found.exit_code, found.environment, found.commit, found.missing) == (0, "dev", 2, ())
    assert [(each.name, each.outcome, each.rows, each.failing) for each in found.results] == [
        ("not_null(id)", CheckOutcome.PASSED, 3, 0),
        ("big", CheckOutcome.PASSED, 2, 0),
        ("accepted_values(region)", CheckOutcome.PASSED, 3, 0),
    ]


def test_rows_that_were_changed_by_hand_are_found_and_private_values_hidden(life: Any) -> None:
    sabotage(life, "UPDATE stg.m SET region = 'secret', amount = -1 WHERE id = 2")
    found = life.project.check("stg.m")
    assert found.exit_code == 3
    [failed] = [each for each in found.results if each.outcome is not CheckOutcome.PASSED]
    assert (failed.failing, failed.rows, failed.samples) == (1, 3, ({"id": 2, "region": "***"},))
    assert (failed.owner, failed.location.line) == ("sales", 8)


def test_a_warning_is_no_failure(life: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sabotage(life, "UPDATE stg.m SET amount = -1 WHERE id = 1")
    assert run(["check", "--project", str(life.root)]) == 0
    said = capsys.readouterr().out
    assert "warned   stg.m     big" in said
    assert "warned: stg.m: big (models/stg/m.sql:7:3, owner sales)" in said
    assert "    id = 1, amount = -1\n" in said
    assert said.endswith("dev as of commit 2: 2 passed, 1 warned\n")


def test_programs_get_everything(life: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sabotage(life, "UPDATE stg.m SET region = 'x' || id")
    assert run(["check", "stg.*", "--json", "--project", str(life.root)]) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["exit_code"], found["commit"], found["problems"]) == (3, 2, [])
    wrong = found["results"][2]
    assert (wrong["outcome"], wrong["failing"], wrong["owner"], wrong["scope"]) == ("failed", 3, "sales", "all")
    assert [row["region"] for row in wrong["samples"]] == ["***"] * 3


def test_a_check_that_was_added_since_is_evaluated_and_nothing_is_remembered(life: Any) -> None:
    life.write(
        "models/stg/m.sql",
        MODEL.replace("- not_null: id", "- row_count: {min: 4}\n- mean_drift: {column: amount, max: 1%}"),
    )
    before = life.rows("FROM _penstock.measures") + life.rows("FROM _penstock.gates")
    found = life.project.check()
    assert [each.outcome for each in found.results][:2] == ["failed", "passed"]
    assert life.rows("FROM _penstock.measures") + life.rows("FROM _penstock.gates") == before


def test_the_last_time_is_the_time_before_what_is_published(life: Any) -> None:
    life.write("models/stg/m.sql", MODEL.replace("- not_null: id", "- row_count: {max_drop: 20%, on_fail: warn}"))
    life.write("inbox/orders.csv", "id,region,amount\n1,north,10\n2,south,20\n3,north,31\n")
    life.run()
    life.write("inbox/orders.csv", "id,region,amount\n1,north,10\n2,south,20\n")
    life.run()
    [result] = [each for each in life.project.check().results if each.kind == "row_count"]
    assert (result.outcome, "fewer rows than the 3 before" in result.message) == (CheckOutcome.WARNED, True)


def test_what_is_not_built_is_told_and_the_rest_evaluated(life: Any, capsys: pytest.CaptureFixture[str]) -> None:
    life.write("models/serv/new.sql", "/*---\nchecks: [{not_null: id}]\n---*/ SELECT id FROM stg.m")
    life.write("models/stg/m.sql", MODEL.replace("- not_null: id", "- expression: region::INTEGER > 1"))
    found = life.project.check()
    assert list(map(str, found.missing)) == ["serv.new"]
    [problem] = found.problems
    assert (problem.code, problem.location.line, found.exit_code) == ("CHECK_INVALID", 6, 3)
    assert run(["check", "--project", str(life.root)]) == 3
    said = capsys.readouterr().out
    assert "not built yet: serv.new" in said
    assert "not evaluated:" in said


def test_source_tables_and_views_and_files_are_evaluated(life: Any) -> None:
    life.write(
        "models/serv/v.sql",
        "/*---\nmaterialization: view\nchecks: [{unique: {column: region, on_fail: warn}}]\n---*/\n"
        "SELECT region FROM stg.m",
    )
    life.project.run()
    life.write(
        "checks/own.sql", "/*---\nrelation: raw.orders\nkey: id\n---*/ SELECT * FROM raw.orders WHERE amount > 20"
    )
    found = {each.name: each for each in life.project.check().results}
    assert (found["own"].failing, found["own"].samples) == (1, ({"id": 3},))
    assert (found["unique(region)"].failing, found["unique(region)"].outcome) == (2, CheckOutcome.WARNED)


def test_what_cannot_be_asked_for(life: Any) -> None:
    with pytest.raises(PenstockError) as error:
        life.project.check("raw.orders")
    assert (error.value.code, error.value.exit_code) == ("UNKNOWN_SELECTION", 2)
    with pytest.raises(PenstockError) as error:
        life.project.check("stg.nothing")
    assert error.value.code == "UNKNOWN_SELECTION"


def test_before_anything_is_built(folder: Any) -> None:
    folder.write("models/stg/m.sql", MODEL)
    with pytest.raises(PenstockError) as error:
        folder.project.check()
    assert error.value.code == "NOTHING_BUILT"


def test_nothing_to_check(folder: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder.run()
    assert run(["check", "--project", str(folder.root)]) == 0
    assert capsys.readouterr().out == "nothing to check: no model and no source table has checks\n"


def test_one_that_cannot_be_evaluated_hides_no_other(life: Any) -> None:
    life.project.run()
    life.write(
        "models/stg/m.sql",
        "/*---\nchecks:\n- not_null: id\n- {expression: {expression: CAST(region AS INTEGER) > 0, name: no number}}\n"
        "- {row_count: {min: 9}}\n---*/\nSELECT id, region, amount FROM raw.orders\n",
    )
    found = life.project.check("stg.m")
    assert {each.name: each.outcome for each in found.results} == {
        "not_null(id)": CheckOutcome.PASSED,
        "row_count": CheckOutcome.FAILED,
    }
    assert ["the check no number cannot be evaluated" in each.message for each in found.problems] == [True]
