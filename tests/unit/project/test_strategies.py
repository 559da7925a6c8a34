"""How a model's rows are kept: what front matter may say, and what is wrong with it otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.domain.relation import RelationName
from penstock.domain.strategy import Strategy, TimeRange, Versioning
from penstock.errors import ProjectError
from penstock.project.load import load

Write = Callable[..., Path]
SELECT = "SELECT order_id, order_date, net FROM stg.orders"


def sql(matter: str, select: str = SELECT) -> dict[str, str]:
    return {"models/bus/more.sql": f"/*---\n{matter}\n---*/\n{select}\n"}


def python(matter: str) -> dict[str, str]:
    head = f'"""\n---\nreads: [stg.orders]\ncolumns: [order_id, score]\n{matter}\n---\n"""\n'
    return {"models/bus/more.py": f"{head}\n\ndef model(orders):\n    return orders\n"}


GOOD = [
    (sql("materialization: merge\nkey: order_id"), Strategy()),
    (sql("materialization: merge\nkey: order_id\ndeletes: remove"), Strategy(deletes="remove")),
    (
        sql("materialization: time_range\ntime_range: {column: order_date, grain: day, lookback: 3 days}"),
        Strategy(time_range=TimeRange("order_date", "day", 259200.0)),
    ),
    (
        sql("materialization: time_range\ntime_range: {column: order_date, grain: month}"),
        Strategy(time_range=TimeRange("order_date", "month")),
    ),
    (sql("materialization: history\nkey: order_id"), Strategy()),
    (
        sql("materialization: history\nkey: order_id\nhistory: {columns: net, deletes: ignore}"),
        Strategy(history=Versioning(columns=("net",), deletes="ignore")),
    ),
    (
        sql("materialization: history\nkey: order_id\nhistory: {by: updated_at, column: order_date}"),
        Strategy(history=Versioning("updated_at", "order_date")),
    ),
    (python("map: true\nkey: order_id"), Strategy(map=True)),
    (python("group: order_id"), Strategy(group=("order_id",))),
]


@pytest.mark.parametrize(("files", "expected"), GOOD)
def test_what_front_matter_says_reaches_the_model_and_survives_the_cache(
    write: Write, files: dict[str, str], expected: Strategy
) -> None:
    root = write(files)
    for _ in range(2):
        model = load(root).model(RelationName("bus", "more"))
        assert model is not None
        assert model.strategy == expected


def test_another_strategy_is_another_definition(write: Write) -> None:
    found = set()
    for lookback in ("1 day", "24 hours", "2 days"):
        matter = f"materialization: time_range\ntime_range: {{column: order_date, grain: day, lookback: {lookback}}}"
        model = load(write(sql(matter))).model(RelationName("bus", "more"))
        assert model is not None
        found.add(model.fingerprint)
    assert len(found) == 2


BAD = [
    ("merge without a key", sql("materialization: merge"), "KEY_REQUIRED", 2),
    ("history without a key", sql("materialization: history"), "KEY_REQUIRED", 2),
    ("no range", sql("materialization: time_range"), "MISSING_KEY", 2),
    ("a range elsewhere", sql("time_range: {column: order_date, grain: day}"), "OPTION_MISPLACED", 2),
    ("deletes elsewhere", sql("materialization: append\nkey: order_id\ndeletes: remove"), "OPTION_MISPLACED", 4),
    ("history elsewhere", sql("history: {by: changes}"), "OPTION_MISPLACED", 2),
    (
        "no such grain",
        sql("materialization: time_range\ntime_range: {column: order_date, grain: week}"),
        "BAD_VALUE",
        3,
    ),
    (
        "no span",
        sql("materialization: time_range\ntime_range: {column: order_date, grain: day, lookback: soon}"),
        "BAD_VALUE",
        3,
    ),
    (
        "a time that is not given",
        sql("materialization: time_range\ntime_range: {column: day, grain: day}"),
        "UNKNOWN_COLUMN",
        3,
    ),
    (
        "updated_at without a column",
        sql("materialization: history\nkey: order_id\nhistory: {by: updated_at}"),
        "MISSING_KEY",
        4,
    ),
    (
        "changes with a column",
        sql("materialization: history\nkey: order_id\nhistory: {column: order_date}"),
        "OPTION_MISPLACED",
        4,
    ),
    (
        "compared columns that are not given",
        sql("materialization: history\nkey: order_id\nhistory: {columns: [nett]}"),
        "UNKNOWN_COLUMN",
        4,
    ),
    (
        "its own validity",
        sql("materialization: history\nkey: order_id", "SELECT order_id, net AS valid_from FROM stg.orders"),
        "RESERVED_NAME",
        2,
    ),
    ("map without a key", python("map: true"), "KEY_REQUIRED", 5),
    ("map and group", python("map: true\nkey: order_id\ngroup: order_id"), "OPTION_MISPLACED", 5),
    ("an appended map", python("map: true\nkey: order_id\nmaterialization: append"), "OPTION_MISPLACED", 7),
    ("a group that is not given", python("group: day"), "UNKNOWN_COLUMN", 5),
]


@pytest.mark.parametrize(("files", "code", "line"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_one_mistake_is_one_problem_with_its_place(write: Write, files: dict[str, str], code: str, line: int) -> None:
    with pytest.raises(ProjectError) as caught:
        load(write(files))
    (problem,) = caught.value.problems
    assert problem.code == code, problem
    assert problem.location is not None
    assert problem.location.line == line
    assert problem.hint


def test_a_layer_cannot_have_a_materialization_that_asks_for_more(write: Write) -> None:
    config = (
        "name: shop\nvariables: {minimum_revenue: 0}\nlayers: [{name: raw}, {name: stg, materialization: history}]\n"
    )
    with pytest.raises(ProjectError) as caught:
        load(write({"penstock.yml": config}))
    assert "BAD_VALUE" in {problem.code for problem in caught.value.problems}


SOURCE = "root: inbox\ntables:\n  orders:\n    path: a.csv\n    extract: {extract}\n"


def test_a_source_says_since_when_its_rows_are_valid(write: Write) -> None:
    text = SOURCE.format(extract="full") + (
        "    key: order_id\n    effective: updated_at\n"
        "    on_missing_column: null\n    columns: {updated_at: timestamp}\n"
    )
    (table,) = load(write({"sources/shop.yml": text})).sources[0].tables
    assert (table.effective, table.on_missing_column) == ("updated_at", "null")


@pytest.mark.parametrize(
    ("rest", "extract", "code"),
    [
        ("    effective: updated_at\n", "append", "OPTION_MISPLACED"),
        ("    key: order_id\n    effective: n\n    columns: {n: bigint}\n", "full", "BAD_VALUE"),
        ("    key: order_id\n    on_missing_column: drop\n", "full", "BAD_VALUE"),
    ],
)
def test_what_a_source_cannot_say_of_time(write: Write, rest: str, extract: str, code: str) -> None:
    with pytest.raises(ProjectError) as caught:
        load(write({"sources/shop.yml": SOURCE.format(extract=extract) + rest}))
    assert code in [problem.code for problem in caught.value.problems]
