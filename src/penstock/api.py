"""The Python API: the same verbs as the command line, on a project in one environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.commands.backfill import backfill
from penstock.commands.check import check
from penstock.commands.contract import ContractHistory, Promise, contract_list, contract_show
from penstock.commands.drop import drop
from penstock.commands.export import export
from penstock.commands.history import history
from penstock.commands.land import land
from penstock.commands.plan import plan
from penstock.commands.quarantine import quarantine_list, quarantine_log, quarantine_show
from penstock.commands.quarantine_discard import quarantine_discard, quarantine_restore
from penstock.commands.quarantine_fix import quarantine_fix
from penstock.commands.quarantine_replay import quarantine_replay
from penstock.commands.query import query
from penstock.commands.rebuild import rebuild
from penstock.commands.report import report
from penstock.commands.run import run
from penstock.commands.show import show
from penstock.commands.status import RelationStatus, status
from penstock.commands.test import test
from penstock.commands.validate import Validation, validate
from penstock.commands.verify import verify
from penstock.domain.check_result import Checked
from penstock.domain.leftover import Dropped
from penstock.domain.plan import Plan
from penstock.domain.quality import QualityReport
from penstock.domain.quarantined import Decision, Discard, Fixed, Quarantined, QuarantinedRow
from penstock.domain.rows import Rows
from penstock.domain.run import RunReport
from penstock.domain.unit_test import UnitReport
from penstock.domain.verification import Verification
from penstock.ports import Emit

if TYPE_CHECKING:  # whoever runs needs no parser
    from penstock.commands.contract_diff import ContractDiff
    from penstock.commands.schema import SchemaReport


class Project:
    """A project's folder and an environment (None: the project's default).

    Every verb raises a PenstockError when it cannot begin; what goes wrong in a step is in the report it returns.
    `emit` is called with the run's events (penstock.domain.event) as they happen. `now` (UTC) sets the run's time.
    """

    def __init__(self, where: str | Path = ".", environment: str | None = None) -> None:
        self.where = Path(where)
        self.environment = environment

    @classmethod
    def init(cls, directory: str | Path, *, example: str | None = None) -> Project:
        """Make a new project that runs at once (an example: `shop`, `banking`) in a folder. Never overwrites a file."""
        from penstock.commands.init import init

        return cls(init(Path(directory), example=example).directory)

    def schema(self) -> SchemaReport:
        """Write the JSON Schemas of the project's YAML files to `.schema/`."""
        from penstock.commands.schema import schema

        return schema(self.where)

    def run(
        self,
        *,
        select: Sequence[str] = (),
        exclude: Sequence[str] = (),
        full_refresh: Sequence[str] = (),
        emit: Emit | None = None,
        wait: float = 0.0,
        now: datetime | None = None,
    ) -> RunReport:
        return run(
            self.where,
            environment=self.environment,
            select=select,
            exclude=exclude,
            full_refresh=full_refresh,
            emit=emit,
            wait=wait,
            now=now,
        )

    def land(
        self,
        *,
        select: Sequence[str] = (),
        exclude: Sequence[str] = (),
        emit: Emit | None = None,
        wait: float = 0.0,
        now: datetime | None = None,
    ) -> RunReport:
        return land(
            self.where, environment=self.environment, select=select, exclude=exclude, emit=emit, wait=wait, now=now
        )

    def plan(
        self,
        *,
        select: Sequence[str] = (),
        exclude: Sequence[str] = (),
        full_refresh: Sequence[str] = (),
        wait: float = 10.0,
    ) -> Plan:
        return plan(
            self.where,
            environment=self.environment,
            select=select,
            exclude=exclude,
            full_refresh=full_refresh,
            wait=wait,
        )

    def rebuild(self, *, emit: Emit | None = None, wait: float = 0.0, now: datetime | None = None) -> RunReport:
        return rebuild(self.where, environment=self.environment, emit=emit, wait=wait, now=now)

    def export(self, *names: str, emit: Emit | None = None, wait: float = 0.0) -> RunReport:
        return export(self.where, names, environment=self.environment, emit=emit, wait=wait)

    def backfill(
        self,
        *select: str,
        begin: str | datetime,
        end: str | datetime,
        column: str | None = None,
        grain: str | None = None,
        restart: bool = False,
        emit: Emit | None = None,
        wait: float = 0.0,
        now: datetime | None = None,
    ) -> RunReport:
        """Make rows whose time is at or after `begin` and before `end` (UTC unless they have a zone) anew."""
        return backfill(
            self.where,
            select,
            begin=begin,
            end=end,
            column=column,
            grain=grain,
            restart=restart,
            environment=self.environment,
            emit=emit,
            wait=wait,
            now=now,
        )

    def validate(self) -> Validation:
        return validate(self.where, environment=self.environment)

    def contract_list(self) -> tuple[Promise, ...]:
        return contract_list(self.where, environment=self.environment)

    def contract_show(self, relation: str) -> ContractHistory:
        return contract_show(self.where, relation, environment=self.environment)

    def contract_diff(self, against: str | None = None, *, now: datetime | None = None) -> ContractDiff:
        """`against`: a git revision, a folder with a project, a file that `contract list --json` wrote; None: what is
        published."""
        from penstock.commands.contract_diff import contract_diff

        return contract_diff(self.where, environment=self.environment, against=against, now=now)

    def test(
        self,
        *select: str,
        exclude: Sequence[str] = (),
        threads: int | None = None,
        emit: Emit | None = None,
    ) -> UnitReport:
        """Carry out the unit tests of what is selected (nothing given: all). `emit` gets each UnitResult."""
        return test(self.where, select, environment=self.environment, exclude=exclude, threads=threads, emit=emit)

    def status(self) -> tuple[RelationStatus, ...]:
        return status(self.where, environment=self.environment)

    def history(self, *, limit: int = 20, run: str | None = None) -> tuple[Mapping[str, Any], ...]:
        return history(self.where, environment=self.environment, limit=limit, run=run)

    def report(self, *, html: str | Path | None = None) -> QualityReport:
        """How the data stands after the last run; `html`: a file to write the page to."""
        return report(self.where, environment=self.environment, html=None if html is None else Path(html)).report

    def show(
        self, relation: str, *, limit: int | None = 20, at: str | int | datetime | None = None, wait: float = 10.0
    ) -> Rows:
        """`at`: as the relation was at that time (UTC unless it has a zone), or after the commit of that number."""
        return show(self.where, relation, environment=self.environment, limit=limit, at=at, wait=wait)

    def verify(self, *select: str, deep: bool = False, wait: float = 10.0, now: datetime | None = None) -> Verification:
        """Recompute what is selected (nothing given: everything) and compare it with what is stored."""
        return verify(self.where, select, environment=self.environment, deep=deep, wait=wait, now=now)

    def check(self, *select: str, wait: float = 10.0, now: datetime | None = None) -> Checked:
        """Evaluate the checks of what is selected (nothing given: of everything) over what is published."""
        return check(self.where, select, environment=self.environment, wait=wait, now=now)

    def quarantine_list(self, *select: str, wait: float = 10.0) -> tuple[Quarantined, ...]:
        """What is set apart of each relation, counted by reason."""
        return quarantine_list(self.where, select, environment=self.environment, wait=wait)

    def quarantine_show(
        self,
        relation: str,
        *,
        limit: int | None = None,
        reason: str | None = None,
        discarded_too: bool = False,
        wait: float = 10.0,
    ) -> tuple[QuarantinedRow, ...]:
        """Rows set apart of a relation, values of pii columns replaced. `reason`: text that a reason has in it."""
        return quarantine_show(
            self.where,
            relation,
            environment=self.environment,
            limit=limit,
            reason=reason,
            discarded_too=discarded_too,
            wait=wait,
        )

    def quarantine_fix(
        self,
        relation: str,
        row: str,
        changes: Mapping[str, str | None],
        *,
        why: str,
        by: str | None = None,
        wait: float = 0.0,
        now: datetime | None = None,
    ) -> Fixed:
        """Land a correction of one row; values as the source would send them, None: NULL. The next run loads it."""
        return quarantine_fix(
            self.where, relation, row, changes, environment=self.environment, why=why, by=by, wait=wait, now=now
        )

    def quarantine_discard(
        self,
        relation: str,
        *rows: str,
        why: str,
        by: str | None = None,
        wait: float = 0.0,
        now: datetime | None = None,
    ) -> Discard:
        """Show and count these rows no more. Nothing is removed."""
        return quarantine_discard(
            self.where, relation, rows, environment=self.environment, why=why, by=by, wait=wait, now=now
        )

    def quarantine_restore(
        self,
        relation: str,
        *rows: str,
        why: str,
        by: str | None = None,
        wait: float = 0.0,
        now: datetime | None = None,
    ) -> Discard:
        """Undo a discard: show and count these rows again."""
        return quarantine_restore(
            self.where, relation, rows, environment=self.environment, why=why, by=by, wait=wait, now=now
        )

    def quarantine_replay(
        self,
        relation: str | None = None,
        *,
        emit: Emit | None = None,
        wait: float = 0.0,
        now: datetime | None = None,
    ) -> RunReport:
        """Judge again what is set apart, and load corrections. Sources are not asked."""
        return quarantine_replay(self.where, relation, environment=self.environment, emit=emit, wait=wait, now=now)

    def quarantine_log(self, relation: str | None = None, *, wait: float = 10.0) -> tuple[Decision, ...]:
        """Every fix, discard and restore, with who, when and why, and every row that has left by itself."""
        return quarantine_log(self.where, relation, environment=self.environment, wait=wait)

    def drop(self, *relations: str, everything: bool = False, wait: float = 0.0) -> Dropped:
        """Drop relations that are in the warehouse and not in the project any more: those named, or `everything` of the
        kind; with neither, only say what there is."""
        return drop(self.where, relations, everything=everything, environment=self.environment, wait=wait)

    def query(self, sql: str, *, limit: int | None = None, wait: float = 10.0) -> Rows:
        """Unlike on the command line, all rows are given unless `limit` says otherwise."""
        return query(self.where, sql, environment=self.environment, limit=limit, wait=wait)
