"""The whole pipeline on random days: twice is once, a rebuild is the history step by step, and neither the number of
threads, nor when what was landed is loaded, nor a failure on the way makes a difference.

An example is some ten runs on a real warehouse: a few by default, `PENSTOCK_EXAMPLES=200` by hand."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock import Project
from penstock.domain.run import RunReport, Status

FILES = {
    "sources/shop.yml": """
root: inbox
tables:
  products: {path: products.csv, extract: full, key: id, allow_empty: true}
  orders:
    path: orders_*.csv
    extract: incremental
    key: [id]
    order_by: [sent]
    columns: {quantity: {type: bigint, required: true}}
    allow_empty: true
  events: {path: events_*.csv, extract: append, allow_empty: true}
""",
    "models/stg/sales.sql": "SELECT o.id, o.product, o.quantity, p.name FROM raw.orders AS o "
    "LEFT JOIN raw.products AS p ON p.id = o.product\n",
    "models/stg/busy.sql": "/*---\nmaterialization: view\n---*/\n"
    "SELECT kind, count(*) AS n FROM raw.events GROUP BY 1\n",
    "models/bus/totals.sql": "SELECT name, sum(quantity)::BIGINT AS quantity FROM stg.sales GROUP BY ALL\n",
    "models/serv/report.sql": "SELECT t.name, t.quantity, b.n FROM bus.totals AS t FULL JOIN stg.busy AS b "
    "ON b.kind = t.name\n",
    "models/serv/seen.sql": "/*---\nmaterialization: append\nkey: name\n---*/\n"
    "SELECT name, quantity FROM bus.totals WHERE name IS NOT NULL\n",
    "exports/all.yml": "exports: {report: {format: csv, relation: serv.report, path: r.csv, order_by: [name, n]}}\n",
}
KEPT = {"serv.seen"}
"""Appended: keeps rows that its SELECT no longer gives, so it depends on when it was built."""
BROKEN = "SELECT any_value(name) AS name, CAST('rows: ' || count(*) AS BIGINT) AS quantity FROM stg.sales\n"
"""Binds, and fails when it runs: on no rows too."""

Rows = list[tuple[str, ...]]
ids = st.sampled_from(["1", "2", "3", "4", ""])
names = st.sampled_from(["a", "b", "7", ""])
products = st.lists(st.tuples(ids, names), max_size=5)
orders = st.lists(
    st.tuples(ids, ids, st.sampled_from(["1", "2", "9", "", "many"]), st.sampled_from(["1", "2"])), max_size=5
)
events = st.lists(st.tuples(names), max_size=4)
days = st.lists(st.tuples(*(st.none() | rows for rows in (products, orders, events))), min_size=2, max_size=4)
Day = tuple[Rows | None, Rows | None, Rows | None]
EXAMPLES = examples(6)
few = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass
class World:
    """A project and what has happened to it. Every day has its own hour."""

    root: Path
    day: int = 0

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def arrive(self, day: Day) -> None:
        self.day += 1
        heads = (["id", "name"], ["id", "product", "quantity", "sent"], ["kind"])
        files = ("products.csv", f"orders_{self.day}.csv", f"events_{self.day}.csv")
        for head, file, rows in zip(heads, files, day, strict=True):
            if rows is not None or self.day == 1:
                path = self.root / "inbox" / file
                path.parent.mkdir(exist_ok=True)
                with path.open("w", newline="") as target:
                    csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([head, *(rows or [])])

    def do(self, verb: str = "run", exit_code: int = 0) -> RunReport:
        now = datetime(2026, 11, 17, tzinfo=UTC) + timedelta(hours=self.day)
        report: RunReport = getattr(Project(self.root), verb)(now=now)
        told = [(step.step, step.problems) for step in report.steps if step.problems]
        assert report.exit_code == exit_code, told
        return report

    def live(self, history: Sequence[Day], verb: str = "run") -> World:
        for day in history:
            self.arrive(day)
            self.do(verb)
        return self

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.root / "data" / "dev" / "warehouse.duckdb"), read_only=True) as connection:
            return sorted(connection.execute(sql).fetchall(), key=repr)

    def contents(self, without: set[str] = KEPT) -> dict[str, Any]:
        """Every relation's rows, times and batches too, and the export."""
        listed = self.rows("SELECT table_schema || '.' || table_name FROM information_schema.tables")
        found: dict[str, Any] = {
            name: self.rows(f"FROM {name}")
            for (name,) in listed
            if name not in without and not name.startswith("_penstock.")
        }
        found["batches"] = self.rows("SELECT * EXCLUDE (run, loaded_at) FROM _penstock.batches")
        found["held back"] = self.rows("SELECT * EXCLUDE (run, quarantined_at) FROM _penstock.quarantine")
        found["export"] = (self.root / "data" / "dev" / "exports" / "r.csv").read_text()
        return found


@contextmanager
def worlds(number: int, threads: Sequence[int] = (2, 2)) -> Iterator[list[World]]:
    with tempfile.TemporaryDirectory() as folder:
        made = [World(Path(folder) / str(place)) for place in range(number)]
        for world, count in zip(made, threads, strict=False):
            world.write("penstock.yml", f"name: random\nenvironments: {{dev: {{threads: {count}}}}}\n")
            for name, text in FILES.items():
                world.write(name, text)
        yield made


@few
@given(days)
def test_a_second_run_changes_nothing(history: list[Day]) -> None:
    with worlds(1) as (world,):
        for day in history:
            world.arrive(day)
            world.do()
            before = world.contents(without=set()), world.rows("FROM _penstock.commits")
            for path in (world.root / "data" / "dev").glob("state.sqlite*"):
                path.unlink()  # with it the memory that there is nothing to do: everything is looked at again
            report = world.do()
            assert report.status is Status.UNCHANGED
            assert {step.status for step in report.steps} == {Status.UNCHANGED}
            assert (world.contents(without=set()), world.rows("FROM _penstock.commits")) == before


@few
@given(days)
def test_a_rebuild_from_landing_equals_step_by_step(history: list[Day]) -> None:
    with worlds(1) as (world,):
        world.live(history)
        before, seen = world.contents(), world.rows("FROM serv.seen")
        for file in (world.root / "inbox").iterdir():
            file.unlink()  # from landing alone
        world.do("rebuild")
        assert world.contents() == before
        current = world.rows("SELECT name, quantity FROM bus.totals WHERE name IS NOT NULL")
        assert world.rows("FROM serv.seen") == current
        assert set(current) <= set(seen)


@few
@given(days)
def test_landing_day_by_day_and_running_once_equals_a_run_each_day(history: list[Day]) -> None:
    with worlds(2) as (daily, once):
        daily.live(history)
        once.live(history, "land").do()
        assert once.contents() == daily.contents()


@few
@given(days, st.data())
def test_a_failure_that_is_repaired_leaves_no_trace(history: list[Day], data: st.DataObject) -> None:
    bad = data.draw(st.integers(1, len(history) - 1), label="the model is broken from this day on")
    good = data.draw(st.integers(bad, len(history) - 1), label="and repaired after this one")
    with worlds(2) as (smooth, rough):
        smooth.live(history)
        for place, day in enumerate(history):
            rough.arrive(day)
            if place < bad:
                rough.do()
                continue
            before = rough.rows("FROM bus.totals")
            rough.write("models/bus/totals.sql", BROKEN)
            rough.do(exit_code=2)
            assert rough.rows("FROM bus.totals") == before, "a failed model changed its table"
            if place >= good:
                rough.write("models/bus/totals.sql", FILES["models/bus/totals.sql"])
                rough.do()
                bad = len(history)
        assert rough.contents() == smooth.contents()


@few
@given(days)
def test_the_number_of_threads_makes_no_difference(history: list[Day]) -> None:
    with worlds(2, threads=(1, 4)) as (one, four):
        assert four.live(history).contents(without=set()) == one.live(history).contents(without=set())
