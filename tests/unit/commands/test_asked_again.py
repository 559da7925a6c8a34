"""Checks are asked again where no row changed, when they did, or when what they look at beside their relation did."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.domain.run import Status
from penstock.planner.gates import CHANGED

MODEL = "/*---\nchecks: {checks}\n---*/\nSELECT id, region, amount FROM raw.orders\n"
REGIONS = """
root: inbox
tables:
  orders: {path: orders.csv, extract: full, key: id, columns: {id: bigint, amount: bigint}}
  regions: {path: regions.csv, extract: full, key: region}
"""


def model(folder: Any, checks: str) -> None:
    folder.write("models/stg/m.sql", MODEL.format(checks=checks))


def steps(report: Any) -> dict[str, Any]:
    return {each.step: each for each in report.steps}


def planned(folder: Any, step: str = "build:stg.m") -> tuple[bool, str]:
    found = next(each for each in folder.project.plan().steps if each.id == step)
    return found.needed, found.reason


@pytest.fixture
def built(folder: Any) -> Any:
    model(folder, "[]")
    folder.run()
    return folder


def test_a_check_that_was_added_is_asked_of_what_is_there(built: Any) -> None:
    model(built, "[{range: {column: amount, max: 100}}]")
    assert planned(built) == (True, CHANGED)
    report = built.project.run()
    assert report.exit_code == 0
    assert [each.name for each in steps(report)["build:stg.m"].checks] == ["range(amount)"]
    assert steps(report)["build:stg.m"].commit is None  # no row changed
    assert planned(built) == (False, "up to date")
    assert built.project.run().status is Status.UNCHANGED


def test_one_that_fails_stops_the_step_in_every_run_and_unpublishes_nothing(built: Any) -> None:
    before = built.rows("FROM stg.m")
    model(built, "[{range: {column: amount, max: 20}}]")
    for _ in range(2):
        report = built.project.run()
        (problem,) = steps(report)["build:stg.m"].problems
        assert report.exit_code == 3
        assert (problem.code, "1 of 3 rows fails" in problem.message) == ("CHECK_FAILED", True)
        assert built.rows("FROM stg.m") == before
    built.write("inbox/orders.csv", "id,region,amount\n1,north,10\n2,south,20\n")
    assert built.project.run().exit_code == 0
    assert planned(built) == (False, "up to date")


def test_one_that_only_warns_is_asked_once(built: Any) -> None:
    model(built, "[{range: {column: amount, max: 20, on_fail: warn}}]")
    (result,) = steps(built.project.run())["build:stg.m"].checks
    assert (result.outcome, result.failing) == ("warned", 1)
    assert planned(built) == (False, "up to date")


def test_checks_of_a_source_table_and_of_a_view_too(built: Any) -> None:
    built.write("models/stg/v.sql", "/*---\nmaterialization: view\nchecks: []\n---*/\nSELECT amount FROM raw.orders\n")
    built.run()
    built.write("sources/shop.yml", REGIONS.replace("amount: bigint}}", "amount: bigint}, checks: [{unique: region}]}"))
    built.write("inbox/regions.csv", "region\nnorth\n")
    built.write(
        "models/stg/v.sql",
        "/*---\nmaterialization: view\nchecks: [{unique: {column: amount, on_fail: warn}}]\n---*/\n"
        "SELECT amount FROM raw.orders\n",
    )
    assert planned(built, "load:shop.orders") == (True, CHANGED)
    found = steps(built.project.run())
    assert found["load:shop.orders"].problems[0].code == "CHECK_FAILED"
    built.write("sources/shop.yml", REGIONS)
    found = steps(built.project.run())
    assert [each.outcome for each in found["build:stg.v"].checks] == ["passed"]


def test_code_of_a_check_in_python_is_part_of_it(built: Any) -> None:
    code = '"""x\n\n---\nrelation: stg.m\n---\n"""\n\n\ndef check(rows):\n    return {}\n'
    built.write("checks/own.py", code.format("[]"))
    built.run()
    assert planned(built) == (False, "up to date")
    built.write("checks/own.py", code.format("[{'id': 1}]"))
    assert planned(built) == (True, CHANGED)
    assert built.project.run().exit_code == 3


def test_words_for_people_and_places_do_not_count(built: Any) -> None:
    model(built, "[{positive: amount}]")
    built.run()
    built.write(
        "models/stg/m.sql",
        "/*---\nowner: sales\nchecks:\n  - positive: amount\n---*/\nSELECT id, region, amount FROM raw.orders\n",
    )
    assert planned(built) == (False, "up to date")


@pytest.fixture
def related(folder: Any) -> Any:
    """Orders, each of a region that there is."""
    folder.write("sources/shop.yml", REGIONS)
    folder.write("inbox/regions.csv", "region\nnorth\nsouth\n")
    model(folder, "[{relationships: {column: region, to: raw.regions}}]")
    folder.run()
    return folder


def test_a_row_that_others_refer_to_and_that_goes_is_noticed(related: Any) -> None:
    related.write("inbox/regions.csv", "region\nnorth\n")
    report = related.project.run()
    problem = steps(report)["build:stg.m"].problems[0]
    assert (report.exit_code, problem.code) == (3, "CHECK_FAILED")
    assert planned(related)[1] == "a check of it looks at raw.regions_history, which changed"
    related.write("inbox/regions.csv", "region\nnorth\nsouth\nwest\n")
    assert related.project.run().exit_code == 0
    assert planned(related) == (False, "up to date")


def test_and_when_rows_of_both_change_the_others_are_judged_too(related: Any) -> None:
    related.write("inbox/regions.csv", "region\nnorth\n")
    related.write("inbox/orders.csv", "id,region,amount\n1,north,10\n2,south,20\n3,north,31\n")
    problem = steps(related.project.run())["build:stg.m"].problems[0]
    assert "1 of 3 rows fails" in problem.message


def test_a_row_of_its_own_relation_that_goes_is_noticed(folder: Any) -> None:
    folder.write(
        "sources/shop.yml",
        "root: inbox\ntables:\n  staff: {path: staff.csv, extract: full, key: id,\n"
        "    checks: [{relationships: {column: boss, to: raw.staff, field: id}}]}\n",
    )
    folder.write("inbox/staff.csv", "id,boss\n1,\n2,1\n3,1\n")
    folder.run()
    folder.write("inbox/staff.csv", "id,boss\n2,1\n3,2\n")
    problem = steps(folder.project.run())["load:shop.staff"].problems[0]
    assert "1 of 2 rows fails" in problem.message


def test_and_that_of_a_model(folder: Any) -> None:
    folder.write(
        "models/stg/m.sql",
        "/*---\nchecks: [{relationships: {column: region, to: stg.m, field: region}}, {row_count: {min: 1}}]\n---*/\n"
        "SELECT id, region FROM raw.orders\n",
    )
    folder.run()
    assert planned(folder) == (False, "up to date")
