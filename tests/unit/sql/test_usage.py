"""Which columns a query reads, and what its own are made from."""

from __future__ import annotations

import pytest

from penstock.domain.relation import RelationName
from penstock.sql.usage import usage

SCHEMA = {RelationName("raw", "orders"): ("id", "region", "Amount"), RelationName("raw", "c"): ("id", "name")}
CASES: list[tuple[str, str, dict[str, str]]] = [
    ("SELECT * FROM raw.orders", "o.amount o.id o.region", {"id": "o.id", "region": "o.region", "amount": "o.amount"}),
    (
        "SELECT region, sum(amount) AS total, count(*) AS n FROM raw.orders WHERE id > 3 GROUP BY ALL",
        "o.amount o.id o.region",
        {"region": "o.region", "total": "o.amount", "n": ""},
    ),
    (
        "WITH a AS (SELECT id AS k, amount * 2 AS d FROM raw.orders) SELECT k, d + 1 AS e FROM a JOIN raw.c ON id = k",
        "c.id o.amount o.id",
        {"k": "o.id", "e": "o.amount"},
    ),
    ("SELECT id FROM raw.orders UNION ALL SELECT name FROM raw.c", "c.name o.id", {"id": "c.name o.id"}),
    (
        "SELECT x.* EXCLUDE (id), (SELECT max(name) FROM raw.c WHERE c.id = x.id) AS nm FROM raw.orders AS x",
        "c.id c.name o.amount o.id o.region",
        {"region": "o.region", "amount": "o.amount", "nm": "c.name o.id"},
    ),
    ("FROM raw.orders SELECT id", "o.id", {"id": "o.id"}),
    ('SELECT "ID", "Region" FROM raw.orders', "o.id o.region", {"id": "o.id", "region": "o.region"}),
    (
        "WITH RECURSIVE t AS (SELECT id FROM raw.orders UNION ALL SELECT t.id + 1 FROM t) SELECT * FROM t",
        "o.id",
        {"id": "o.id"},
    ),
    ("SELECT x.v FROM raw.orders, unnest([1, 2]) AS x(v) WHERE region = 'a'", "o.region", {"v": ""}),
]


def told(places: frozenset[tuple[RelationName, str]]) -> str:
    return " ".join(sorted(f"{relation.name[0]}.{column}" for relation, column in places))


@pytest.mark.parametrize(("sql", "read", "made"), CASES)
def test_columns(sql: str, read: str, made: dict[str, str]) -> None:
    found = usage(sql, SCHEMA)
    assert found is not None
    assert told(found.read) == read
    assert {name: told(places) for name, places in found.made.items()} == made


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COLUMNS(*) FROM raw.orders",
        "SELECT o FROM raw.orders AS o",
        "SELECT nope FROM raw.orders JOIN raw.c USING (id)",
    ],
)
def test_what_cannot_be_taken_apart_is_said(sql: str) -> None:
    assert usage(sql, SCHEMA) is None
