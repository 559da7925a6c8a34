"""What a text becomes when its column has a declared type: a value that says the same, or a row that is held back."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock.domain.relation import Column
from penstock.domain.source import SourceColumn
from penstock.embedded.connection import connect
from penstock.materializations.typing import normal, typed
from penstock.project.column_types import TYPES

BAD = object()
"""The row goes to quarantine."""
Judge = Callable[..., Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """`judge(declared, text)`: the typed value, or BAD."""
    connection = connect()

    def judged(
        declared: str, text: Any, pattern: str | None = None, *, landed: str = "VARCHAR", required: bool = False
    ) -> Any:
        found = typed(Column("v", landed), SourceColumn("v", declared, pattern, required))
        told = f"{found.value}, {found.bad or 'false'}, typeof({found.value})"
        query = f"SELECT {told} FROM (SELECT CAST(? AS {landed}) AS v)"
        value, bad, kind = connection.execute(query, [text]).fetchall()[0]
        assert bad is not None, "neither good nor bad"
        assert kind == found.type
        if not bad:
            assert (value is None) == (text is None), f"{text!r} has become {value!r} without a word"
        return BAD if bad else value

    yield judged
    connection.close()


D = Decimal
CASES: dict[str, dict[str, Any]] = {
    "bigint": {
        "0": 0, "7": 7, "-7": -7, "+5": 5, "-0": 0, "007": 7, "-007": -7, "00000000000000000000000005": 5,
        " 5 ": 5, "\t5": 5, "5\n": 5, "5\r": 5,
        "9223372036854775807": 2**63 - 1, "-9223372036854775808": -(2**63),
        "9223372036854775808": BAD, "-9223372036854775809": BAD, "12345678901234567890": BAD,
        "1.0": BAD, "1.9": BAD, "1.": BAD, "1e5": BAD, "1E0": BAD, "1_000": BAD, "1,000": BAD, "0x1F": BAD, "0b1": BAD,
        "": BAD, " ": BAD, "-": BAD, "+": BAD, "--5": BAD, "- 5": BAD, "5 5": BAD, "5L": BAD, "five": BAD, "NULL": BAD,
        "NaN": BAD, "inf": BAD, "true": BAD, "\u00a05": BAD, "\uff11\uff12": BAD, "\u0663": BAD,
        "\u2212" + "5": BAD, "\ufeff5": BAD,
    },
    "tinyint": {"127": 127, "128": BAD, "-128": -128, "-129": BAD},
    "smallint": {"32767": 32767, "32768": BAD},
    "int": {"2147483647": 2147483647, "2147483648": BAD, "1.5": BAD},
    "hugeint": {
        "12345678901234567890": 12345678901234567890, str(2**127 - 1): 2**127 - 1, str(2**127): BAD, "1.5": BAD,
    },
    "utinyint": {"255": 255, "256": BAD, "-1": BAD, "-0": 0},
    "ubigint": {"18446744073709551615": 2**64 - 1, "18446744073709551616": BAD, "-1": BAD, "1_0": BAD},
    "uhugeint": {"5": 5, "1.5": BAD, "1e2": BAD, str(2**128 - 1): 2**128 - 1},
    "decimal(12,2)": {
        "1": D("1.00"), "1.1": D("1.10"), "1.10": D("1.10"), "1.100000": D("1.10"), "5.": D(5), ".5": D("0.50"),
        "-.5": D("-0.50"), "+1.5": D("1.50"), " 1.5 ": D("1.50"), "-0.00": D(0), "007.50": D("7.50"),
        "9999999999.99": D("9999999999.99"), "-9999999999.99": D("-9999999999.99"),
        "10000000000": BAD, "12345678901.00": BAD, "1.005": BAD, "0.995": BAD, "1.001": BAD, "9999999999.999": BAD,
        "1e2": BAD, "1E-2": BAD, "1,5": BAD, "1,000.50": BAD, "1.5.5": BAD, "1_0.5": BAD, ".": BAD, "": BAD, "-": BAD,
        "NaN": BAD, "Infinity": BAD, "EUR 5": BAD, "5 EUR": BAD, "1.5-": BAD, "(1.50)": BAD, "\uff11.5": BAD,
    },
    "numeric(5,0)": {"1": D(1), "1.": D(1), "1.000": D(1), "1.5": BAD, ".0": BAD, "99999": D(99999), "100000": BAD},
    "decimal(38,0)": {"1234567890" * 3 + "12345678": D("1234567890" * 3 + "12345678"), "1" * 39: BAD},
    "decimal(38,38)": {"0." + "1" * 38: D("0." + "1" * 38), "0." + "1" * 39: BAD, "1": BAD},
    "decimal": {"1.234": D("1.234"), "1.2345": BAD},
    "double": {
        "1": 1.0, "1.5": 1.5, "1.": 1.0, ".5": 0.5, "-1.5e-3": -0.0015, "1e5": 100000.0, "1E+5": 100000.0, "007": 7.0,
        "0": 0.0, "-0": 0.0, "0.000": 0.0, "0e9": 0.0, " 1.5 ": 1.5, "1e308": 1e308, "5e-324": 5e-324,
        "1e400": BAD, "-1e400": BAD, "1e-400": BAD, "0.0e": BAD, "nan": BAD, "NaN": BAD, "inf": BAD, "-inf": BAD,
        "Infinity": BAD, "1_0": BAD, "0x1p3": BAD, "1e": BAD, "e5": BAD, "1f": BAD, ".": BAD, "": BAD, "1,5": BAD,
    },
    "real": {"1.5": 1.5, "1e39": BAD, "1e-60": BAD, "nan": BAD},
    "boolean": {
        "true": True, "TRUE": True, "False": False, " true ": True,
        "t": BAD, "f": BAD, "1": BAD, "0": BAD, "yes": BAD, "no": BAD, "on": BAD, "": BAD, "truee": BAD, "true\n": BAD,
    },
    "date": {
        "2026-01-01": date(2026, 1, 1), "2024-02-29": date(2024, 2, 29), "0001-01-01": date(1, 1, 1),
        "9999-12-31": date(9999, 12, 31),
        "2026-02-29": BAD, "2026-13-01": BAD, "2026-00-10": BAD, "0000-00-00": BAD, "0000-01-01": BAD,
        "12026-01-01": BAD, "infinity": BAD, "-infinity": BAD, "epoch": BAD, "0044-03-15 (BC)": BAD, "today": BAD,
        "2026-1-1": BAD, "2026/01/01": BAD, "20260101": BAD, "01.02.2026": BAD, "2026-01-01 10:00:00": BAD,
        "2026-01-01T00:00:00": BAD, " 2026-01-01": BAD, "2026-01-01\n": BAD, "": BAD, "26-01-01": BAD,
        "\uff12\uff10\uff12\uff16-01-01": BAD,
    },
    "timestamp": {
        "2026-01-01 10:00:00": datetime(2026, 1, 1, 10), "2026-01-01T10:00:00": datetime(2026, 1, 1, 10),
        "2026-01-01T10:00:00Z": datetime(2026, 1, 1, 10), "2026-01-01 10:00": datetime(2026, 1, 1, 10),
        "2026-01-01": datetime(2026, 1, 1), "2026-01-01 10:00:00.5": datetime(2026, 1, 1, 10, 0, 0, 500_000),
        "2026-01-01 10:00:00.123456": datetime(2026, 1, 1, 10, 0, 0, 123456),
        "2026-01-01 10:00:00.000000": datetime(2026, 1, 1, 10), "2026-01-01 24:00:00": datetime(2026, 1, 2),
        "9999-12-31 23:59:59.999999": datetime(9999, 12, 31, 23, 59, 59, 999999),
        "2026-01-01 10:00:00.1234567": BAD, "2026-01-01 10:00:00.": BAD, "2026-01-01 25:00:00": BAD,
        "2026-01-01 23:59:60": BAD, "2026-01-01 10:00:00+02:00": BAD, "2026-01-01 10:00:00 UTC": BAD,
        "2026-01-01 10:00:00 Europe/Berlin": BAD, "2026-01-01 10": BAD, "2026-02-30 10:00:00": BAD, "infinity": BAD,
        "-infinity": BAD, "epoch": BAD, "12026-01-01 00:00:00": BAD, "0000-01-01 00:00:00": BAD, "now": BAD, "": BAD,
        "1767261600": BAD, " 2026-01-01 10:00:00": BAD, "2026-01-01 10:00:00 ": BAD,
    },
    "timestamp_s": {"2026-01-01 10:00:00": datetime(2026, 1, 1, 10), "2026-01-01 10:00:00.5": BAD, "infinity": BAD},
    "timestamp_ms": {"2026-01-01 10:00:00.5": datetime(2026, 1, 1, 10, 0, 0, 500_000), "2026-01-01 10:00:00.1234": BAD},
    "time": {
        "10:00": time(10), "10:00:00": time(10), "10:00:00.5": time(10, 0, 0, 500_000), "25:00": BAD, "10": BAD,
        "": BAD, "10:00:00.1234567": BAD, "10:00 PM": BAD,
    },
    "varchar(3)": {"abc": "abc", "": "", "abcd": BAD, "\u00e4\u00f6\u00fc": "\u00e4\u00f6\u00fc"},
    "varchar": {"": "", " x": " x", "NULL": "NULL", "1e5": "1e5", "007": "007"},
    "bigint[]": {"[1, 2]": [1, 2], "[]": [], "[1,2]": [1, 2], "[1.9]": BAD, "1": BAD},
}  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "text", "expected"),
    [(declared, text, expected) for declared, cases in CASES.items() for text, expected in cases.items()],
)
def test_a_text_and_its_type(judge: Judge, declared: str, text: str, expected: Any) -> None:
    found = judge(declared, text)
    assert found is BAD if expected is BAD else (found == expected and type(found) is type(expected)), found


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-01 10:00:00+02", datetime(2026, 1, 1, 8, tzinfo=UTC)),
        ("2026-01-01T10:00:00Z", datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ("2026-01-01 10:00:00+0530", datetime(2026, 1, 1, 4, 30, tzinfo=UTC)),
        ("2026-01-01 10:00:00-05:30", datetime(2026, 1, 1, 15, 30, tzinfo=UTC)),
        ("2026-01-01 10:00:00", BAD),
        ("2026-01-01 10:00:00 Europe/Berlin", BAD),
        ("2026-01-01 10:00+99", BAD),
        ("infinity", BAD),
    ],
)
def test_a_time_with_a_zone_is_a_moment(text: str, utc: Any) -> None:
    found = typed(Column("v", "VARCHAR"), SourceColumn("v", "timestamptz"))
    since = f"CASE WHEN {found.bad} THEN NULL ELSE epoch_us({found.value}) END"  # Python reads zones with pytz only
    connection = connect()
    try:
        (value,) = connection.execute(f"SELECT {since} FROM (SELECT CAST(? AS VARCHAR) AS v)", [text]).fetchall()[0]
    finally:
        connection.close()
    assert value is None if utc is BAD else EPOCH + timedelta(microseconds=value) == utc


DMY = "%d/%m/%Y"


@pytest.mark.parametrize(
    ("declared", "pattern", "text", "expected"),
    [
        ("date", DMY, "01/02/2026", date(2026, 2, 1)),
        ("date", DMY, "1/2/2026", date(2026, 2, 1)),
        ("date", DMY, "31/12/1899", date(1899, 12, 31)),
        ("date", DMY, "01/01/1900", date(1900, 1, 1)),
        ("date", DMY, "01/01/0001", date(1, 1, 1)),
        ("date", DMY, "01/02/26", BAD),  # the year 26
        ("date", DMY, "01/02/20266", BAD),
        ("date", DMY, "31/02/2026", BAD),
        ("date", DMY, "2026-02-01", BAD),
        ("date", DMY, "01/02/2026 x", BAD),
        ("date", DMY, "", BAD),
        ("date", DMY, "infinity", BAD),  # DuckDB: 1900-01-01, whatever the pattern
        ("date", DMY, "-infinity", BAD),
        ("date", DMY, "Epoch", BAD),
        ("date", "%d/%m/%y", "01/02/26", date(2026, 2, 1)),
        ("date", "%d/%m/%y", "01/02/70", date(1970, 2, 1)),
        ("date", "%Y%m%d", "20260201", date(2026, 2, 1)),
        ("timestamp", "%d/%m/%Y %H:%M", "01/02/2026 10:30", datetime(2026, 2, 1, 10, 30)),
        ("timestamp", "%d/%m/%Y %H:%M", "01/02/2026", BAD),
        ("timestamp", "%d/%m/%Y %H:%M", "infinity", BAD),
        ("timestamp", "%d/%m/%Y %I:%M %p", "01/02/2026 10:00 PM", datetime(2026, 2, 1, 22)),
        ("timestamp", "%Y-%m-%d %H:%M:%S %z", "2026-01-01 10:00:00 +0200", datetime(2026, 1, 1, 8)),
        ("timestamp", "%Y-%m-%d %H:%M:%S.%n", "2026-01-01 10:00:00.123456000", datetime(2026, 1, 1, 10, 0, 0, 123456)),
        ("timestamp", "%Y-%m-%d %H:%M:%S.%n", "2026-01-01 10:00:00.123456789", BAD),
        ("time", "%H.%M", "10.30", time(10, 30)),
        ("time", "%H.%M", "00.00", time(0, 0)),
        ("time", "%H.%M", "24.30", BAD),
    ],
)
def test_a_date_in_a_format_of_its_own(judge: Judge, declared: str, pattern: str, text: str, expected: Any) -> None:
    found = judge(declared, text, pattern)
    assert found is BAD if expected is BAD else found == expected, found


@pytest.mark.parametrize(
    ("landed", "value", "declared", "expected"),
    [
        ("DOUBLE", 2.0, "bigint", 2),
        ("DOUBLE", 1.5, "bigint", BAD),
        ("DOUBLE", math.nan, "bigint", BAD),
        ("DOUBLE", 0.1, "decimal(12,2)", D("0.10")),
        ("DOUBLE", 0.125, "decimal(12,2)", BAD),
        ("BIGINT", 300, "tinyint", BAD),
        ("BIGINT", 2**53 + 1, "double", BAD),
        ("BIGINT", 1, "boolean", True),
        ("BIGINT", 2, "boolean", BAD),
        ("BIGINT", 7, "varchar", "7"),
        ("BIGINT", 1234, "varchar(3)", BAD),
        ("TIMESTAMP", "2026-01-01 00:00:00", "date", date(2026, 1, 1)),
        ("TIMESTAMP", "2026-01-01 10:00:00", "date", BAD),
        ("DATE", "2026-01-01", "timestamp", datetime(2026, 1, 1)),
        ("BIGINT", None, "tinyint", None),
        ("BIGINT", 5, "bigint", 5),
    ],
)
def test_a_value_that_has_a_type_already(judge: Judge, landed: str, value: Any, declared: str, expected: Any) -> None:
    found = judge(declared, value, landed=landed)
    assert found is BAD if expected is BAD else found == expected, found


@pytest.mark.parametrize("declared", sorted(TYPES))
@pytest.mark.parametrize("landed", ["VARCHAR", "BIGINT"])
def test_null_is_null_unless_it_is_required(judge: Judge, declared: str, landed: str) -> None:
    if landed == "VARCHAR":
        assert judge(declared, None) is None
        assert judge(declared, None, required=True) is BAD
    elif normal(declared) in {"BIGINT", "DOUBLE", "VARCHAR", "HUGEINT"}:
        assert judge(declared, None, landed=landed, required=True) is BAD


def test_what_is_not_declared_stays_as_it_landed() -> None:
    found = typed(Column('a "b', "VARCHAR"), None)
    assert (found.type, found.value, found.bad) == ("VARCHAR", '"a ""b"', None)


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ("int", "INTEGER"), ("Text", "VARCHAR"), ("bool", "BOOLEAN"), ("numeric( 12 , 2 )", "DECIMAL(12,2)"),
        ("decimal(9)", "DECIMAL(9,0)"), ("decimal", "DECIMAL(18,3)"), ("char(5)", "VARCHAR"), ("real", "FLOAT"),
        ("double  precision", "DOUBLE"), ("timestamptz", "TIMESTAMP WITH TIME ZONE"), ("varchar(9)[]", "VARCHAR[]"),
        ("decimal(12, 2)[]", "DECIMAL(12,2)[]"),
    ],
)  # fmt: skip
def test_a_type_has_the_name_that_the_engine_gives_it(declared: str, name: str) -> None:
    """Or the second batch would be told that the type has changed."""
    assert normal(declared) == name


@pytest.mark.parametrize("declared", sorted(TYPES))
def test_the_names_of_all_types_are_the_engine_s(declared: str) -> None:
    connection = connect()
    try:
        (found,) = connection.execute(f"SELECT typeof(CAST(NULL AS {normal(declared)}))").fetchall()[0]
    except duckdb.CatalogException:
        pytest.fail(f"{normal(declared)} is no type of the engine")
    finally:
        connection.close()
    assert found == normal(declared)


# Against an oracle in plain Python

TEXTS = st.one_of(
    st.text(alphabet="0123456789+-. eE_,", max_size=24),
    st.from_regex(r"\A\s?[+-]?[0-9]{1,22}(\.[0-9]{0,6})?\s?\Z"),
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(places=3, min_value=-(10**12), max_value=10**12).map(str),
    st.sampled_from(["NaN", "sNaN", "Infinity", "-inf"]),
    st.text(max_size=8).filter(lambda text: "\0" not in text),
)
BLANK = " \t\n\r\f"
MANY = settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(text=TEXTS)
def test_integers_are_exactly_those_that_the_text_says(judge: Judge, text: str) -> None:
    stripped = text.strip(BLANK)
    whole = int(stripped) if re.fullmatch("[+-]?[0-9]+", stripped, re.ASCII) else None
    expected = BAD if whole is None or not -(2**63) <= whole < 2**63 else whole
    assert judge("bigint", text) == expected


@MANY
@given(text=TEXTS, scale=st.integers(0, 4))
def test_decimals_are_exactly_those_that_the_text_says(judge: Judge, text: str, scale: int) -> None:
    stripped = text.strip(BLANK)
    shape = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)" if scale else r"[+-]?[0-9]+(\.[0-9]*)?"
    number = Decimal(stripped) if re.fullmatch(shape, stripped, re.ASCII) else None
    fits = number is not None and number * 10**scale % 1 == 0 and abs(number) < 10 ** (12 - scale)
    assert judge(f"decimal(12,{scale})", text) == (number if fits else BAD)


@MANY
@given(
    text=st.one_of(
        st.dates().map(str), st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z"), st.text("0123456789-", max_size=12)
    )
)
def test_dates_are_those_of_the_calendar(judge: Judge, text: str) -> None:
    try:
        expected: Any = date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) else BAD
    except ValueError:
        expected = BAD
    assert judge("date", text) == expected


@MANY
@given(moment=st.datetimes(), mark=st.sampled_from(" T"))
def test_every_timestamp_is_read_back(judge: Judge, moment: datetime, mark: str) -> None:
    assert judge("timestamp", moment.isoformat(mark)) == moment


@MANY
@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_is_read_back(judge: Judge, number: float) -> None:
    assert judge("double", repr(number)) == number


@MANY
@given(day=st.dates())
def test_every_day_is_read_back_by_its_format(judge: Judge, day: date) -> None:
    assert judge("date", f"{day:%d/%m/}{day.year:04}", DMY) == day
