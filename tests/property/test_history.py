"""Raw history against a plain-Python oracle: any batches, dirty as they come, give the versions a person would write
down by hand."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock.domain.batch import Extract
from penstock.domain.plan import LoadStep
from penstock.domain.relation import Column, RelationName
from penstock.domain.source import ExtractKind, SourceTable
from penstock.embedded.connection import connect
from penstock.engines.duckdb.engine import PLUGIN
from penstock.errors import Location
from penstock.executor import ledger as ledgers
from penstock.executor.load import load
from penstock.executor.work import Work
from penstock.landing.local import LocalLanding
from penstock.ports import WarehouseOptions
from penstock.quoting import literal

Row = tuple[str | None, str | None, str | None]
Key = tuple[str | None, ...]
START = datetime(2026, 11, 17, 6, tzinfo=UTC)

KEYS = st.one_of(st.none(), st.sampled_from(["1", "2", "3", "4"]))
VALUES = st.one_of(st.none(), st.sampled_from(["a", "b", ""]))
ORDERS = st.one_of(st.none(), st.sampled_from(["1", "2"]))
BATCHES = st.lists(
    st.tuples(st.booleans(), st.lists(st.tuples(KEYS, VALUES, ORDERS), max_size=7)), min_size=1, max_size=6
)


@dataclass
class Oracle:
    """SCD type 2 in the simplest words. `versions`: (key, value, order, valid_from, valid_to)."""

    ordered: bool
    width: int
    """Columns of the key, the first ones."""
    current: dict[Key, tuple[Row, datetime]] = field(default_factory=dict)
    closed: list[tuple[Row, datetime, datetime]] = field(default_factory=list)
    quarantined: int = 0
    duplicates: int = 0

    def apply(self, full: bool, rows: list[Row], at: datetime) -> None:
        copies = Counter(rows)
        by_key: dict[Key, list[Row]] = {}
        for row in copies:
            key = row[: self.width]
            if None in key:
                self.quarantined += copies[row]
            else:
                self.duplicates += copies[row] - 1
                by_key.setdefault(key, []).append(row)
        good = {}
        for key, found in by_key.items():
            winner = self._winner(found)
            if winner is not None:
                good[key] = winner
            held = [row for row in found if row != winner]
            self.quarantined += sum(copies[row] for row in held)
            self.duplicates -= sum(copies[row] - 1 for row in held)
        for key, row in good.items():
            if key in self.current:
                before, since = self.current[key]
                if before == row:
                    continue
                self.closed.append((before, since, at))
            self.current[key] = (row, at)
        if full:
            for key in [key for key in self.current if key not in by_key]:
                before, since = self.current.pop(key)
                self.closed.append((before, since, at))

    def _winner(self, rows: list[Row]) -> Row | None:
        if len(rows) == 1:
            return rows[0]
        if not self.ordered:
            return None
        best = max((row[2] for row in rows if row[2] is not None), default=None)
        top = [row for row in rows if row[2] == best]
        return top[0] if len(top) == 1 else None

    def history(self) -> Counter[Any]:
        closed = [(*row, since, until, False) for row, since, until in self.closed]
        return Counter(closed + [(*row, since, None, True) for row, since in self.current.values()])


class Pipe:
    """A landing and a warehouse in a folder; batches are landed and loaded as a run would."""

    def __init__(self, home: Path, table: SourceTable) -> None:
        self.table = table
        self.landing = LocalLanding(home / "landing")
        options = WarehouseOptions(home=home, folders=(home / "landing",))
        self.warehouse = PLUGIN.open(options)
        self.session = self.warehouse.session()
        ledgers.prepare(self.session, "test", ("raw",))
        self._maker = connect(None, allowed=(home / "landing",))
        self._now = START

    def land(self, rows: list[Row], full: bool) -> datetime:
        self._now += timedelta(hours=1)
        with self.landing.staging("run") as staging:
            data = staging / "rows.parquet"
            self._maker.execute("CREATE OR REPLACE TABLE t (k VARCHAR, v VARCHAR, o VARCHAR)")
            if rows:
                self._maker.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
            self._maker.execute(f"COPY t TO {literal(str(data))} (FORMAT parquet)")
            columns = tuple(Column(name, "VARCHAR") for name in "kvo")
            kind = ExtractKind.FULL if full else ExtractKind.INCREMENTAL
            table = SourceTable(
                self.table.source, self.table.name, self.table.relation, kind, self.table.location,
                key=self.table.key, order_by=self.table.order_by,
            )  # fmt: skip
            self.landing.commit(table, Extract(data, len(rows), columns), "run", self._now)
        return self._now.replace(tzinfo=None)

    def load(self) -> Any:
        ledger = ledgers.read(self.session)
        work = Work(
            run="run", root=Path(), home=Path(), landing=self.landing, roots={}, parameters={}, ledger=ledger,
            now=lambda: self._now, warehouse=self.warehouse,
            committer=ledgers.Committer(self.warehouse, "run", ledger, lambda: self._now),
        )  # fmt: skip
        return load(LoadStep("load:s.t", self.table, (), True, ""), work)

    def history(self) -> Counter[Any]:
        return Counter(self.session.query("SELECT k, v, o, valid_from, valid_to, is_current FROM raw.t_history").rows)

    def close(self) -> None:
        self._maker.close()
        self.warehouse.close()


def source_table(ordered: bool, width: int = 1) -> SourceTable:
    return SourceTable(
        "s", "t", RelationName("raw", "t"), ExtractKind.FULL, Location("s.yml"),
        key=("k", "v")[:width], order_by=("o",) if ordered else (),
    )  # fmt: skip


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=BATCHES, ordered=st.booleans(), width=st.sampled_from([1, 2]), at_once=st.booleans())
def test_history_equals_the_oracle(
    batches: list[tuple[bool, list[Row]]], ordered: bool, width: int, at_once: bool
) -> None:
    oracle = Oracle(ordered, width)
    with tempfile.TemporaryDirectory() as folder:
        pipe = Pipe(Path(folder), source_table(ordered, width))
        try:
            totals: Counter[str] = Counter()
            for full, rows in batches:
                oracle.apply(full, rows, pipe.land(rows, full))
                if not at_once:
                    totals.update(pipe.load().accounting)
            if at_once:
                totals.update(pipe.load().accounting)
            assert pipe.history() == oracle.history()
            assert totals["quarantined"] == oracle.quarantined
            assert totals["duplicates"] == oracle.duplicates
            parts = ("inserted", "updated", "unchanged", "duplicates", "quarantined")
            assert totals["rows_in"] == sum(len(rows) for _, rows in batches) == sum(totals[part] for part in parts)
            current = Counter(pipe.session.query("SELECT k, v, o FROM raw.t").rows)
            assert current == Counter(row for row, _ in oracle.current.values())
            # Loading again, and landing the last batch again, changes nothing.
            assert pipe.load().status == "unchanged"
            before = pipe.history()
            pipe.land(batches[-1][1], batches[-1][0])
            pipe.load()
            assert pipe.history() == before
        finally:
            pipe.close()


def test_versions_of_a_key_neither_overlap_nor_leave_a_gap_unless_deleted() -> None:
    with tempfile.TemporaryDirectory() as folder:
        pipe = Pipe(Path(folder), source_table(ordered=False))
        try:
            for rows in ([("1", "a", None)], [("1", "b", None)], [], [("1", "b", None)], [("1", None, None)]):
                pipe.land(rows, full=True)
                pipe.load()
            found = pipe.session.query(
                "SELECT v, valid_from, valid_to, is_current FROM raw.t_history ORDER BY valid_from"
            ).rows
        finally:
            pipe.close()
    assert [row[0] for row in found] == ["a", "b", "b", None]
    assert found[0][2] == found[1][1]  # an update: the next version begins where this one ends
    assert found[1][2] < found[2][1]  # a delete and a re-insert leave the time of absence open
    assert found[2][2] == found[3][1]
    assert [row[3] for row in found] == [False, False, False, True]
