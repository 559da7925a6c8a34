"""contract list, contract show: what relations promise, and what they promised before."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from penstock.commands.workspace import Workspace, open_to_look
from penstock.contracts.compatibility import compare
from penstock.domain.batch import Manifest
from penstock.domain.contract import Contract, Held
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.embedded.contracts import ContractFile
from penstock.errors import UsageError
from penstock.materializations import landed as landing
from penstock.record import record

State = Literal["held", "changed", "not published", "no longer declared"]


@record
class Promise:
    """A relation and its contract. `state`: whether it is published under just this one; `since` (ISO, UTC), `run` and
    `revision` are of the last change that was published, None when there is none."""

    relation: RelationName
    contract: Contract
    state: State
    since: str | None = None
    run: str | None = None
    revision: str | None = None


@record
class Step:
    """What was held from `since` on. `changes`: against what was held before; `columns`: what it really had."""

    since: str
    run: str
    revision: str | None
    version: int
    changes: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]


@record
class Shape:
    """The columns of a batch that were not those of the batch before: `changes` says in words how."""

    batch: str
    processing_ts: datetime
    run: str
    changes: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]


@record
class ContractHistory:
    """Everything that is known of one relation's contracts, the oldest first. `shapes`: of a source table's batches,
    as they landed."""

    relation: RelationName
    promise: Promise | None
    history: tuple[Step, ...]
    shapes: tuple[Shape, ...]


def contract_list(where: Path, *, environment: str | None = None) -> tuple[Promise, ...]:
    """Every contract that is declared or was held in the environment, by relation."""
    space = open_to_look(where, environment)
    file = ContractFile(space.home)
    declared, known = _declared(space), file.all()
    return tuple(
        _promise(name, declared.get(name), known.get(name, ())) for name in sorted(declared.keys() | known.keys())
    )


def contract_show(where: Path, relation: str, *, environment: str | None = None) -> ContractHistory:
    """What one relation promises and promised. Raises UsageError when nothing is known of it."""
    try:
        name = RelationName.parse(relation)
    except ValueError as error:
        raise UsageError(str(error), code="NOT_A_RELATION", hint="name a relation as layer.name") from None
    space = open_to_look(where, environment)
    table = next((each for each in space.project.tables if name in (each.relation, each.stored)), None)
    name = table.relation if table is not None else name
    declared, history = _declared(space), ContractFile(space.home).history(name)
    shapes = _shapes(space, table) if table is not None else ()
    if name not in declared and not history and not shapes:
        known = sorted(str(each) for each in declared)
        raise UsageError(
            f"{name} has no contract and never had one",
            code="UNKNOWN_RELATION",
            hint=f"contracts: {', '.join(known) or 'none'}",
        )
    promise = _promise(name, declared.get(name), history) if name in declared or history else None
    return ContractHistory(name, promise, _steps(history), shapes)


def _declared(space: Workspace) -> dict[RelationName, Contract]:
    of = {table.relation: table.contract for table in space.project.tables}
    of |= {model.relation: model.contract for model in space.project.models}
    return {name: contract for name, contract in of.items() if contract is not None}


def _promise(name: RelationName, declared: Contract | None, history: tuple[Held, ...]) -> Promise:
    last = history[-1] if history else None
    if declared is None:
        if last is None:
            raise ValueError(name)
        return Promise(name, last.contract, "no longer declared", last.since, last.run, last.revision)
    if last is None:
        return Promise(name, declared, "not published")
    state: State = "held" if last.contract.fingerprint == declared.fingerprint else "changed"
    return Promise(name, declared, state, last.since, last.run, last.revision)


def _steps(history: tuple[Held, ...]) -> tuple[Step, ...]:
    found: list[Step] = []
    before: Held | None = None
    for held in history:
        if before is None:
            changes: tuple[str, ...] = ("first published",)
        else:
            changes = tuple(change.message for change in compare(before.contract, held.contract))
            if before.contract.version != held.contract.version:
                changes = (f"version {before.contract.version} → {held.contract.version}", *changes)
            changes += tuple(f"there is {text}" for text in _differ(before.columns, held.columns) if not changes)
            changes = changes or ("said otherwise, with the same meaning",)
        found.append(Step(held.since, held.run, held.revision, held.contract.version, changes, held.columns))
        before = held
    return tuple(found)


def _shapes(space: Workspace, table: SourceTable) -> tuple[Shape, ...]:
    found: list[Shape] = []
    before: tuple[tuple[str, str], ...] | None = None
    batches: tuple[Manifest, ...] = tuple(space.landing.batches(table.source, table.name))
    for batch in batches:
        columns = tuple((column.name, column.type) for column in landing.columns(table, batch.columns))
        changes = ("first landed",) if before is None else tuple(_differ(before, columns))
        if changes:
            found.append(Shape(batch.id, batch.processing_ts, batch.run, changes, columns))
        before = columns
    return tuple(found)


def _differ(before: tuple[tuple[str, str], ...], after: tuple[tuple[str, str], ...]) -> list[str]:
    old, new = dict(before), dict(after)
    told = [f"no longer {name}" for name in old if name not in new]
    told += [f"{name} {kind.lower()}, new" for name, kind in new.items() if name not in old]
    told += [
        f"{name} {kind.lower()}, before {old[name].lower()}"
        for name, kind in new.items()
        if name in old and old[name] != kind
    ]
    return told
