"""Rows are told apart also where a relation keeps more than its SELECT gives: what it would keep without checks is in
the table or set apart, never both, for random rows, checks and changes of both."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from quarantine_rules import Rule, front_matter, image, rules, split
from quarantine_world import START, World
from query_grammar import Choices, Seeded

from campaign import examples

EXAMPLES = examples(2)
few = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
SOURCE = """
root: inbox
tables:
  orders:
    path: orders.parquet
    extract: full
    key: id
    allow_empty: true
"""
COLUMNS = [("id", "BIGINT"), ("day", "DATE"), ("amount", "DOUBLE"), ("kind", "VARCHAR")]
NAMES = [name for name, _ in COLUMNS]
PLAIN = "SELECT id, day, amount, kind FROM raw.orders"
KINDS = "SELECT max(id) AS id, max(day) AS day, sum(amount) AS amount, kind FROM raw.orders GROUP BY kind"
RANGE = "materialization: time_range\ntime_range: {column: day, grain: %s, lookback: %s}"
MODELS = {
    "appended": ("materialization: append\nkey: id", PLAIN),
    "merged": ("materialization: merge\nkey: id", PLAIN),
    "kinds": ("materialization: merge\nkey: kind", KINDS),
    "days": (RANGE % ("day", "1 day"), PLAIN),
    "months": (RANGE % ("month", "0 days"), PLAIN),
    "recent": (RANGE % ("day", "1 day"), f"{PLAIN} LIMIT 1000"),
    "closed": ("materialization: history\nkey: id", PLAIN),
    "kept": ("materialization: history\nkey: id\nhistory: {deletes: ignore}", PLAIN),
}
LOOKBACK = timedelta(days=1)
AMOUNTS = (None, -1.0, 0.0, 1.0, 2.5, float("nan"))
WORDS = ("a", "b", "A", None)
Row = tuple[Any, ...]
Day = dict[int, Row]


def next_day(choices: Choices, before: Day, changes: int) -> Day:
    """Some rows come, go, or are others."""
    now = dict(before)
    for _ in range(changes):
        key = choices.integer(1, 8)
        if choices.integer(0, 2) == 0:
            now.pop(key, None)
        else:
            day = date(2026, 10, 29) + timedelta(days=choices.integer(0, 5)) if choices.integer(0, 5) else None
            now[key] = (key, day, AMOUNTS[choices.integer(0, 5)], WORDS[choices.integer(0, 3)])
    return now


class Recent:
    """Days that are made anew from a day before the last one that is known, and rows without a day."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def run(self, given: list[Row]) -> None:
        known = [row[1] for row in self.rows if row[1] is not None]
        lowest = max(known) - LOOKBACK if known else date.min
        older = [row for row in self.rows if row[1] is not None and row[1] < lowest]
        self.rows = older + [row for row in given if row[1] is None or row[1] >= lowest]


class Versions:
    """Versions of the rows that pass; one that is set apart is not there."""

    def __init__(self, *, close: bool) -> None:
        self.close = close
        self.current: dict[int, tuple[Row, datetime]] = {}
        self.past: list[Row] = []

    def run(self, given: list[Row], found: list[Rule], at: datetime) -> None:
        passing = {row[0]: row for row in given if passes(row, found)}
        for key, (row, since) in list(self.current.items()):
            gone = key not in passing and (self.close or not passes(row, found))
            if gone or (key in passing and image(passing[key]) != image(row)):
                self.past.append((*image(row), since, at, False))
                del self.current[key]
        for key, row in passing.items():
            self.current.setdefault(key, (row, at))

    @property
    def all(self) -> Counter[Row]:
        return Counter([*self.past, *((*image(row), since, None, True) for row, since in self.current.values())])


def passes(row: Row, found: list[Rule]) -> bool:
    return bool(split(NAMES, [row], found)[0])


class Oracle:
    """What each model keeps, in plain Python."""

    def __init__(self) -> None:
        self.by_key: dict[str, dict[Any, Row]] = {"appended": {}, "merged": {}, "kinds": {}}
        self.recent = Recent()
        self.versions = {"closed": Versions(close=True), "kept": Versions(close=False)}

    def run(
        self, given: Mapping[str, list[Row]], found: Mapping[str, list[Rule]], at: datetime, built: set[str]
    ) -> None:
        for name, kept in self.by_key.items():
            kept.update({row[3 if name == "kinds" else 0]: row for row in given[name]})
        if "recent" in built:
            self.recent.run(given["recent"])
        for name, versions in self.versions.items():
            versions.run(given[name], found[name], at)

    def holds(self, world: World, given: Mapping[str, list[Row]], found: Mapping[str, list[Rule]]) -> None:
        for name, kept in self.by_key.items():
            world.told_apart(f"stg.{name}", list(kept.values()), NAMES, found[name])
        world.told_apart("stg.recent", self.recent.rows, NAMES, found["recent"])
        for name in ("days", "months"):
            world.told_apart(f"stg.{name}", given[name], NAMES, found[name])
        for name, versions in self.versions.items():
            assert Counter(map(image, world.rows(f"FROM stg.{name}"))) == versions.all, name
            world.set_apart(f"stg.{name}", split(NAMES, given[name], found[name])[1], NAMES, found[name])


@few
@given(seed=st.integers(0, 2**32))
def test_what_is_kept_is_told_apart(seed: int) -> None:
    choices = Seeded(seed)
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.write("penstock.yml", "name: t\n")
        world.write("sources/shop.yml", SOURCE)
        oracle, day = Oracle(), next_day(choices, {}, 10)
        found: dict[str, list[Rule]] = {}
        stays = choices.integer(0, 2) == 0
        for number in range(3):
            moved = number == 0 or choices.integer(0, 3) > 0
            if number and moved:
                day = next_day(choices, day, choices.integer(1, 4))
            world.arrive("orders", dict(COLUMNS), list(day.values()))
            changed = set()
            for name, (matter, select) in MODELS.items():
                if number == 0 or (not stays and choices.integer(0, 2) == 0):
                    now = rules(choices, COLUMNS, 2)
                    if number == 0 or [rule.text for rule in now] != [rule.text for rule in found[name]]:
                        changed.add(name)
                    found[name] = now
                world.write(f"models/stg/{name}.sql", front_matter(found[name], matter) + select)
            report = world.run()
            world.adds_up(report)
            given = {name: world.rows(f"SELECT {', '.join(NAMES)} FROM ({sql})") for name, (_, sql) in MODELS.items()}
            built = {step.target.removeprefix("stg.") for step in report.steps if step.kind == "build" and step.mode}
            assert changed <= built
            at = (START + timedelta(hours=world.runs)).replace(tzinfo=None)
            oracle.run(given, found, at, built)
            oracle.holds(world, given, found)
        world.right(but="stg.recent")  # whose last days may have gone since it was made
        assert world.run().status == "unchanged"
        if stays:  # every version comes from a landing, and was judged by the same checks
            before = {name: Counter(map(image, world.rows(f"FROM stg.{name}"))) for name in oracle.versions}
            assert world.project.rebuild(now=START + timedelta(days=9)).exit_code == 0
            assert before == {name: Counter(map(image, world.rows(f"FROM stg.{name}"))) for name in before}
