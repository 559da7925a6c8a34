"""Unit tests of models, on real projects: what passes, what is found to be wrong, and what is maintained on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from penstock.domain.unit_test import Mismatch, UnitReport, UnitResult
from penstock.errors import ProjectError

TOTALS = "/*---\nkey: region\n---*/\nSELECT region, sum(amount) AS total, count(*) AS n FROM raw.orders GROUP BY ALL"
GIVEN = """
    given:
      raw.orders:
        - {id: 1, region: north, amount: 10}
        - {id: 2, region: south, amount: 20}
        - {id: 3, region: north, amount: 30}
"""
RIGHT = "    expect: [{region: north, total: 40, n: 2}, {region: south, total: 20, n: 1}]\n"


def tried(folder: Any, body: str, model: str = "stg.totals", name: str = "it") -> UnitReport:
    """The report of one test whose body, below its model, is `body`."""
    folder.write("tests/a.yml", f"tests:\n  {name}:\n    model: {model}\n{body.strip(chr(10))}\n")
    report: UnitReport = folder.project.test()
    return report


def one(report: UnitReport) -> UnitResult:
    assert len(report.results) == 1
    return report.results[0]


def passes(folder: Any, body: str, model: str = "stg.totals") -> UnitResult:
    found = one(tried(folder, body, model))
    assert not found.mismatches, found.mismatches
    return found


def fails(folder: Any, body: str, model: str = "stg.totals") -> Mismatch:
    report = tried(folder, body, model)
    assert report.exit_code == 3
    assert one(report).mismatches
    return one(report).mismatches[0]


def refused(folder: Any, body: str, model: str = "stg.totals") -> list[tuple[str, int, str]]:
    """Code, line and message of all that is wrong with a test."""
    with pytest.raises(ProjectError) as caught:
        tried(folder, body, model)
    return [
        (problem.code, problem.location.line or 0, problem.message)
        for problem in caught.value.problems
        if problem.location
    ]


@pytest.fixture
def shop(folder: Any) -> Any:
    folder.write("models/stg/totals.sql", TOTALS)
    return folder


# Rows


def test_rows_that_are_expected_are_found_in_any_order(shop: Any) -> None:
    made = passes(shop, GIVEN + "    expect: [{region: south, total: 20, n: 1}, {region: north, total: 40, n: 2}]")
    assert [each.mode for each in made.made] == ["built"]


def test_a_wrong_value_is_told_by_its_key_and_its_line(shop: Any) -> None:
    found = fails(
        shop, GIVEN + "    expect:\n      - {region: north, total: 41, n: 2}\n      - {region: south, total: 20, n: 1}"
    )
    assert found.message == "expected 2 rows, found 2 rows, 1 differs"
    assert found.key == ("region",)
    (row,) = found.differences
    assert row.changed == ("total",)
    assert row.expected == {"region": "north", "total": 41, "n": 2}
    assert row.found == {"region": "north", "total": 40, "n": 2}
    assert str(row.location) == "tests/a.yml:10"


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ("[{region: north, total: 40, n: 2}]", "expected 1 row, found 2 rows, 1 not expected"),
        ("[]", "expected 0 rows, found 2 rows, 2 not expected"),
        (
            "[{region: north, total: 40, n: 2}, {region: south, total: 20, n: 1}, {region: west, total: 1, n: 1}]",
            "expected 3 rows, found 2 rows, 1 missing",
        ),
        (
            "[{region: north, total: 40, n: 2}, {region: south, total: 20, n: 1}, {region: south, total: 20, n: 1}]",
            "expected 3 rows, found 2 rows, 1 missing",
        ),
        ("[{region: north, total: 40, n: 2}, {region: , total: 20, n: 1}]", "1 missing, 1 not expected"),
    ],
)
def test_rows_too_many_and_too_few(shop: Any, expected: str, message: str) -> None:
    assert message in fails(shop, GIVEN + f"    expect: {expected}").message


def test_a_subset_of_columns_has_to_be_named(shop: Any) -> None:
    rows = "[{region: north, n: 2}, {region: south, n: 1}]"
    found = fails(shop, GIVEN + f"    expect: {rows}")
    assert "columns that no expected row has: total" in found.message
    passes(shop, GIVEN + f"    expect: {{columns: [region, n], rows: {rows}}}")
    wrong = fails(shop, GIVEN + "    expect: {columns: [n], rows: [{n: 2}, {n: 2}]}")
    assert [(row.expected, row.found) for row in wrong.differences] == [({"n": 2}, {"n": 1})]


def test_columns_that_are_left_out_are_null_and_types_are_those_of_the_source(shop: Any) -> None:
    shop.write("models/stg/totals.sql", "SELECT id, region, typeof(amount) AS t, typeof(region) AS r FROM raw.orders")
    passes(shop, "    given: {raw.orders: [{id: 1}]}\n    expect: [{id: 1, region: null, t: BIGINT, r: VARCHAR}]")


def test_order_is_compared_where_it_is_asked_for(shop: Any) -> None:
    shop.write("models/stg/totals.sql", "SELECT id FROM raw.orders ORDER BY amount DESC")
    passes(shop, GIVEN + "    expect: {ordered: true, rows: [{id: 3}, {id: 2}, {id: 1}]}")
    found = fails(shop, GIVEN + "    expect: {ordered: true, rows: [{id: 1}, {id: 2}, {id: 3}]}")
    assert found.message.endswith("2 differ")


def test_floating_point_is_compared_with_a_tolerance(shop: Any) -> None:
    shop.write("models/stg/totals.sql", "SELECT avg(amount) / 3 AS a FROM raw.orders")
    passes(shop, GIVEN + "    expect: [{a: 6.6666666666666}]")
    assert fails(shop, GIVEN + "    expect: [{a: 6.67}]").differences[0].changed == ("a",)
    passes(shop, GIVEN + "    expect: {tolerance: 0.01, rows: [{a: 6.67}]}")


def test_rows_as_csv_text_and_in_files(shop: Any) -> None:
    shop.write("tests/rows/orders.csv", "id,region,amount\n1,north,10\n2,,20\n3,north,30\n")
    shop.write("tests/rows/orders.json", '[{"id": 1, "region": "north", "amount": 40}, {"id": 2, "amount": 20}]')
    expect = "    expect:\n      csv: |\n        region,total,n\n        north,40,2\n        ,20,1\n"
    passes(shop, "    given: {raw.orders: {file: rows/orders.csv}}\n" + expect)
    passes(shop, "    given: {raw.orders: {file: rows/orders.json}}\n" + expect.replace("40,2", "40,1"))
    shop.write("tests/rows/orders.csv", "id,region,amount\n1,north,ten\n")
    found = fails(shop, "    given: {raw.orders: {file: rows/orders.csv}}\n" + expect)
    assert str(found.problems[0].location) == "tests/rows/orders.csv:2"
    assert "raw.orders.amount: expected BIGINT, found 'ten'" in found.problems[0].message


def test_rows_in_a_parquet_file(shop: Any) -> None:
    rows = pyarrow.table({"id": [1, 2], "region": ["north", None], "amount": [40, 20], "tags": [["a", "b"], None]})
    (shop.root / "tests").mkdir()
    parquet.write_table(rows, shop.root / "tests/o.parquet")
    shop.write("sources/shop.yml", "tables: {orders: {path: o.json, extract: full, key: id}}\n")
    shop.write("models/stg/totals.sql", "SELECT id, region, amount, tags[1] AS first FROM raw.orders")
    passes(
        shop,
        "    given: {raw.orders: {file: o.parquet}}\n"
        "    expect: [{id: 1, region: north, amount: 40, first: a}, {id: 2, amount: 20}]",
    )


def test_lists_and_records_are_written_in_yaml(shop: Any) -> None:
    shop.write("models/stg/totals.sql", "SELECT id, tags[2] AS second, [id, 7] AS both FROM raw.orders")
    passes(
        shop,
        "    given:\n      raw.orders: {columns: {tags: 'varchar[]'}, rows: [{id: 1, tags: [a, \"b, 'c'\"]}]}\n"
        "    expect: [{id: 1, second: \"b, 'c'\", both: [1, 7]}]",
    )
    assert fails(
        shop,
        "    given: {raw.orders: {columns: {tags: 'varchar[]'}, rows: [{id: 1, tags: [a]}]}}\n"
        "    expect: [{id: 1, second: null, both: [1, 8]}]",
    ).differences[0].changed == ("both",)


@pytest.mark.parametrize(
    ("column", "value"),
    [("amount", "1.5"), ("amount", "two"), ("amount", "'99999999999999999999'"), ("amount", "true"), ("id", "1_0")],
)
def test_a_value_that_does_not_fit_its_type_is_told_and_never_changed(shop: Any, column: str, value: str) -> None:
    other = "id" if column == "amount" else "amount"
    found = fails(shop, f"    given:\n      raw.orders:\n        - {{{column}: {value}, {other}: 4}}\n" + RIGHT)
    assert found.problems[0].code == "TEST_VALUE"
    assert str(found.problems[0].location) == "tests/a.yml:6"


# The clock, variables, functions


def test_the_clock_is_the_tests(shop: Any) -> None:
    shop.write("models/stg/totals.sql", "SELECT $run_ts AS at, $run_date AS day, $environment AS e FROM raw.orders")
    given = "    given: {raw.orders: [{id: 1}]}\n"
    passes(
        shop,
        given + "    now: 2026-11-17T13:00:00+01:00\n    expect: [{at: 2026-11-17 12:00:00, day: 2026-11-17, e: dev}]",
    )
    problems = refused(shop, given + "    expect: [{at: 2026-11-17, day: 2026-11-17, e: dev}]")
    assert [(code, line) for code, line, _ in problems] == [("TEST_CLOCK", 2)]


def test_variables_can_be_others(shop: Any) -> None:
    shop.write("penstock.yml", "name: test\nvariables: {least: 15}\n")
    shop.write("models/stg/totals.sql", "SELECT id FROM raw.orders WHERE amount >= $least")
    passes(shop, GIVEN + "    expect: [{id: 2}, {id: 3}]")
    passes(shop, GIVEN + "    variables: {least: 25}\n    expect: [{id: 3}]")
    assert "no variable 'lest'" in refused(shop, GIVEN + "    variables: {lest: 25}\n    expect: []")[0][2]
    assert "expected a value of its type" in refused(shop, GIVEN + "    variables: {least: a}\n    expect: []")[0][2]


def test_functions_of_the_project_are_expanded(shop: Any) -> None:
    shop.write("functions/f.sql", "CREATE MACRO twice(x) AS (x * 2);")
    shop.write("models/stg/totals.sql", "SELECT id, twice(amount) AS a FROM raw.orders")
    passes(shop, "    given: {raw.orders: [{id: 1, amount: 4}]}\n    expect: [{id: 1, a: 8}]")


# What stands between


def test_views_and_models_between_are_built_from_what_is_given_or_given_themselves(shop: Any) -> None:
    shop.write("models/stg/big.sql", "/*---\nmaterialization: view\n---*/\nSELECT * FROM raw.orders WHERE amount > 15")
    shop.write("models/bus/top.sql", "SELECT region, max(amount) AS a FROM stg.big GROUP BY ALL")
    passes(shop, GIVEN + "    expect: [{region: south, a: 20}, {region: north, a: 30}]", "bus.top")
    passes(
        shop,
        "    given: {stg.big: [{region: west, amount: 1}]}\n    expect: [{region: west, a: 1}]",
        "bus.top",
    )
    found = refused(shop, "    expect: []", "bus.top")
    assert found == [
        ("TEST_INPUT", 2, "stg.big, which bus.top is built from reads raw.orders, which the test does not give")
    ]


def test_types_of_a_given_model_are_those_its_select_gives(shop: Any) -> None:
    shop.write("models/bus/kinds.sql", "SELECT typeof(total) AS t, typeof(n) AS n, typeof(region) AS r FROM stg.totals")
    passes(shop, "    given: {stg.totals: [{n: 1}]}\n    expect: [{t: HUGEINT, n: BIGINT, r: VARCHAR}]", "bus.kinds")


def test_history_can_be_given(shop: Any) -> None:
    shop.write(
        "models/stg/totals.sql",
        "SELECT h.id, h.amount, o.amount AS now, h.is_current FROM raw.orders_history h JOIN raw.orders o USING (id)",
    )
    passes(
        shop,
        "    given:\n      raw.orders_history:\n"
        "        - {id: 1, amount: 1, valid_from: 2026-01-01, valid_to: 2026-02-01}\n"
        "        - {id: 1, amount: 2, valid_from: 2026-02-01}\n"
        "    expect: [{id: 1, amount: 1, now: 2, is_current: false}, {id: 1, amount: 2, now: 2, is_current: true}]",
    )
    passes(
        shop,
        "    given: {raw.orders: [{id: 1, amount: 2}]}\n    expect: [{id: 1, amount: 2, now: 2, is_current: true}]",
    )
    both = "    given: {raw.orders: [], raw.orders_history: []}\n    expect: []"
    assert "both given" in refused(shop, both)[0][2]


def test_versions_of_outputs_go_by_their_number(shop: Any) -> None:
    columns = "columns: {region: varchar, total: hugeint}"
    for path, number in (("totals", 2), ("totals@1", 1)):
        contract = f"/*---\ncontract: {{version: {number}, {columns}}}\n---*/\n"
        shop.write(f"models/serv/{path}.sql", f"{contract}SELECT region, total FROM stg.totals")
    shop.write("models/serv/reader.sql", "SELECT region FROM serv.totals_v1")
    given = "    given: {stg.totals: [{region: north, total: 1}]}\n"
    passes(shop, given + "    expect: [{region: north, total: 1}]", "serv.totals@1")
    passes(shop, "    given: {serv.totals@1: [{region: west}]}\n    expect: [{region: west}]", "serv.reader")


# Errors that are expected


def test_an_error_can_be_expected(shop: Any) -> None:
    shop.write("models/stg/totals.sql", "/*---\nkey: region\n---*/\nSELECT region, amount FROM raw.orders")
    made = passes(shop, GIVEN + "    expect_error: KEY_NOT_UNIQUE")
    assert made.made[0].mode == "refused"
    passes(shop, GIVEN + "    expect_error: {code: KEY_NOT_UNIQUE, message: north}")
    assert "found another" in fails(shop, GIVEN + "    expect_error: SQL_FAILED").message
    assert "found another" in fails(shop, GIVEN + "    expect_error: {code: KEY_NOT_UNIQUE, message: west}").message
    none = "    given: {raw.orders: []}\n    expect_error: several for"
    assert fails(shop, none).message == "expected the error 'several for', found none"
    found = fails(shop, GIVEN + "    expect: []")
    assert (found.message, found.problems[0].code) == ("an error, where none is expected", "KEY_NOT_UNIQUE")


def test_an_error_of_the_sql_is_told_where_it_stands(shop: Any) -> None:
    shop.write("models/stg/totals.sql", "SELECT id,\n  CAST(region AS INTEGER) AS r FROM raw.orders")
    found = fails(shop, GIVEN + "    expect: []")
    assert found.problems[0].code == "SQL_FAILED"
    assert str(found.problems[0].location).startswith("models/stg/totals.sql")


# Steps

STEPS = """
    steps:
      - name: a new region
        insert: {raw.orders: [{id: 4, region: west, amount: 5}]}
        mode: maintained
        expect: [{region: north, total: 40, n: 2}, {region: south, total: 20, n: 1}, {region: west, total: 5, n: 1}]
      - name: a correction and a deletion
        update: {raw.orders: [{id: 1, amount: 11}]}
        delete: {raw.orders: [{region: south}]}
        mode: maintained
        expect: [{region: north, total: 41, n: 2}, {region: west, total: 5, n: 1}]
      - name: nothing new
        update: {raw.orders: [{id: 1, amount: 11}]}
        expect: [{region: north, total: 41, n: 2}, {region: west, total: 5, n: 1}]
"""


def test_steps_are_followed_by_the_code_that_maintains(shop: Any) -> None:
    made = passes(shop, GIVEN + RIGHT + STEPS)
    assert [each.mode for each in made.made] == ["built", "maintained", "maintained", "unchanged"]
    assert "maintained by (region)" in made.made[1].reason


def test_a_wrong_row_after_a_step_is_told_with_the_step(shop: Any) -> None:
    found = fails(
        shop,
        GIVEN + STEPS.replace("total: 41, n: 2}, {region: west, total: 5", "total: 40, n: 2}, {region: west, total: 5"),
    )
    assert found.step == "a correction and a deletion"
    assert found.differences[0].changed == ("total",)


def test_a_step_that_is_not_made_as_was_said_is_told(shop: Any) -> None:
    shop.write("models/stg/totals.sql", "SELECT sum(amount) AS total FROM raw.orders")
    step = "    steps: [{delete: {raw.orders: [{id: 1}]}, expect: [{total: 50}], mode: maintained}]"
    found = fails(shop, GIVEN + step)
    assert found.message.startswith("expected the model to be maintained, found rebuilt: ")
    passes(shop, GIVEN + step.replace("maintained", "rebuilt"))


def test_a_maintained_table_that_is_not_what_a_rebuild_gives_fails(shop: Any) -> None:
    """A compiled program is spoilt on disk, where it is taken from: no expectation is wrong, and the test fails."""
    body = GIVEN + "    steps: [{insert: {raw.orders: [{id: 9, region: north, amount: 1}]}}]"
    passes(shop, body)
    place: Path = shop.root / ".penstock/tests/stg.totals.json"
    entries = json.loads(json.loads(place.read_bytes())["entries"])
    for entry in entries.values():
        for name in ("select", "select_without_nulls"):
            if entry.get(name):
                entry[name] = f"SELECT region, total + 1 AS total, n FROM ({entry[name]})"
    text = json.dumps(entries)
    place.write_text(json.dumps({"sha256": sha256(text.encode()).hexdigest(), "entries": text}))
    found = fails(shop, body)
    assert found.message.startswith("what is kept step by step is not what a rebuild gives now (maintained: ")
    assert [(row.expected, row.found) for row in found.differences] == [
        ({"region": "north", "total": 41}, {"region": "north", "total": 42})
    ]


def test_models_between_are_maintained_too(shop: Any) -> None:
    shop.write("models/bus/top.sql", "SELECT n, count(*) AS regions FROM stg.totals GROUP BY ALL")
    made = passes(
        shop,
        GIVEN + "    expect: [{n: 2, regions: 1}, {n: 1, regions: 1}]\n"
        "    steps: [{insert: {raw.orders: [{id: 4, region: south}]}, mode: maintained, expect: [{n: 2, regions: 2}]}]",
        "bus.top",
    )
    assert made.made[1].reason.startswith("changed: stg.totals; maintained by (n)")


def test_versions_of_a_source_are_those_that_a_load_makes(shop: Any) -> None:
    shop.write(
        "models/stg/totals.sql",
        "SELECT id, amount, valid_from, valid_to, is_current FROM raw.orders_history",
    )
    passes(
        shop,
        "    now: 2026-01-01\n    given: {raw.orders: [{id: 1, amount: 1}]}\n"
        "    steps:\n"
        "      - {now: 2026-01-02, update: {raw.orders: [{id: 1, amount: 2}]}}\n"
        "      - now: 2026-01-03\n        delete: {raw.orders: [{id: 1}]}\n"
        "        expect:\n"
        "          - {id: 1, amount: 1, valid_from: 2026-01-01, valid_to: 2026-01-02, is_current: false}\n"
        "          - {id: 1, amount: 2, valid_from: 2026-01-02, valid_to: 2026-01-03, is_current: false}\n",
    )


@pytest.mark.parametrize(
    ("front", "after", "mode"),
    [
        ("materialization: append\nkey: id", [(1, 11), (2, 20), (3, 30), (4, 5)], "appended"),
        ("materialization: merge\nkey: id", [(1, 11), (2, 20), (3, 30), (4, 5)], "merged"),
        ("materialization: merge\ndeletes: remove\nkey: id", [(1, 11), (3, 30), (4, 5)], "maintained"),
        ("materialization: rebuild", [(1, 11), (3, 30), (4, 5)], "rebuilt"),
        ("materialization: view", [(1, 11), (3, 30), (4, 5)], "view"),
        ("key: id", [(1, 11), (3, 30), (4, 5)], "maintained"),
    ],
)
def test_every_materialization_is_what_it_is(shop: Any, front: str, after: list[tuple[int, int]], mode: str) -> None:
    shop.write("models/stg/totals.sql", f"/*---\n{front}\n---*/\nSELECT id, amount FROM raw.orders")
    rows = ", ".join(f"{{id: {id_}, amount: {amount}}}" for id_, amount in after)
    made = passes(
        shop,
        GIVEN + "    steps:\n      - insert: {raw.orders: [{id: 4, amount: 5}]}\n"
        "        update: {raw.orders: [{id: 1, amount: 11}]}\n        delete: {raw.orders: [{id: 2}]}\n"
        f"        expect: [{rows}]",
    )
    assert made.made[1].mode == mode


def test_a_history_of_a_model_keeps_its_versions(shop: Any) -> None:
    shop.write(
        "models/stg/totals.sql", "/*---\nmaterialization: history\nkey: id\n---*/\nSELECT id, amount FROM raw.orders"
    )
    passes(
        shop,
        "    now: 2026-01-01\n    given: {raw.orders: [{id: 1, amount: 1}]}\n"
        "    steps:\n      - now: 2026-01-02\n        update: {raw.orders: [{id: 1, amount: 2}]}\n"
        "        expect:\n"
        "          - {id: 1, amount: 1, valid_from: 2026-01-01, valid_to: 2026-01-02, is_current: false}\n"
        "          - {id: 1, amount: 2, valid_from: 2026-01-02, is_current: true}\n",
    )


def test_a_table_that_is_appended_to_only_grows(empty: Callable[[], Any]) -> None:
    folder = empty()
    folder.write("sources/s.yml", "tables:\n  events: {path: e.csv, extract: append, columns: {id: bigint}}\n")
    folder.write("models/stg/totals.sql", "SELECT count(*) AS n, max(processing_ts) AS at FROM raw.events")
    given = "    now: 2026-01-01\n    given: {raw.events: [{id: 1}, {id: 1}]}\n"
    passes(
        folder,
        given + "    expect: [{n: 2, at: 2026-01-01}]\n"
        "    steps: [{now: 2026-01-02, insert: {raw.events: [{id: 1}]}, expect: [{n: 3, at: 2026-01-02}]}]",
    )
    found = refused(folder, given + "    steps: [{delete: {raw.events: [{id: 1}]}, expect: []}]")
    assert found[0][2] == "raw.events is append-only: its rows neither change nor go"


# Python models

PLAIN = '''"""
---
reads: [raw.orders]
columns: [id, doubled]
{front}
---
"""
import pyarrow

def model(orders):
    rows = pyarrow.table(orders).to_pylist()
    schema = pyarrow.schema([("id", pyarrow.int64()), ("doubled", pyarrow.int64())])
    return pyarrow.Table.from_pylist([{{"id": r["id"], "doubled": r["amount"] * 2}} for r in rows], schema)
'''


@pytest.mark.parametrize(("front", "mode"), [("key: id", "rebuilt"), ("key: id\nmap: true", "maintained")])
def test_python_models_are_called_as_in_a_run(shop: Any, front: str, mode: str) -> None:
    shop.write("models/stg/py.py", PLAIN.format(front=front))
    made = passes(
        shop,
        GIVEN + "    expect: [{id: 1, doubled: 20}, {id: 2, doubled: 40}, {id: 3, doubled: 60}]\n"
        "    steps:\n      - update: {raw.orders: [{id: 1, amount: 1}]}\n"
        "        expect: [{id: 1, doubled: 2}, {id: 2, doubled: 40}, {id: 3, doubled: 60}]",
        "stg.py",
    )
    assert made.made[1].mode == mode
    assert fails(shop, GIVEN + "    expect: {columns: [doubled], rows: []}", "stg.py").differences


def test_python_models_of_groups(shop: Any) -> None:
    code = '''"""
---
reads: [raw.orders]
columns: [region, place, amount]
group: region
---
"""
import pyarrow

def model(orders):
    rows, result, seen = pyarrow.table(orders).to_pylist(), [], {}
    for row in sorted(rows, key=lambda r: r["amount"]):
        seen[row["region"]] = seen.get(row["region"], 0) + 1
        result.append({"region": row["region"], "place": seen[row["region"]], "amount": row["amount"]})
    kinds = [("region", pyarrow.string()), ("place", pyarrow.int64()), ("amount", pyarrow.int64())]
    return pyarrow.Table.from_pylist(result, pyarrow.schema(kinds))
'''
    shop.write("models/stg/py.py", code)
    made = passes(
        shop,
        GIVEN + "    steps:\n      - insert: {raw.orders: [{id: 4, region: north, amount: 20}]}\n        expect:\n"
        "          csv: |\n            region,place,amount\n            north,1,10\n            north,2,20\n"
        "            north,3,30\n            south,1,20\n",
        "stg.py",
    )
    assert made.made[1].mode == "maintained"


def test_a_python_model_that_raises_is_told_with_its_line(shop: Any) -> None:
    shop.write("models/stg/py.py", PLAIN.format(front="key: id"))
    found = fails(shop, "    given: {raw.orders: [{id: 1}]}\n    expect: []", "stg.py")
    assert found.problems[0].code == "PYTHON_MODEL_FAILED"
    assert str(found.problems[0].location) == "models/stg/py.py:13"


# Checks

CHECKED = """/*---
checks:
  - positive: amount
  - row_count: {min: 100}
---*/
SELECT id, amount FROM raw.orders"""


def test_checks_are_asked_when_a_test_names_them_and_only_then(shop: Any) -> None:
    shop.write("models/stg/totals.sql", CHECKED)
    given = "    given: {raw.orders: [{id: 1, amount: -1}, {id: 2, amount: 1}]}\n"
    names = [check.name for check in _checks(shop)]
    passes(shop, given + "    expect: [{id: 1, amount: -1}, {id: 2, amount: 1}]")
    passes(shop, given + f"    expect_checks: {{{names[0]}: failed, {names[1]}: failed}}")
    passes(
        shop,
        given + f"    expect_checks: {{{names[0]}: 1}}\n    expect: {{columns: [id], rows: [{{id: 1}}, {{id: 2}}]}}",
    )
    assert "expected 2 rows to fail" in fails(shop, given + f"    expect_checks: {{{names[0]}: 2}}").message
    assert "to have passed, found: failed" in fails(shop, given + f"    expect_checks: {{{names[0]}: passed}}").message
    assert "has no check 'posit'" in refused(shop, given + "    expect_checks: {posit: passed}")[0][2]


def _checks(folder: Any) -> Any:
    from penstock.project.load import load

    return load(folder.root).models[0].checks


APART = """/*---
key: id
checks:
  - positive: {column: amount, on_fail: quarantine, name: amount_positive}
  - accepted_values: {column: region, values: [north, south], on_fail: quarantine, name: region_known}
  - row_count: {min: 100}
quarantine: {max: 1%}
---*/
SELECT id, region, amount FROM raw.orders"""
DIRTY = """
    given:
      raw.orders:
        - {id: 1, region: north, amount: 1}
        - {id: 2, region: west, amount: -1}
        - {id: 3, region: south, amount: -3}
"""


def test_rows_that_are_set_apart_can_be_expected(shop: Any) -> None:
    shop.write("models/stg/totals.sql", APART)
    rows = "    expect: {columns: [id], rows: [{id: 1}]}\n"
    apart = """
    expect_quarantine:
      - {id: 2, region: west, amount: -1, reasons: [region_known, amount_positive]}
      - {id: 3, region: south, amount: -3, reasons: [amount_positive]}
"""
    passes(shop, DIRTY + rows + apart)
    passes(shop, DIRTY + rows + "    expect_quarantine: {columns: [id], rows: [{id: 2}, {id: 3}]}")
    found = fails(shop, DIRTY + rows + apart.replace("[region_known, amount_positive]", "[region_known]"))
    assert found.message == "expected 2 rows set apart, found 2 rows, 1 differs"
    assert found.differences[0].changed == ("reasons",)
    assert "1 not expected" in fails(shop, DIRTY + "    expect_quarantine: {columns: [id], rows: [{id: 2}]}").message
    # without being asked, a test leaves checks out
    passes(shop, DIRTY + "    expect: {columns: [id], rows: [{id: 1}, {id: 2}, {id: 3}]}")
    passes(shop, DIRTY + "    expect_checks: {amount_positive: 2}")


def test_rows_come_out_of_quarantine_step_by_step(shop: Any) -> None:
    shop.write("models/stg/totals.sql", APART)
    made = passes(
        shop,
        DIRTY + "    steps:\n"
        "      - update: {raw.orders: [{id: 3, amount: 3}]}\n        mode: maintained\n"
        "        expect: {columns: [id], rows: [{id: 1}, {id: 3}]}\n"
        "        expect_quarantine:\n          columns: [id, reasons]\n"
        "          rows: [{id: 2, reasons: [amount_positive, region_known]}]\n"
        "      - delete: {raw.orders: [{id: 2}]}\n        expect_quarantine: []\n",
    )
    assert made.made[1].mode == "maintained"


def test_a_quarantine_is_expected_only_of_models_that_have_one(shop: Any) -> None:
    assert "no check that sets rows apart" in refused(shop, GIVEN + "    expect_quarantine: []")[0][2]


# What cannot be understood


def test_everything_that_is_wrong_is_told_at_once_with_its_line(shop: Any) -> None:
    shop.write(
        "tests/a.yml",
        """\
tests:
  no_such_model:
    model: stg.total
    expect: []
  not_read:
    model: stg.totals
    given:
      raw.orders: []
      raw.order: []
    expect: []
  typo_in_a_column:
    model: stg.totals
    given:
      raw.orders:
        - {id: 1, amonut: 4}
    expect:
      - {region: a, totl: 4}
  not_rows:
    model: stg.totals
    given:
      raw.orders: 7
    expect:
      - [1, 2]
  nothing_expected:
    model: stg.totals
  unknown_key:
    model: stg.totals
    expects: []
""",
    )
    shop.write("tests/sub/b.yml", "tests:\n  it:\n    model: stg.totals\n    expect: []\n")
    with pytest.raises(ProjectError) as caught:
        shop.project.test()
    found = [(p.code, str(p.location)) for p in caught.value.problems]
    assert found == [
        ("TEST_MODEL", "tests/a.yml:3:12"),
        ("TEST_INPUT", "tests/a.yml:9:7"),
        ("TEST_COLUMN", "tests/a.yml:15"),
        ("TEST_COLUMN", "tests/a.yml:17"),
        ("TEST_ROWS", "tests/a.yml:21:7"),
        ("TEST_ROWS", "tests/a.yml:23:9"),
        ("MISSING_KEY", "tests/a.yml:24:3"),
        ("UNKNOWN_KEY", "tests/a.yml:28:5"),
        ("TEST_INPUT", "tests/sub/b.yml:2:3"),
    ]
    assert "did you mean 'stg.totals'?" in str(caught.value)
    assert "did you mean 'amount'?" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (GIVEN + "    steps: [{}]", "TEST_INVALID", "changes nothing"),
        (GIVEN + "    steps: [{insert: {raw.people: []}}]", "TEST_INPUT", "was not given"),
        (GIVEN + "    steps: [{update: {raw.orders: [{amount: 1}]}}]", "TEST_ROWS", "needs its key, and lacks id"),
        (GIVEN + "    expect_error: X\n    expect: []", "TEST_INVALID", "rows or an error, found both"),
        (GIVEN + "    expect_error: X\n    steps: [{insert: {raw.orders: []}}]", "TEST_INVALID", "steps cannot follow"),
        (GIVEN + "    now: yesterday\n    expect: []", "TEST_INVALID", "expected a time, found 'yesterday'"),
        ("    given: {raw.orders: {file: ../x.csv}}\n    expect: []", "TEST_ROWS", "a file below tests/"),
        ("    given: {raw.orders: {file: x.xlsx}}\n    expect: []", "TEST_ROWS", "a file ending in"),
        ("    given: {raw.orders: {file: x.csv}}\n    expect: []", "TEST_FILE", "cannot read tests/x.csv"),
        ("    given: {raw.orders: {rows: [], csv: a}}\n    expect: []", "TEST_ROWS", "found rows and csv"),
        ('    given: {raw.orders: {csv: "id,amount\\n1\\n"}}\n    expect: []', "TEST_ROWS", "expected 2 fields"),
        ("    given: {raw.orders: {rows: [], columns: {x: what}}}\n    expect: []", "BAD_TYPE", "'what' is not a type"),
        ("    given: {raw.orders: [{id: 1, ID: 2}]}\n    expect: []", "TEST_ROWS", "which are one column"),
        (GIVEN + "    expect: {columns: [x], rows: [{x: 1}]}", "TEST_COLUMN", "gives no column 'x'"),
        (GIVEN + "    expect: {columns: [n, total], rows: [{n: 1}]}", "TEST_COLUMN", "no expected row has it"),
        (GIVEN + "    expect_checks: {a: maybe}", "TEST_INVALID", "passed, failed or a number"),
    ],
)
def test_tests_that_cannot_be_understood(shop: Any, body: str, code: str, words: str) -> None:
    problems = refused(shop, body)
    assert any(each[0] == code and words in each[2] for each in problems), problems


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("delete: {raw.orders: [{id: 7}]}", "raw.orders has no row with id = 7"),
        ("update: {raw.orders: [{id: 7, amount: 1}]}", "raw.orders has no row with id = 7"),
        ("insert: {raw.orders: [{id: 1, amount: 1}]}", "the key (id) 1 stands more than once"),
        ("update: {raw.orders: [{id: 1, amount: x}]}", "raw.orders.amount: expected BIGINT, found 'x'"),
        ("delete: {raw.orders: [{id: 1}, {region: north, id: 1}]}", "or it is changed twice"),
    ],
)
def test_changes_of_rows_that_are_not_there(shop: Any, step: str, words: str) -> None:
    found = fails(shop, GIVEN + f"    steps: [{{{step}}}]")
    assert found.step == "step 1"
    assert words in found.problems[0].message


def test_keys_that_no_load_lets_through_cannot_be_given(shop: Any) -> None:
    twice = fails(shop, "    given: {raw.orders: [{id: 1}, {id: 1}]}\n    expect: []")
    assert "stands more than once" in twice.problems[0].message
    assert "is no key" in fails(shop, "    given: {raw.orders: [{amount: 1}]}\n    expect: []").problems[0].message


# Selecting, and what is left behind


def test_selectors_take_models_and_tests(shop: Any) -> None:
    shop.write("models/bus/top.sql", "SELECT max(total) AS m FROM stg.totals")
    shop.write("models/bus/other.sql", "SELECT id FROM raw.orders")
    shop.write(
        "tests/a.yml",
        "tests:\n"
        + "".join(
            f"  {name}:\n    model: {model}\n    given: {{raw.orders: []}}\n"
            f"    expect: {{columns: [{column}], rows: []}}\n"
            for name, model, column in (
                ("late_a", "stg.totals", "n"),
                ("late_b", "bus.other", "id"),
                ("c", "stg.totals", "n"),
            )
        ),
    )

    def names(*select: str, exclude: tuple[str, ...] = ()) -> list[str]:
        return [each.name for each in shop.project.test(*select, exclude=exclude).results]

    assert names() == ["late_a", "late_b", "c"]
    assert names("stg.*") == ["late_a", "c"]
    assert names("late_*") == ["late_a", "late_b"]
    assert names("+bus.top") == ["late_a", "c"]
    assert names("raw.orders+") == ["late_a", "late_b", "c"]
    assert names("bus.top") == []
    assert names(exclude=("late_*",)) == ["c"]
    assert names("stg.totals,late_*") == ["late_a"]
    assert [str(name) for name in shop.project.test().untested] == ["bus.top"]


def test_nothing_is_written_but_what_is_remembered(shop: Any) -> None:
    passes(shop, GIVEN + RIGHT + STEPS)
    assert not (shop.root / "data").exists()
    before = {path.relative_to(shop.root).parts[0] for path in shop.root.rglob("*") if path.is_file()}
    assert before == {"penstock.yml", "sources", "inbox", "models", "tests", ".penstock"}


def test_a_project_without_tests_has_none(shop: Any) -> None:
    assert shop.project.test().results == ()
    assert shop.project.test().exit_code == 0


def test_what_was_parsed_is_remembered_by_content(shop: Any) -> None:
    passes(shop, GIVEN + RIGHT)
    passes(shop, GIVEN + RIGHT)
    assert fails(shop, GIVEN + RIGHT.replace("40", "41")).differences
    shop.write("models/stg/totals.sql", TOTALS.replace("sum(amount)", "sum(amount) + 1"))
    passes(shop, GIVEN + RIGHT.replace("40", "41").replace("20", "21"))
    (shop.root / ".penstock/tests.json").write_text("{")
    passes(shop, GIVEN + RIGHT.replace("40", "41").replace("20", "21"))


def test_many_tests_at_once_do_not_see_each_other(shop: Any) -> None:
    for number in range(6):
        shop.write(f"models/stg/m{number}.sql", f"SELECT id, amount + {number} AS a FROM raw.orders")
        tests = "".join(
            f"  t{each}:\n    model: stg.m{number}\n    given: {{raw.orders: [{{id: {each}, amount: 1}}]}}\n"
            f"    expect: [{{id: {each}, a: {number + 1}}}]\n"
            for each in range(4)
        )
        shop.write(f"tests/m{number}.yml", f"tests:\n{tests}")
    heard: list[UnitResult] = []
    report = shop.project.test(threads=4, emit=heard.append)
    assert (report.passed, report.failed) == (24, 0)
    assert {each.id for each in heard} == {each.id for each in report.results}
