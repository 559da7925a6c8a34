"""A plan is data: ordered steps with reasons, read by the executor and by whoever wants to know beforehand."""

from __future__ import annotations

from penstock.domain.batch import Manifest
from penstock.domain.export import Export
from penstock.domain.maintenance import Maintenance
from penstock.domain.model import Model
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.record import record


@record
class LandStep:
    """source → landing: extract what is new. Never touches the warehouse."""

    id: str
    table: SourceTable
    needed: bool
    reason: str
    depends_on: tuple[str, ...] = ()
    kind = "land"


@record
class LoadStep:
    """landing → first layer: the batches the ledger does not list, in order, each exactly once.

    `batches` is what was landed when the plan was made; batches that the plan's own land step adds are loaded too.
    `fingerprint` covers what the declaration says about loading; `reload`: it is not that of the last load, so that all
    batches are loaded again.
    """

    id: str
    table: SourceTable
    batches: tuple[Manifest, ...]
    needed: bool
    reason: str
    depends_on: tuple[str, ...] = ()
    fingerprint: str = ""
    reload: bool = False
    kind = "load"


@record
class BuildStep:
    """Make a model's relation equal to its definition. `inputs` are the stored relations it reads, views looked
    through; `fingerprint` covers its own definition and that of every view it reads, `moment` the times they use, if
    any. `maintenance`: how it follows its inputs, where somebody asked; `affected`: how many of its units can differ by
    the changes that are known; `anew`: why all of it will be made this time all the same. `drives`: the relation each
    row of which gives at most one row. `group`: the publish group that it is in with other steps of the plan, empty
    when it is published alone."""

    id: str
    model: Model
    materialization: str
    inputs: tuple[RelationName, ...]
    fingerprint: str
    needed: bool
    reason: str
    depends_on: tuple[str, ...] = ()
    moment: str = ""
    maintenance: Maintenance | None = None
    drives: RelationName | None = None
    group: str = ""
    affected: int | None = None
    anew: str | None = None
    kind = "build"

    @property
    def holds_select(self) -> bool:
        """Whether the relation holds the rows that its SELECT gives and no others."""
        mirrored = self.materialization == "merge" and self.model.strategy.deletes == "remove"
        return self.materialization in ("auto", "rebuild") or mirrored


@record
class ExportStep:
    """Write relations as a file, aside and renamed."""

    id: str
    export: Export
    inputs: tuple[RelationName, ...]
    fingerprint: str
    needed: bool
    reason: str
    depends_on: tuple[str, ...] = ()
    kind = "export"


Step = LandStep | LoadStep | BuildStep | ExportStep


@record
class Plan:
    """Steps in an order that respects `depends_on`. A step with `needed=False` is expected to have nothing to do;
    the executor decides again when its turn comes, from what the steps before it really changed. `notes`: what people
    should know beside that."""

    environment: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.needed)
