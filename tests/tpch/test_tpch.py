"""The 22 queries of TPC-H as models, with orders that come and go in the manner of its refresh functions and with
updates of what they refer to: every result equals a rebuild after every step."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from incremental_lab import Model, Table, compare, laboratory, maintain

from penstock.domain.maintenance import new_rows, old_rows
from penstock.domain.relation import RelationName
from penstock.incremental.nodes import relations
from penstock.incremental.program import analyse
from penstock.incremental.resolve import resolve
from penstock.quoting import identifier

HERE = Path(__file__).parent
QUERIES = {path.stem: path.read_text() for path in sorted((HERE / "queries").glob("q*.sql"))}
KEYS = {
    "lineitem": ("l_orderkey", "l_linenumber"),
    "orders": ("o_orderkey",),
    "customer": ("c_custkey",),
    "part": ("p_partkey",),
    "supplier": ("s_suppkey",),
    "partsupp": ("ps_partkey", "ps_suppkey"),
    "nation": ("n_nationkey",),
    "region": ("r_regionkey",),
}
REBUILT = {"q06", "q14", "q17", "q19"}
"""They sum up everything in one group: there is no smaller part that could be made anew alone."""

Change = dict[str, tuple[str, str]]
"""For a table: the SELECT of rows that come, the condition of rows that go."""

# TPC-H leaves three quarters of the order keys free; key + 8 is one of them.
_NEW_ORDERS = "o_orderkey % 1000 < 6"
_NEW_LINES = "l_orderkey % 1000 < 6"
_GONE = "% 1000 BETWEEN 32 AND 40"
STEPS: list[Change] = [
    {  # RF1
        "orders": (
            f"SELECT * REPLACE (o_orderkey + 8 AS o_orderkey) FROM raw.orders WHERE {_NEW_ORDERS}",
            "false",
        ),
        "lineitem": (
            "SELECT * REPLACE (l_orderkey + 8 AS l_orderkey, l_quantity + 20 AS l_quantity) FROM raw.lineitem"
            f" WHERE {_NEW_LINES}",
            "false",
        ),
    },
    {  # RF2
        "orders": ("", f"o_orderkey {_GONE}"),
        "lineitem": ("", f"l_orderkey {_GONE}"),
    },
    {
        "customer": (
            "SELECT * REPLACE (c_acctbal + 1000 AS c_acctbal, (c_nationkey + 1) % 25 AS c_nationkey,"
            " 'BUILDING' AS c_mktsegment) FROM raw.customer WHERE c_custkey % 100 = 7",
            "c_custkey % 100 = 7",
        )
    },
    {
        "part": (
            "SELECT * REPLACE ('forest green' AS p_name, 15 AS p_size, 'LARGE BRASS' AS p_type) FROM raw.part"
            " WHERE p_partkey % 50 = 3",
            "p_partkey % 50 = 3",
        ),
        "supplier": (
            "SELECT * REPLACE (6 AS s_nationkey, 'Customer Complaints' AS s_comment) FROM raw.supplier"
            " WHERE s_suppkey % 20 = 1",
            "s_suppkey % 20 = 1",
        ),
        "partsupp": (
            "SELECT * REPLACE (ps_supplycost / 2 AS ps_supplycost, 1 AS ps_availqty) FROM raw.partsupp"
            " WHERE ps_partkey % 60 = 5",
            "ps_partkey % 60 = 5",
        ),
    },
    {  # the largest invoice comes and a supplier goes, both at once
        "lineitem": (
            "SELECT * REPLACE (l_quantity + 40 AS l_quantity, DATE '1996-02-02' AS l_shipdate) FROM raw.lineitem"
            " WHERE l_orderkey % 1000 = 3",
            "l_orderkey % 1000 = 3",
        ),
        "supplier": ("", "s_suppkey % 30 = 4"),
    },
]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    folder = tmp_path_factory.mktemp("tpch")
    generator = Path(sys.executable).parent / "tpchgen-cli"
    subprocess.run([generator, "parquet", "-s", "0.01", "--output-dir", folder], check=True, capture_output=True)
    with laboratory() as opened:
        for name in KEYS:
            opened.execute(f"CREATE TABLE raw.{name} AS FROM read_parquet('{folder / name}.parquet')")
        yield opened


@pytest.fixture(scope="module")
def models(connection: duckdb.DuckDBPyConnection) -> dict[str, Model]:
    tables = {}
    for name, key in KEYS.items():
        described = connection.sql(f"DESCRIBE raw.{name}").fetchall()
        tables[f"raw.{name}"] = Table({column: kind for column, kind, *_ in described}, key)
    return {name: Model(sql, tables) for name, sql in QUERIES.items()}


def test_at_least_seventeen_are_maintained(models: dict[str, Model]) -> None:
    found = {name: analyse(model.sql, model.catalog) for name, model in models.items()}
    assert len(found) == 22
    assert {name: why.reason for name, why in found.items() if why.reason} == dict.fromkeys(
        sorted(REBUILT), "it sums up everything in one group"
    )


def test_every_result_equals_a_rebuild_after_every_step(
    connection: duckdb.DuckDBPyConnection, models: dict[str, Model]
) -> None:
    kept = {}
    for name, model in models.items():
        found = analyse(model.sql, model.catalog)
        if found.reason is None:
            kept[name] = found
            connection.execute(f"CREATE TABLE stg.{name} AS {found.below or model.sql}")
    for step in STEPS:
        for table, (come, go) in step.items():
            relation = RelationName("raw", table)
            new, old = identifier(new_rows(relation)), identifier(old_rows(relation))
            rows = come or f"FROM raw.{table} WHERE false"
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {new} AS {rows}")
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {old} AS FROM raw.{table} WHERE {go}")
            connection.execute(f"DELETE FROM raw.{table} WHERE {go}")
            connection.execute(f"INSERT INTO raw.{table} FROM {new}")
        for name, found in kept.items():
            model = models[name]
            reads = relations(resolve(model.sql, model.catalog))
            changed = [one for table in step if (one := RelationName("raw", table)) in reads]
            if changed:
                maintain(connection, model, found, changed, f"stg.{name}")
            compare(connection, model, found, f"stg.{name}")


def test_the_page_says_how_each_is_kept(models: dict[str, Model]) -> None:
    page = (HERE.parents[1] / "docs" / "incremental.md").read_text()
    said = dict(re.findall(r"^\| (q\d\d) \| ([^|]*?) \|", page, re.MULTILINE))
    assert said == {name: str(analyse(model.sql, model.catalog)) for name, model in models.items()}
