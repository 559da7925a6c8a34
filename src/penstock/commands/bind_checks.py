"""Checks are prepared against empty tables too: an unknown column, a pattern that does not compile, a bound that is no
value of its column's type are told with file and line before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from penstock.checks.compile import compiled, unfit
from penstock.checks.kind import Subject, named
from penstock.commands.workspace import Workspace, utc_now
from penstock.domain.check import Check
from penstock.domain.model import Model
from penstock.domain.relation import Column, RelationName
from penstock.domain.source import SourceTable
from penstock.errors import Location, PenstockError, Problem, UserError
from penstock.ports import Session
from penstock.project.problems import did_you_mean
from penstock.quoting import qualified
from penstock.sql.render import bind_parameters

Columns = Mapping[RelationName, Sequence[Column]]


def problems(space: Workspace, columns: Columns, session: Session) -> Iterator[Problem]:
    """What is wrong with the checks of relations whose `columns` are known, and which are there as empty tables."""
    relations: tuple[Model | SourceTable, ...] = (*space.project.tables, *space.project.models)
    for what in relations:
        if what.checks and what.relation in columns:
            yield from _of(space, what, columns, session)


def _of(space: Workspace, what: Model | SourceTable, columns: Columns, session: Session) -> Iterator[Problem]:
    now = utc_now()
    # A row of NULLs: of no row at all nothing is computed, not even a constant that does not cast.
    table = f"(SELECT t.* FROM (SELECT 1) LEFT JOIN {qualified(what.relation.layer, what.relation.name)} AS t ON true)"
    subject = Subject(what.relation, table, table, columns[what.relation], now.replace(tzinfo=None))
    parameters = space.parameters(now)
    checks = [
        replace(each, sql=bind_parameters(each.sql, parameters)) if "$" in each.sql else each
        for each in what.checks
        if all(name in columns for name in each.refers)
    ]
    if isinstance(what, SourceTable):
        checks = [each for each in checks if _stands(each, subject)]
    if any(_unfit(check, subject) for check in checks) or (checks and _wrong(checks, subject, session)):
        for check in checks:
            found = _elsewhere(check, subject, columns) or _unfit(check, subject) or _wrong([check], subject, session)
            if found:
                yield found


def _stands(check: Check, subject: Subject) -> bool:
    """Whether a check of a source table is about columns that have been landed. One that has not may come with the next
    batch, which nothing must keep from being landed."""
    there = {column.name.lower() for column in subject.columns}
    return not (check.where or check.sql or check.kind == "expression") and there >= set(map(str.lower, named(check)))


def _elsewhere(check: Check, subject: Subject, columns: Columns) -> Problem | None:
    """A column that the relation does not have which a check compares with."""
    for relation in check.refers if "field" in check.options else ():
        there = [column.name for column in columns[relation]]
        for name in check.options["field"] or check.columns:
            if name.lower() not in map(str.lower, there):
                message = f"{subject.relation}: the check {check.name} names the column {name!r} of {relation}, "
                hint = did_you_mean(name, there, f"columns: {', '.join(there)}")
                return Problem("UNKNOWN_COLUMN", f"{message}which is not there", check.location, hint)
    return None


def _unfit(check: Check, subject: Subject) -> Problem | None:
    """A column of a type that the check has no use for."""
    why = unfit(check, subject)
    if why is None:
        return None
    message = f"{subject.relation}: the check {check.name} cannot be evaluated: {why}"
    return Problem("CHECK_OPTION", message, check.location, "cast the column in the SELECT, or declare its type")


def _conditions(checks: Sequence[Check], subject: Subject, session: Session) -> None:
    """Raises UserError for a condition that is neither true nor false: a number would be taken for one in silence."""
    written = [
        (name, sql)
        for check in checks
        for name, sql in (("where", check.where), ("expression", check.options.get("expression")))
        if sql
    ]
    if not written:
        return
    listed = ", ".join(f"(\n{sql}\n) AS c{number}" for number, (_, sql) in enumerate(written))
    for (name, _), found in zip(written, session.describe(f"SELECT {listed} FROM {subject.rows}"), strict=True):
        if found.type not in ("BOOLEAN", '"NULL"', "NULL"):
            hint = "compare it with something"
            raise UserError(f"{name} gives {found.type}, expected true or false", code="CHECK_OPTION", hint=hint)


def _wrong(checks: Sequence[Check], subject: Subject, session: Session) -> Problem | None:
    """What is wrong with `checks`, told of the first of them: whoever wants to know which it is asks for each alone."""
    first = checks[0]
    try:
        _conditions(checks, subject, session)
        for each in checks:
            if each.sql:
                session.describe(each.sql)
        program = compiled(checks, subject)
        for statement in (*(each.sql for each in program.passes), *(each.select for each in program.wanted)):
            if statement is not None:
                session.query(statement)
    except KeyError as error:
        return Problem(
            "UNKNOWN_COLUMN",
            f"{subject.relation}: the check {first.name} names the column {str(error.args[0])!r}, which is not there",
            first.location,
            f"columns: {', '.join(column.name for column in subject.columns)}",
        )
    except PenstockError as error:
        told = error.locate(Location(first.location.path, first.line)).problem if first.sql else error.problem
        return Problem(
            "CHECK_OPTION",
            f"{subject.relation}: the check {first.name} cannot be evaluated: {told.message}",
            (told.location if first.sql else None) or first.location,
            told.hint if told.code == "CHECK_OPTION" and told.hint else "correct the check, or the type of its column",
        )
    return None
