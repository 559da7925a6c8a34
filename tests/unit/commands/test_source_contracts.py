"""Contracts of source tables: rows that do not keep them are held back, shapes that do not stop the load."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from tests.unit.commands.conftest import Folder

from penstock.errors import ProjectError

TABLE = """
root: inbox
tables:
  orders:
    path: "{path}"
    extract: {extract}
    {more}
    contract:
      {contract}
      columns: {columns}
"""
COLUMNS = "{id: bigint, region: varchar, amount: integer}"


def source(
    folder: Folder,
    *,
    path: str = "orders*.csv",
    extract: str = "incremental",
    more: str = "key: id",
    contract: str = "version: 1",
    columns: str = COLUMNS,
) -> None:
    text = TABLE.format(path=path, extract=extract, more=more, contract=contract, columns=columns)
    folder.write("sources/shop.yml", text.replace("    \n", ""))


def parquet(folder: Folder, name: str, select: str) -> None:
    (folder.root / "inbox").mkdir(exist_ok=True)
    connection = duckdb.connect()
    connection.execute(f"COPY ({select}) TO '{folder.root / 'inbox' / name}' (FORMAT parquet)")
    connection.close()


def stopped(folder: Folder) -> str:
    """The message of the one thing that went wrong, which is a broken contract."""
    report = folder.project.run()
    [problem] = [problem for step in report.steps for problem in step.problems]
    assert (problem.code, report.exit_code) == ("CONTRACT_BROKEN", 3), problem
    assert problem.location is not None and problem.location.path == "sources/shop.yml" and problem.hint
    return problem.message


def raw(folder: Folder, columns: str = "*") -> list[tuple[object, ...]]:
    return folder.rows(f"SELECT {columns} FROM (SELECT * EXCLUDE (processing_ts) FROM raw.orders)")


def quarantined(folder: Folder) -> list[Any]:
    found = folder.project.query("SELECT reasons FROM _penstock.quarantine ORDER BY payload").rows
    return [list(row[0]) for row in found]


def held(folder: Folder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder.root / "data/dev/contracts.jsonl").read_text().splitlines()]


def test_types_and_null_are_judged_row_by_row(folder: Folder) -> None:
    source(
        folder,
        path="orders.csv",
        extract="full",
        columns="{id: bigint, region: {type: varchar, nullable: false}, amount: integer}",
    )
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,10\n2,,20\n3,west,many\n")
    folder.run()
    assert raw(folder) == [(1, "north", 10)]
    assert quarantined(folder) == [
        ["region: expected VARCHAR, found NULL"],
        ["amount: expected INTEGER, found 'many'"],
    ]
    [line] = held(folder)
    assert line["columns"] == [["id", "BIGINT"], ["region", "VARCHAR"], ["amount", "INTEGER"]]


@pytest.mark.parametrize("mode", ["additive", "strict", "evolve"])
def test_a_new_column(folder: Folder, mode: str) -> None:
    source(folder, contract=f"mode: {mode}")
    folder.run()
    folder.write("inbox/orders2.csv", "id,region,amount,note\n4,west,7,hello\n")
    if mode == "strict":
        assert "note VARCHAR is not part of it" in stopped(folder)
        assert len(raw(folder)) == 3
        return
    folder.run()
    assert raw(folder, "id, note") == [(1, None), (2, None), (3, None), (4, "hello")]
    assert [line["columns"][-1][0] for line in held(folder)] == ["amount", "note"]


@pytest.mark.parametrize("mode", ["additive", "strict", "evolve"])
def test_a_column_that_is_gone(folder: Folder, mode: str) -> None:
    source(folder, contract=f"mode: {mode}")
    folder.write("models/stg/regions.sql", "SELECT region, count(*) AS orders FROM raw.orders GROUP BY region")
    folder.run()
    folder.write("inbox/orders2.csv", "id,region\n4,west\n")
    if mode != "evolve":
        assert "amount INTEGER is missing; no model reads them" in stopped(folder)
        assert len(raw(folder)) == 3
        return
    folder.run()
    assert raw(folder, "id, amount")[-1] == (4, None)
    folder.write("inbox/orders3.csv", "id,amount\n5,1\n")
    assert "region VARCHAR is missing; read by stg.regions" in stopped(folder)


def test_a_default_and_a_missing_column_that_is_allowed(folder: Folder) -> None:
    columns = "{id: bigint, region: {type: varchar, nullable: false, default: unknown}, amount: integer}"
    source(folder, columns=columns, more="key: id\n    on_missing_column: null")
    folder.run()
    folder.write("inbox/orders2.csv", "id\n4\n")
    folder.run()
    assert raw(folder)[-1] == (4, "unknown", None)


def test_a_first_batch_without_a_column_of_the_contract_is_stopped(folder: Folder) -> None:
    source(folder, columns="{id: bigint, other: date}")
    assert "other DATE is missing" in stopped(folder)
    assert folder.rows("SELECT count(*) FROM information_schema.tables WHERE table_name = 'orders'") == [(0,)]


@pytest.mark.parametrize("mode", ["additive", "strict", "evolve"])
def test_types_of_files_that_have_some(folder: Folder, mode: str) -> None:
    columns = "{id: bigint, region: varchar, amount: bigint}"
    source(folder, path="o*.parquet", contract=f"mode: {mode}", columns=columns)
    parquet(folder, "o1.parquet", "SELECT 1::BIGINT AS id, 'north' AS region, 10::BIGINT AS amount")
    folder.run()
    parquet(folder, "o2.parquet", "SELECT 2::BIGINT AS id, 'north' AS region, 11::INTEGER AS amount")
    if mode == "strict":
        assert "amount is INTEGER, expected BIGINT" in stopped(folder)
        return
    folder.run()
    parquet(folder, "o3.parquet", "SELECT unnest([3, 4])::BIGINT AS id, '' AS region, unnest([1.0, 1.5]) AS amount")
    if mode == "additive":
        assert "amount is DECIMAL(2,1), expected BIGINT" in stopped(folder)
        return
    folder.run()
    assert raw(folder, "id, amount") == [(1, 10), (2, 11), (3, 1)]
    assert quarantined(folder) == [["amount: expected BIGINT, found '1.5'"]]


def test_evolve_follows_a_wider_type_of_a_column_it_does_not_list(folder: Folder) -> None:
    source(folder, path="o*.parquet", contract="mode: evolve", columns="{id: bigint}")
    folder.write("models/stg/totals.sql", "SELECT sum(n) AS n, max(n) AS most FROM raw.orders")
    parquet(folder, "o1.parquet", "SELECT 1::BIGINT AS id, 10::INTEGER AS n")
    folder.run()
    parquet(folder, "o2.parquet", f"SELECT 2::BIGINT AS id, {2**40}::BIGINT AS n")
    folder.run()
    parquet(folder, "o3.parquet", "SELECT 3::BIGINT AS id, 5::SMALLINT AS n")
    folder.run()
    assert raw(folder, "id, n, typeof(n)") == [(1, 10, "BIGINT"), (2, 2**40, "BIGINT"), (3, 5, "BIGINT")]
    assert folder.rows("SELECT most, typeof(most) FROM stg.totals") == [(2**40, "BIGINT")]
    assert folder.project.verify().exit_code == 0
    assert folder.project.rebuild().exit_code == 0
    assert raw(folder, "id, n, typeof(n)")[0] == (1, 10, "BIGINT")
    parquet(folder, "o4.parquet", "SELECT 4::BIGINT AS id, 'x' AS n")
    report = folder.project.run()
    [problem] = [problem for step in report.steps for problem in step.problems]
    assert problem.code == "TYPE_CHANGED"
    assert problem.message.endswith("; read by stg.totals")


def test_batches_from_before_a_contract_are_loaded_by_what_they_have(folder: Folder) -> None:
    source(folder)
    folder.run()
    folder.write("inbox/orders2.csv", "id,region,amount,note\n4,west,7,hello\n")
    folder.run()
    source(
        folder,
        contract="{version: 2, mode: strict}".strip("{}").replace(", ", "\n      "),
        columns=COLUMNS[:-1] + ", note: varchar}",
    )
    folder.run()
    expected = [(1, None), (2, None), (3, None), (4, "hello")]
    assert raw(folder, "id, note") == expected
    folder.write("inbox/orders3.csv", "id,region,amount\n5,west,7\n")
    assert "note VARCHAR is missing" in stopped(folder)
    (folder.root / "inbox/orders3.csv").unlink()
    for file in (folder.root / "data/dev/landing/shop/orders").rglob("000003.*"):
        file.unlink()
    assert folder.project.rebuild().exit_code == 0
    assert raw(folder, "id, note") == expected


EVENTS = (
    "{id: {type: bigint, nullable: false}, kind: varchar, at: timestamp, tags: 'varchar[]', "
    "person: 'struct(name varchar, age int)'}"
)


def test_events_are_judged_one_by_one_and_none_is_lost(folder: Folder) -> None:
    source(folder, path="*.ndjson", extract="append", more="", columns=EVENTS)
    good = {
        "id": 1,
        "kind": "click",
        "at": "2024-01-01T00:00:00",
        "tags": ["a", "b"],
        "person": {"name": "ann", "age": 7},
    }
    lines: list[dict[str, Any]] = [
        good,
        {"id": 2},
        {"kind": "no id"},
        {"id": "three"},
        {"id": 4, "at": "yesterday", "tags": "none"},
        {"id": 5, "person": {"name": "bob", "age": "old"}},
        {"id": 6, "person": {"name": "bob", "shoe": 43}},
        {"id": 7, "more": "let through"},
    ]
    folder.write("inbox/e1.ndjson", "".join(json.dumps(line) + "\n" for line in lines))
    folder.run()
    assert raw(folder, "id, tags, person, more") == [
        (1, ["a", "b"], {"name": "ann", "age": 7}, None),
        (2, None, None, None),
        (7, None, None, "let through"),
    ]
    reasons = quarantined(folder)
    assert len(reasons) + len(raw(folder)) == len(lines)
    assert ["id: expected BIGINT, found NULL"] in reasons and ["id: expected BIGINT, found 'three'"] in reasons
    assert [len(each) for each in reasons].count(2) == 1
    # a file in which the field is nowhere
    folder.write("inbox/e2.ndjson", '{"kind": "still no id"}\n')
    folder.run()
    assert len(raw(folder)) == 3 and len(quarantined(folder)) == len(reasons) + 1


def test_columns_of_a_contract_are_known_before_anything_is_landed(folder: Folder) -> None:
    source(folder, path="nothing*.ndjson", extract="append", more="", columns=EVENTS)
    folder.write("models/stg/kinds.sql", "SELECT person.age AS age, kinds FROM raw.orders")
    with pytest.raises(Exception, match="kinds"):
        folder.project.validate()
    folder.write("models/stg/kinds.sql", "SELECT person.age AS age, kind FROM raw.orders")
    assert [str(c.type) for c in folder.project.validate().columns["stg.kinds"]] == ["INTEGER", "VARCHAR"]


def test_strict_events_have_the_fields_of_the_contract_and_no_others(folder: Folder) -> None:
    columns = "{id: {type: bigint, nullable: false}, kind: varchar}"
    source(folder, path="*.ndjson", extract="append", more="", contract="mode: strict", columns=columns)
    lines = [
        '{"id": 1, "kind": "a"}',
        '{"id": 2, "color": "red"}',
        '{"id": 3, "color": null}',
        '{"color": "x", "Ω": {}}',
    ]
    folder.write("inbox/e1.ndjson", "".join(f"{line}\n" for line in lines))
    folder.run()
    assert raw(folder, "id, kind") == [(1, "a"), (3, None)]
    assert [c.name for c in folder.project.show("raw.orders").columns] == ["id", "kind", "processing_ts", "_batch"]
    assert quarantined(folder) == [
        ["color: expected no such field, found 'red'"],
        [
            "id: expected BIGINT, found NULL",
            "color: expected no such field, found 'x'",
            "Ω: expected no such field, found '{}'",
        ],
    ]
    payloads = folder.rows("SELECT payload FROM _penstock.quarantine")
    assert any('"color":"red"' in str(row[0]) for row in payloads)
    folder.write("models/stg/kinds.sql", "SELECT color FROM raw.orders")
    with pytest.raises(Exception, match="color"):
        folder.project.validate()
    folder.write("models/stg/kinds.sql", "SELECT kind FROM raw.orders")
    # let through from now on: every event is judged anew
    source(folder, path="*.ndjson", extract="append", more="", contract="mode: additive", columns=columns)
    folder.run()
    assert [row[0] for row in raw(folder, "id")] == [1, 2, 3]
    assert len(quarantined(folder)) == 1


def test_a_rebuild_restores_what_was_let_through_by_an_earlier_contract(folder: Folder) -> None:
    source(folder)
    folder.run()
    folder.write("inbox/orders2.csv", "id,region,amount,note\n4,west,7,hello\n")
    folder.run()
    source(folder, contract="mode: strict")
    folder.run()
    expected = raw(folder)
    assert folder.project.rebuild().exit_code == 0
    assert raw(folder) == expected
    (folder.root / "data/dev/contracts.jsonl").unlink()  # with nothing but the landing
    assert folder.project.rebuild().exit_code == 0
    assert raw(folder) == expected
    folder.write("inbox/orders3.csv", "id,region,amount,note\n5,west,7,hello\n")
    assert "note VARCHAR is not part of it" in stopped(folder)
    assert "note VARCHAR is not part of it" in stopped(folder)


def test_another_default_is_another_value_in_every_batch_that_lacks_the_column(folder: Folder) -> None:
    columns = "{id: bigint, region: varchar, amount: integer, kind: {type: varchar, default: %s}}"
    source(folder, columns=columns % "a")
    folder.run()
    assert {row[0] for row in raw(folder, "kind")} == {"a"}
    source(folder, columns=columns % "b")
    folder.run()
    assert {row[0] for row in raw(folder, "kind")} == {"b"}


def test_a_default_is_a_value_of_its_column(folder: Folder) -> None:
    source(folder, columns="{id: bigint, region: varchar, amount: {type: integer, default: 1.5}}")
    with pytest.raises(ProjectError, match=r"the default of 'amount' is '1.5', which is no integer"):
        folder.project.validate()


def test_what_reads_a_column_is_told_column_by_column(folder: Folder) -> None:
    """Another model names a column like it, of its own."""
    folder.write("models/stg/reader.sql", "SELECT id, region AS place FROM raw.orders")
    folder.write("models/stg/other.sql", "SELECT id, 'x' AS region FROM raw.orders")
    folder.write("models/bus/places.sql", "SELECT place FROM stg.reader")
    folder.write("models/bus/others.sql", "SELECT region FROM stg.other")
    folder.run()
    folder.write("inbox/orders.csv", "id,amount\n1,10\n")
    problem = next(each for step in folder.project.run().steps for each in step.problems)
    assert problem.code == "COLUMN_GONE"
    assert "region; read by bus.places, stg.reader" in problem.message
