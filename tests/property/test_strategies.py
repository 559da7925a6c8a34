"""Chosen strategies after any days of changes: each holds what plain Python says, and a rebuild what it can."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock import Project

Row = tuple[int, str, int]
"""region's group: the day (of November), the region, the amount; the key is (day, region)"""
START = datetime(2026, 11, 30, 6, tzinfo=UTC)
SOURCE = """
root: inbox
tables:
  orders:
    path: orders.csv
    extract: full
    key: [day, region]
    allow_empty: true
    columns: {day: date, region: varchar, amount: bigint}
"""
HEAD = "/*---\n{}\n---*/\n"
SUMS = "SELECT region, sum(amount) AS total FROM raw.orders GROUP BY region"
DAYS = "SELECT day, sum(amount) AS total, count(*) AS n FROM raw.orders GROUP BY day"
MODELS = {
    "merged": ("materialization: merge\nkey: region", SUMS),
    "mirrored": ("materialization: merge\nkey: region\ndeletes: remove", SUMS),
    "plain": ("owner: x", SUMS),
    "months": ("materialization: time_range\ntime_range: {column: day, grain: month}", DAYS),
    "days": ("owner: x", DAYS),
    "recent": (
        "materialization: time_range\ntime_range: {column: day, grain: day, lookback: 2 days}",
        f"{DAYS} LIMIT 1000",
    ),
    "versions": ("materialization: history\nkey: region", SUMS),
    "kept": ("materialization: history\nkey: region\nhistory: {deletes: ignore}", SUMS),
}
ROWS = st.dictionaries(st.tuples(st.integers(1, 9), st.sampled_from("abc")), st.integers(0, 2), min_size=1, max_size=8)


class Shop:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.project = Project(root)
        self.write("penstock.yml", "name: test\n")
        self.write("sources/shop.yml", SOURCE)
        for name, (matter, select) in MODELS.items():
            self.write(f"models/bus/{name}.sql", HEAD.format(matter) + select)

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def run(self, number: int, rows: dict[tuple[int, str], int]) -> None:
        lines = [f"2026-11-{day:02},{region},{amount}\n" for (day, region), amount in rows.items()]
        self.write("inbox/orders.csv", "day,region,amount\n" + "".join(lines))
        report = self.project.run(now=hour(number))
        assert report.exit_code == 0, [problem for step in report.steps for problem in step.problems]

    def rows(self, name: str) -> list[tuple[Any, ...]]:
        return sorted(self.project.query(f"FROM bus.{name}").rows, key=repr)


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def sums(rows: dict[tuple[int, str], int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for (_, region), amount in rows.items():
        found[region] = found.get(region, 0) + amount
    return found


def by_day(rows: dict[tuple[int, str], int]) -> dict[date, tuple[int, int]]:
    found: dict[date, tuple[int, int]] = {}
    for (day, _), amount in rows.items():
        total, count = found.get(date(2026, 11, day), (0, 0))
        found[date(2026, 11, day)] = (total + amount, count + 1)
    return found


def versions(days: Sequence[dict[str, int]], *, close: bool) -> list[tuple[Any, ...]]:
    current: dict[str, tuple[int, datetime]] = {}
    closed: list[tuple[Any, ...]] = []
    for number, now in enumerate(days):
        at = hour(number).replace(tzinfo=None)
        for region in list(current):
            total, since = current[region]
            if (region in now and now[region] != total) or (close and region not in now):
                closed.append((region, total, since, at, False))
                del current[region]
        for region, total in now.items():
            current.setdefault(region, (total, at))
    return sorted([*closed, *((r, total, since, None, True) for r, (total, since) in current.items())], key=repr)


@settings(max_examples=examples(6), deadline=None, suppress_health_check=list(HealthCheck))
@given(days=st.lists(ROWS, min_size=2, max_size=4))
def test_every_strategy_keeps_what_it_promises(days: list[dict[tuple[int, str], int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        merged: dict[str, int] = {}
        recent: dict[date, tuple[int, int]] = {}
        for number, rows in enumerate(days):
            shop.run(number, rows)
            merged |= sums(rows)
            changed = number == 0 or rows != days[number - 1]
            if changed:
                lowest = max(recent) - timedelta(days=2) if recent else date.min
                recent = {day: found for day, found in recent.items() if day < lowest}
                recent |= {day: found for day, found in by_day(rows).items() if day >= lowest}
            assert shop.rows("merged") == sorted(merged.items())
            assert shop.rows("mirrored") == shop.rows("plain") == sorted(sums(rows).items())
            assert shop.rows("months") == shop.rows("days")
            assert shop.rows("recent") == sorted(((day, *found) for day, found in recent.items()), key=repr)
            done = [sums(each) for each in days[: number + 1]]
            assert shop.rows("versions") == versions(done, close=True)
            assert shop.rows("kept") == versions(done, close=False)
        before = {name: shop.rows(name) for name in ("mirrored", "months", "versions", "kept")}
        assert shop.project.rebuild(now=hour(100)).exit_code == 0
        assert {name: shop.rows(name) for name in before} == before
