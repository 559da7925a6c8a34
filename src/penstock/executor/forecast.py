"""What a plan says of models that may be maintained: how, or why not, and how much of them is affected.

Only what is committed is known: the change logs of inputs that have gone on without their reader are asked as its build
would ask them. What is still to be landed, loaded or built by the same plan, nobody knows yet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace

from penstock.domain.ledger import Ledger
from penstock.domain.maintenance import AFFECTED, Maintenance, Program
from penstock.domain.plan import BuildStep, Plan, Step
from penstock.domain.project import Parameter
from penstock.domain.relation import RelationName
from penstock.errors import UserError
from penstock.executor import changes, delta, limited
from penstock.executor.catalogue import Catalogue
from penstock.executor.compiled import UNKNOWN, Compiler
from penstock.executor.maintained import SMALL
from penstock.materializations import maintain
from penstock.planner.plan import positions, stale
from penstock.ports import Session
from penstock.sql.render import bind_parameters

FOLLOWING = frozenset({"auto", "merge"})
"""Materializations of which it can be told beforehand whether they look at affected units only."""


class Forecast:
    """Of one plan, with a session that need not be able to write. `refresh`: relations that are asked to be made
    anew."""

    def __init__(
        self,
        compiler: Compiler,
        catalogue: Catalogue,
        session: Session,
        ledger: Ledger,
        parameters: Mapping[str, Parameter],
        refresh: Collection[RelationName] = (),
    ) -> None:
        self._compiler = compiler
        self._catalogue = catalogue
        self._session = session
        self._ledger = ledger
        self._parameters = parameters
        self._refresh = refresh

    def of(self, plan: Plan) -> Plan:
        return replace(plan, steps=tuple(self._told(step) for step in plan.steps))

    def _told(self, step: Step) -> Step:
        if not isinstance(step, BuildStep) or step.materialization not in FOLLOWING:
            return step
        found = self._compiler.analysis(step.model, self._session)
        if found is UNKNOWN:
            return step
        if step.materialization == "merge" and not step.holds_select and found.reason is None:
            found = _by_key(step, found)
        step = replace(step, maintenance=found)
        if not step.needed or found.reason is not None:
            return step
        anew = self._anew(step)
        if anew is not None:
            return replace(step, anew=anew)
        known = self._affected(step)
        return replace(step, anew=known) if isinstance(known, str) else replace(step, affected=known)

    def _anew(self, step: BuildStep) -> str | None:
        relation = step.model.relation
        if relation in self._refresh:
            return "asked to be made anew"
        return stale(self._ledger, relation, step.fingerprint, step.moment, {})

    def _affected(self, step: BuildStep) -> int | str | None:
        """How many units what is committed can affect; why all of it will be made; None when nothing is committed."""
        inputs = positions(self._ledger, step.inputs)
        since = changes.moved(self._ledger.applied.get(step.model.relation, {}), inputs)
        if not since:
            return None
        logs = changes.logged(self._session, self._catalogue, since)
        if isinstance(logs, str):
            return logs
        changed: Collection[RelationName] = ()
        with suppress(UserError):  # a row it cannot cope with: the build will say so
            try:
                changed = changes.gather(self._session, self._catalogue, logs)
                return self._counted(step, changed) if changed else 0
            finally:
                changes.forget(self._session, since)
        return None

    def _counted(self, step: BuildStep, changed: Collection[RelationName]) -> int | str:
        session = self._session
        program = self._compiler.program(step.model, changed, session)
        if not isinstance(program, Program):
            return program
        for statement in program.prepare:
            session.execute(bind_parameters(statement, self._parameters))
        own = step.model.relation
        stored = limited.below(own) if program.above else own
        affected, _, total = session.query(maintain.affected(len(program.unit), stored)).rows[0]
        changes.drop(session, *program.temporary, AFFECTED)
        if total > SMALL and affected > delta.UNTOUCHED * total:
            return f"{affected:,} units may differ, and it has {total:,} rows"
        return int(affected)


def _by_key(step: BuildStep, found: Maintenance) -> Maintenance:
    """What is merged by key can only follow units that hold whole keys."""
    whole = {name.lower() for name in found.unit} <= {name.lower() for name in step.model.key}
    return found if whole else replace(found, reason="its units cut through its key")
