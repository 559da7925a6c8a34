"""What every step of a run has at hand, and what a step gives back."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping, Set
from dataclasses import field
from datetime import datetime
from pathlib import Path

from penstock.domain.check_result import CheckResult
from penstock.domain.ledger import Ledger
from penstock.domain.model import Model
from penstock.domain.project import Parameter
from penstock.domain.relation import RelationName
from penstock.domain.run import Status
from penstock.embedded.contracts import ContractFile
from penstock.embedded.interruption import Interruption
from penstock.errors import InternalError
from penstock.executor.catalogue import Catalogue
from penstock.executor.compiled import Compiler, folder
from penstock.executor.ledger import Committer
from penstock.executor.together import Again, GroupCommitter
from penstock.executor.turn import Turn
from penstock.planner.reach import Reach
from penstock.ports import Landing, Session, Warehouse
from penstock.record import record


@record
class Outcome:
    """How a step ended when it did not fail. The fields mean what they mean in StepResult."""

    status: Status
    reason: str
    rows: int | None = None
    commit: int | None = None
    accounting: Mapping[str, int] = field(default_factory=dict)
    output: str | None = None
    mode: str | None = None
    checks: tuple[CheckResult, ...] = ()


def unchanged(reason: str, rows: int | None = None) -> Outcome:
    return Outcome(Status.UNCHANGED, reason, rows)


class Work:
    """One run's belongings. Sessions are made per worker thread and kept until the run ends.

    `started`: the run's time, which all that it lands bears, also past midnight; `now` is the clock.
    `command` and `wait`: who asks for the landing's lock, and how long (s).
    `refresh`: models to make anew; `bound`: models whose output columns were checked before the run.
    `reach`: what each model of the project depends on; `unlogged`: relations that keep no change log.
    `contracts`: the registry of what was held.
    `compilers`: who makes maintenance programs, where it is not the one of the project.
    `warehouse` and `committer` are absent when a run only lands: ingestion needs no warehouse.
    """

    def __init__(
        self,
        *,
        run: str,
        root: Path,
        home: Path,
        landing: Landing,
        roots: Mapping[str, Path],
        parameters: Mapping[str, Parameter],
        ledger: Ledger,
        now: Callable[[], datetime],
        started: datetime | None = None,
        warehouse: Warehouse | None = None,
        committer: Committer | None = None,
        wait: float = 0.0,
        command: str = "penstock",
        refresh: frozenset[RelationName] = frozenset(),
        bound: frozenset[RelationName] = frozenset(),
        reach: Reach | None = None,
        unlogged: frozenset[RelationName] = frozenset(),
        compilers: Callable[[Reach, Catalogue], Compiler] | None = None,
    ) -> None:
        self.run = run
        self.command = command
        self.root = root
        self.home = home
        self.landing = landing
        self.roots = roots
        self.parameters = parameters
        self.ledger = ledger
        self.now = now
        self.started = started or now()
        self.landing_turn = Turn(lambda: landing.lock(command, wait))
        self.interruption = Interruption()
        self.refresh = refresh
        self.bound = bound
        self.catalogue = Catalogue()
        self.contracts = ContractFile(home)
        self._reach = reach
        self._unlogged = unlogged
        self._compilers = compilers or (lambda reach, catalogue: Compiler(folder(root), reach, catalogue))
        self._compiler: Compiler | None = None
        self._warehouse = warehouse
        self._committer = committer
        self._local = threading.local()
        self._inside: GroupCommitter | None = None
        self._given_up: Mapping[tuple[RelationName, str], str] = {}
        self._later: list[Callable[[], None]] = []

    def within(self, committer: GroupCommitter, given_up: Mapping[tuple[RelationName, str], str]) -> Work:
        """The same for steps inside of one transaction, which see what those before them have not committed yet.
        `given_up`: attempts that have failed in it and are not to be made again, each with why."""
        inner = copy.copy(self)
        inner._committer = inner._inside = committer
        inner._given_up = given_up
        inner._later = []
        inner.catalogue = self.catalogue.beside()
        inner._compiler = self.compiler.over(inner.catalogue)
        return inner

    @property
    def is_inside(self) -> bool:
        """Whether the transaction of this step is open already, and is not its own."""
        return self._inside is not None

    def once_committed(self, then: Callable[[], None]) -> None:
        """What is done outside of the warehouse about a step that has ended well: at once, or when the transaction that
        it is in has committed."""
        if self._inside is None:
            then()
        else:
            self._later.append(then)

    def take_later(self) -> list[Callable[[], None]]:
        """What has been put off since this was asked last."""
        found, self._later = self._later, []
        return found

    @property
    def uncommitted(self) -> Set[RelationName]:
        """What steps before this one have changed in the same transaction: other sessions do not see it yet."""
        return self._inside.inside if self._inside else frozenset()

    def unseen(self, model: Model) -> frozenset[RelationName]:
        """Which of the relations that a model reads another session would not see as they are here."""
        if not self.uncommitted:
            return frozenset()
        behind = {*model.reads, *self.reach.inputs(model), *self.reach.views(model)}
        return frozenset() if self.uncommitted.isdisjoint(behind) else frozenset(model.reads)

    def given_up(self, relation: RelationName, attempt: str) -> str | None:
        """Why something that a step may try is not to be tried for this relation, None where it is."""
        return self._given_up.get((relation, attempt))

    def give_up(self, relation: RelationName, attempt: str, why: str) -> None:
        """A statement has failed that the step can do without. Alone, it goes on; in one transaction with others it
        cannot: raises Again."""
        if self._inside is not None:
            raise Again(relation, attempt, why)

    @property
    def committer(self) -> Committer:
        if self._committer is None:
            raise InternalError("a step needs the ledger and the run has none", code="NO_LEDGER")
        return self._committer

    def is_logged(self, relation: RelationName) -> bool:
        """Whether the relation keeps a change log."""
        return relation not in self._unlogged

    @property
    def reach(self) -> Reach:
        """What each model of the project depends on."""
        if self._reach is None:
            raise InternalError("a step needs to know the project and the run does not", code="BUG")
        return self._reach

    @property
    def compiler(self) -> Compiler:
        if self._compiler is None:
            self._compiler = self._compilers(self.reach, self.catalogue)
        return self._compiler

    @property
    def warehouse(self) -> Warehouse:
        if self._warehouse is None:
            raise InternalError("a step needs the warehouse and the run has none", code="NO_WAREHOUSE")
        return self._warehouse

    @property
    def session(self) -> Session:
        """This thread's session."""
        session: Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self.warehouse.session()
        return session

    def interrupt(self) -> None:
        self.interruption.interrupt()
        if self._warehouse is not None:
            self._warehouse.interrupt()
