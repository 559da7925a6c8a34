"""One build by a strategy that a person chose: what it has to go on from, and what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from penstock.domain.maintenance import AFFECTED, Program
from penstock.domain.model import Model
from penstock.domain.plan import BuildStep
from penstock.domain.relation import Column, RelationName
from penstock.executor import changes, delta
from penstock.executor.ledger import Transaction
from penstock.executor.quarantine import Apart
from penstock.executor.work import Work
from penstock.materializations import maintain, versions
from penstock.materializations.quarantine import TEMPORARY
from penstock.planner.plan import defined, stale
from penstock.ports import Session
from penstock.record import record
from penstock.sql.render import bind_parameters


@record
class Keeping:
    """One build. `select` gives all of the model's rows, `own` are its columns; `anew`: whatever is there counts as
    absent. `follow`: try to look at what changed only. `temporary`: tables to take away in the end."""

    step: BuildStep
    work: Work
    inputs: Mapping[RelationName, int]
    reason: str
    select: str
    own: tuple[Column, ...]
    anew: bool = False
    follow: bool = True
    temporary: list[str] = field(default_factory=list)

    @property
    def model(self) -> Model:
        return self.step.model

    @property
    def relation(self) -> RelationName:
        return self.step.model.relation

    @property
    def session(self) -> Session:
        return self.work.session

    @property
    def since(self) -> dict[RelationName, int]:
        return changes.moved(self.work.ledger.applied.get(self.relation, {}), self.inputs)

    def part(self, model: Model, made: str | None = None) -> Program | str | None:
        """Statements for the units of `model` that changed, which have been found; why there are none; None when no
        row that it reads has changed. `made`: the fingerprint of a definition that gives the same rows as this one."""
        work, session = self.work, self.session
        if not self.follow:
            return "its changes could not be followed"
        why = stale(work.ledger, self.relation, made or self.step.fingerprint, self.step.moment, {})
        if why is not None or self.anew:
            return why or "made anew"
        logs = changes.logged(session, work.catalogue, self.since, work.committer.settled)
        if isinstance(logs, str):
            return logs
        changed = changes.gather(session, work.catalogue, logs)
        if not changed:
            return None
        program = work.compiler.program(model, changed, session)
        if isinstance(program, Program):
            if program.above:
                return "it has a LIMIT"
            self.temporary.extend(program.temporary)
            for statement in program.prepare:
                session.execute(self.bound(statement))
        return program

    @property
    def fingerprint(self) -> str:
        """What the ledger is told the relation was made from: with the moment, where times decide what it gives."""
        timed = bool(self.step.moment) and self.work.compiler.analysis(self.model, self.session).timed
        return defined(self.step.fingerprint, self.step.moment, timed=timed)

    def bound(self, statement: str) -> str:
        return bind_parameters(statement, self.work.parameters)

    def making(
        self, transaction: Transaction, mode: str, how: str, stamps: Sequence[str] = (), apart: Apart | None = None
    ) -> delta.Making:
        return delta.Making(
            step=self.step,
            work=self.work,
            session=self.session,
            transaction=transaction,
            inputs=self.inputs,
            fingerprint=self.fingerprint,
            found=self.own,
            mode=mode,
            reason=f"{self.reason}; {how}",
            stamps=tuple(stamps),
            apart=apart,
        )

    def stamps(self) -> tuple[str, ...]:
        return self.work.compiler.analysis(self.model, self.session).stamps

    def forget(self) -> None:
        changes.forget(self.session, self.since)
        changes.drop(self.session, *maintain.TEMPORARY, *versions.TEMPORARY, *TEMPORARY, *self.temporary, AFFECTED)
