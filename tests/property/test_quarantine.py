"""What is published and what is set apart are together what the SELECT gives, and never the same row: for random
models, data, checks and changes of all three.

An example is some runs on a real warehouse: a few by default, `PENSTOCK_EXAMPLES=200` by hand."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from incremental_lab import Model, Refused, State, built, laboratory
from quarantine_rules import Rule, front_matter, rules
from quarantine_world import World
from query_grammar import Choices, Grammar, Seeded, states

from campaign import examples
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
