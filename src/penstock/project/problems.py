"""Collecting problems: loading goes on after each, so that a person sees all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from penstock.errors import Location, PenstockError, Problem, ProjectError

_OFTEN = {
    "datetime": "timestamp", "datetime64": "timestamp", "int64": "bigint", "int32": "integer", "int8": "bigint",
    "long": "bigint", "float64": "double", "number": "decimal", "money": "decimal", "str": "varchar",
    "string": "varchar", "nvarchar": "varchar", "object": "varchar", "table": "rebuild", "incremental": "auto",
    "snapshot": "history",
    "ephemeral": "view", "excel": "xlsx", "xls": "xlsx", "jsonl": "ndjson", "upsert": "merge",
}  # fmt: skip
"""What people write who come from elsewhere, and what it is called here."""


class Problems:
    """The problems found so far."""

    def __init__(self) -> None:
        self._found: list[Problem] = []
        self._aside: dict[Problem, Location] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, code: str, message: str, location: Location | None, hint: str | None) -> None:
        self._found.append(Problem(code, message, location, hint))

    def extend(self, problems: Iterable[Problem]) -> None:
        self._found.extend(problems)

    @contextmanager
    def of_check(self, place: Location) -> Iterator[None]:
        """What is added in this block is wrong with the check at `place`, and with nothing else in its file."""
        before = len(self._found)
        yield
        self._aside |= dict.fromkeys(self._found[before:], place)

    @property
    def checks(self) -> frozenset[Location]:
        """Where the checks stand that something is wrong with."""
        return frozenset(self._aside.values())

    @property
    def of_files(self) -> list[Problem]:
        """Those that leave nothing of their file to go by."""
        return [problem for problem in self._found if problem not in self._aside]

    def take(self, error: PenstockError) -> None:
        self._found.extend(error.problems)

    def sorted(self) -> list[Problem]:
        """Without repeats, by file, line and column."""

        def place(problem: Problem) -> tuple[str, int, int, str, str]:
            location = problem.location or Location("")
            return location.path, location.line or 0, location.column or 0, problem.code, problem.message

        return sorted(dict.fromkeys(self._found), key=place)

    def stop(self) -> None:
        """Raise everything found as one ProjectError, if anything was."""
        if self._found:
            raise ProjectError(self.sorted())


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `word` was most likely meant to be, if any is close."""
    matches = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """A hint: the closest of `known`, or `otherwise`."""
    known = tuple(known)
    often = _OFTEN.get(word.strip().lower())
    match = often if often in known else closest(word, known)
    return f"did you mean {match!r}?" if match else otherwise
