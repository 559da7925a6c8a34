"""Readers poll the serving tables while run after run is published, many of them failing at a gate: nobody ever sees a
bad row, a missing table, or one table of a publish group beside another that says otherwise.

The files of a day say how many lines there are and what they add up to; the lines come in a file of their own. Whoever
sees another sum than the one that was announced has seen half of a group. 24 runs by default; `PENSTOCK_EXAMPLES=1000`
by hand, `PENSTOCK_SEED` to draw the same again."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import campaign
from penstock.commands.execute import Request, walk_in
from penstock.commands.workspace import open_workspace
from penstock.domain.run import RunReport
from penstock.errors import PenstockError
from penstock.ports import Session, Warehouse

RUNS = campaign.examples(24)
MOST = 50
"""Runs in one life: a project with a long history is slower."""
READERS = 2
PAUSE = 0.02
"""Seconds between two looks of a reader: a run has to get on as well."""
START = datetime(2026, 11, 17, 6, tzinfo=UTC)
FILES = {
    "penstock.yml": "name: read\nenvironments: {dev: {threads: 2}}\n",
    "sources/feed.yml": """
source: feed
root: inbox
tables:
  lines: {path: lines.csv, extract: full, key: id, columns: {id: bigint, amount: bigint}}
  announced: {path: announced.csv, extract: full, key: name, columns: {day: bigint, n: bigint, total: bigint}}
""",
    "models/stg/clean.sql": "/*---\nchecks: [{range: {column: amount, max: 1000}}]\n---*/\n"
    "SELECT id, amount FROM raw.lines\n",
    "models/stg/apart.sql": "SELECT count(*) AS n FROM raw.lines\n",
    "models/serv/lines.sql": "/*---\nkey: id\nchecks: [{positive: amount}]\n---*/\nSELECT id, amount FROM stg.clean\n",
    "models/serv/announced.sql": "/*---\nchecks: [{positive: day}]\n---*/\nSELECT day, n, total FROM raw.announced\n",
    "models/serv/sums.sql": "/*---\nmaterialization: rebuild\nchecks: [{expression: total < 100000}]\n---*/\n"
    "SELECT count(*) AS n, coalesce(sum(amount), 0)::BIGINT AS total FROM serv.lines\n",
    "models/serv/shown.sql": "/*---\nmaterialization: view\n---*/\nSELECT n, total FROM serv.sums\n",
}
SEEN = """
SELECT (SELECT day FROM serv.announced), (SELECT n FROM serv.announced), (SELECT total FROM serv.announced),
  (SELECT count(*) FROM serv.lines), (SELECT coalesce(sum(amount), 0)::BIGINT FROM serv.lines),
  (SELECT n FROM serv.sums), (SELECT total FROM serv.shown),
  (SELECT count(*) FROM serv.lines WHERE amount <= 0 OR amount > 1000)
"""
HARM = ("none", "none", "none", "none", "lines", "announced", "sums", "clean")
"""What the day's files do: nothing wrong, or what a gate of that model finds."""


class Readers:
    """`READERS` threads, each looking again and again in a session of its own: at everything in one statement, and at
    one table after the other in one transaction."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._stop = threading.Event()
        self.wrong: list[str] = []
        self.days: list[set[int]] = [set() for _ in range(READERS)]
        self.looks = 0
        self._threads = [threading.Thread(target=self._look, args=(number,)) for number in range(READERS)]

    @contextmanager
    def watching(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    def _look(self, number: int) -> None:
        session = self._warehouse.session()
        last = 0
        try:
            while not self._stop.wait(PAUSE) and not self.wrong:
                self.looks += 1
                day = self._at_once(session) if self.looks % 2 else self._one_by_one(session)
                if day < last:
                    self.wrong.append(f"day {day} after day {last}")
                last = day
                self.days[number].add(day)
        except PenstockError as error:  # a table that is missing, for one
            self.wrong.append(str(error))

    def _at_once(self, session: Session) -> int:
        return self._judged(session.query(SEEN).rows[0])

    def _one_by_one(self, session: Session) -> int:
        with session.transaction():
            total, n = session.query("SELECT coalesce(sum(amount), 0)::BIGINT, count(*) FROM serv.lines").rows[0]
            bad = session.query("SELECT count(*) FROM serv.lines WHERE amount <= 0 OR amount > 1000").rows[0][0]
            shown = session.query("SELECT n, total FROM serv.shown").rows[0]
            day, announced, sum_ = session.query("SELECT day, n, total FROM serv.announced").rows[0]
        return self._judged((day, announced, sum_, n, total, *shown, bad))

    def _judged(self, seen: Any) -> int:
        day, n, total, lines, amount, summed, shown, bad = seen
        if bad:
            self.wrong.append(f"{bad} bad rows on day {day}")
        if not (n == lines == summed and total == amount == shown):
            self.wrong.append(f"on day {day} announced were {n} lines, {total}; found {seen}")
        return int(day)


class Feed:
    """What is delivered, day by day, and what a reader may see of it."""

    def __init__(self, inbox: Path, rng: random.Random) -> None:
        self._inbox = inbox
        self._rng = rng
        self._lines = {61: 1}  # never none: an empty extract is refused
        self._day = 0
        inbox.mkdir(parents=True, exist_ok=True)

    def deliver(self, harm: str) -> tuple[int, int, int]:
        """Write a day's files; gives what is announced in them."""
        rng, self._day = self._rng, self._day + 1
        for _ in range(rng.choice((0, 1, 2, 40))):
            key = rng.randrange(1, 60)
            if rng.random() < 0.3:
                self._lines.pop(key, None)
            else:
                self._lines[key] = rng.randrange(1, 1000)
        lines = dict(self._lines)
        if harm in ("lines", "clean"):
            lines[rng.randrange(1, 60)] = {"lines": -rng.randrange(0, 9), "clean": 1001}[harm]
        if harm == "sums":
            lines |= dict.fromkeys(range(100, 240), 1000)
        said = (self._day, len(lines), sum(lines.values()))
        day = -self._day if harm == "announced" else self._day
        self._write("lines", "id,amount", [f"{key},{amount}" for key, amount in lines.items()])
        self._write("announced", "name,day,n,total", [f"all,{day},{said[1]},{said[2]}"])
        return said

    def _write(self, name: str, head: str, rows: list[str]) -> None:
        (self._inbox / f"{name}.csv").write_text("\n".join([head, *rows, ""]))


class Life:
    """One project and its warehouse, with readers from the first good day on. Counts what has happened."""

    def __init__(self, root: Path, rng: random.Random) -> None:
        self._root, self._rng = root, rng
        self.runs = self.failed = self.together = self.looks = self.states = 0
        for name, text in FILES.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def live(self, runs: int) -> None:
        feed, space = Feed(self._root / "inbox", self._rng), open_workspace(self._root)
        warehouse, state = space.engine.open(space.options("test")), space.state()

        def run(at: int) -> RunReport:
            request = Request(command="run", now=START + timedelta(hours=at))
            return walk_in(space, request, warehouse, state, mirrored=True).report

        try:
            session, readers = warehouse.session(), Readers(warehouse)
            good = feed.deliver("none")
            assert run(0).exit_code == 0
            with readers.watching():
                while self.runs < runs and not readers.wrong:
                    self.runs += 1
                    harm = self._rng.choice(HARM)
                    said = feed.deliver(harm)
                    report = run(self.runs)
                    assert report.exit_code == (0 if harm == "none" else 3), (harm, report)
                    good = said if harm == "none" else good
                    self.failed += harm != "none"
                    served = [step for step in report.steps if step.target.startswith("serv.")]
                    self.together += sum(step.commit is not None for step in served) > 1
                    assert session.query(SEEN).rows[0] == (*good, *good[1:], *good[1:], 0), harm
            assert not readers.wrong, readers.wrong
            self.looks, self.states = readers.looks, len(set().union(*readers.days))
        finally:
            state.close()
            warehouse.close()


def test_a_reader_sees_whole_groups_and_no_bad_row(tmp_path: Path) -> None:
    rng = campaign.dice()
    lives: list[Life] = []
    for begun in range(0, RUNS, MOST):
        lives.append(Life(tmp_path / str(begun), rng))
        lives[-1].live(min(MOST, RUNS - begun))
    runs, failed, together, looks, states = (
        sum(getattr(life, what) for life in lives) for what in ("runs", "failed", "together", "looks", "states")
    )
    said = f"{runs:,} runs, {failed:,} of them failing, {together:,} publishing several tables"
    print(f"{said}; {looks:,} looks, {states:,} states seen")  # noqa: T201
    assert runs == RUNS
    assert failed > RUNS / 8, "hardly a gate has failed"
    assert states > (RUNS - failed) / 4, "the readers have looked too seldom"
