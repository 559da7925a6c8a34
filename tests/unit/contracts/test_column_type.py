"""Types taken apart, and the promotions held against what the engine itself does with values at the borders."""

from __future__ import annotations

from itertools import product

import duckdb
import pytest

from penstock.domain.column_type import SIGNED, UNSIGNED, TypeUnknown, parse, reads_as

SAMPLES: dict[str, list[str]] = {
    **{name: [f"{-(2**bits)}", "0", f"{2**bits - 1}"] for name, bits in SIGNED.items() if name != "HUGEINT"},
    **{name: ["0", f"{2**bits - 1}"] for name, bits in UNSIGNED.items() if name != "UHUGEINT"},
    "HUGEINT": [f"{2**127 - 1}"],
    "FLOAT": ["3.4028235e38", "0.1"],
    "DOUBLE": ["1.7976931348623157e308", "0.1"],
    "DECIMAL(4,2)": ["99.99", "-99.99"],
    "DECIMAL(6,2)": ["9999.99"],
    "DECIMAL(6,4)": ["99.9999"],
    "DECIMAL(10,0)": ["9999999999"],
    "DECIMAL(21,2)": ["9999999999999999999.99"],
    "DATE": ["0001-01-01", "9999-12-31"],
    "TIMESTAMP_S": ["9999-12-31 23:59:59"],
    "TIMESTAMP_MS": ["9999-12-31 23:59:59.999"],
    "TIMESTAMP": ["9999-12-31 23:59:59.999999", "0001-01-01 00:00:00"],
    "TIMESTAMP_NS": ["2024-01-01 00:00:00.123456789"],
    "ENUM('a', 'b')": ["a", "b"],
    "ENUM('a', 'b', 'c')": ["c"],
    "VARCHAR": ["x", "1", "2024-01-01"],
    "BOOLEAN": ["true"],
    "STRUCT(a INTEGER)": ["{'a': 2147483647}"],
    "STRUCT(a BIGINT)": ["{'a': 9223372036854775807}"],
    "INTEGER[]": ["[2147483647]"],
    "BIGINT[]": ["[9223372036854775807]"],
}


def survives(connection: duckdb.DuckDBPyConnection, value: str, written: str, read: str) -> bool:
    """Whether the value goes over and comes back as it was."""
    back = f"TRY_CAST(v AS {read})"
    if written in ("TIMESTAMP_S", "TIMESTAMP_MS"):  # DuckDB 1.5 knows no way from milliseconds to seconds but this
        back = f"TRY_CAST({back} AS TIMESTAMP)"
    row = connection.execute(
        f"SELECT TRY_CAST({back} AS {written}) IS NOT DISTINCT FROM v "
        f"FROM (SELECT CAST('{value.replace(chr(39), chr(39) * 2)}' AS {written}) AS v)"
    ).fetchone()
    return bool(row and row[0])


def test_what_reads_as_another_type_keeps_every_value_there_and_back() -> None:
    connection = duckdb.connect()
    try:
        readable = [(w, r) for w, r in product(SAMPLES, SAMPLES) if reads_as(parse(w), parse(r))]
        assert len(readable) > 90
        for written, read in readable:
            for value in SAMPLES[written]:
                assert survives(connection, value, written, read), (value, written, read)
        # and numbers that do not read as one another lose a value
        numbers = [name for name in SAMPLES if name in SIGNED or name in UNSIGNED or name in ("FLOAT", "DOUBLE")]
        for written, read in product(numbers, numbers):
            if not reads_as(parse(written), parse(read)):
                kept = [survives(connection, value, written, read) for value in SAMPLES[written]]
                assert not all(kept), (written, read)
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("int", "INTEGER"),
        (" Numeric( 12 , 2 ) ", "DECIMAL(12,2)"),
        ("decimal", "DECIMAL(18,3)"),
        ("decimal(9)", "DECIMAL(9,0)"),
        ("varchar(9)", "VARCHAR"),
        ("timestamp with time zone", "TIMESTAMP WITH TIME ZONE"),
        ("timestamp without time zone", "TIMESTAMP"),
        ("timestamptz", "TIMESTAMP WITH TIME ZONE"),
        ("double precision", "DOUBLE"),
        ('struct(a int, "B c" varchar[])[]', 'STRUCT(a INTEGER, "B c" VARCHAR[])[]'),
        ("map(varchar, struct(x int))", "MAP(VARCHAR, STRUCT(x INTEGER))"),
        ("enum('a', 'it''s')", "ENUM('a', 'it''s')"),
        ("bigint[3]", "BIGINT[3]"),
    ],
)
def test_types_are_taken_apart(text: str, means: str) -> None:
    assert str(parse(text)) == means
    assert parse(means) == parse(text)


def test_float_is_double_where_a_person_writes_it_and_32_bits_where_the_engine_does() -> None:
    assert (str(parse("float", True)), str(parse("float")), str(parse("real", True))) == ("DOUBLE", "FLOAT", "FLOAT")


@pytest.mark.parametrize(
    "text",
    ["", "foo", "int)", "struct()", "struct(a int, A int)", "decimal(39)", "decimal(2,3)", "decimal(1,2,3)", "enum(a)",
     "map(int)", "int; DROP TABLE x", "bigint[", "'a'", "struct(a)", "int int", "map(int, int", "decimal(99999999999)"],
)  # fmt: skip
def test_what_is_no_type_is_said_to_be_none(text: str) -> None:
    with pytest.raises(TypeUnknown):
        parse(text)
