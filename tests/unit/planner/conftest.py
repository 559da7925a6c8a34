"""A small project as a plan sees it: plain values, no files and no database.

shop.orders → raw.orders ─ stg.sales ─ stg.recent (a view) ─ serv.report ─ export:report
shop.people → raw.people ────────────────────────────────────┘
shop.clicks → raw.clicks ─ serv.clicks
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from penstock.domain.batch import Manifest, Pending
from penstock.domain.environment import Environment
from penstock.domain.export import Export
from penstock.domain.layer import flow
from penstock.domain.ledger import Commit, Ledger
from penstock.domain.model import Model
from penstock.domain.plan import BuildStep, ExportStep, LoadStep, Plan, Step
from penstock.domain.project import Parameter, Project
from penstock.domain.relation import RelationName
from penstock.domain.source import ExtractKind, Source, SourceColumn, SourceTable
from penstock.errors import Location
from penstock.planner.plan import Observed, Planner

NOW = datetime(2026, 11, 21, tzinfo=UTC)
AT = Location("here", 1)
name = RelationName.parse


def table(short: str, key: tuple[str, ...] = ("id",), **more: Any) -> SourceTable:
    kind = ExtractKind.FULL if key else ExtractKind.APPEND
    return SourceTable("shop", short, name(f"raw.{short}"), kind, AT, key, **more)


def model(relation: str, *reads: str, **more: Any) -> Model:
    more = {"materialization": "rebuild", "fingerprint": f"definition of {relation}", **more}
    return Model(name(relation), "sql", location=AT, sql="SELECT 1", reads=tuple(map(name, reads)), **more)


MODELS = (
    model("serv.report", "stg.recent", "raw.people"),  # not in the order of what they read
    model("stg.recent", "stg.sales", materialization="view", parameters=("days",)),
    model("stg.sales", "raw.orders"),
    model("serv.clicks", "raw.clicks"),
)
EXPORTS = (Export("report", "csv", (name("serv.report"),), "report.csv", AT, fingerprint="export"),)


@dataclass
class House:
    """A project with what was observed around it. `done()` is the house after a run that went well."""

    models: Sequence[Model] = MODELS
    tables: Sequence[SourceTable] = (table("orders"), table("people"), table("clicks", ()))
    exports: Sequence[Export] = EXPORTS
    ledger: Ledger = field(default_factory=Ledger)
    batches: Mapping[str, Sequence[Manifest]] = field(default_factory=dict)
    pending: Mapping[str, Pending] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)
    exported: Collection[str] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=lambda: {"days": 7, "other": 1})

    def plan(self, *, selected: Collection[str] | None = None, refresh: Collection[str] = ()) -> Plan:
        source = Source("shop", "files", "inbox", tuple(self.tables), AT)
        layers = flow("raw", "stg", "bus", "serv")
        environments = {"dev": Environment("dev")}
        project = Project(
            "shop", "/shop", layers, environments, "dev", (source,), tuple(self.models), tuple(self.exports)
        )
        observed = Observed(self.ledger, self.batches, self.pending, self.unreachable, self.exported)
        planner = Planner(
            project, observed, self.parameters, selected=selected, refresh=[name(each) for each in refresh]
        )
        return planner.plan("dev")

    def steps(self, **options: Any) -> dict[str, Step]:
        return {step.id: step for step in self.plan(**options).steps}

    def reasons(self, **options: Any) -> dict[str, str]:
        """Of the steps that are needed."""
        return {step.id: step.reason for step in self.plan(**options).needed}

    def with_batch(self, short: str) -> House:
        """Another batch of a table lies in the landing."""
        batches = tuple(self.batches.get(f"shop.{short}", ()))
        landed = Manifest(
            "shop",
            short,
            len(batches) + 1,
            ExtractKind.FULL,
            NOW,
            date(2026, 11, 21),
            "x.parquet",
            "sha",
            1,
            1,
            (),
            "run",
        )
        return replace(self, batches={**self.batches, landed.id.partition("/")[0]: (*batches, landed)})

    def committed(self, relation: str, fingerprint: str | None = None) -> House:
        """Another commit of a relation."""
        ledger, it = self.ledger, name(relation)
        old = ledger.commits.get(it)
        number = ledger.last + 1
        commit = Commit(number, it, "run", "step", fingerprint or (old.fingerprint if old else ""), 1, NOW)
        return replace(
            self,
            ledger=replace(
                ledger,
                commits={**ledger.commits, it: commit},
                existing={**ledger.existing, it: "table"},
                last=number,
            ),
        )

    def done(self) -> House:
        """As a run leaves it: all landed is loaded, all is built from it, all is exported."""
        house: House = self
        for each in self.tables:
            if each.id not in house.batches:
                house = house.with_batch(each.name)
        loaded = {batch.id: batch.sha256 for batches in house.batches.values() for batch in batches}
        house = replace(house, pending={}, ledger=replace(house.ledger, loaded=loaded))
        for step in house.plan().steps:
            if isinstance(step, LoadStep):
                house = house.committed(str(step.table.stored), step.fingerprint)
            elif isinstance(step, BuildStep):
                house = house.committed(str(step.model.relation), step.fingerprint)
                seen = {each: house.ledger.commits[each].number for each in step.inputs}
                applied = {**house.ledger.applied, step.model.relation: seen}
                house = replace(house, ledger=replace(house.ledger, applied=applied))
        for step in house.plan().steps:
            if isinstance(step, ExportStep):
                exported = {**house.ledger.exported, step.export.name: step.fingerprint}
                house = replace(house, ledger=replace(house.ledger, exported=exported), exported=[*exported])
        return house

    def without(self, relation: str) -> House:
        """Somebody has dropped a relation."""
        existing = {each: kind for each, kind in self.ledger.existing.items() if each != name(relation)}
        return replace(self, ledger=replace(self.ledger, existing=existing))

    def changed(self, relation: str, **fields: Any) -> House:
        """A model is defined otherwise."""
        models = [replace(each, **fields) if str(each.relation) == relation else each for each in self.models]
        return replace(self, models=models)

    def redeclared(self, short: str, **fields: Any) -> House:
        tables = [replace(each, **fields) if each.name == short else each for each in self.tables]
        return replace(self, tables=tables)


@pytest.fixture
def new() -> House:
    """Nothing was ever run."""
    return House()


@pytest.fixture
def done(new: House) -> House:
    """Everything was run once."""
    return new.done()


@pytest.fixture
def wide() -> House:
    """One model that reads five tables, everything run once."""
    shorts = [f"t{number}" for number in range(5)]
    everything = model("stg.all", *(f"raw.{short}" for short in shorts))
    return House((everything,), [table(short) for short in shorts], ()).done()


@pytest.fixture
def column() -> type[SourceColumn]:
    return SourceColumn
