"""The rules around a maintained query, broken one by one: a small life finds that a table is not what it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from penstock import Project
from penstock.executor import changes, limited
from penstock.materializations import changelog, maintain
from penstock.planner.reach import Reach

SOURCES = """
root: inbox
tables:
  orders: {path: orders.csv, extract: full, key: id, columns: {id: bigint, who: bigint, amount: bigint}}
  people: {path: people.csv, extract: full, key: id, columns: {id: bigint}}
"""
VIEW = "/*---\nmaterialization: view\n---*/\nSELECT id, who, amount FROM raw.orders WHERE amount > {}\n"
MODELS = {
    "stg/large": VIEW.format(5),
    "bus/totals": "SELECT who, sum(amount) AS total, $run_ts AS seen FROM stg.large GROUP BY who\n",
    "bus/named": "SELECT l.id, l.amount, p.name FROM stg.large AS l LEFT JOIN raw.people AS p ON p.id = l.who\n",
    "serv/first": "SELECT id, amount FROM stg.large ORDER BY amount DESC, id LIMIT 2\n",
}


class Life:
    """Days of one project. What its SELECTs give is worked out by DuckDB alone from what was sent."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.orders: dict[int, tuple[int, int]] = {}
        self.people: dict[int, str] = {}
        self.least = 5
        for path, text in {"penstock.yml": "name: life\n", "sources/s.yml": SOURCES}.items():
            self.write(path, text)
        for name, sql in MODELS.items():
            self.write(f"models/{name}.sql", sql)

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def run(self, orders: Mapping[int, tuple[int, int]], people: Mapping[int, str], *only: str) -> None:
        self.orders, self.people = dict(orders), dict(people)
        self.write("inbox/orders.csv", "id,who,amount\n" + "".join(f"{i},{w},{a}\n" for i, (w, a) in orders.items()))
        self.write("inbox/people.csv", "id,name\n" + "".join(f"{i},{name}\n" for i, name in people.items()))
        if Project(self.root).run(select=only).exit_code:
            raise RuntimeError("a run failed: that is not what these tests are about")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return sorted(Project(self.root).query(sql).rows, key=repr)

    def check(self) -> None:
        large = {i: (w, a) for i, (w, a) in self.orders.items() if a > self.least}
        totals: dict[int, int] = {}
        for who, amount in large.values():
            totals[who] = totals.get(who, 0) + amount
        assert self.rows("SELECT who, total FROM bus.totals") == sorted(totals.items(), key=repr)
        named = [(i, a, self.people.get(w)) for i, (w, a) in large.items()]
        assert self.rows("FROM bus.named") == sorted(named, key=repr)
        first = sorted(((i, a) for i, (_, a) in large.items()), key=lambda row: (-row[1], row[0]))[:2]
        assert self.rows("FROM serv.first") == sorted(first, key=repr)


def live(root: Path) -> None:
    """Every rule is needed at least once, with nothing beside it that covers up for it."""
    life = Life(root)
    orders = {1: (1, 10), 2: (1, 20), 3: (2, 30), 4: (3, 7), 5: (4, 40)}
    people = {1: "ann", 2: "bob", 3: "cy"}
    life.run(orders, people)
    life.check()
    # Several commits of one input before a model looks; then both of its inputs at once.
    life.run({**orders, 4: (3, 8)}, people, "raw.orders")
    life.run({**orders, 4: (3, 8), 1: (1, 11)}, people, "raw.orders")
    life.run({**orders, 4: (3, 8), 1: (1, 12)}, {**people, 3: "dee"})
    life.check()
    # One falls out of the first rows, another takes its place.
    orders = {1: (1, 12), 2: (1, 20), 3: (2, 30), 4: (3, 8)}
    life.run(orders, people)
    life.check()
    # Units that are looked at and come out as they were keep their stamp.
    seen = dict(life.rows("SELECT who, seen FROM bus.totals"))
    life.run({**orders, 1: (1, 13), 2: (1, 19)}, people)
    life.check()
    assert dict(life.rows("SELECT who, seen FROM bus.totals")) == seen
    # A view between has another meaning.
    life.least = 9
    life.write("models/stg/large.sql", VIEW.format(9))
    life.run(orders, people)
    life.check()
    # The log is pruned by hand before anyone has followed it.
    life.run({**orders, 3: (2, 33), 5: (1, 10)}, people, "raw.orders")
    with duckdb.connect(str(root / "data/dev/warehouse.duckdb")) as connection:
        connection.execute('DELETE FROM _penstock."changes_raw.orders_history" WHERE who = 2')
    life.run({**orders, 3: (2, 33), 5: (1, 10)}, people)
    life.check()


def test_a_life_in_which_nothing_is_wrong(tmp_path: Path) -> None:
    live(tmp_path)


def only_the_last_commit_counts(patch: pytest.MonkeyPatch) -> None:
    whole = changelog.net

    def last(relation: Any, found: Any, seen: int, *, several: bool) -> tuple[str, ...]:
        made = whole(relation, found, seen, several=several)
        newest = f"(SELECT max({changelog.COMMIT}) - 1 FROM {changelog.table(relation)})"
        return tuple(each.replace(f"{changelog.COMMIT} > {seen}", f"{changelog.COMMIT} > {newest}") for each in made)

    patch.setattr(changelog, "net", last)


def only_one_input_moves(patch: pytest.MonkeyPatch) -> None:
    whole = changes.moved
    patch.setattr(changes, "moved", lambda *given: dict(list(whole(*given).items())[:1]))


def an_altered_log_is_believed(patch: pytest.MonkeyPatch) -> None:
    whole = changes.logged

    def believed(session: Any, catalogue: Any, since: Any, *more: Any) -> Any:
        found = whole(session, catalogue, since, *more)
        return {name: changes.Logged(seen, 2) for name, seen in since.items()} if isinstance(found, str) else found

    patch.setattr(changes, "logged", believed)


def views_mean_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reach, "_definition", lambda self, model, timeless: (model.fingerprint, self.materialization(model)))


def stamps_are_compared(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(maintain, "_compared", lambda found, stamps: list(found))


def what_is_below_a_limit_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(limited, "correct", lambda *given: None)


@pytest.mark.parametrize(
    "broken",
    [
        only_the_last_commit_counts,
        only_one_input_moves,
        an_altered_log_is_believed,
        views_mean_nothing,
        stamps_are_compared,
        what_is_below_a_limit_is_forgotten,
    ],
)
def test_a_broken_rule_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Callable[[pytest.MonkeyPatch], None]
) -> None:
    broken(monkeypatch)
    with pytest.raises(AssertionError):
        live(tmp_path)
