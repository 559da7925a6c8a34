"""Raw history dated by a column of the source: the same in any order of arrival, at once or one by one, and logged."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock.domain.batch import Extract
from penstock.domain.plan import LoadStep
from penstock.domain.relation import Column, RelationName
from penstock.domain.source import ExtractKind, SourceColumn, SourceTable
from penstock.embedded.connection import connect
from penstock.engines.duckdb.engine import PLUGIN
from penstock.errors import Location
from penstock.executor import ledger as ledgers
from penstock.executor.load import load
from penstock.executor.work import Work
from penstock.landing.local import LocalLanding
from penstock.ports import WarehouseOptions
from penstock.quoting import literal

Row = tuple[str | None, int | None, str]
"""key, hours after START that it is valid from, value"""
START = datetime(2026, 11, 17, 6, tzinfo=UTC)
TABLE = SourceTable(
    "s", "t", RelationName("raw", "t"), ExtractKind.FULL, Location("s.yml"),
    key=("k",), columns=(SourceColumn("u", "timestamp"),), effective="u",
)  # fmt: skip
SETTINGS = settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
OWN = "k, u, v, valid_from, valid_to, is_current"


class Pipe:
    """A landing and a warehouse in a folder; batches are landed and loaded as a run would."""

    def __init__(self, home: Path) -> None:
        self.landing = LocalLanding(home / "landing")
        self.warehouse = PLUGIN.open(WarehouseOptions(home=home, folders=(home / "landing",)))
        self.session = self.warehouse.session()
        ledgers.prepare(self.session, "test", ("raw",))
        self._maker = connect(None, allowed=(home / "landing",))
        self._now = START

    def land(self, rows: Sequence[Row], full: bool) -> None:
        self._now += timedelta(hours=2)
        with self.landing.staging("run") as staging:
            data = staging / "rows.parquet"
            self._maker.execute("CREATE OR REPLACE TABLE t (k VARCHAR, u VARCHAR, v VARCHAR)")
            values = [(k, None if u is None else time(u), v) for k, u, v in rows]
            if values:
                self._maker.executemany("INSERT INTO t VALUES (?, ?, ?)", values)
            self._maker.execute(f"COPY t TO {literal(str(data))} (FORMAT parquet)")
            kind = ExtractKind.FULL if full else ExtractKind.INCREMENTAL
            table = SourceTable("s", "t", TABLE.relation, kind, TABLE.location, key=("k",))
            columns = tuple(Column(name, "VARCHAR") for name in "kuv")
            self.landing.commit(table, Extract(data, len(rows), columns), "run", self._now)

    def load(self, *, again: bool = False) -> Any:
        ledger = ledgers.read(self.session)
        work = Work(
            run="run", root=Path(), home=Path(), landing=self.landing, roots={}, parameters={}, ledger=ledger,
            now=lambda: self._now, warehouse=self.warehouse,
            committer=ledgers.Committer(self.warehouse, "run", ledger, lambda: self._now),
        )  # fmt: skip
        return load(LoadStep("load:s.t", TABLE, (), True, "", reload=again), work)

    def rows(self, columns: str = "*") -> Counter[Any]:
        return Counter(self.session.query(f"SELECT {columns} FROM raw.t_history").rows)

    def changes(self, commit: int) -> tuple[Counter[Any], Counter[Any]]:
        """The row images that left and entered with a commit."""
        log = 'SELECT * EXCLUDE (_penstock_commit, _penstock_sign) FROM _penstock."changes_raw.t_history"'
        gone, came = (
            Counter(self.session.query(f"{log} WHERE _penstock_commit = {commit} AND _penstock_sign = {sign}").rows)
            for sign in (-1, 1)
        )
        return gone, came

    def close(self) -> None:
        self._maker.close()
        self.warehouse.close()


def time(hours: int) -> str:
    return (START + timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M:%S")


@contextmanager
def piped() -> Iterator[Pipe]:
    with tempfile.TemporaryDirectory() as folder:
        pipe = Pipe(Path(folder))
        try:
            yield pipe
        finally:
            pipe.close()


KEYS = st.sampled_from(["1", "2", "3"])
TIMES = st.integers(-3, 8).map(lambda number: 2 * number + 1)
VERSIONS = st.lists(st.tuples(KEYS, TIMES), max_size=4, unique=True)


@SETTINGS
@given(parts=st.lists(VERSIONS, min_size=2, max_size=3))
def test_any_order_of_the_same_batches_gives_the_same_history(parts: list[list[tuple[str, int]]]) -> None:
    batches: list[list[Row]] = [[(key, at, f"{key} at {at}") for key, at in part] for part in parts]
    found = []
    for order in [*itertools.permutations(batches), [[row for batch in batches for row in batch]]]:
        with piped() as pipe:
            for rows in order:
                pipe.land(rows, full=False)
                pipe.load()
            found.append(pipe.rows(OWN))
    assert all(one == found[0] for one in found)


DIRTY = st.lists(
    st.tuples(st.one_of(st.none(), KEYS), st.one_of(st.none(), TIMES), st.sampled_from(["a", "b"])), max_size=5
)
BATCHES = st.lists(st.tuples(st.booleans(), DIRTY), min_size=1, max_size=5)


@SETTINGS
@given(batches=BATCHES)
def test_history_depends_on_the_batches_alone_and_its_log_tells_all(batches: list[tuple[bool, list[Row]]]) -> None:
    with piped() as pipe:
        before: Counter[Any] | None = None
        for full, rows in batches:
            pipe.land(rows, full)
            done = pipe.load()
            counts = done.accounting
            parts = ("inserted", "updated", "unchanged", "duplicates", "quarantined")
            assert counts["rows_in"] == len(rows) == sum(counts[part] for part in parts)
            now = pipe.rows()
            if done.commit is None:
                assert now == before
            elif before is not None:
                gone, came = pipe.changes(done.commit)
                assert not gone & came
                assert before - gone + came == now
                assert sum(before.values()) - sum(gone.values()) + sum(came.values()) == sum(now.values())
            before = now
        check(pipe.rows(OWN))
        current = Counter(pipe.session.query("SELECT k, u, v FROM raw.t").rows)
        assert current == Counter(row[:3] for row in pipe.rows(OWN) if row[5])
        assert set(current.values()) <= {1}
        pipe.load(again=True)
        assert pipe.rows() == now
    with piped() as pipe:
        for full, rows in batches:
            pipe.land(rows, full)
        pipe.load()
        assert pipe.rows() == now


def check(rows: Counter[Any]) -> None:
    """No version ends before it begins, none overlaps another, one at most is current."""
    for _, group in itertools.groupby(sorted(rows, key=lambda row: (row[0], row[3])), key=lambda row: row[0]):
        line = list(group)
        for one, following in itertools.pairwise(line):
            assert one[4] is not None
            assert one[3] < one[4] <= following[3]
        assert line[-1][5] == (line[-1][4] is None)


def test_the_later_batch_wins_when_two_rows_say_the_same_time() -> None:
    with piped() as pipe:
        for value in ("a", "b", "a"):
            pipe.land([("1", 1, value), ("1", 3, "x")], full=False)
            pipe.load()
        assert [row[2] for row in sorted(pipe.rows(OWN), key=lambda row: row[3])] == ["a", "x"]


def test_rows_without_a_time_are_held_back_with_a_reason() -> None:
    with piped() as pipe:
        pipe.land([("1", None, "a"), ("2", 1, "b")], full=True)
        assert pipe.load().accounting["quarantined"] == 1
        assert pipe.session.query("SELECT reasons FROM _penstock.quarantine").rows == ((["effective u is NULL"],),)
        pipe.land([("2", None, "b"), ("1", 1, "a")], full=True)
        pipe.load()
        # The key was there, whatever was wrong with its row: it is not taken for deleted.
        assert len(pipe.session.query("SELECT k FROM raw.t").rows) == 2


def test_a_key_that_comes_back_with_an_old_time_is_there_again() -> None:
    with piped() as pipe:
        for rows in ([("1", 1, "a")], [], [("1", 1, "a")], [("1", 3, "b")]):
            pipe.land(rows, full=True)
            pipe.load()
        found = sorted(pipe.rows("v, valid_from, valid_to"), key=lambda row: row[1])
    hours = [(value, *((at - START.replace(tzinfo=None)) // timedelta(hours=1) if at else None for at in span))
             for value, *span in found]  # fmt: skip
    assert hours == [("a", 1, 4), ("a", 6, 8), ("b", 8, None)]


def test_a_version_announced_for_later_and_withdrawn_has_never_been() -> None:
    with piped() as pipe:
        pipe.land([("1", 1, "a"), ("2", 1, "a")], full=True)
        pipe.land([("1", 99, "b"), ("2", 1, "a")], full=True)
        pipe.load()
        assert pipe.session.query("SELECT v FROM raw.t WHERE k = '1'").rows == (("b",),)
        pipe.land([("2", 1, "a")], full=True)
        pipe.load()
        assert [(row[0], row[2], row[5]) for row in sorted(pipe.rows(OWN))] == [("1", "a", False), ("2", "a", True)]
