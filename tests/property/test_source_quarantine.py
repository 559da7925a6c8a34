"""Quarantine of source tables against a plain-Python oracle: random batches, corrections and changes of the rules give
the versions and the open entries a person would write down by hand, step by step and from landing alone."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock.domain.batch import Extract
from penstock.domain.check import Check
from penstock.domain.plan import LoadStep
from penstock.domain.relation import Column, RelationName
from penstock.domain.source import ExtractKind, SourceColumn, SourceTable
from penstock.embedded.connection import connect
from penstock.engines.duckdb.engine import PLUGIN
from penstock.engines.duckdb.session import DuckSession
from penstock.errors import DataError, Location
from penstock.executor import ledger as ledgers
from penstock.executor.correcting import Correcting
from penstock.executor.load import load
from penstock.executor.work import Work
from penstock.landing.local import LocalLanding
from penstock.planner.plan import load_fingerprint
from penstock.planner.reach import Reach
from penstock.ports import WarehouseOptions
from penstock.quoting import literal

EXAMPLES = examples(25)
Row = tuple[str | None, str | None, str | None]
Held = dict[Any, tuple[frozenset[str], int, datetime, datetime]]
"""By row (of an append table: by batch and row): faults, copies, first and last seen."""
START = datetime(2026, 11, 17, 6, tzinfo=UTC)
ROWS = st.tuples(
    st.sampled_from(["1", "1", "2", "x", None]), st.sampled_from(["-1", "5", "-3", "y", None]), st.just("a")
)
CHANGES = st.fixed_dictionaries({0: st.integers(0, 2), 1: st.integers(0, 2)}, optional={2: st.integers(0, 1)})
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("batch"), st.lists(ROWS, max_size=3)),
        st.tuples(st.just("again"), st.integers(0, 3)),
        st.tuples(st.just("fix"), st.tuples(st.integers(0, 9), CHANGES)),
        st.tuples(st.just("fix"), st.tuples(st.integers(0, 9), CHANGES)),
        st.tuples(st.just("rules"), st.tuples(st.sampled_from([0, -2, -9]), st.booleans())),
    ),
    min_size=3,
    max_size=10,
)
GIVEN: list[list[str | None]] = [["1", "2", "3"], ["1", "-1", None], ["a", "b"]]


@dataclass(frozen=True)
class Rules:
    minimum: int = 0
    needed: bool = False

    def faults(self, row: Row) -> frozenset[str]:
        found = set()
        if row[0] is None or row[0] == "x":
            found.add("k")
        if row[1] == "y":
            found.add("v type")
        elif row[1] is None:
            found |= {"v needed"} if self.needed else set()
        elif int(row[1]) < self.minimum:
            found.add("v range")
        return frozenset(found)


def key_of(row: Row) -> int | None:
    return int(row[0]) if row[0] not in (None, "x") else None


@dataclass(frozen=True)
class Event:
    """A batch: rows; of a correction, the row that is corrected, where it was, and its copies."""

    rows: tuple[Row, ...]
    at: datetime
    corrects: tuple[int, Row] | None = None


@dataclass
class Keyed:
    """Versions and open entries of a keyed table, in the simplest words."""

    rules: Rules
    full: bool
    current: dict[int, tuple[Row, datetime]] = field(default_factory=dict)
    closed: list[tuple[Row, datetime, datetime]] = field(default_factory=list)
    held: Held = field(default_factory=dict)
    standing: dict[Row, tuple[Row, int | None]] = field(default_factory=dict)
    """A row as it is sent → what a person said it is, and the key it had."""

    def apply(self, number: int, event: Event, later: set[Any]) -> None:
        rows, full = list(event.rows), self.full and event.corrects is None
        if event.corrects is None:
            spoken = {key_of(row) for row in rows} - {None}
            for row, (target, key) in list(self.standing.items()):
                if row not in rows and (full or spoken & {key, key_of(target)}):
                    del self.standing[row]
            rows = [self.standing[row][0] if row in self.standing else row for row in rows]
        copies, faults = Counter(rows), {row: self.rules.faults(row) for row in rows}
        for key in {key_of(row) for row in rows}:
            same = [row for row in copies if key_of(row) == key and not faults[row]]
            if len(same) > 1:
                faults |= dict.fromkeys(same, frozenset({"several"}))
        spoken = {key_of(row) for row in rows} - {None}
        settled = {row for row in self.held if full or (key_of(row) in spoken)}
        if event.corrects is not None:
            self._correct(event.corrects[1], rows[0], settled)
        before = dict(self.held)
        for row in settled:
            self.held.pop(row, None)
        for row in copies:
            if faults[row]:
                first = before[row][2] if row in before else event.at
                self.held[row] = (faults[row], copies[row], first, event.at)
        good = {key_of(row): row for row in copies if not faults[row]}
        for key, row in good.items():
            assert key is not None
            if key in self.current and self.current[key][0] == row:
                continue
            self._end(key, event.at)
            self.current[key] = (row, event.at)
        if full:
            for key in [key for key in self.current if key not in spoken]:
                self._end(key, event.at)

    def _correct(self, wrong: Row, right: Row, settled: set[Row]) -> None:
        settled.add(wrong)
        for row, (target, key) in list(self.standing.items()):
            same = key_of(right) is not None and not self._no_key(right) and key_of(target) == key_of(right)
            if target in settled or same:
                self.standing[row] = (right, key)
        for row in settled:
            if row in self.held or row == wrong:
                self.standing[row] = (right, key_of(row) if row in self.held else None)

    @staticmethod
    def _no_key(row: Row) -> bool:
        return key_of(row) is None

    def _end(self, key: int, at: datetime) -> None:
        if key in self.current:
            row, since = self.current.pop(key)
            self.closed.append((row, since, at))

    def content(self) -> Counter[Any]:
        open_ = [(*row, since, None) for row, since in self.current.values()]
        return Counter(open_ + [(*row, since, until) for row, since, until in self.closed])


@dataclass
class Appended:
    """Events: what was taken, what is held back by batch."""

    rules: Rules
    full: bool = False
    taken: Counter[Any] = field(default_factory=Counter)
    held: Held = field(default_factory=dict)

    def apply(self, number: int, event: Event, later: set[Any]) -> None:
        if event.corrects is not None:
            self.held.pop(event.corrects, None)
        for row, copies in Counter(event.rows).items():
            faults = self.rules.faults((row[0] or "0", *row[1:]))
            if not faults and (number, row) not in later:
                self.taken[(*row, event.at)] += copies
            else:
                self.held[number, row] = (faults or frozenset({"corrected"}), copies, event.at, event.at)

    def content(self) -> Counter[Any]:
        return self.taken


def oracle(events: Sequence[Event], rules: Rules, kind: str) -> Keyed | Appended:
    made = Appended(rules) if kind == "append" else Keyed(rules, kind == "full")
    later = {event.corrects for event in events if event.corrects is not None}
    for number, event in enumerate(events, start=1):
        made.apply(number, event, later)
    return made


def source_table(kind: str, rules: Rules) -> SourceTable:
    place = Location("s.yml")
    checks = [
        Check("v_min", "range", place, ("v",), {"min": rules.minimum, "max": None, "exclusive": False},
              on_fail="quarantine"),
    ]  # fmt: skip
    if rules.needed:
        checks.append(Check("v_there", "not_null", place, ("v",), {}, on_fail="quarantine"))
    return SourceTable(
        "s", "t", RelationName("raw", "t"), ExtractKind(kind), place, key=() if kind == "append" else ("k",),
        columns=(SourceColumn("k", "bigint"), SourceColumn("v", "integer")), checks=tuple(checks),
    )  # fmt: skip


FAULTS = {
    "k: expected BIGINT": "k",
    "key k is NULL": "k",
    "v: expected INTEGER": "v type",
    "v_min: expected v at least": "v range",
    "v_there: expected a value in v": "v needed",
    "key k: several different rows": "several",
    "corrected by a person": "corrected",
}


class Pipe:
    """A landing and a warehouse; `load` brings one up to date with the other as a run would."""

    def __init__(self, home: Path, landing: Path) -> None:
        self.landing = LocalLanding(landing)
        self.warehouse = PLUGIN.open(WarehouseOptions(home=home, folders=(landing,)))
        self.session = self.warehouse.session()
        ledgers.prepare(self.session, "test", ("raw",))
        self._maker = connect(None, allowed=(landing,))
        self.now = START

    def tick(self) -> datetime:
        self.now += timedelta(hours=1)
        return self.now.replace(tzinfo=None)

    def land(self, table: SourceTable, rows: Sequence[Row]) -> Event:
        at = self.tick()
        with self.landing.staging("run") as staging:
            data = staging / "rows.parquet"
            self._maker.execute("CREATE OR REPLACE TABLE t (k VARCHAR, v VARCHAR, w VARCHAR)")
            if rows:
                self._maker.executemany("INSERT INTO t VALUES (?, ?, ?)", list(rows))
            self._maker.execute(f"COPY t TO {literal(str(data))} (FORMAT parquet)")
            columns = tuple(Column(name, "VARCHAR") for name in "kvw")
            self.landing.commit(table, Extract(data, len(rows), columns), "run", self.now)
        return Event(tuple(rows), at)

    def fix(self, table: SourceTable, changes: Mapping[str, str | None], entry: Mapping[str, Any]) -> None:
        """Raises DataError when the row would not pass."""
        batches = self.landing.batches("s", "t")
        with self.landing.staging("fix") as staging:
            correcting = Correcting(table, batches, self.landing.data, DuckSession(self._maker))
            place = correcting.by_id(entry["id"], entry["batch"], entry["copies"])
            assert place is not None
            extract, _ = correcting.correct(place, changes, staging / "fix.parquet", by="me", why="test")
            self.tick()
            self.landing.commit(table, extract, "fix", self.now)

    def load(self, table: SourceTable) -> Counter[str]:
        ledger = ledgers.read(self.session)
        work = Work(
            run="run", root=Path(), home=Path(), landing=self.landing, roots={}, parameters={}, ledger=ledger,
            now=lambda: self.now, warehouse=self.warehouse,
            committer=ledgers.Committer(self.warehouse, "run", ledger, lambda: self.now), reach=_NO_MODELS,
        )  # fmt: skip
        wanted = load_fingerprint(table)
        commit = ledger.commits.get(table.stored)
        reload = commit is not None and commit.fingerprint != wanted
        step = LoadStep("load:s.t", table, (), True, "", fingerprint=wanted, reload=reload)
        return Counter(load(step, work).accounting)

    def content(self, table: SourceTable) -> Counter[Any]:
        if not table.key:
            select = "SELECT k, v, w, processing_ts FROM raw.t"
            return Counter((*_texts(row[:3]), row[3]) for row in self.session.query(select).rows)
        select = "SELECT k, v, w, valid_from, valid_to FROM raw.t_history"
        return Counter((*_texts(row[:3]), *row[3:]) for row in self.session.query(select).rows)

    def entries(self) -> list[Mapping[str, Any]]:
        found = self.session.query("FROM _penstock.quarantine ORDER BY id")
        return [dict(zip((c.name for c in found.columns), row, strict=True)) for row in found.rows]

    def held(self, table: SourceTable) -> Held:
        import json

        result: Held = {}
        for each in self.entries():
            payload = json.loads(each["payload"])
            row = (payload["k"], payload["v"], payload["w"])
            faults = frozenset(
                next(fault for begins, fault in FAULTS.items() if reason.startswith(begins))
                for reason in each["reasons"]
            )
            place: Any = row if table.key else (int(each["batch"].rpartition("/")[2]), row)
            assert place not in result, "two entries for one row"
            result[place] = (faults, each["copies"], each["first_seen"], each["last_seen"])
        return result

    def standing(self) -> Counter[Any]:
        return Counter(self.session.query("SELECT id, batch, target FROM _penstock.corrections").rows)

    def close(self) -> None:
        self._maker.close()
        self.warehouse.close()


def _texts(values: Sequence[Any]) -> tuple[str | None, ...]:
    return tuple(None if value is None else str(value) for value in values)


_NO_MODELS: Any = type("NoModels", (Reach,), {"__init__": lambda self: None, "readers": lambda self, *_: []})()


def within(folder: Path, act: Callable[[Callable[[str], Pipe]], None]) -> None:
    """Pipes over one landing, a warehouse each."""
    opened: list[Pipe] = []

    def pipe(name: str) -> Pipe:
        (folder / name).mkdir()
        opened.append(Pipe(folder / name, folder / "landing"))
        return opened[-1]

    (folder / "landing").mkdir()
    try:
        act(pipe)
    finally:
        for each in opened:
            each.close()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(kind=st.sampled_from(["full", "full", "incremental", "append"]), actions=ACTIONS, at_once=st.booleans())
def test_versions_and_entries_equal_the_oracle(kind: str, actions: list[tuple[str, Any]], at_once: bool) -> None:
    events: list[Event] = []

    def act(make: Callable[[str], Pipe]) -> None:
        pipe, rules = make("steps"), Rules()
        table = source_table(kind, rules)
        for what, how in actions:
            if what == "batch" or (what == "again" and events):
                extracts = [event for event in events if event.corrects is None]
                rows = how if what == "batch" else extracts[-1 - how % len(extracts)].rows if extracts else ()
                events.append(pipe.land(table, rows))
            elif what == "rules":
                rules = Rules(*how)
                table = source_table(kind, rules)
            elif what == "fix":
                event = corrected(pipe, table, rules, *how)
                events.extend([event] if event else [])
            if not events:
                continue
            counts = pipe.load(table)
            parts = ("inserted", "updated", "unchanged", "duplicates", "quarantined")
            assert counts["rows_in"] == sum(counts[part] for part in parts)
            compare(pipe, table, oracle(events, rules, kind))
        if not events:
            return
        anew = make("anew")
        anew.load(table)
        assert anew.content(table) == pipe.content(table)
        assert anew.held(table) == pipe.held(table)
        assert anew.standing() == pipe.standing()

    with tempfile.TemporaryDirectory() as folder:
        within(Path(folder), act)


def corrected(pipe: Pipe, table: SourceTable, rules: Rules, which: int, values: Mapping[int, int]) -> Event | None:
    """Correct one of the open entries, if the row passes then."""
    import json

    entries = pipe.entries()
    if not entries:
        return None
    entry = entries[which % len(entries)]
    payload = json.loads(entry["payload"])
    changes = {"kvw"[at]: GIVEN[at][value % len(GIVEN[at])] for at, value in values.items()}
    wrong: Row = (payload["k"], payload["v"], payload["w"])
    right: Row = tuple(changes.get(name, payload[name]) for name in "kvw")  # type: ignore[assignment]
    judged = right if table.key else ("0" if right[0] is None else right[0], *right[1:])
    landed = len(pipe.landing.batches("s", "t"))
    try:
        pipe.fix(table, changes, entry)
    except DataError as error:
        assert error.code == "FIX_STILL_BAD"
        assert rules.faults(judged), "refused, and it would pass"
        assert len(pipe.landing.batches("s", "t")) == landed
        return None
    assert not rules.faults(judged), "accepted, and it would not pass"
    copies = 1 if table.key else entry["copies"]
    number = int(entry["batch"].rpartition("/")[2])
    return Event((right,) * copies, pipe.now.replace(tzinfo=None), (number, wrong))


def compare(pipe: Pipe, table: SourceTable, expected: Keyed | Appended) -> None:
    assert pipe.content(table) == expected.content()
    assert pipe.held(table) == expected.held
