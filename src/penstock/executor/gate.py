"""The gate: what must hold before a commit is visible.

It is asked in the open transaction, when the relation's new content is in place: row checks of the rows that came,
table checks of the table as it would be. A check that fails takes the transaction back, and readers go on seeing what
was published before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from penstock.checks.kind import Subject
from penstock.domain.check import Check
from penstock.domain.check_result import CheckOutcome, CheckResult
from penstock.domain.model import Model
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.errors import ChecksFailed, Problem
from penstock.executor import checking
from penstock.executor.checking import Checkable
from penstock.executor.contracting import hold
from penstock.executor.work import Work
from penstock.failpoint import reach
from penstock.planner import gates
from penstock.planner.plan import positions
from penstock.ports import Session
from penstock.quoting import qualified

GATES = '"_penstock"."gates"'


def gate(
    what: Model | SourceTable, work: Work, session: Session, *, came: str | None = None
) -> tuple[CheckResult, ...]:
    """Evaluate the checks of a relation that is about to be committed. `came`: a FROM item with its new rows, None when
    all of them are. Raises ChecksFailed when one fails, DataError when a contract is broken."""
    hold(what, work, session)
    checks = gates.asked(what.checks)
    if not checks:
        return ()
    reach("gate.before")
    of = replace(Checkable.of(what), checks=checks)
    table = qualified(what.relation.layer, what.relation.name)
    known, seen = gates.fingerprint(checks), referred(what, work)
    judged = session.query(f"SELECT fingerprint FROM {GATES} WHERE relation = ?", (str(of.relation),)).rows
    before = judged[0][0] if judged else ""
    if before.partition(" ")[0] != known:  # they have not been asked of the rows that are there, or do not hold
        came = None
    subject = Subject(
        relation=of.relation,
        rows=came or table,
        table=table,
        columns=session.describe(f"SELECT * FROM {table}"),
        now=naive(work.started),
        past=_past(what, of, work, session),
        moved=_moved(checks, work, gates.moved(before, seen)),
    )
    results = checking.evaluate(session, of, subject, work.parameters, work.root)
    failed = [result for result in results if result.outcome is CheckOutcome.FAILED]
    if failed:
        raise ChecksFailed([problem(result) for result in failed], results)
    checking.remember(session, of, results, work.run, naive(work.started))
    kept = gates.stamp(known, seen)
    if any(map(_tells_of_rows, results)):
        kept = f"{gates.SOME_FAIL} {kept}"
    if before != kept:
        session.execute(f"DELETE FROM {GATES} WHERE relation = ?", (str(of.relation),))
        session.execute(f"INSERT INTO {GATES} VALUES (?, ?)", (str(of.relation), kept))
    reach("gate.passed")
    return results


def referred(what: Model | SourceTable, work: Work) -> dict[RelationName, int]:
    """The last commit of each relation that the checks of this one look at beside it."""
    return positions(work.ledger, gates.referred(what, work.reach), work.committer.numbers)


def _moved(checks: Sequence[Check], work: Work, changed: Collection[RelationName]) -> frozenset[str]:
    """The checks that look at one of the relations that changed."""
    return frozenset(
        check.name
        for check in checks
        if changed and any(set(work.reach.stored(n)) & set(changed) for n in check.refers)
    )


def _tells_of_rows(result: CheckResult) -> bool:
    """Whether rows that fail are published all the same: until none is left all rows have to be judged, or the check
    would seem to hold as soon as some come that do not fail."""
    return result.outcome is CheckOutcome.WARNED and bool(result.failing)


def _past(
    what: Model | SourceTable, of: Checkable, work: Work, session: Session
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Where a number of rows was not measured yet, the ledger knows it."""
    found: dict[str, Sequence[Mapping[str, Any]]] = dict(checking.past(session, of, naive(work.started), but=work.run))
    commit = work.ledger.commits.get(what.relation)
    if isinstance(what, Model) and commit is not None and commit.rows is not None:
        for check in what.checks:
            if check.kind == "row_count" and check.where is None and not check.incidents:
                found.setdefault(check.name, [{"rows": commit.rows}])
    return found


def naive(moment: datetime) -> datetime:
    """In UTC, without saying so, as times are in a warehouse."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def problem(result: CheckResult) -> Problem:
    """A check that failed, with what there is to show."""
    shown = "; ".join(", ".join(f"{name} = {_text(value)}" for name, value in row.items()) for row in result.samples)
    owner = f" (owner: {result.owner})" if result.owner else ""
    return Problem(
        "CHECK_FAILED",
        f"{result.relation}{owner}: {result.name}: {result.message}" + (f": {shown}" if shown else ""),
        result.location,
        "what was published stays as it was; correct the data or the model, or change the check",
    )


def _text(value: Any) -> str:
    text = "NULL" if value is None else str(value)
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= 60 else f"{text[:57]}…"
