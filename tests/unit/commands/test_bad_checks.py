"""Checks that cannot be evaluated are told with file and line before anything runs, whatever their relation is."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import Problem, ProjectError

MODEL = "/*---\nchecks:\n- not_null: id\n- {}\n---*/\nSELECT * FROM raw.orders\n"


def told(folder: Any) -> Problem:
    with pytest.raises(ProjectError) as error:
        folder.project.validate()
    [problem] = error.value.problems
    assert problem.location
    assert problem.hint
    return problem


@pytest.mark.parametrize(
    ("check", "code", "message"),
    [
        ("not_null: gone", "UNKNOWN_COLUMN", "names the column 'gone'"),
        ("unique: [id, gone]", "UNKNOWN_COLUMN", "gone"),
        ("expression: gone > 1", "CHECK_OPTION", "gone"),
        ("expression: nosuch(id) > 1", "CHECK_OPTION", "nosuch"),
        ("not_null: {column: id, where: gone > 1}", "CHECK_OPTION", "gone"),
        ("not_null: {column: id, where: region + 1}", "CHECK_OPTION", "cannot be evaluated"),
        ("regex: {column: region, pattern: '(a'}", "CHECK_OPTION", "missing )"),
        ("regex: {column: region, pattern: '(?=a)b'}", "CHECK_OPTION", "invalid perl operator"),
        ("regex: {column: region, pattern: '[z-a]'}", "CHECK_OPTION", "invalid character class range"),
        ("range: {column: id, min: soon}", "CHECK_OPTION", "soon"),
        ("range: {column: amount, min: '2026-01-01'}", "CHECK_OPTION", "2026-01-01"),
        ("accepted_values: {column: id, values: [a, b]}", "CHECK_OPTION", "cannot be evaluated"),
        ("positive: region", "CHECK_OPTION", "cannot be evaluated"),
        ("mean_drift: {column: region, max: 5%, where: gone}", "CHECK_OPTION", "gone"),
        ("relationships: {column: id, to: raw.orders, field: gone}", "UNKNOWN_COLUMN", "'gone' of raw.orders"),
        ("reconciliation: {column: amount, with: raw.orders, field: gone}", "UNKNOWN_COLUMN", "'gone' of raw.orders"),
        ("no_overlap: {column: id}", "UNKNOWN_COLUMN", "valid_from"),
        ("completeness: {column: region, where: id > 'x'}", "CHECK_OPTION", "cannot be evaluated"),
    ],
)
def test_of_a_model_whose_columns_only_the_engine_knows(folder: Any, check: str, code: str, message: str) -> None:
    folder.write("models/stg/m.sql", MODEL.replace("{}", check))
    problem = told(folder)
    assert (problem.code, str(problem.location).startswith("models/stg/m.sql:4:")) == (code, True), problem
    assert message in problem.message


def test_of_a_source_table(folder: Any) -> None:
    source = (folder.root / "sources/shop.yml").read_text().rstrip()[:-1]
    folder.write("sources/shop.yml", f"{source},\n    checks: [{{regex: {{column: region, pattern: '('}}}}]}}\n")
    problem = told(folder)
    assert (problem.code, str(problem.location)) == ("CHECK_OPTION", "sources/shop.yml:5:15")


def test_of_a_file_at_its_line(folder: Any) -> None:
    folder.write("models/stg/m.sql", "SELECT * FROM raw.orders")
    folder.write("checks/own.sql", "/*---\nrelation: stg.m\n---*/\nSELECT id\nFROM stg.m\nWHERE gone > 1\n")
    problem = told(folder)
    assert (problem.code, str(problem.location)) == ("CHECK_OPTION", "checks/own.sql:6")


def test_what_is_right_is_left_alone(folder: Any) -> None:
    every = "\n- ".join(
        [
            "regex: {column: region, pattern: '[a-z]+'}",
            "range: {column: amount, min: 0}",
            "unique: [id, region]",
            "expression: amount < 1000 AND length(region) < 10",
            "relationships: {column: id, to: raw.orders}",
            "anomaly: {column: amount, measure: sum}",
        ]
    )
    folder.write("models/stg/m.sql", MODEL.replace("{}", every))
    folder.write(
        "checks/own.sql",
        "/*---\nrelation: stg.m\n---*/\nSELECT id FROM stg.m WHERE amount > $run_ts::DATE - $run_date + 1000",
    )
    folder.project.validate()
    folder.run()
