"""Checks evaluated by a session: in a transaction that is about to commit, or on demand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from penstock.checks.compile import SUSPECTS, Wanted, compiled, looks_back, measured, samples, unfit, values
from penstock.checks.kind import CodeKind, Subject, TableKind, named
from penstock.checks.verdict import masked, verdict
from penstock.domain.check import Check
from penstock.domain.check_result import CheckOutcome, CheckResult
from penstock.domain.model import Model
from penstock.domain.project import Parameter
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.errors import DataError, PenstockError, UserError
from penstock.executor.ledger import either_way
from penstock.ports import Session
from penstock.record import record
from penstock.sql.render import bind_parameters

SAMPLES = 5
"""Rows that are shown of those that fail a check."""
REMEMBERED = 50
"""Earlier runs of which the figures of a check are looked at, at most, …"""
DAYS = 100
"""… and how many days back the last figure of each is."""
PRIVATE = "pii"
"""A relation with this tag shows no value at all."""


@record
class Checkable:
    """A relation with its checks. `key` tells its rows apart; `private` are columns whose values are not shown, None:
    all of them. `owner` answers for it."""

    relation: RelationName
    checks: tuple[Check, ...]
    key: tuple[str, ...]
    private: tuple[str, ...] | None
    owner: str | None = None

    @classmethod
    def of(cls, what: Model | SourceTable) -> Checkable:
        private = None if PRIVATE in map(str.lower, what.tags) else what.pii
        return cls(what.relation, what.checks, what.key, private, what.owner)


def evaluate(
    session: Session, what: Checkable, subject: Subject, parameters: Mapping[str, Parameter], root: Path
) -> tuple[CheckResult, ...]:
    """What comes of all checks of a relation. `root`: the project's folder, where its Python files are. Raises
    DataError CHECK_INVALID when one cannot be evaluated."""
    checks = [_bound(check, parameters) for check in what.checks]
    for check in checks:
        if (why := unfit(check, subject)) is not None:
            raise DataError(
                f"{what.relation}: the check {check.name} cannot be evaluated: {why}",
                code="CHECK_INVALID",
                location=check.location,
                hint="cast the column in the SELECT, or declare its type at the source",
            )
    try:
        program = compiled(checks, subject)
        figures = [session.query(each.sql).rows[0] for each in program.passes]
    except KeyError as error:
        raise no_column(what, subject, str(error.args[0])) from None
    except (UserError, DataError) as error:
        raise invalid(what, what.checks, error) from error
    return tuple(
        _called(session, what, wanted, root)
        if isinstance(wanted.kind, CodeKind)
        else _judged(session, what, wanted, figures)
        for wanted in program.wanted
    )


def _called(session: Session, what: Checkable, wanted: Wanted, root: Path) -> CheckResult:
    from penstock.executor.python_check import failing

    rows, found, shown = failing(wanted.check, wanted.subject, root, session, SAMPLES)
    result = replace(verdict(wanted, {"rows": rows}, found), owner=what.owner)
    if result.outcome is CheckOutcome.PASSED:
        return result
    return replace(result, samples=masked(shown, _key(what, wanted), wanted.check, _private(what, wanted, shown)))


def _is_told(what: Checkable, wanted: Wanted) -> bool:
    """Whether what a check of the table says and keeps is a value out of a private column."""
    kind, check = wanted.kind, wanted.check
    if not isinstance(kind, TableKind) or not kind.tells(check):
        return False
    hidden = None if what.private is None else {name.lower() for name in what.private}
    return hidden is None or any(name.lower() in hidden for name in check.columns)


def _key(what: Checkable, wanted: Wanted) -> Sequence[str]:
    """Of rows that somebody's own code gives all columns are shown, unless it names some."""
    own = isinstance(wanted.kind, CodeKind) or wanted.check.sql
    return () if own and not wanted.check.columns else what.key


def _private(what: Checkable, wanted: Wanted, shown: Sequence[Mapping[str, Any]]) -> Sequence[str] | None:
    """What must not be shown. What a SELECT or a function of somebody's own gives may come from a private column, under
    whatever name: then only the relation's own columns are shown."""
    if not what.private or (not isinstance(wanted.kind, CodeKind) and not wanted.check.sql):
        return what.private
    own = {column.name.lower() for column in wanted.subject.columns}
    return [*what.private, *(name for row in shown[:1] for name in row if name.lower() not in own)]


def _bound(check: Check, parameters: Mapping[str, Parameter]) -> Check:
    return replace(check, sql=bind_parameters(check.sql, parameters)) if "$" in check.sql else check


def _judged(session: Session, what: Checkable, wanted: Wanted, figures: Sequence[Sequence[Any]]) -> CheckResult:
    found = values(wanted, figures)
    try:
        failing = found.get("failing", 0)
        if wanted.select is not None and found.get(SUSPECTS) != 0:
            failing = session.query(wanted.select).rows[0][0]
        result = table_result(what, wanted, found, failing)
        if result.outcome is CheckOutcome.PASSED:
            return result
        select = samples(wanted, SAMPLES)
        rows = session.query(select) if select else None
    except (UserError, DataError) as error:
        raise invalid(what, (wanted.check,), error) from error
    if rows is None:
        return result
    shown = [dict(zip((c.name for c in rows.columns), row, strict=True)) for row in rows.rows]
    if isinstance(wanted.kind, TableKind):
        return replace(result, samples=() if _is_told(what, wanted) else tuple(shown))
    return replace(result, samples=masked(shown, _key(what, wanted), wanted.check, _private(what, wanted, shown)))


def table_result(what: Checkable, wanted: Wanted, found: Mapping[str, Any], failing: int | None = None) -> CheckResult:
    """What comes of the figures of a check; what they tell of a private column is not shown."""
    result = replace(verdict(wanted, found, failing), owner=what.owner)
    if _is_told(what, wanted):
        message = f"{wanted.check.kind} of {', '.join(wanted.check.columns)}: the values are private and not shown"
        return replace(result, message=message, values={})
    return result


def no_column(what: Checkable, subject: Subject, name: str) -> DataError:
    check = next(each for each in what.checks if name in named(each))
    return DataError(
        f"{what.relation}: the check {check.name} names the column {name!r}, which is not there",
        code="CHECK_INVALID",
        location=check.location,
        hint=f"columns: {', '.join(column.name for column in subject.columns)}",
    )


def invalid(what: Checkable, checks: Sequence[Check], error: PenstockError) -> DataError:
    """The engine does not say which of the expressions of a statement it is: those that people write come first."""
    written = [each for each in checks if each.where or each.sql or "expression" in each.options]
    suspects = written or list(checks)
    names = ", ".join(each.name for each in suspects)
    which = f"the check {names}" if len(suspects) == 1 else f"one of the checks {names}"
    told = error.problem.message
    if what.private is None or what.private:  # the engine quotes the value it stumbled over
        told = told.partition(":")[0]
    return DataError(
        f"{what.relation}: {which} cannot be evaluated: {told}",
        code="CHECK_INVALID",
        location=suspects[0].location,
        hint="write it so that no row makes it fail: TRY_CAST instead of CAST, `where` to leave rows out",
    )


# What was measured before

TABLE = '"_penstock"."measures"'


_PAST = (
    "WITH runs AS (SELECT name, figures, measured_at FROM {table} WHERE relation = ? AND run IS DISTINCT FROM ? "
    "QUALIFY row_number() OVER (PARTITION BY name, run ORDER BY measured_at DESC, rowid DESC) = 1) "
    "SELECT name, figures, measured_at FROM runs QUALIFY "
    "row_number() OVER (PARTITION BY name ORDER BY measured_at DESC) <= ? OR (measured_at > CAST(? AS TIMESTAMP) "
    "AND row_number() OVER (PARTITION BY name, CAST(measured_at AS DATE) ORDER BY measured_at DESC) = 1) "
    "ORDER BY measured_at DESC"
)


_FEW = 4 * (REMEMBERED + DAYS)
"""Figures of one check that may lie about before those that nobody looks at are taken away."""
_OLD = (
    "WITH runs AS (SELECT rowid AS place, relation, name, measured_at FROM {table} "
    "QUALIFY row_number() OVER (PARTITION BY relation, name, run ORDER BY measured_at DESC, rowid DESC) = 1), "
    "kept AS (SELECT place FROM runs QUALIFY "
    "row_number() OVER (PARTITION BY relation, name ORDER BY measured_at DESC) <= ? "
    "OR (measured_at > CAST(? AS TIMESTAMP) AND row_number() OVER "
    "(PARTITION BY relation, name, CAST(measured_at AS DATE) ORDER BY measured_at DESC) = 1)) "
    "DELETE FROM {table} WHERE rowid NOT IN (SELECT place FROM kept)"
)


def prune(session: Session, now: datetime) -> bool:
    """Take away figures that no check looks at any more, once there are many of one. `now`: UTC. Gives whether there
    were any."""
    if session.query(f"SELECT count(*) FROM {TABLE}").rows[0][0] <= _FEW:
        return False
    many = f"SELECT 1 FROM {TABLE} GROUP BY relation, name HAVING count(*) > ? LIMIT 1"
    if not session.query(many, (_FEW,)).rows:
        return False
    since = (now.replace(tzinfo=None) - timedelta(days=DAYS)).isoformat(sep=" ")
    with either_way(session):
        session.execute(_OLD.format(table=TABLE), (REMEMBERED + 1, since))
    return True


def past(
    session: Session, what: Checkable, now: datetime, *, but: str | None = None
) -> dict[str, list[Mapping[str, Any]]]:
    """The figures of each check when the relation was published before, the newest first, one of each run: without
    those of the run `but`, those of a marked incident, and those of a check that measured something else then."""
    wanted = {check.name: (measured(check), check.incidents) for check in what.checks if looks_back(check)}
    if not wanted:
        return {}
    since = (now - timedelta(days=DAYS)).isoformat(sep=" ")
    rows = session.query(_PAST.format(table=TABLE), (str(what.relation), but, REMEMBERED, since)).rows
    found: dict[str, list[Mapping[str, Any]]] = {}
    for name, text, at in rows:
        of, incidents = wanted.get(name, ("", ()))
        figures = json.loads(text)
        if figures.get("of") == of and not any(incident.covers(at) for incident in incidents):
            found.setdefault(name, []).append({**figures, "at": at})
    return found


def remember(session: Session, what: Checkable, results: Sequence[CheckResult], run: str, now: datetime) -> None:
    """Keep the figures of a relation that is about to be published. `now`: UTC, without a zone."""
    kept = {check.name: measured(check) for check in what.checks if looks_back(check)}
    for result in results:
        if result.name in kept:
            figures = {name: value for name, value in result.values.items() if value is not None}
            text = json.dumps({**figures, "of": kept[result.name]})
            session.execute(
                f"INSERT INTO {TABLE} (relation, name, figures, run, measured_at) VALUES (?, ?, ?, ?, ?)",
                (str(what.relation), result.name, text, run, now),
            )
