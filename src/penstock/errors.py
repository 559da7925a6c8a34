"""Every error Penstock raises.

    PenstockError
    ├── UserError      exit 2   the project, its SQL or the command line is wrong; a person edits something
    │   ├── ProjectError        one or more problems found while loading a project, each with file and line
    │   └── UsageError          a command was called in a way that cannot work
    ├── DataError      exit 3   the data is not what was declared; nothing was published
    │   └── ChecksFailed        checks that must hold before a commit is visible do not
    ├── DriverError    exit 4   something outside failed (disk, database, files); `transient`: a retry can help
    │   └── Locked              another process holds the warehouse or the landing
    ├── StateError     exit 5   ledger, landing and state store disagree
    ├── Cancelled      exit 130 a person or a signal stopped the run
    └── InternalError  exit 70  a bug in Penstock

The class says *who acts*, `transient` says *whether trying again can help*. Every raise names a stable `code`
(listed in docs/errors.md), a message with what was expected and what was found, where it was found, and a hint
with the fix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from penstock.record import record


@record
class Location:
    """A place in a file of the project. `path` is relative to the project; `line` and `column` count from 1."""

    path: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        parts = [self.path]
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        return ":".join(parts)


@record
class Problem:
    """One thing that is wrong: a stable code, what was expected and found, where, and how to fix it."""

    code: str
    message: str
    location: Location | None = None
    hint: str | None = None

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        hint = f"\n    fix: {self.hint}" if self.hint else ""
        return f"{where}{self.message} [{self.code}]{hint}"


class PenstockError(Exception):
    """The root. `exit_code` is what the command line returns; `transient` says whether a retry can help."""

    exit_code = 70
    transient = False
    sql_line: int | None = None
    """The line of the statement an engine pointed at, from 1, until someone who knows its file says where that is."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        location: Location | None = None,
        hint: str | None = None,
        transient: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.problem = Problem(code, message, location, hint)
        if transient is not None:
            self.transient = transient

    @property
    def code(self) -> str:
        return self.problem.code

    @property
    def problems(self) -> tuple[Problem, ...]:
        return (self.problem,)

    def locate(self, location: Location) -> Self:
        """Say where the failed SQL begins, unless the error knows a place already. Gives the error itself."""
        if self.problem.location is None:
            line = (location.line or 1) + (self.sql_line or 1) - 1
            place = Location(location.path, line if self.sql_line or location.line else None)
            self.problem = replace(self.problem, location=place)
        return self

    def __str__(self) -> str:
        return str(self.problem)


class UserError(PenstockError):
    exit_code = 2


class UsageError(UserError):
    pass


class ProjectError(UserError):
    """All problems of a project at once, so that a person fixes them in one go. `sound` is the project without what
    has problems, when there is one: more can be found out about that part."""

    def __init__(self, problems: Sequence[Problem], sound: object = None) -> None:
        if not problems:
            raise ValueError("a ProjectError needs at least one problem")
        first = problems[0]
        super().__init__(first.message, code=first.code, location=first.location, hint=first.hint)
        self._problems = tuple(problems)
        self.sound = sound

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._problems

    def __str__(self) -> str:
        count = len(self._problems)
        head = "1 problem in the project:" if count == 1 else f"{count} problems in the project:"
        return "\n".join([head, *(f"  {problem}" for problem in self._problems)])


class DataError(PenstockError):
    exit_code = 3


class ChecksFailed(DataError):
    """Every check that failed, each with its place. `results`: what came of all that were evaluated."""

    def __init__(self, problems: Sequence[Problem], results: Sequence[object] = ()) -> None:
        if not problems:
            raise ValueError("ChecksFailed needs at least one problem")
        first = problems[0]
        super().__init__(first.message, code=first.code, location=first.location, hint=first.hint)
        self._problems = tuple(problems)
        self.results = tuple(results)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self._problems)


class DriverError(PenstockError):
    exit_code = 4


class Locked(DriverError):
    transient = True


class StateError(PenstockError):
    exit_code = 5


class Cancelled(PenstockError):
    exit_code = 130


class InternalError(PenstockError):
    exit_code = 70
