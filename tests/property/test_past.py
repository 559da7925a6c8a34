"""Random days: what every relation was after each commit can be shown later, exactly; everything verifies after every
run; and a row changed by hand is found.

`PENSTOCK_EXAMPLES=200` tries more than the few by default."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock import Project
from penstock.domain.verification import Verdict, Verification

FILES = {
    "penstock.yml": "name: random\nenvironments: {dev: {threads: 2}}\n",
    "sources/shop.yml": """
root: inbox
tables:
  products: {path: products.csv, extract: full, key: id, allow_empty: true}
  orders:
    path: orders_*.csv
    extract: incremental
    key: id
    order_by: [sent]
    columns: {quantity: bigint}
    allow_empty: true
  events: {path: events_*.csv, extract: append, allow_empty: true}
""",
    "models/stg/sales.sql": "SELECT o.product, o.quantity, p.name FROM raw.orders AS o LEFT JOIN raw.products AS p "
    "ON p.id = o.product\n",
    "models/stg/named.sql": "/*---\nmaterialization: view\n---*/\nSELECT name, quantity FROM stg.sales\n",
    "models/bus/totals.sql": "SELECT name, sum(quantity)::BIGINT AS quantity, sum(quantity / 3.0::DOUBLE) AS third "
    "FROM stg.named GROUP BY name\n",
    "models/bus/kinds.sql": "SELECT kind FROM raw.events\n",
    "models/bus/ranked.sql": "SELECT product, quantity, row_number() OVER (PARTITION BY product "
    "ORDER BY quantity, name) AS place FROM stg.sales\n",
    "models/bus/whole.sql": "/*---\nmaterialization: rebuild\n---*/\nSELECT count(*) AS n, count(name) AS names "
    "FROM stg.sales\n",
    "models/serv/seen.sql": "/*---\nmaterialization: append\nkey: name\n---*/\n"
    "SELECT name, quantity FROM bus.totals WHERE name IS NOT NULL\n",
}
VIEWS = ("raw.products", "raw.orders", "stg.named")

ids = st.sampled_from(["1", "2", "3", "4"])
names = st.sampled_from(["a", "b", ""])
products = st.lists(st.tuples(ids, names), max_size=4)
orders = st.lists(st.tuples(ids, ids, st.sampled_from(["1", "2", "2", ""]), st.sampled_from(["1", "2"])), max_size=5)
events = st.lists(st.tuples(names), max_size=4)
days = st.lists(st.tuples(*(st.none() | rows for rows in (products, orders, events))), min_size=2, max_size=4)
few = settings(
    max_examples=examples(4),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a few days are small enough to be looked at
)
Held = Mapping[str, Counter[Any]]


@dataclass
class World:
    """A project, and what its relations held at the end of each run, by the number of its last commit."""

    root: Path
    past: dict[int, Held] = field(default_factory=dict)
    day: int = 0

    def __post_init__(self) -> None:
        for name, text in FILES.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)

    @property
    def warehouse(self) -> Path:
        return self.root / "data" / "dev" / "warehouse.duckdb"

    def live(self, day: tuple[list[tuple[str, ...]] | None, ...]) -> None:
        self.day += 1
        heads = (["id", "name"], ["id", "product", "quantity", "sent"], ["kind"])
        files = ("products.csv", f"orders_{self.day}.csv", f"events_{self.day}.csv")
        for head, file, rows in zip(heads, files, day, strict=True):
            if rows is not None or self.day == 1:
                path = self.root / "inbox" / file
                path.parent.mkdir(exist_ok=True)
                with path.open("w", newline="") as target:
                    csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([head, *(rows or [])])
        now = datetime(2026, 11, 17, tzinfo=UTC) + timedelta(hours=self.day)
        report = Project(self.root).run(now=now)
        assert report.exit_code == 0, [step.problems for step in report.steps]
        last, held = self.held()
        self.past[last] = held

    def held(self) -> tuple[int, Held]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            listed = connection.execute(
                "SELECT table_schema || '.' || table_name FROM information_schema.tables "
                "WHERE table_schema <> '_penstock'"
            ).fetchall()
            held = {name: Counter(connection.execute(f"FROM {name}").fetchall()) for (name,) in listed}
            [last] = connection.execute("SELECT max(number) FROM _penstock.commits").fetchall()
        return int(last[0]), held

    def commits(self) -> list[tuple[int, str]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute("SELECT number, relation FROM _penstock.commits ORDER BY number").fetchall()

    def verify(self, *, deep: bool = False) -> Verification:
        return Project(self.root).verify(deep=deep)

    def by_hand(self, sql: str) -> int:
        """The rows that a statement written by hand has changed."""
        with duckdb.connect(str(self.warehouse)) as connection:
            [[changed]] = connection.execute(sql).fetchall()
        return int(changed)


@few
@given(days)
def test_what_was_can_be_shown_and_everything_verifies(history: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "world")
        for day in history:
            world.live(day)
            for deep in (False, True):
                found = world.verify(deep=deep)
                assert {each.verdict for each in found.relations} == {Verdict.RIGHT}, found
        ends = sorted(world.past)
        commits = world.commits()
        project = Project(world.root)
        for end in ends:
            for name, rows in world.past[end].items():
                assert Counter(project.show(name, at=end, limit=None).rows) == rows, (name, end)
        for name in {relation for _, relation in commits} - set(VIEWS):
            own = [number for number, relation in commits if relation == name]
            for number, following in zip(own, [*own[1:], ends[-1] + 1], strict=True):
                end = next(each for each in ends if each >= number)
                if following > end:  # in the middle of a run: with its own commit, and until there is another one
                    for at in {number, following - 1} - set(ends):
                        assert Counter(project.show(name, at=at, limit=None).rows) == world.past[end][name], (name, at)


CHANGES = (
    "INSERT INTO {0} SELECT * FROM {0} LIMIT 1",
    "DELETE FROM {0} WHERE rowid = (SELECT min(rowid) FROM {0})",
    "UPDATE {0} SET {1} = CASE WHEN {1} IS NULL THEN {2} END WHERE rowid = (SELECT min(rowid) FROM {0} WHERE {3})",
)
TABLES = {
    "stg.sales": ("quantity", "7", "true"),
    "bus.totals": ("third", "7", "true"),
    "bus.kinds": ("kind", "'x'", "true"),
    "bus.ranked": ("place", "7", "true"),
    "bus.whole": ("names", "7", "true"),
    "serv.seen": ("quantity", "7", "name IN (SELECT name FROM bus.totals)"),
    "raw.events": ("_batch", "'x'", "true"),
    "raw.orders_history": ("is_current", "true", "true"),
    "raw.products_history": ("valid_from", "now()", "true"),
}
"""A column of each, what to write into it where it is NULL, and which rows are compared at all."""


@few
@given(days, st.data())
def test_a_row_that_is_changed_by_hand_is_found(history: list[Any], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "world")
        for day in history:
            world.live(day)
        kept = world.warehouse.with_suffix(".kept")
        shutil.copy(world.warehouse, kept)
        for table, column in TABLES.items():
            change = data.draw(st.sampled_from(CHANGES), label=table)
            if world.by_hand(change.format(table, *column)):
                found = world.verify()
                wrong = {str(each.relation) for each in found.relations if each.verdict is Verdict.WRONG}
                assert (found.exit_code, table in wrong) == (3, True), (table, change, found)
                if not table.startswith("raw."):
                    assert wrong == {table}, change
            shutil.copy(kept, world.warehouse)
        assert world.verify().exit_code == 0
