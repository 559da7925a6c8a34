"""Versions of rows against a plain-Python oracle, and against themselves in every order of arrival."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock.domain.relation import Column, RelationName
from penstock.embedded.connection import connect
from penstock.materializations import maintain
from penstock.materializations.versions import Versions, statements

Row = tuple[int | None, int, str | None]
"""key, hours after the epoch that it is valid from, value"""
Batch = tuple[bool, list[Row]]
EPOCH = datetime(2026, 1, 1)
OWN = (Column("k", "INTEGER"), Column("u", "TIMESTAMP"), Column("v", "VARCHAR"))
META = (Column("valid_from", "TIMESTAMP"), Column("valid_to", "TIMESTAMP"), Column("is_current", "BOOLEAN"))
SETTINGS = settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))


def hour(number: int) -> datetime:
    return EPOCH + timedelta(hours=number)


class Table:
    """A table of versions in a DuckDB of its own."""

    def __init__(self, connection: Any, effective: str | None, compared: tuple[str, ...] = ("u", "v")) -> None:
        self.connection, self.effective, self.compared = connection, effective, compared
        connection.execute("CREATE SCHEMA IF NOT EXISTS s")
        listed = ", ".join(f"{column.name} {column.type}" for column in (*OWN, *META))
        connection.execute(f"CREATE OR REPLACE TABLE s.t ({listed})")

    def apply(self, rows: Sequence[Row], at: int, whole: bool) -> None:
        self.connection.execute("CREATE OR REPLACE TEMP TABLE b (k INTEGER, u TIMESTAMP, v VARCHAR)")
        if rows:
            self.connection.executemany("INSERT INTO b VALUES (?, ?, ?)", [(k, hour(u), v) for k, u, v in rows])
        of = Versions(
            table='"s"."t"', key=("k",), own=OWN, at=hour(at).isoformat(sep=" "), compared=self.compared,
            effective=self.effective, whole=whole,
        )  # fmt: skip
        for statement in statements(of, "b", (*OWN, *META)):
            self.connection.execute(statement)
        self.connection.execute(maintain.delete(RelationName("s", "t")))
        self.connection.execute(maintain.insert(RelationName("s", "t"), [column.name for column in (*OWN, *META)]))

    def rows(self) -> Counter[Any]:
        return Counter(self.connection.execute("SELECT k, u, v, valid_from, valid_to, is_current FROM s.t").fetchall())


@contextmanager
def connected() -> Iterator[Any]:
    connection = connect(None)
    try:
        yield connection
    finally:
        connection.close()


@dataclass
class Line:
    """One key: its versions by when they begin, and when it was found gone."""

    versions: dict[int, Row] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)

    def drawn(self) -> list[tuple[Row, int, int | None]]:
        events = sorted([(at, 0, None) for at in self.gone] + [(at, 1, row) for at, row in self.versions.items()])
        ends = [at for at, _, _ in events[1:]]
        return [(row, at, end) for (at, _, row), end in itertools.zip_longest(events, ends) if row is not None]

    @property
    def is_there(self) -> bool:
        drawn = self.drawn()
        return bool(drawn) and drawn[-1][2] is None

    def place(self, row: Row, at: int, whole: bool) -> None:
        said = row[1]
        drawn = self.drawn()
        if drawn and not self.is_there and whole:
            self.versions[said if said >= self.gone_at else at] = row
            return
        same = [begin for begin, known in self.versions.items() if known[1] == said]
        if same:
            self.versions[max(same)] = row
            return
        last, begin, _ = drawn[-1] if drawn else (None, 0, None)
        overtakes = last is not None and self.is_there and last[1] < said <= begin
        self.versions[at if overtakes else said] = row

    @property
    def gone_at(self) -> int:
        return max(end for _, _, end in self.drawn() if end is not None)

    def leave(self, at: int) -> None:
        if self.is_there:
            self.versions = {begin: row for begin, row in self.versions.items() if begin < at}
            self.gone.append(at)
        if not self.versions:
            self.gone = []


def expected(batches: Sequence[Batch]) -> Counter[Any]:
    """The versions a person would write down, dated by what rows say."""
    lines: dict[int | None, Line] = {}
    for number, (whole, rows) in enumerate(batches, start=1):
        at = number * 10
        for row in rows:
            lines.setdefault(row[0], Line()).place(row, at, whole)
        if whole:
            for key in lines.keys() - {row[0] for row in rows}:
                lines[key].leave(at)
    return Counter(
        (row[0], hour(row[1]), row[2], hour(begin), None if end is None else hour(end), end is None)
        for line in lines.values()
        for row, begin, end in line.drawn()
    )


KEYS = st.one_of(st.none(), st.integers(1, 3))
# Times of rows are odd, those of batches even: to the microsecond, a row is never as old as a batch.
TIMES = st.integers(0, 29).map(lambda number: 2 * number + 1)
ROWS = st.tuples(KEYS, TIMES, st.sampled_from(["a", "b", None]))


def one_a_key(rows: list[Row]) -> list[Row]:
    return list({row[0]: row for row in rows}.values())


BATCHES: st.SearchStrategy[list[Batch]] = st.lists(
    st.tuples(st.booleans(), st.lists(ROWS, max_size=4).map(one_a_key)), min_size=1, max_size=6
)


@SETTINGS
@given(batches=BATCHES)
def test_versions_dated_by_a_column_equal_the_oracle(batches: list[Batch]) -> None:
    with connected() as connection:
        table = Table(connection, "u")
        for number, (whole, rows) in enumerate(batches, start=1):
            table.apply(rows, number * 10, whole)
            assert table.rows() == expected(batches[:number])
            check_lines(table.rows())
        before = table.rows()
        whole, rows = batches[-1]
        table.apply(rows, len(batches) * 10 + 10, whole)
        assert table.rows() == before


def value(key: int | None, at: int) -> str:
    """What a row says is a function of its key and time: then nobody has to decide between two."""
    return f"{key} at {at}"


PARTS = st.lists(st.lists(st.tuples(KEYS, TIMES), max_size=4, unique=True), min_size=2, max_size=4)


@SETTINGS
@given(parts=PARTS)
def test_any_order_of_arrival_gives_the_same_versions(parts: list[list[tuple[int | None, int]]]) -> None:
    batches = [[(key, at, value(key, at)) for key, at in part] for part in parts]
    found = []
    with connected() as connection:
        for order in itertools.permutations(batches):
            table = Table(connection, "u")
            for number, rows in enumerate(order, start=1):
                table.apply(rows, number * 10, whole=False)
            found.append(table.rows())
        table = Table(connection, "u")
        table.apply(sorted({row for rows in batches for row in rows}, key=str), 10, whole=False)
        found.append(table.rows())
    assert all(one == found[0] for one in found)
    check_lines(found[0])


def check_lines(rows: Counter[Any]) -> None:
    """No version ends before it begins, none overlaps another, one at most is current, and that is the last."""
    assert set(rows.values()) <= {1}
    for _, group in itertools.groupby(sorted(rows, key=lambda row: (str(row[0]), row[3])), key=lambda row: row[0]):
        line = list(group)
        for one, following in itertools.pairwise(line):
            assert one[4] is not None
            assert one[3] < one[4] <= following[3]
        assert [row[5] for row in line[:-1]] == [False] * (len(line) - 1)
        assert line[-1][5] == (line[-1][4] is None)


@SETTINGS
@given(batches=BATCHES, compared=st.sampled_from([("v",), ("u", "v")]))
def test_versions_dated_by_when_a_change_was_seen(batches: list[Batch], compared: tuple[str, ...]) -> None:
    current: dict[int | None, tuple[Row, int]] = {}
    closed: list[tuple[Row, int, int]] = []
    with connected() as connection:
        table = Table(connection, None, compared)
        for number, (whole, rows) in enumerate(batches, start=1):
            at = number * 10
            table.apply(rows, at, whole)
            for row in rows:
                if row[0] in current:
                    before, since = current[row[0]]
                    if row[2] == before[2] and (compared == ("v",) or row[1] == before[1]):
                        continue
                    closed.append((before, since, at))
                current[row[0]] = (row, at)
            missing = current.keys() - {row[0] for row in rows} if whole else set()
            closed += [(*current.pop(key), at) for key in missing]
            wanted = Counter(
                [(k, hour(u), v, hour(since), hour(end), False) for (k, u, v), since, end in closed]
                + [(k, hour(u), v, hour(since), None, True) for (k, u, v), since in current.values()]
            )
            assert table.rows() == wanted
            check_lines(wanted)
