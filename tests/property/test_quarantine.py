"""What is published and what is set apart are together what the SELECT gives, and never the same row: for random
models, data, checks and changes of all three.

An example is some runs on a real warehouse: a few by default, `PENSTOCK_EXAMPLES=200` by hand."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from incremental_lab import Model, Refused, State, built, laboratory
from quarantine_rules import Rule, front_matter, image, rules, split
from query_grammar import Choices, Grammar, Seeded, states

from campaign import examples
from penstock import Project
from penstock.domain.run import RunReport
from penstock.domain.verification import Verdict
from penstock.errors import ProjectError
from penstock.incremental.program import analyse

EXAMPLES = examples(2)
few = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # an example takes seconds: shrinking would take minutes
)
SEEDS = st.integers(0, 2**32)
START = datetime(2026, 11, 17, tzinfo=UTC)


class World:
    """A project. Every run has its own hour."""

    def __init__(self, root: Path) -> None:
        self.root, self.runs, self.project = root, 0, Project(root)
        self.seen: dict[str, Counter[Any]] = {}

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def arrive(self, name: str, columns: dict[str, str], rows: Sequence[Sequence[Any]]) -> None:
        """A file of the source: all rows of a table as they are now."""
        target = self.root / "inbox" / f"{name}.parquet"
        target.parent.mkdir(exist_ok=True)
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE t ({', '.join(f'{n} {kind}' for n, kind in columns.items())})")
            if rows:
                connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(columns))})", rows)
            connection.execute(f"COPY t TO '{target}'")

    def run(self) -> RunReport:
        self.runs += 1
        report = self.project.run(now=START + timedelta(hours=self.runs))
        assert report.exit_code == 0, [problem for step in report.steps for problem in step.problems]
        return report

    def rows(self, sql: str) -> list[Any]:
        with duckdb.connect(str(self.root / "data/dev/warehouse.duckdb"), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    def holds(self, relation: str, select: str, names: Sequence[str], found: Sequence[Rule]) -> None:
        """The relation and its quarantine are what the SELECT gives, told apart by the rules. `names`: the columns that
        do not hold the time they were made."""
        listed = ", ".join(f'"{name}"' for name in names)
        published, apart = split(names, self.rows(f"SELECT {listed} FROM ({select}) AS q"), found)
        assert Counter(map(image, self.rows(f"SELECT {listed} FROM {relation}"))) == published
        table = f'_penstock."quarantine_{relation}"'
        there = self.rows(f"FROM duckdb_tables() WHERE table_name = 'quarantine_{relation}'")
        if not found:
            assert not there
            self.seen.pop(relation, None)
            return
        held = self.rows(
            "SELECT _penstock_reasons, _penstock_first_seen, _penstock_run, _penstock_commit, _penstock_rules, "
            f"{listed} FROM {table}"
        )
        assert Counter((image(row[5:]), tuple(row[0])) for row in held) == apart
        assert len({row[4] for row in held}) <= 1
        assert all(None not in row[1:5] for row in held)
        self.stays(relation, Counter((image(row[5:]), row[1:4]) for row in held))

    def stays(self, relation: str, now: Counter[Any]) -> None:
        """Of rows that were set apart before and are, as many as there are keep since when and by what."""
        before = self.seen.get(relation, Counter())
        were, are = (Counter(row for row, _ in found.elements()) for found in (before, now))
        for row in were & are:
            kept = sum(
                (
                    Counter({o: n for (r, o), n in before.items() if r == row})
                    & Counter({o: n for (r, o), n in now.items() if r == row})
                ).values()
            )
            assert kept == (were & are)[row], (row, before, now)
        self.seen[relation] = now

    def adds_up(self, report: RunReport) -> None:
        """Rows in = published + quarantined + filtered, of every relation that the run has built."""
        for step in report.steps:
            sums = step.accounting
            if step.kind != "build" or "returned" not in sums:
                continue
            apart = f'_penstock."quarantine_{step.target}"'
            there = self.rows(f"FROM duckdb_tables() WHERE table_name = 'quarantine_{step.target}'")
            assert sums["published"] == step.rows == self.rows(f"SELECT count(*) FROM {step.target}")[0][0]
            assert sums["quarantined"] == (self.rows(f"SELECT count(*) FROM {apart}")[0][0] if there else 0)
            assert sums["returned"] == sums["published"] + sums["quarantined"]
            assert sums["rows_in"] == sums["returned"] + sums.get("filtered", 0)
            assert sums.get("filtered", 0) >= 0

    def right(self) -> None:
        found = self.project.verify(now=START + timedelta(hours=self.runs))
        assert all(each.verdict in (Verdict.RIGHT, Verdict.OPEN) for each in found.relations), found


# Random models


def lay_out(world: World, model: Model) -> None:
    """Tables as a source gives them, by number; what the model reads is made of them, any multiset of rows."""
    world.write("penstock.yml", "name: t\nlayers: [{name: land}, {name: raw}, {name: stg}]\n")
    tables = []
    for name, table in model.tables.items():
        own = name.partition(".")[2]
        tables.append(f"  {own}: {{path: {own}.parquet, extract: full, key: n_, allow_empty: true}}")
        listed = ", ".join(f'"x_{column}" AS "{column}"' for column in table.columns)
        key = f"/*---\nkey: {json.dumps(list(table.key))}\n---*/\n" if table.key else ""
        world.write(f"models/raw/{own}.sql", f"{key}SELECT {listed} FROM land.{own}\n")
    world.write("sources/lab.yml", "root: inbox\ntables:\n" + "\n".join(tables) + "\n")
    for name, sql in model.views.items():
        layer, _, own = name.partition(".")
        world.write(f"models/{layer}/{own}.sql", f"/*---\nmaterialization: view\n---*/\n{sql}\n")


def arrive(world: World, model: Model, state: State) -> None:
    for name, table in model.tables.items():
        numbered = [(number, *row) for number, row in enumerate(state[name])]
        world.arrive(
            name.partition(".")[2], {"n_": "BIGINT", **{f"x_{c}": kind for c, kind in table.columns.items()}}, numbered
        )


def columns(model: Model, state: State) -> list[tuple[str, str]]:
    """The names and types of what the model gives. Raises Refused."""
    with laboratory() as connection:
        return built(connection, model, state)


@few
@given(seed=SEEDS)
def test_random_models_publish_what_passes_and_set_the_rest_apart(seed: int) -> None:
    choices = Seeded(seed)
    model = Grammar(choices).model(1)
    days = states(choices, model, 3)
    try:
        given_columns = columns(model, days[0])
        stamps = analyse(model.sql, model.catalog).stamps
    except Refused:
        assume(False)
    kept = [(name, kind) for name, kind in given_columns if name not in stamps and kind != "TIMESTAMP WITH TIME ZONE"]
    assume(kept)
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        lay_out(world, model)
        found: list[Rule] = []
        for number, state in enumerate(days):
            arrive(world, model, state)
            if number == 0 or choices.integer(0, 2) == 0:
                found = rules(choices, kept)
            world.write("models/stg/model.sql", f"{front_matter(found)}{model.sql}\n")
            try:
                report = world.run()
            except ProjectError:  # the grammar says more than a project may
                assume(False)
            world.adds_up(report)
            world.holds("stg.model", model.sql, [name for name, _ in kept], found)
        if not stamps:
            world.right()


# Every way of keeping rows

SOURCE = """
root: inbox
tables:
  orders:
    path: orders.parquet
    extract: full
    key: id
    allow_empty: true
"""
PYTHON = (
    '"""\n---\nreads: [stg.plain]\ncolumns: [id, amount, kind]\n{}\n---\n"""\n\n\ndef model(rows):\n    return rows\n'
)
PLAIN = "SELECT id, amount, kind FROM {}"
SQL = {
    "stg.plain": ("key: id", PLAIN.format("raw.orders") + " WHERE id < 9"),
    "stg.copy": ("materialization: rebuild", PLAIN.format("stg.plain")),
    "stg.mirror": ("materialization: merge\nkey: id\ndeletes: remove", PLAIN.format("stg.plain")),
    "stg.sums": ("owner: x", "SELECT kind, count(*) AS id, max(amount) AS amount FROM stg.plain GROUP BY kind"),
    "stg.top": ("owner: x", PLAIN.format("stg.plain") + " ORDER BY amount DESC NULLS LAST, id LIMIT 3"),
    "stg.twice": ("owner: x", f"{PLAIN.format('stg.plain')} UNION ALL {PLAIN.format('stg.sums')}"),
}
PYTHONS = {"stg.whole": "owner: x", "stg.mapped": "map: true\nkey: id", "stg.grouped": "group: kind"}
COLUMNS = [("id", "BIGINT"), ("amount", "DOUBLE"), ("kind", "VARCHAR")]
AMOUNTS = (None, -1.0, 0.0, 1.0, 2.5, float("nan"), float("inf"), -float("inf"))
WORDS = ("a", "b", "A", "", None)
Day = dict[int, tuple[Any, Any]]


def next_day(choices: Choices, before: Day, changes: int) -> Day:
    """Some rows come, go, or are others."""
    now = dict(before)
    for _ in range(changes):
        key = choices.integer(1, 10)
        if choices.integer(0, 2) == 0:
            now.pop(key, None)
        else:
            now[key] = AMOUNTS[choices.integer(0, 7)], WORDS[choices.integer(0, 4)]
    return now


@few
@given(seed=SEEDS)
def test_every_way_of_keeping_rows_sets_them_apart(seed: int) -> None:
    choices = Seeded(seed)
    days = [next_day(choices, {}, 12)]
    for _ in range(2):
        days.append(next_day(choices, days[-1], choices.integer(1, 3)))
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.write("penstock.yml", "name: t\n")
        world.write("sources/shop.yml", SOURCE)
        found: dict[str, list[Rule]] = {}
        for number, day in enumerate(days):
            world.arrive("orders", dict(COLUMNS), [(key, *values) for key, values in day.items()])
            for name in (*SQL, *PYTHONS):
                if number == 0 or choices.integer(0, 3) == 0:
                    found[name] = rules(choices, COLUMNS, 2)
                path = f"models/{name.replace('.', '/')}"
                if name in SQL:
                    world.write(f"{path}.sql", front_matter(found[name], SQL[name][0]) + SQL[name][1])
                else:
                    matter = front_matter(found[name], PYTHONS[name]).splitlines()[1:-1]
                    world.write(f"{path}.py", PYTHON.format("\n".join(matter)))
            report = world.run()
            world.adds_up(report)
            for name in (*SQL, *PYTHONS):
                select = SQL[name][1] if name in SQL else PLAIN.format("stg.plain")
                world.holds(name, select, [column for column, _ in COLUMNS], found[name])
        assert world.run().status == "unchanged"
        world.right()
