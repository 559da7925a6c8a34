"""Pairs of contracts and what is said of them, for each direction.

The cases are those that the documentation of schema registries works through (Confluent, "Schema Evolution and
Compatibility"; Apache Avro, "Schema Resolution"; Apache Iceberg, "Schema Evolution"), and those a table adds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, get_args

import pytest

import campaign
from penstock.contracts.compatibility import compare, verdict
from penstock.domain.column_type import Enumerated, Listed, Scalar, Struct, Type, parse
from penstock.domain.contract import Compatibility, Contract, ContractColumn


def contract(*columns: str, key: tuple[str, ...] = ()) -> Contract:
    """`name type [not null] [= default] [pii]`"""
    found = []
    for text in columns:
        rest, pii, _ = text.partition(" pii")
        rest, equals, default = rest.partition(" = ")
        rest, required, _ = rest.partition(" not null")
        name, _, kind = rest.partition(" ")
        found.append(ContractColumn(name, str(parse(kind)), not required, bool(pii), default if equals else None))
    return Contract(tuple(found), key=key)


A = "a int"
B, F, N = "backward", "forward", ""
BOTH = "backward forward"
PAIRS: list[tuple[str, Contract, Contract, str]] = [
    ("nothing", contract(A), contract(A), N),
    ("letter case", contract("a int"), contract("A int"), N),
    ("another order", contract(A, "b int"), contract("b int", A), N),
    ("another description", contract(A), replace(contract(A), owner="me"), N),
    # columns that come and go
    ("a nullable column added", contract(A), contract(A, "b int"), N),
    ("a required column added", contract(A), contract(A, "b int not null"), B),
    ("a required column with a default added", contract(A), contract(A, "b int not null = 0"), N),
    ("a nullable column with a default added", contract(A), contract(A, "b int = 0"), N),
    ("a nullable column removed", contract(A, "b int"), contract(A), F),
    ("a required column removed", contract(A, "b int not null"), contract(A), F),
    ("a column with a default removed", contract(A, "b int not null = 0"), contract(A), N),
    ("renamed", contract(A, "b int"), contract(A, "c int"), F),
    ("renamed, required", contract(A, "b int not null"), contract(A, "c int not null"), BOTH),
    ("renamed with defaults", contract(A, "b int = 1"), contract(A, "c int = 1"), N),
    ("removed and added back required", contract(A, "b int"), contract(A, "b int not null"), B),
    # NULL
    ("may be NULL now", contract("a int not null"), contract(A), F),
    ("may no longer be NULL", contract(A), contract("a int not null"), B),
    ("no longer NULL, with a default", contract(A), contract("a int not null = 0"), B),
    # whole numbers
    ("int to bigint", contract("a int"), contract("a bigint"), F),
    ("bigint to int", contract("a bigint"), contract("a int"), B),
    ("smallint to int", contract("a smallint"), contract("a int"), F),
    ("int to uint", contract("a int"), contract("a uinteger"), BOTH),
    ("uint to bigint", contract("a uinteger"), contract("a bigint"), F),
    ("uint to int", contract("a uinteger"), contract("a int"), BOTH),
    ("bigint to hugeint", contract("a bigint"), contract("a hugeint"), F),
    ("int to double", contract("a int"), contract("a double"), F),
    ("bigint to double: 53 bits for 64", contract("a bigint"), contract("a double"), BOTH),
    ("int to float: 24 bits for 32", contract("a int"), contract("a real"), BOTH),
    ("smallint to float", contract("a smallint"), contract("a real"), F),
    ("int to text", contract("a int"), contract("a varchar"), BOTH),
    ("int to boolean", contract("a int"), contract("a boolean"), BOTH),
    # fractions
    ("float to double", contract("a real"), contract("a double"), F),
    ("double to float", contract("a double"), contract("a real"), B),
    ("double to decimal", contract("a double"), contract("a decimal(18,6)"), BOTH),
    ("decimal to double", contract("a decimal(18,6)"), contract("a double"), BOTH),
    ("more digits before the point", contract("a decimal(10,2)"), contract("a decimal(12,2)"), F),
    ("fewer digits", contract("a decimal(12,2)"), contract("a decimal(10,2)"), B),
    ("a larger scale in the same width", contract("a decimal(10,2)"), contract("a decimal(10,4)"), BOTH),
    ("a larger scale and as many digits before it", contract("a decimal(10,2)"), contract("a decimal(12,4)"), F),
    ("int to a decimal that holds it", contract("a int"), contract("a decimal(12,2)"), F),
    ("int to a decimal that does not", contract("a int"), contract("a decimal(11,2)"), BOTH),
    ("bigint to decimal(19,0)", contract("a bigint"), contract("a decimal(19,0)"), F),
    ("bigint to decimal(18,0)", contract("a bigint"), contract("a decimal(18,0)"), BOTH),
    # times
    ("date to timestamp", contract("a date"), contract("a timestamp"), F),
    ("timestamp to date", contract("a timestamp"), contract("a date"), B),
    ("timestamp to timestamptz", contract("a timestamp"), contract("a timestamptz"), BOTH),
    ("seconds to microseconds", contract("a timestamp_s"), contract("a timestamp"), F),
    ("microseconds to nanoseconds: fewer years", contract("a timestamp"), contract("a timestamp_ns"), BOTH),
    ("date to text", contract("a date"), contract("a varchar"), BOTH),
    # text, enums
    ("enum to text", contract("a enum('x')"), contract("a varchar"), F),
    ("text to enum", contract("a varchar"), contract("a enum('x')"), B),
    ("a symbol more", contract("a enum('x')"), contract("a enum('x', 'y')"), F),
    ("a symbol less", contract("a enum('x', 'y')"), contract("a enum('x')"), B),
    ("another symbol", contract("a enum('x')"), contract("a enum('y')"), BOTH),
    ("symbols in another order", contract("a enum('x', 'y')"), contract("a enum('y', 'x')"), N),
    ("json to text", contract("a json"), contract("a varchar"), F),
    ("text of another length", contract("a varchar(9)"), contract("a varchar(3)"), N),
    # nested
    ("wider items", contract("a int[]"), contract("a bigint[]"), F),
    ("a list of one", contract("a int"), contract("a int[]"), BOTH),
    ("a field more", contract("a struct(x int)"), contract("a struct(x int, y int)"), B),
    ("a field less", contract("a struct(x int, y int)"), contract("a struct(x int)"), F),
    ("fields in another order", contract("a struct(x int, y int)"), contract("a struct(y int, x int)"), N),
    ("a wider field", contract("a struct(x int)"), contract("a struct(x bigint)"), F),
    ("a field of another type", contract("a struct(x int)[]"), contract("a struct(x varchar)[]"), BOTH),
    ("wider map values", contract("a map(varchar, int)"), contract("a map(varchar, bigint)"), F),
    ("other map keys", contract("a map(varchar, int)"), contract("a map(int, int)"), BOTH),
    ("a fixed length", contract("a int[]"), contract("a int[3]"), B),
    # the key
    ("a key given", contract(A), contract(A, key=("a",)), B),
    ("a key taken", contract(A, key=("a",)), contract(A), F),
    ("a longer key", contract(A, "b int", key=("a",)), contract(A, "b int", key=("a", "b")), F),
    ("a shorter key", contract(A, "b int", key=("a", "b")), contract(A, "b int", key=("a",)), B),
    ("another key", contract(A, "b int", key=("a",)), contract(A, "b int", key=("b",)), BOTH),
    ("the key in another order", contract(A, "b int", key=("a", "b")), contract(A, "b int", key=("B", "a")), N),
    # what is only told
    ("personal now", contract(A), contract("a int pii"), N),
    ("another default", contract("a int = 1"), contract("a int = 2"), N),
]


@pytest.mark.parametrize(("old", "new", "broken"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
def test_pairs(old: Contract, new: Contract, broken: str) -> None:
    breaks = {mode: not verdict(old, new, mode).additive for mode in get_args(Compatibility)}
    assert breaks == {B: B in broken, F: F in broken, "full": bool(broken)}


def test_every_change_is_told_even_when_nothing_breaks() -> None:
    changes = compare(contract("a int", "b int"), contract("a int pii", "c varchar"))
    assert [(change.what, change.column) for change in changes] == [("pii", "a"), ("removed", "b"), ("added", "c")]
    assert "renamed to c2?" in compare(contract("c1 date"), contract("c2 date"))[0].message


# An oracle: rows that the writer's contract allows, read one by one by the reader's.

Row = dict[str, Any]
POOL = ["TINYINT", "INTEGER", "BIGINT", "UTINYINT", "UINTEGER", "FLOAT", "DOUBLE", "DECIMAL(4,2)", "DECIMAL(6,2)",
        "DECIMAL(12,2)", "DECIMAL(5,4)", "DATE", "TIMESTAMP", "VARCHAR", "BOOLEAN", "ENUM('x')", "ENUM('x', 'y')",
        "INTEGER[]", "BIGINT[]", "STRUCT(f INTEGER)", "STRUCT(f BIGINT, g VARCHAR)"]  # fmt: skip
RANGES = {"TINYINT": (-(2**7), 2**7 - 1), "INTEGER": (-(2**31), 2**31 - 1), "BIGINT": (-(2**63), 2**63 - 1),
          "UTINYINT": (0, 2**8 - 1), "UINTEGER": (0, 2**32 - 1)}  # fmt: skip


class Single(float):
    """A 32-bit float that is not just any double."""


def values(kind: Type) -> list[Any]:
    """Values at the borders of a type."""
    match kind:
        case Scalar("DECIMAL", (width, scale)):
            return [Decimal(10**width - 1).scaleb(-scale), Decimal(1).scaleb(-scale)]
        case Scalar(name):
            if name in RANGES:
                return list(RANGES[name])
            return {"FLOAT": [Single(0.5)], "DOUBLE": [0.1], "DATE": [date(2024, 2, 29)], "VARCHAR": ["z"],
                    "TIMESTAMP": [datetime(2024, 2, 29, 1)], "BOOLEAN": [True]}[name]  # fmt: skip
        case Enumerated(symbols):
            return [Symbol(each) for each in symbols]
        case Listed(item):
            return [[], *([each] for each in values(item))]
        case Struct(fields):
            return [{name: each for name, kind in fields for each in [values(kind)[0]]}]
    raise AssertionError(kind)


class Symbol(str):
    """A symbol of an enum."""


def is_of(value: Any, kind: Type) -> bool:
    match kind:
        case Scalar("DECIMAL", (width, scale)):
            if isinstance(value, (bool, float)) or not isinstance(value, (int, Decimal)):
                return False
            shifted = Decimal(value).scaleb(scale)
            return shifted == shifted.to_integral_value() and abs(shifted) < 10**width
        case Scalar(name):
            if name in RANGES:
                low, high = RANGES[name]
                return type(value) is int and low <= value <= high
            if name in ("FLOAT", "DOUBLE"):
                exact = 2 ** (24 if name == "FLOAT" else 53)
                return (type(value) is int and abs(value) <= exact) or isinstance(value, Single) or (
                    name == "DOUBLE" and type(value) is float
                )  # fmt: skip
            kinds: dict[str, tuple[type, ...]] = {"DATE": (date,), "TIMESTAMP": (date, datetime), "BOOLEAN": (bool,),
                                                  "VARCHAR": (str, Symbol)}  # fmt: skip
            return type(value) in kinds[name]
        case Enumerated(symbols):
            return isinstance(value, str) and value in symbols
        case Listed(item):
            return isinstance(value, list) and all(is_of(each, item) for each in value)
        case Struct(fields):
            return isinstance(value, dict) and all(name in value and is_of(value[name], each) for name, each in fields)
    raise AssertionError(kind)


def rows(written: Contract) -> Iterator[Row]:
    """Enough rows to meet every value of every column, NULL too where that is allowed."""
    usual = {each.name: values(parse(each.type))[0] for each in written.columns}
    yield usual
    for each in written.columns:
        for value in (*values(parse(each.type)), *((None,) if each.nullable else ())):
            yield {**usual, each.name: value}


def can_read(row: Row, reader: Contract, *, filled: bool) -> bool:
    """`filled`: the row is older than the reader, and columns it was written without are NULL."""
    for column in reader.columns:
        if column.name not in row:
            if column.default is None and not (filled and column.nullable):
                return False
        elif row[column.name] is None:
            if not column.nullable:
                return False
        elif not is_of(row[column.name], parse(column.type)):
            return False
    return True


def generated(dice: random.Random, names: str) -> Contract:
    columns = [
        ContractColumn(
            name,
            dice.choice(POOL),
            nullable=dice.random() < 0.5,
            default="0" if dice.random() < 0.2 else None,
        )
        for name in names
    ]
    return Contract(tuple(columns))


def test_random_pairs_are_judged_as_their_rows_are_read() -> None:
    dice = campaign.dice()
    seen = {True: 0, False: 0}
    for _ in range(campaign.examples(3000)):
        old = generated(dice, "".join(dice.sample("abc", dice.randint(1, 3))))
        kept = [column for column in old.columns if dice.random() < 0.8]
        changed = [replace(column, type=dice.choice(POOL)) if dice.random() < 0.3 else column for column in kept]
        new = Contract((*changed, *generated(dice, dice.choice(["", "", "d"])).columns))
        backward = all(can_read(row, new, filled=True) for row in rows(old)) if old.columns else True
        forward = all(can_read(row, old, filled=False) for row in rows(new)) if new.columns else True
        if not new.columns:
            forward = all(column.default is not None for column in old.columns)
        found = {mode: verdict(old, new, mode).additive for mode in get_args(Compatibility)}
        assert found == {B: backward, F: forward, "full": backward and forward}, (old, new)
        seen[forward] += 1
    assert min(seen.values()) > 100
