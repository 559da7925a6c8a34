"""validate: everything that can be checked without running anything."""

from __future__ import annotations

from pathlib import Path

from penstock.commands.bind import attempt
from penstock.commands.deprecated import deprecations
from penstock.commands.test import planned
from penstock.commands.workspace import open_workspace, utc_now
from penstock.domain.relation import Column
from penstock.errors import ProjectError
from penstock.project.problems import Problems
from penstock.record import record


@record
class Validation:
    """What was checked. `columns` are the output columns of each relation that could be worked out; `notes` say what
    could not be checked, and why, and what should not be read any more."""

    models: int
    tables: int
    exports: int
    columns: dict[str, tuple[Column, ...]]
    notes: tuple[str, ...]
    tests: int = 0


def validate(where: Path, *, environment: str | None = None) -> Validation:
    """Check files, references, layers, SQL, columns and types. Raises ProjectError with every problem at once."""
    space = open_workspace(where, environment)
    bound = attempt(space)
    problems = Problems()
    problems.extend(bound.problems)
    tests: tuple[object, ...] = ()
    try:
        tests = planned(space)
    except ProjectError as error:
        problems.take(error)
    problems.stop()
    project = space.project
    return Validation(
        len(project.models),
        sum(1 for _ in project.tables),
        len(project.exports),
        {str(name): columns for name, columns in bound.columns.items()},
        (*bound.notes, *deprecations(project, utc_now().date())),
        len(tests),
    )
