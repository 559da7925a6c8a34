"""Which steps there are, in which order, and why each is needed or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from hashlib import sha256

from penstock.domain.batch import Manifest, Pending
from penstock.domain.contract import Contract
from penstock.domain.export import Export
from penstock.domain.ledger import Ledger
from penstock.domain.model import Model
from penstock.domain.plan import BuildStep, ExportStep, LandStep, LoadStep, Plan, Step
from penstock.domain.project import Parameter, Project
from penstock.domain.relation import RelationName
from penstock.domain.source import ExtractKind, SourceTable
from penstock.graph.order import order
from penstock.planner import gates
from penstock.planner.reach import RULES, Reach
from penstock.record import record

CONTRACT = "its contract changed"


@record
class Observed:
    """What was found outside before planning. `pending` and `batches` are by source table id; a table whose source
    could not be asked has the reason in `unreachable`. `exported` names the exports whose file is there.
    `contracts`: the fingerprint of the contract under which each relation was published last."""

    ledger: Ledger
    batches: Mapping[str, Sequence[Manifest]] = field(default_factory=dict)
    pending: Mapping[str, Pending] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)
    exported: Collection[str] = ()
    contracts: Mapping[RelationName, str] = field(default_factory=dict)


class Planner:
    """Makes the plan of one environment. `selected` are the ids of tables (`shop.orders`), models (`stg.orders`) and
    exports (`export:sales_report`) to include; None means everything. `refresh` are relations to make anew."""

    def __init__(
        self,
        project: Project,
        observed: Observed,
        parameters: Mapping[str, Parameter],
        *,
        selected: Collection[str] | None = None,
        refresh: Collection[RelationName] = (),
    ) -> None:
        self._project = project
        self._observed = observed
        self._ledger = observed.ledger
        self._selected = selected
        self._refresh = refresh
        self._reach = Reach(project, parameters)
        self._steps: dict[str, Step] = {}

    def plan(self, environment: str) -> Plan:
        for table in self._project.tables:
            if self._wanted(table.id):
                self._land(table)
                self._load(table)
        for model in in_order(self._project.models):
            if self._wanted(str(model.relation)):
                self._build(model)
        self._group()
        for export in self._project.exports:
            if self._wanted(f"export:{export.name}"):
                self._export(export)
        return Plan(environment, tuple(self._steps.values()))

    def _wanted(self, node: str) -> bool:
        return self._selected is None or node in self._selected

    # source → landing → first layer

    def _land(self, table: SourceTable) -> None:
        pending = self._observed.pending.get(table.id)
        trouble = self._observed.unreachable.get(table.id)
        if trouble is not None:
            needed, reason = True, trouble
        elif pending is None or pending.summary is None:
            needed, reason = False, "nothing new at the source"
        else:
            needed, reason = True, pending.summary
        self._add(LandStep(f"land:{table.id}", table, needed, reason))

    def _load(self, table: SourceTable) -> None:
        batches = tuple(
            batch for batch in self._observed.batches.get(table.id, ()) if batch.id not in self._ledger.loaded
        )
        land = f"land:{table.id}"
        fingerprint = load_fingerprint(table)
        reload = self._loaded_otherwise(table, fingerprint)
        if reload:
            needed, reason = True, "declared otherwise than it was loaded: all batches again, from landing"
        elif batches:
            rows = _count(sum(batch.rows for batch in batches), "row", "rows")
            needed, reason = True, f"{_count(len(batches), 'landed batch', 'landed batches')} ({rows}) not loaded yet"
        elif self._steps[land].needed:
            needed, reason = True, "what is landed in this run"
        elif table.stored in self._ledger.existing and self._is_due(table.relation, table.contract):
            needed, reason = True, CONTRACT
        elif table.stored in self._ledger.existing and (why := self._asked_again(table)) is not None:
            needed, reason = True, why
        else:
            needed, reason = False, "every batch is loaded"
        self._add(LoadStep(f"load:{table.id}", table, batches, needed, reason, (land,), fingerprint, reload))

    def _is_due(self, relation: RelationName, contract: Contract | None) -> bool:
        return contract is not None and self._observed.contracts.get(relation) != contract.fingerprint

    def _asked_again(self, what: Model | SourceTable) -> str | None:
        seen = positions(self._ledger, gates.referred(what, self._reach)) if what.checks else {}
        return gates.due(what, self._ledger, seen)

    def _loaded_otherwise(self, table: SourceTable, fingerprint: str) -> bool:
        """Whether what is there, or what is loaded, is not what this declaration makes of the batches; also when the
        relation has the name of another table that was loaded under it once."""
        commit = self._ledger.commits.get(table.stored)
        there = table.stored in self._ledger.existing
        if there and commit is not None:
            return commit.fingerprint != fingerprint
        return any(batch.id in self._ledger.loaded for batch in self._observed.batches.get(table.id, ()))

    # models and exports

    def _build(self, model: Model) -> None:
        fingerprint = self._reach.fingerprint(model)
        inputs = self._reach.inputs(model)
        reads = self._depends(model.reads)
        moment = self._reach.moment(model)
        reason = self._why_build(model, (fingerprint, moment), inputs, reads)
        self._add(
            BuildStep(
                f"build:{model.relation}",
                model,
                self._reach.materialization(model),
                inputs,
                fingerprint,
                reason is not None,
                reason or "up to date",
                self._depends((*model.reads, *model.refers)),
                moment,
                drives=self._reach.driving(model),
            )
        )

    def _group(self) -> None:
        """Models of one publish group that are in the plan together are published together."""
        builds = [step for step in self._steps.values() if isinstance(step, BuildStep)]
        count = Counter(step.model.publish_group for step in builds)
        for step in builds:
            group = step.model.publish_group
            if group and count[group] > 1:
                self._steps[step.id] = replace(step, group=group)

    def _why_build(
        self, model: Model, definition: tuple[str, str], inputs: Sequence[RelationName], depends: Sequence[str]
    ) -> str | None:
        if model.relation in self._refresh:
            return "asked to be made anew"
        reason = stale(
            self._ledger, model.relation, *definition, positions(self._ledger, inputs), told=self._reach.told
        )
        if reason is None and self._is_due(model.relation, model.contract):
            reason = CONTRACT
        reason = reason or self._asked_again(model)
        if reason is not None:
            return reason
        moving = [self._target(step) for step in depends if self._steps[step].needed]
        return f"may change: {_listed(moving)}" if moving else None

    def _export(self, export: Export) -> None:
        inputs = tuple(
            dict.fromkeys(stored for relation in export.relations for stored in self._reach.stored(relation))
        )
        depends = self._depends(export.relations)
        fingerprint = export_fingerprint(export, positions(self._ledger, inputs))
        moving = [self._target(step) for step in depends if self._steps[step].needed]
        before = self._ledger.exported.get(export.name)
        if before is None:
            reason: str | None = "never exported"
        elif export.name not in self._observed.exported:
            reason = f"{export.path} is missing"
        elif moving:
            reason = f"may change: {_listed(moving)}"
        else:
            reason = None if before == fingerprint else "the data or the definition changed"
        self._add(
            ExportStep(
                f"export:{export.name}",
                export,
                inputs,
                fingerprint,
                reason is not None,
                reason or "up to date",
                depends,
            )
        )

    def _depends(self, reads: Sequence[RelationName]) -> tuple[str, ...]:
        found = []
        for read in reads:
            table = self._reach.tables.get(read)
            step = f"load:{table.id}" if table else f"build:{read}"
            if step in self._steps:
                found.append(step)
        return tuple(dict.fromkeys(found))

    def _target(self, step: str) -> str:
        found = self._steps[step]
        return str(found.table.relation) if isinstance(found, (LandStep, LoadStep)) else step.partition(":")[2]

    def _add(self, step: Step) -> None:
        self._steps[step.id] = step


def in_order(models: Sequence[Model]) -> list[Model]:
    """Models, each after those it reads, and after those its checks look at."""
    by_name = {model.relation: model for model in models}
    return [
        by_name[name] for name in order(by_name, {model.relation: (*model.reads, *model.refers) for model in models})
    ]


def stale(
    ledger: Ledger,
    relation: RelationName,
    fingerprint: str,
    moment: str,
    inputs: Mapping[RelationName, int],
    *,
    told: Callable[[RelationName], RelationName] = lambda name: name,
) -> str | None:
    """Why a relation does not show its definition over its inputs as committed, or None when it does.

    `moment` stands for the times it uses: they matter to a relation that was committed as depending on them. `inputs`
    has the last commit of each input; the executor asks again with what the run has committed meanwhile. `told` gives
    the name by which people know an input.
    """
    commit = ledger.commits.get(relation)
    if commit is None:
        return "not built yet"
    if relation not in ledger.existing:
        return "missing in the warehouse"
    made, _, at = commit.fingerprint.partition("@")
    if made != fingerprint:
        same = same_select(made, fingerprint)
        return "its quarantine rules have changed" if same else "definition changed"
    if at and at != moment:
        return "the time has moved"
    seen = ledger.applied.get(relation, {})
    moved = [str(told(name)) for name, number in inputs.items() if number != seen.get(name, 0)]
    return f"changed: {_listed(moved)}" if moved else None


def rules_changed(made: str, fingerprint: str) -> bool:
    """Whether other checks set rows apart than when a relation was committed with the fingerprint `made`."""
    return made.partition("@")[0].partition(RULES)[2] != fingerprint.partition(RULES)[2]


def same_select(made: str, fingerprint: str) -> bool:
    """Whether nothing but the checks that set rows apart has changed since a commit with the fingerprint `made`."""
    return made.partition("@")[0].partition(RULES)[0] == fingerprint.partition(RULES)[0]


def defined(fingerprint: str, moment: str, *, timed: bool) -> str:
    """The fingerprint a relation is committed with: `timed` ones depend on the moment too."""
    return f"{fingerprint}@{moment}" if timed and moment else fingerprint


def positions(
    ledger: Ledger, relations: Sequence[RelationName], since: Mapping[RelationName, int] | None = None
) -> dict[RelationName, int]:
    """The last commit of each relation, 0 for none; `since` are commits newer than the ledger that was read."""
    newer = since or {}
    return {
        name: newer.get(name) or (commit.number if (commit := ledger.commits.get(name)) else 0) for name in relations
    }


def load_fingerprint(table: SourceTable) -> str:
    """Changes when landed batches would load into something else: another table's, another key, order, names, types
    or rules."""
    parts = [table.id, *table.key, "order", *table.order_by, "columns", *(repr(column) for column in table.columns)]
    if table.rename:
        parts += ["rename", *(f"{old}={new}" for old, new in sorted(table.rename.items()))]
    if table.effective:
        parts += ["effective", table.effective]
    if table.cursor is not None:
        parts += ["cursor", table.cursor.column, table.cursor.type]
    if table.contract is not None:
        parts += [f"default {each.name} {each.default}" for each in table.contract.columns if each.default is not None]
        if table.extract is ExtractKind.APPEND and table.contract.mode == "strict":
            parts.append("strict")
    for check in table.checks:
        if check.on_fail == "quarantine":
            parts += ["rule", repr((check.name, check.kind, check.columns, check.options, check.where))]
    return sha256("\n".join(parts).encode()).hexdigest()


def export_fingerprint(export: Export, inputs: Mapping[RelationName, int]) -> str:
    """Changes when the export's definition or the data behind it (`inputs`: last commits) has changed."""
    parts = [export.fingerprint, *(f"{name}@{number}" for name, number in sorted(inputs.items()))]
    return sha256("\n".join(parts).encode()).hexdigest()


def _count(number: int, one: str, many: str) -> str:
    return f"1 {one}" if number == 1 else f"{number:,} {many}"


def _listed(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c and 2 more`."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
