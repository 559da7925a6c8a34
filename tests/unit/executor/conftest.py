"""A warehouse of its own for each test, with a table `raw.t` that models can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from penstock.domain.model import Model
from penstock.domain.plan import BuildStep
from penstock.domain.project import Project
from penstock.domain.relation import RelationName
from penstock.engines.duckdb.engine import PLUGIN
from penstock.errors import Location
from penstock.executor import ledger as ledgers
from penstock.executor.build import build
from penstock.executor.work import Outcome, Work
from penstock.landing.local import LocalLanding
from penstock.planner.reach import Reach
from penstock.ports import Session, Warehouse, WarehouseOptions

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
LAYERS = ("raw", "stg", "serv")


class House:
    """`run(...)` builds one model in a run of its own, as a run does: ledger read, step carried out, committed."""

    def __init__(self, folder: Path, warehouse: Warehouse) -> None:
        self.folder = folder
        self.warehouse = warehouse
        self.session: Session = warehouse.session()
        ledgers.prepare(self.session, "dev", LAYERS)
        self.session.execute("CREATE TABLE raw.t (id BIGINT, word VARCHAR)")
        self.session.execute("INSERT INTO raw.t VALUES (1, 'a'), (2, 'b'), (NULL, 'n')")
        self.runs = 0

    def run(
        self, sql: str, how: str = "rebuild", *, refresh: bool = False, name: str = "stg.m", **fields: Any
    ) -> Outcome:
        self.runs += 1
        relation = RelationName.parse(name)
        model = Model(relation, "sql", how, Location("models/stg/m.sql"), sql, sql=sql, line=5, **fields)  # type: ignore[arg-type]
        step = BuildStep(f"build:{name}", model, how, (), f"{how} {sql}", True, "", ())
        return build(step, self.work(f"r{self.runs}", frozenset({relation}) if refresh else frozenset()))

    def work(self, run: str, refresh: frozenset[RelationName] = frozenset()) -> Work:
        ledger = ledgers.read(self.session)
        return Work(
            run=run,
            root=self.folder,
            home=self.folder / "home",
            landing=LocalLanding(self.folder / "home" / "landing"),
            roots={},
            parameters={"word": "b"},
            ledger=ledger,
            now=lambda: NOW,
            warehouse=self.warehouse,
            committer=ledgers.Committer(self.warehouse, run, ledger, lambda: NOW),
            refresh=refresh,
            reach=Reach(Project("test", "", (), {}, "dev"), {}),
        )

    def rows(self, sql: str = "FROM stg.m") -> list[tuple[Any, ...]]:
        return sorted(self.session.query(sql).rows, key=repr)

    def commits(self) -> Mapping[str, int]:
        return {str(name): commit.number for name, commit in ledgers.read(self.session).commits.items()}


@pytest.fixture
def options(tmp_path: Path) -> WarehouseOptions:
    return WarehouseOptions(home=tmp_path / "home", locked_for="test")


@pytest.fixture
def house(tmp_path: Path, options: WarehouseOptions) -> Iterator[House]:
    with closing(PLUGIN.open(options)) as warehouse:
        yield House(tmp_path, warehouse)
