"""From the figures of a check to what came of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.checks.compile import Wanted
from penstock.checks.kind import Judgement, TableKind
from penstock.checks.values import percent, shown
from penstock.domain.check import Check, Tolerance
from penstock.domain.check_result import CheckOutcome, CheckResult


def verdict(wanted: Wanted, values: Mapping[str, Any], failing: int | None) -> CheckResult:
    """`failing`: how many rows fail, of a check of rows."""
    check, kind = wanted.check, wanted.kind
    rows = values.get("rows")
    if isinstance(kind, TableKind):
        judged = kind.judge(check, wanted.subject, values)
        rows = failing = None
    else:
        judged = _of_rows(check, kind.says(check), failing or 0, rows)
    return CheckResult(
        relation=wanted.subject.relation,
        name=check.name,
        kind=check.kind,
        dimension=check.dimension,
        on_fail=check.on_fail,
        outcome=_outcome(check, judged),
        message=judged.message,
        location=check.location,
        scope="came" if wanted.subject.rows != wanted.subject.table else "all",
        rows=rows,
        failing=failing,
        values=dict(values) if isinstance(kind, TableKind) else {},
    )


def _of_rows(check: Check, says: str, failing: int, rows: int | None) -> Judgement:
    of = "" if rows is None else f" of {shown(rows)}"
    if check.tolerance.holds(failing, rows or 0):
        return Judgement(True, f"{shown(failing)}{of} rows fail, which is allowed" if failing else "no row fails")
    most = "" if check.tolerance.is_none else f", at most {allowed(check.tolerance)} may"
    row = "row" if (failing if rows is None else rows) == 1 else "rows"
    fail = "fails" if failing == 1 else "fail"
    return Judgement(False, f"expected {says}: {shown(failing)}{of} {row} {fail}{most}")


def allowed(tolerance: Tolerance) -> str:
    return percent(tolerance.share) if tolerance.share is not None else shown(tolerance.rows or 0)


def _outcome(check: Check, judged: Judgement) -> CheckOutcome:
    if judged.holds:
        return CheckOutcome.PASSED
    return CheckOutcome.WARNED if check.on_fail == "warn" or judged.severity == "warn" else CheckOutcome.FAILED


def masked(
    rows: Sequence[Mapping[str, Any]], key: Sequence[str], check: Check, private: Sequence[str] | None
) -> tuple[Mapping[str, Any], ...]:
    """The columns of sample rows that tell them apart and that the check is about; all of them where neither is said.
    Values of `private` columns are not shown; None: all are private."""
    hidden = None if private is None else {name.lower() for name in private}
    wanted = {name.lower() for name in (*key, *check.columns)}
    shown_rows = []
    for row in rows:
        names = [name for name in row if name.lower() in wanted] if wanted & {n.lower() for n in row} else list(row)
        hide = {name for name in names if hidden is None or name.lower() in hidden}
        shown_rows.append({name: "***" if name in hide and row[name] is not None else row[name] for name in names})
    return tuple(shown_rows)
