"""Contracts of models: what breaks one is not published, and what was held is written down."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.commands.conftest import Folder

from penstock.errors import ProjectError, StateError

CONTRACT = """/*---
key: region
contract:
  {more}
  columns:
    region: varchar
    amount: {{type: hugeint, nullable: false}}
---*/
"""
TOTALS = "SELECT region, sum(amount) AS amount FROM raw.orders GROUP BY region"


def totals(more: str = "version: 1", sql: str = TOTALS) -> str:
    return CONTRACT.format(more=more) + sql


def orders(folder: Folder, *rows: str) -> None:
    folder.write("inbox/orders.csv", "id,region,amount\n" + "".join(f"{row}\n" for row in rows))


def held(folder: Folder) -> list[dict[str, Any]]:
    file = folder.root / "data/dev/contracts.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def failed(folder: Folder) -> dict[str, str]:
    """Code by step of what failed."""
    report = folder.project.run()
    return {step.step: problem.code for step in report.steps for problem in step.problems}


def test_what_keeps_its_contract_is_published_and_written_down_once(folder: Folder) -> None:
    folder.write("models/stg/totals.sql", totals())
    folder.run()
    assert folder.rows("SELECT * FROM stg.totals") == [("north", 40), ("south", 20)]
    orders(folder, "1,north,10")
    folder.run()
    [line] = held(folder)
    assert (line["relation"], line["contract"]["version"], line["contract"]["key"]) == ("stg.totals", 1, ["region"])
    assert line["columns"] == [["region", "VARCHAR"], ["amount", "HUGEINT"]]
    folder.write("models/stg/totals.sql", totals("owner: me"))
    assert folder.run()["build:stg.totals"] == "unchanged"
    assert [line["contract"]["owner"] for line in held(folder)] == [None, "me"]
    assert folder.project.plan().needed == ()


def test_null_where_the_contract_allows_none_leaves_the_table_as_it_was(folder: Folder) -> None:
    folder.write("models/stg/totals.sql", totals())
    folder.run()
    orders(folder, "1,north,10", "2,south,")
    assert failed(folder) == {"build:stg.totals": "CHECK_FAILED"}
    assert folder.rows("SELECT * FROM stg.totals") == [("north", 40), ("south", 20)]
    orders(folder, "1,north,10", "2,south,1")
    folder.run()
    assert folder.rows("SELECT * FROM stg.totals") == [("north", 10), ("south", 1)]


@pytest.mark.parametrize(
    ("mode", "sql", "told"),
    [
        ("additive", "SELECT region, 1::HUGEINT AS amount, 2 AS more FROM raw.orders GROUP BY 1", ""),
        ("strict", "SELECT region, 1::HUGEINT AS amount, 2 AS more FROM raw.orders GROUP BY 1", "more INTEGER is not"),
        ("evolve", "SELECT region, 1::HUGEINT AS amount, 2 AS more FROM raw.orders GROUP BY 1", ""),
        ("additive", "SELECT region, 1 AS amount FROM raw.orders GROUP BY 1", "amount is INTEGER, expected HUGEINT"),
        ("strict", "SELECT region, 1 AS amount FROM raw.orders GROUP BY 1", "amount is INTEGER, expected HUGEINT"),
        ("evolve", "SELECT region, 1 AS amount FROM raw.orders GROUP BY 1", ""),
        ("evolve", "SELECT region, '1' AS amount FROM raw.orders GROUP BY 1", "amount is VARCHAR, expected HUGEINT"),
        ("evolve", "SELECT region FROM raw.orders GROUP BY 1", "amount HUGEINT is missing"),
        ("additive", "SELECT amount, region FROM (SELECT 1::HUGEINT AS amount, 'x' AS region)", ""),
    ],
)
def test_a_shape_that_is_not_the_contracts_is_told_before_anything_runs(
    folder: Folder, mode: str, sql: str, told: str
) -> None:
    folder.write("models/stg/totals.sql", totals(f"mode: {mode}", sql))
    folder.write("models/bus/reader.sql", "SELECT amount FROM stg.totals")
    if not told:
        folder.run()
        return
    with pytest.raises(ProjectError) as caught:
        folder.project.run()
    [problem] = [each for each in caught.value.problems if each.code == "CONTRACT_BROKEN"]
    assert told in problem.message and str(problem.location) == "models/stg/totals.sql:3:1"
    assert ("read by bus.reader" in problem.message) == ("more" not in told)


def test_evolve_lets_go_of_what_nobody_reads(folder: Folder) -> None:
    text = totals("mode: evolve", "SELECT region FROM raw.orders GROUP BY 1").replace(", nullable: false", "")
    folder.write("models/stg/totals.sql", text)
    folder.write("models/bus/reader.sql", "SELECT region FROM stg.totals")
    folder.run()
    folder.write("models/bus/reader.sql", "SELECT * FROM stg.totals")
    with pytest.raises(ProjectError, match="amount HUGEINT is missing; read by bus"):
        folder.project.run()


def test_a_python_model_is_held_against_its_contract_when_it_ran(folder: Folder) -> None:
    text = '"""\n---\nreads: [raw.orders]\ncolumns: [id]\ncontract: {columns: {id: %s}}\n---\n"""\n' + (
        "def model(orders):\n    import pyarrow as pa\n    return pa.table({'id': pa.array([1], pa.int64())})\n"
    )
    folder.write("models/stg/ids.py", text % "integer")
    assert failed(folder) == {"build:stg.ids": "CONTRACT_BROKEN"}
    assert folder.rows("SELECT count(*) FROM information_schema.tables WHERE table_name = 'ids'") == [(0,)]
    folder.write("models/stg/ids.py", text % "bigint")
    folder.run()


def test_a_contract_that_changes_alone_is_asked_of_what_is_there(folder: Folder) -> None:
    orders(folder, "1,north,10", "2,south,")
    loose = totals().replace(", nullable: false", "")
    folder.write("models/stg/totals.sql", loose)
    folder.run()
    folder.write("models/stg/totals.sql", totals("compatibility: forward"))
    plan = folder.project.plan()
    assert [(step.id, step.reason) for step in plan.needed] == [("build:stg.totals", "its contract changed")]
    assert failed(folder) == {"build:stg.totals": "CHECK_FAILED"}
    assert len(held(folder)) == 1
    orders(folder, "1,north,10", "2,south,3")
    folder.run()
    assert [line["contract"]["columns"][1]["nullable"] for line in held(folder)] == [True, False]


def test_a_key_of_the_contract_alone_is_unique_too(folder: Folder) -> None:
    text = "/*---\ncontract: {key: region, columns: {region: varchar}}\n---*/\nSELECT region FROM raw.orders"
    folder.write("models/stg/regions.sql", text)
    assert failed(folder) == {"build:stg.regions": "CHECK_FAILED"}
    folder.write("models/stg/regions.sql", text + " GROUP BY 1")
    folder.run()


def test_a_version_is_a_promise(folder: Folder) -> None:
    folder.write("models/stg/totals.sql", totals())
    folder.run()
    narrow = "/*---\nkey: region\ncontract: {version: %d, columns: {region: varchar}}\n---*/\n" + (
        "SELECT region FROM raw.orders GROUP BY 1"
    )
    folder.write("models/stg/totals.sql", narrow % 1)
    report = folder.project.run()
    [problem] = [problem for step in report.steps for problem in step.problems]
    assert problem.code == "CONTRACT_VERSION" and "amount is gone" in problem.message
    assert problem.hint is not None and "version: 2" in problem.hint
    assert folder.rows("SELECT amount FROM stg.totals") == [(20,), (40,)]
    folder.write("models/stg/totals.sql", narrow % 2)
    folder.run()
    # the way back is what version 1 meant, and nothing else
    folder.write("models/stg/totals.sql", narrow % 1)
    assert failed(folder) == {"build:stg.totals": "CONTRACT_VERSION"}
    folder.write("models/stg/totals.sql", totals())
    folder.run()
    assert [line["contract"]["version"] for line in held(folder)] == [1, 2, 1]


def test_what_was_held_outlives_the_warehouse(folder: Folder) -> None:
    folder.write("models/stg/totals.sql", totals())
    folder.run()
    before = held(folder)
    assert folder.project.rebuild().exit_code == 0
    assert held(folder) == before
    file = folder.root / "data/dev/contracts.jsonl"
    file.write_bytes(file.read_bytes() + b'{"relation": "stg.to')  # a crash while it was written
    folder.write("models/stg/totals.sql", totals("owner: me"))
    folder.run()
    assert [json.loads(line)["contract"]["owner"] for line in file.read_text().splitlines()[::2]] == [None, "me"]
    file.write_text('{"relation": "stg.totals"}\n')
    folder.write("models/stg/totals.sql", totals("owner: you"))
    with pytest.raises(StateError) as caught:
        folder.project.run()
    assert caught.value.code == "CONTRACTS_DAMAGED"


WAYS = {
    "auto": "",
    "rebuild": "materialization: rebuild",
    "append": "materialization: append",
    "merge": "materialization: merge",
    "time_range": "materialization: time_range\ntime_range: {column: day, grain: day}",
    "history": "materialization: history",
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_rows_are_kept_is_held_to_the_contract(folder: Folder, way: str) -> None:
    text = f"/*---\nkey: id\n{WAYS[way]}\ncontract:\n  columns:\n    id: bigint\n    day: date\n" + (
        "    amount: {type: bigint, nullable: false}\n---*/\n"
        "SELECT id, amount, DATE '2024-01-01' AS day FROM raw.orders"
    )
    folder.write("models/stg/kept.sql", text.replace("\n\n", "\n"))
    folder.run()
    before = folder.rows("SELECT * FROM stg.kept")
    assert len(before) == 3 and len(held(folder)) == 1
    orders(folder, "1,north,11", "2,south,20", "3,north,30", "4,west,")
    assert failed(folder) == {"build:stg.kept": "CHECK_FAILED"}
    assert folder.rows("SELECT * FROM stg.kept") == before
    if way == "history":  # what landed is part of it, and stays so
        return
    orders(folder, "1,north,11", "2,south,20", "3,north,30", "4,west,40")
    folder.run()
    assert folder.rows("SELECT max(id) FROM stg.kept") == [(4,)]


def test_a_column_of_the_same_name_from_elsewhere_is_no_reader(folder: Folder) -> None:
    folder.write(
        "models/stg/totals.sql",
        totals("mode: evolve", "SELECT region FROM raw.orders GROUP BY 1").replace(", nullable: false", ""),
    )
    folder.write("models/bus/reader.sql", "SELECT o.amount FROM stg.totals AS t JOIN raw.orders AS o USING (region)")
    folder.run()
    folder.write("models/bus/reader.sql", "SELECT t.amount FROM stg.totals AS t JOIN raw.orders AS o USING (region)")
    with pytest.raises(ProjectError, match=r"amount HUGEINT is missing; read by bus\.reader"):
        folder.project.run()
