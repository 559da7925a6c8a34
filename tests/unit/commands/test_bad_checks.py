"""Checks that cannot be evaluated are told with file and line before anything runs, whatever their relation is."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import Problem, ProjectError

MODEL = (
    "/*---\nchecks:\n- not_null: id\n- {}\n---*/\n"
    "SELECT *, DATE '2026-11-01' AS day, [DATE '2026-11-01'] AS days FROM raw.orders\n"
)


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
        ("mean_drift: {column: amount, max: 5%, where: gone}", "CHECK_OPTION", "gone"),
        ("relationships: {column: id, to: raw.orders, field: gone}", "UNKNOWN_COLUMN", "'gone' of raw.orders"),
        ("reconciliation: {column: amount, with: raw.orders, field: gone}", "UNKNOWN_COLUMN", "'gone' of raw.orders"),
        ("no_overlap: {column: id}", "UNKNOWN_COLUMN", "valid_from"),
        ("completeness: {column: day, where: id > 'x'}", "CHECK_OPTION", "'x'"),
        ("mean_drift: {column: region, max: 5%}", "CHECK_OPTION", "it takes numbers, and region is VARCHAR"),
        ("quantile_drift: {column: day, max: 5%}", "CHECK_OPTION", "it takes numbers, and day is DATE"),
        ("anomaly: {column: day, measure: max}", "CHECK_OPTION", "it takes numbers, and day is DATE"),
        ("freshness: {column: region, error_after: 1 day}", "CHECK_OPTION", "it takes times, and region is VARCHAR"),
        ("recency: {column: amount, within: 1 day}", "CHECK_OPTION", "it takes times, and amount is BIGINT"),
        ("completeness: {column: days}", "CHECK_OPTION", "it takes times, and days is DATE[]"),
        ("expression: amount + 1", "CHECK_OPTION", "expression gives BIGINT, expected true or false"),
        ("expression: region", "CHECK_OPTION", "expression gives VARCHAR, expected true or false"),
        ("not_null: {column: id, where: amount}", "CHECK_OPTION", "where gives BIGINT, expected true or false"),
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


def test_what_only_the_engine_knows_is_told_with_the_rest(folder: Any) -> None:
    source = (folder.root / "sources/shop.yml").read_text().rstrip()[:-1]
    checks = "[{regex: {column: region, pattern: '('}}, {range: {column: id}}]"
    folder.write("sources/shop.yml", f"{source},\n    checks: {checks}}}\n")
    folder.write(
        "models/stg/m.sql",
        "/*---\nchecks:\n- {regex: {column: region, pattern: '['}}\n- {positive: amount, wrong: 1}\n- {nosuch: id}\n"
        "- {row_count: {same_as: stg.m}}\n---*/\nSELECT * FROM raw.orders\n",
    )
    folder.write("models/stg/n.sql", "SELECT gone FROM stg.m\n")
    with pytest.raises(ProjectError) as error:
        folder.project.validate()
    told = [(str(each.location).partition(":")[0], each.code, each.message) for each in error.value.problems]
    assert [(path, code) for path, code, _ in told] == [
        ("models/stg/m.sql", "CHECK_OPTION"),
        ("models/stg/m.sql", "BAD_VALUE"),
        ("models/stg/m.sql", "UNKNOWN_KIND"),
        ("models/stg/m.sql", "CHECK_OPTION"),
        ("models/stg/n.sql", "SQL_INVALID"),
        ("sources/shop.yml", "CHECK_OPTION"),
        ("sources/shop.yml", "CHECK_OPTION"),
    ]
    assert "missing ]" in told[0][2]
    assert "has as many rows as stg.m" in told[3][2]


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ("expression: 1 = 1) OR (1 = 1", "a bracket is closed in expression that is not opened in it"),
        ("not_null: {column: id, where: 'a) AND (b'}", "a bracket is closed in where"),
        ("accepted_values: {column: id, values: [1, 2, null]}", "values, item 3: expected"),
        ("row_count: {max_drop: 150%}", "everything would pass"),
        ("null_rate: {column: id, max: 100%}", "everything would pass"),
    ],
)
def test_before_the_engine_is_asked(folder: Any, check: str, message: str) -> None:
    folder.write("models/stg/m.sql", MODEL.replace("{}", check))
    assert message in told(folder).message


def test_brackets_in_text_and_comments_are_none(folder: Any) -> None:
    folder.write("models/stg/m.sql", MODEL.replace("{}", "expression: region <> ')' -- :)"))
    folder.project.validate()


@pytest.mark.parametrize(
    ("matter", "message"),
    [
        ("contract: {columns: {}}", "columns: expected at least 1, found none"),
        ("contract: {version: 0, columns: {id: bigint}}", "version: expected 1 or more, found 0"),
        ("checks: [{row_count: {min: -1}}]", "min: expected 0 or more, found -1"),
    ],
)
def test_what_is_too_small_is_told_in_plain_words(folder: Any, matter: str, message: str) -> None:
    folder.write("models/stg/m.sql", f"/*---\n{matter}\n---*/\nSELECT id FROM raw.orders\n")
    assert told(folder).message == message
