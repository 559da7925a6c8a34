"""Values that people write in tests: what Python reads at once must be what the engine reads, and what does not fit is
never changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock.domain.relation import Column
from penstock.domain.unit_test import Fixture
from penstock.embedded.connection import connect
from penstock.engines.duckdb.session import DuckSession
from penstock.errors import Location, ProjectError
from penstock.executor.unit import values
from penstock.executor.unit.reading import ready
from penstock.executor.unit.values import ROW, inferred, staged, typed_rows

EXAMPLES = examples(150)
KINDS = (
    "TINYINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "DECIMAL(5,2)", "DECIMAL(38,10)", "FLOAT", "DOUBLE",
    "BOOLEAN", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "VARCHAR", "UUID", "JSON", "INTEGER[]",
)  # fmt: skip
WRITTEN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.integers(-200, 200),
    st.integers(-(2**130), 2**130),
    st.datetimes().map(str),
    st.dates().map(str),
    st.floats(),
    st.decimals(-1000, 1000, places=3).map(str),
    st.sampled_from(
        ["2026-11-17", "2026-02-30", "2026-11-17 14:05:09", "2026-11-17T14:05", "0000-01-01", "2026-11-17 24:00:00",
         "007", "1_000", "1.", ".5", "1e3", " 1", "true", "TRUE", "yes", "", "NaN", "inf", "+5", "-0", "99999999-01-01",
         "2026-11-17 14:05:09.1234567", "1.50", "1,5", "9" * 39, "2026-11-17 14:05:09+01", "2026-11-17T14:05:09Z",
         "14:05", "infinity", "-infinity", "epoch", "[1, 2]", "{}", "290309-12-22"]
    ),
    st.text(max_size=8).filter(lambda text: "\0" not in text),
)  # fmt: skip


@pytest.fixture(scope="module")
def session() -> Iterator[DuckSession]:
    connection = connect(None, threads=1)
    try:
        yield DuckSession(connection)
    finally:
        connection.close()


def fixture(rows: list[dict[str, Any]], **other: Any) -> Fixture:
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    place = Location("tests/a.yml", 3)
    return Fixture(place, tuple(rows), tuple(range(3, 3 + len(rows))), names, **other)


@settings(max_examples=EXAMPLES, deadline=None)
@given(kind=st.sampled_from(KINDS), value=WRITTEN)
def test_what_python_reads_is_what_the_engine_reads(session: DuckSession, kind: str, value: Any) -> None:
    read = ready(kind, [value])
    rows = fixture([{"c": value}])
    try:
        values._stage(session, "t", rows, {"c": kind}, "raw.x")
    except ProjectError:
        assert read is None, f"the engine refuses {value!r} as {kind}, and Python reads {read}"
        return
    (found,) = session.query(f"SELECT c FROM t ORDER BY {ROW}").rows
    if read is not None:
        assert read[0] == found[0] or (read[0] != read[0] and found[0] != found[0])  # NaN
        assert type(read[0]) is type(found[0])


def test_rows_are_bound_where_python_can_read_all_and_staged_where_not(session: DuckSession) -> None:
    rows = fixture([{"a": 1, "b": "x"}, {"b": "y"}])
    sure = staged(session, "s", rows, {"a": "BIGINT", "b": "VARCHAR", "c": "DATE"}, "raw.x")
    assert sure.source != '"s"'
    assert session.query(f"SELECT a, b FROM {sure.source} ORDER BY {ROW}", sure.values).rows == ((1, "x"), (None, "y"))
    assert sure.column("c") == "NULL"
    other = staged(session, "s", rows, {"a": "UTINYINT", "b": "VARCHAR"}, "raw.x")
    assert other.source == '"s"'
    assert session.query(f"SELECT a, b FROM {other.source} ORDER BY {ROW}").rows == ((1, "x"), (None, "y"))
    assert typed_rows(session, "s", rows, [Column("b", "VARCHAR"), Column("z", "DATE")], "m") == [
        ("x", None),
        ("y", None),
    ]


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("INTEGER", 1.5, "expected INTEGER, found 1.5"),
        ("INTEGER", 3_000_000_000, "found 3000000000"),
        ("UTINYINT", -1, "found -1"),
        ("DECIMAL(5,2)", 1.239, "found 1.239"),
        ("DECIMAL(5,2)", 12345, "found 12345"),
        ("DATE", "2026-02-30", "found '2026-02-30'"),
        ("DATE", "2026-11-17 14:00:00", "expected DATE"),
        ("BOOLEAN", "yes", "found 'yes'"),
        ("INTEGER[]", ["a"], "expected INTEGER[]"),
        ("TIMESTAMP WITH TIME ZONE", "soon", "found 'soon'"),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(session: DuckSession, kind: str, value: Any, told: str) -> None:
    rows = fixture([{"c": None}, {"c": value}])
    with pytest.raises(ProjectError) as caught:
        staged(session, "s", rows, {"c": kind}, "raw.x")
    (problem,) = caught.value.problems
    assert problem.code == "TEST_VALUE"
    assert told in problem.message
    assert str(problem.location) == "tests/a.yml:4"


@pytest.mark.parametrize(
    ("found", "is_text", "kind"),
    [
        ([None, None], False, "VARCHAR"),
        ([1, 2], False, "BIGINT"),
        ([1, 2**70], False, "HUGEINT"),
        ([1, 2.5], False, "DOUBLE"),
        ([True, None], False, "BOOLEAN"),
        ([True, 1], False, "VARCHAR"),
        (["2026-11-17", None], False, "DATE"),
        (["2026-11-17 14:00:00", "2026-11-17T14:00"], False, "TIMESTAMP"),
        (["2026-11-17", "x"], False, "VARCHAR"),
        (["12", "7"], False, "VARCHAR"),
        (["12", "7"], True, "BIGINT"),
        (["12", "007"], True, "VARCHAR"),
        (["12", "7.5"], True, "DOUBLE"),
        (["true", "false"], True, "BOOLEAN"),
        ([[1], None], False, "JSON"),
    ],
)
def test_types_by_what_values_look_like(found: list[Any], is_text: bool, kind: str) -> None:
    assert inferred(found, is_text=is_text) == kind
