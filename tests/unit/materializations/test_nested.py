"""Texts of JSON against nested types: what fits is taken as it is, and nothing is lost or bent."""

from __future__ import annotations

import json
import random
from typing import Any

import duckdb
import pytest

import campaign
from penstock.domain.column_type import RESERVED
from penstock.domain.relation import Column
from penstock.domain.source import SourceColumn
from penstock.materializations.typing import typed

CASES: list[tuple[str, str, bool]] = [
    ('struct(a bigint, "order" varchar[])', '{"a": 1, "order": ["x", "y"]}', True),
    ("struct(a bigint)", '{"a": "1"}', True),
    ("struct(a bigint)", '{"a": 1.5}', False),
    ("struct(a bigint)", '{"a": 1e3}', False),
    ("struct(a bigint)", '{"a": 9223372036854775808}', False),
    ("struct(a bigint)", '{"a": null}', True),
    ("struct(a bigint)", "{}", True),
    ("struct(a bigint)", '{"a": 1, "z": 2}', False),
    ("struct(a bigint)", '{"a": {"b": 1}}', False),
    ("struct(a bigint)", "[1]", False),
    ("struct(a bigint)", "no json", False),
    ("struct(a varchar)", '{"a": [1]}', False),
    ("struct(a boolean)", '{"a": true}', True),
    ("struct(a boolean)", '{"a": 1}', False),
    ("struct(a date)", '{"a": "2024-02-30"}', False),
    ("struct(a json)", '{"a": {"any": [1, {}]}}', True),
    ('struct("a/b~c" bigint)', '{"a/b~c": 7}', True),
    ("varchar[]", '["it\'s", "x, y", null]', True),
    ("varchar[]", '["a", {"b": 1}]', False),
    ("varchar[]", '{"a": 1}', False),
    ("bigint[]", "[1, 2]", True),
    ("bigint[]", "[1.5]", False),
    ("bigint[][]", "[[1], [], null]", True),
    ("bigint[][]", "[[1], 2]", False),
    ("bigint[2]", "[1, 2]", True),
    ("bigint[2]", "[1]", False),
    ("map(varchar, int)", '{"a b/c": 2}', True),
    ("map(varchar, int)", '{"a": "x"}', False),
    ("map(int, varchar)", '{"1": "x"}', True),
    ("map(int, varchar)", '{"one": "x"}', False),
    ("map(int, varchar)", '{"1": "x", "01": "y"}', False),
    ("struct(x struct(y decimal(4,2)[]))[]", '[{"x": {"y": [1.25]}}, null]', True),
    ("struct(x struct(y decimal(4,2)[]))[]", '[{"x": {"y": [1.255]}}]', False),
    ("struct(x struct(y decimal(4,2)[]))[]", '[{"x": {"y": [1.25], "k": 1}}]', False),
]


def read(connection: duckdb.DuckDBPyConnection, kind: str, text: str) -> tuple[Any, bool]:
    column = typed(Column("v", "VARCHAR"), SourceColumn("v", kind))
    row = connection.execute(f"SELECT {column.value}, {column.bad} FROM (SELECT ? AS v)", [text]).fetchone()
    assert row is not None
    described = connection.execute(f"DESCRIBE SELECT {column.value} FROM (SELECT '' AS v)").fetchone()
    assert described is not None and described[1] == column.type
    return row[0], bool(row[1])


@pytest.fixture
def connection() -> Any:
    made = duckdb.connect()
    yield made
    made.close()


@pytest.mark.parametrize(("kind", "text", "good"), CASES)
def test_what_fits(connection: duckdb.DuckDBPyConnection, kind: str, text: str, good: bool) -> None:
    value, bad = read(connection, kind, text)
    assert bad is not good, value


SHAPES: list[tuple[str, Any]] = [("bigint", int), ("varchar", str), ("boolean", bool)]


def shape(dice: random.Random, depth: int) -> tuple[str, Any]:
    """A type, and how values of it are made: ('struct', {...}), ('list', …) or a Python type."""
    roll = dice.random() if depth else 1.0
    if roll < 0.35:
        fields = {
            name: shape(dice, depth - 1) for name in dice.sample(["a", "b c", "order", "x/y"], dice.randint(1, 3))
        }
        listed = ", ".join(f'"{name}" {kind}' for name, (kind, _) in fields.items())
        return f"struct({listed})", fields
    if roll < 0.7:
        item = shape(dice, depth - 1)
        return f"{item[0]}[]", [item]
    return dice.choice(SHAPES)


def value(dice: random.Random, of: Any) -> Any:
    if dice.random() < 0.15:
        return None
    if isinstance(of, dict):
        return {name: value(dice, inner) for name, (_, inner) in of.items()}
    if isinstance(of, list):
        return [value(dice, of[0][1]) for _ in range(dice.randint(0, 3))]
    return {int: dice.randint(-(2**62), 2**62), str: dice.choice(["", "é'\"", "null", "a, b"]), bool: True}[of]


def broken(dice: random.Random, found: Any) -> Any:
    """The value with something in it that its type does not have; None when there is no place for that."""
    if isinstance(found, dict):
        name = dice.choice(list(found))
        inside = broken(dice, found[name])
        return {**found, "more": 1} if inside is None or dice.random() < 0.3 else {**found, name: inside}
    if isinstance(found, list) and found:
        inside = broken(dice, found[0])
        return [inside, *found[1:]] if inside is not None else None
    if isinstance(found, bool):
        return "perhaps"
    return {"an": "object"} if isinstance(found, (str, int)) else None


def test_random_values_come_through_whole_and_broken_ones_are_told(connection: duckdb.DuckDBPyConnection) -> None:
    dice, told = campaign.dice(), 0
    for _ in range(campaign.examples(60)):
        kind, of = shape(dice, 3)
        if isinstance(of, type):
            continue
        found = value(dice, of)
        if found is None:
            continue
        got, bad = read(connection, kind, json.dumps(found))
        assert (got, bad) == (found, False), kind
        wrong = broken(dice, found)
        if wrong is not None:
            told += 1
            assert read(connection, kind, json.dumps(wrong))[1], (kind, wrong)
    assert told > 10


def test_reserved_words_are_the_engines(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'")
    assert {row[0] for row in found.fetchall()} <= RESERVED
