"""Relations made again and compared with what is stored. Nothing is changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from penstock.domain.ledger import Ledger
from penstock.domain.maintenance import Maintenance
from penstock.domain.model import Model
from penstock.domain.project import Parameter, Project
from penstock.domain.quarantine import is_split, table_of
from penstock.domain.relation import Column, RelationName
from penstock.domain.source import ExtractKind, SourceTable
from penstock.domain.verification import Difference, Verdict, Verified
from penstock.executor import differences, quarantine
from penstock.executor import ledger as ledgers
from penstock.executor.catalogue import Catalogue
from penstock.executor.compiled import Compiler
from penstock.executor.recompute import EXPECTED, Recomputing
from penstock.materializations import audit, past
from penstock.materializations.quarantine import FAILED, both, compared, held_columns
from penstock.planner.plan import load_fingerprint, positions, stale
from penstock.planner.reach import Reach
from penstock.ports import Session, Warehouse
from penstock.record import record

LINE = "its line of versions"
BATCHES = "as many rows of each batch as were loaded"


@record
class Sources:
    """What verification needs to know of a project. `parameters` gives the values of `$name` for a time; `times`: when
    runs began that may have made what is stored, the likeliest first."""

    project: Project
    root: Path
    parameters: Callable[[datetime], Mapping[str, Parameter]]
    times: Iterable[datetime]


@record
class _Made:
    """A model as it was made last: the parameters then, what it depends on, and why it cannot be made so again."""

    parameters: Mapping[str, Parameter]
    reach: Reach
    reason: str | None
    unknown: bool = False


class Verifier:
    """`warehouse` is open beside a database of its own; used in one thread. `deep`: models are made of inputs that were
    recomputed too, from the source tables up."""

    def __init__(self, sources: Sources, warehouse: Warehouse, *, deep: bool) -> None:
        self._sources = sources
        self._deep = deep
        self._session: Session = warehouse.session()
        self._session.execute(past.inside())
        self.ledger: Ledger = ledgers.read(self._session)
        self._catalogue = Catalogue()
        self._columns(RelationName("_penstock", "commits"))  # before other catalogs hold anything
        self._recomputing = Recomputing(
            warehouse, self._session, sources.root, sources.project.models, self.ledger.existing
        )
        self._times: list[datetime] = []
        self._more = iter(sources.times)
        self._reaches: dict[datetime, tuple[Mapping[str, Parameter], Reach]] = {}
        self._wrong: set[RelationName] = set()

    def _columns(self, relation: RelationName) -> tuple[Column, ...]:
        return self._catalogue.columns(self._session, relation) or ()

    # Source tables

    def table(self, table: SourceTable) -> Verified | None:
        """What a source table has loaded; None when it has loaded nothing yet."""
        begun = time.perf_counter()
        commit = self.ledger.commits.get(table.stored)
        if commit is None:
            return None
        checked = f"{LINE}; {BATCHES}" if table.key else BATCHES
        found = Verified(table.stored, Verdict.RIGHT, checked)
        if self.ledger.existing.get(table.stored) != "table":
            found = replace(found, verdict=Verdict.WRONG, notes=("it is not in the warehouse",))
        elif commit.fingerprint != load_fingerprint(table):
            note = "declared otherwise than it was loaded; the next run loads it anew"
            found = replace(found, verdict=Verdict.STALE, notes=(note,))
        else:
            found = self._lines(table, found, commit.rows)
        if found.verdict is Verdict.WRONG:
            self._wrong.add(table.stored)
        return replace(found, seconds=time.perf_counter() - begun)

    def _lines(self, table: SourceTable, found: Verified, expected: int | None) -> Verified:
        session, stored = self._session, past.stored(table.stored)
        rows = session.query(f"SELECT count(*) FROM {stored}").rows[0][0]
        notes = [] if expected is None or rows == expected else [f"{expected:,} rows by the ledger, {rows:,} there"]
        samples: Sequence[Difference] = ()
        if table.key:
            broken, samples = differences.of_versions(
                session, stored, table.key, deletions=table.extract is ExtractKind.FULL
            )
            notes += broken
        if not table.effective:  # else a batch may take rows of others away
            versions = "b.inserted + b.updated" if table.key else "b.inserted"
            name = str(table.relation)
            for batch, loaded, there in session.query(audit.by_batch(stored, versions), (name,)).rows:
                notes.append(f"batch {batch}: {loaded:,} rows were loaded, {there:,} are there")
        verdict = Verdict.WRONG if notes else Verdict.RIGHT
        return replace(found, verdict=verdict, rows=rows, notes=tuple(notes), differences=tuple(samples))

    # Models

    def model(self, model: Model, *, wanted: bool = True) -> Verified | None:
        """A stored model; None for a view, which stores nothing, and for one that is not `wanted` but only needed by
        others (in a deep verification, whose models come in order)."""
        begun = time.perf_counter()
        made = self._made(model)
        if made.reach.is_view(model):
            return None
        found = self._stale(model, made)
        if found is None:
            found = self._compared(model, made)
        return replace(found, seconds=time.perf_counter() - begun) if wanted else None

    def _stale(self, model: Model, made: _Made) -> Verified | None:
        relation = model.relation
        if relation in self.ledger.commits and self.ledger.existing.get(relation) != "table":
            self._wrong.add(relation)
            return Verified(relation, Verdict.WRONG, differences.ALL, notes=("it is not in the warehouse",))
        if made.reason is not None:
            verdict = Verdict.OPEN if made.unknown else Verdict.STALE
            return Verified(relation, verdict, "nothing", notes=(made.reason,))
        return None

    def _made(self, model: Model) -> _Made:
        """How the model was made last: with the time of the run that made it, where it depends on that."""
        first: _Made | None = None
        for at in self._known_times():
            parameters, reach = self._reach(at)
            inputs = positions(self.ledger, reach.inputs(model))
            definition = (reach.fingerprint(model), reach.moment(model))
            made = _Made(parameters, reach, stale(self.ledger, model.relation, *definition, inputs, told=reach.told))
            first = first or made
            if made.reason is None or not reach.times(model):
                return made
        if first is None:
            raise ValueError("no time at all was given")
        if first.reason == "the time has moved":
            return replace(first, reason="nobody knows any more the time it was made with", unknown=True)
        return first

    def _known_times(self) -> Iterable[datetime]:
        yield from self._times
        for at in self._more:
            self._times.append(at)
            yield at

    def _reach(self, at: datetime) -> tuple[Mapping[str, Parameter], Reach]:
        if at not in self._reaches:
            parameters = self._sources.parameters(at)
            self._reaches[at] = parameters, Reach(self._sources.project, parameters)
        return self._reaches[at]

    def _compared(self, model: Model, made: _Made) -> Verified:
        how = self._how(model, made)
        if self._deep:
            self._recomputing.over_put(model, made.parameters)
            found = self._judged(model, how)
        else:
            self._recomputing.over_stored(model, made.parameters)
            found = self._judged(model, how)
            blamed = sorted(str(name) for name in self._wrong & set(made.reach.inputs(model)))
            if found.verdict is Verdict.WRONG and blamed:
                self._recomputing.over_put(model, made.parameters)
                again = self._judged(model, how)
                if again.missing + again.extra < found.missing + found.extra:
                    note = f"compared with what {', '.join(blamed)} should give, which is not what is there now"
                    found = replace(again, notes=(*again.notes, note))
                else:
                    self._recomputing.over_stored(model, made.parameters)
        if found.verdict is Verdict.WRONG:
            self._wrong.add(model.relation)
        if self._is_pure(model) and (self._deep or found.verdict is Verdict.WRONG):
            self._recomputing.put(model, made.parameters)
        return found

    @staticmethod
    def _is_pure(model: Model) -> bool:
        """Whether nothing but its inputs as they are now says what a model holds."""
        return model.materialization in {"auto", "rebuild"} or (
            model.materialization == "merge" and model.strategy.deletes == "remove"
        )

    def _how(self, model: Model, made: _Made) -> Maintenance:
        if model.language == "python":
            return Maintenance(unit=model.key)
        folder = self._sources.root / ".penstock" / "maintenance"
        found = Compiler(folder, made.reach, self._catalogue).analysis(model, self._session)
        known = made.reach.moment(model) and not made.reach.asks_clock(model)
        return replace(found, unit=model.key or found.unit, timed=found.timed and not known)

    def _judged(self, model: Model, how: Maintenance) -> Verified:
        """EXPECTED against what is stored."""
        session, relation = self._session, model.relation
        expected = session.describe(f"SELECT * FROM {EXPECTED}")
        own = self._columns(relation)
        if model.materialization == "history":
            own = tuple(column for column in own if column.name not in audit.FIELDS)
        if sorted(expected, key=repr) != sorted(own, key=repr):
            note = f"expected the columns {_listed(expected)}, found {_listed(own)}"
            return Verified(relation, Verdict.WRONG, differences.ALL, notes=(note,))
        rows = session.query(f"SELECT count(*) FROM {past.stored(relation)}").rows[0][0]
        wanted = differences.Comparison(model, own, past.stored(relation), EXPECTED, how)
        if is_split(model):
            quarantine.split(session, model, EXPECTED, expected, quarantine.compiled(model, expected))
            wanted = replace(wanted, given=both(own, EXPECTED, FAILED))
            if self._columns(table_of(relation)):
                wanted = replace(wanted, kept=both(own, wanted.stored, past.stored(table_of(relation))))
        found = replace(differences.of_model(session, wanted), rows=rows)
        if is_split(model):
            found = self._apart(wanted, found)
        noted = self.ledger.commits[relation].rows
        if noted is not None and rows != noted:
            note = f"{noted:,} rows by the ledger, {rows:,} there"
            found = replace(found, verdict=Verdict.WRONG, notes=(*found.notes, note))
        if found.verdict is Verdict.WRONG and how.timed:
            note = "the time it is made decides which rows it has, so that rows may differ from what is made now"
            found = replace(found, verdict=Verdict.OPEN, notes=(*found.notes, note))
        return found

    def _apart(self, published: differences.Comparison, found: Verified) -> Verified:
        """What should be set apart against what is."""
        own, held = published.shape, table_of(published.model.relation)
        checked = f"{found.checked}; and what is set apart of it"
        if self._columns(held) != held_columns(own):
            return replace(found, verdict=Verdict.WRONG, checked=checked, notes=("its quarantine is not there",))
        wanted = replace(published, shape=compared(own), stored=past.stored(held), expected=FAILED)
        apart = differences.of_apart(self._session, wanted)
        if apart.verdict is Verdict.RIGHT:
            return replace(found, checked=checked)
        note = f"of the rows set apart {apart.missing:,} are missing and {apart.extra:,} should not be there"
        return replace(
            apart,
            checked=checked,
            missing=found.missing + apart.missing,
            extra=found.extra + apart.extra,
            notes=(*found.notes, note),
            differences=(*found.differences, *apart.differences)[: differences.MOST],
        )


def _listed(found: Sequence[Column]) -> str:
    return ", ".join(f"{column.name} {column.type}" for column in found)
