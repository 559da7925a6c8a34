"""Unit tests of models: rows that are given, what is done to them, rows that are expected; and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from penstock.domain.model import Model
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.errors import Location, Problem
from penstock.record import record

SET_APART = "reasons"
"""In expected rows of a quarantine: the names of the checks that have set the row apart."""
FOLDER = "tests"
"""Of a project: where its unit tests are."""


@record
class Fixture:
    """Rows as a person wrote them. A row is a mapping; a column it leaves out is NULL. `lines` says where each row
    stands in the file `location.path`. `names`: every column any row has, in the order they come; `columns`: the types
    that were stated, `kinds` those that the file they come from has. `file`: the file below tests/ that holds the
    rows, while these are not read yet. `is_text`: values are text, as in CSV. `key`: the columns that tell rows
    apart, where the relation declares none."""

    location: Location
    rows: tuple[Mapping[str, Any], ...] = ()
    lines: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    file: str | None = None
    is_text: bool = False
    key: tuple[str, ...] = ()

    def place(self, row: int) -> Location:
        """Where the row with this number (from 0) stands."""
        return Location(self.location.path, self.lines[row]) if row < len(self.lines) else self.location


@record
class Expected:
    """What a model should give. `rows` None: nobody says which rows. `compared`: the columns that are, empty: all.
    `error`: the code or a part of the message of the error that should come instead of rows. `checks`: what should
    come of checks, by name: passed, failed, or how many rows fail. `tolerance`: how far two floating-point numbers may
    be apart, beside a billionth of the larger. `quarantine`: rows that should be set apart; `apart`: the columns of
    them that are compared, empty: all."""

    location: Location
    rows: Fixture | None = None
    compared: tuple[str, ...] = ()
    ordered: bool = False
    tolerance: float = 0.0
    error_code: str | None = None
    error_text: str | None = None
    checks: Mapping[str, str | int] = field(default_factory=dict)
    quarantine: Fixture | None = None
    apart: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        return self.error_code is not None or self.error_text is not None


@record
class UnitStep:
    """Changes of inputs, by relation, and what the model should hold after them. `mode`: how it has to be made."""

    name: str
    location: Location
    expected: Expected
    now: str | None = None
    insert: Mapping[str, Fixture] = field(default_factory=dict)
    update: Mapping[str, Fixture] = field(default_factory=dict)
    delete: Mapping[str, Fixture] = field(default_factory=dict)
    mode: str | None = None


@record
class UnitTest:
    """One test as its file says it. `now`: the fixed clock, ISO 8601, UTC unless it has a zone."""

    name: str
    model: RelationName
    location: Location
    model_location: Location
    expected: Expected
    description: str = ""
    tags: tuple[str, ...] = ()
    now: str | None = None
    variables: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    given: Mapping[str, Fixture] = field(default_factory=dict)
    steps: tuple[UnitStep, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.model}:{self.name}"


# A test against a project


@record
class Shape:
    """What is known of a relation's columns without any data: types by name, empty text where only the name is known.
    `is_open`: it may have other columns too."""

    columns: Mapping[str, str]
    is_open: bool = True


@record
class UnitInput:
    """A relation that a test gives. `table`: the source table it is of, None for a model's relation. `shape`: what is
    known of its columns."""

    relation: RelationName
    fixture: Fixture
    shape: Shape
    key: tuple[str, ...] = ()
    table: SourceTable | None = None

    @property
    def is_history(self) -> bool:
        """Whether all versions of a keyed source table are given, rather than its current rows."""
        return self.table is not None and bool(self.table.key) and self.relation == self.table.history

    @property
    def stored(self) -> RelationName:
        """The table that holds it: of a keyed source table its history."""
        return self.table.stored if self.table is not None else self.relation


@record
class UnitPlan:
    """A test that fits its project. `inputs` are given, `built` are the models that are made of them, in order; the
    last one is the model under test."""

    test: UnitTest
    model: Model
    inputs: tuple[UnitInput, ...]
    built: tuple[Model, ...]


# What came of it


class UnitStatus(StrEnum):
    PASSED = "passed"
    FAILED = "failed"


@record
class RowDifference:
    """One row that differs. `expected` is None for a row that was found and not expected, `found` for one that was
    expected and not found. `changed`: the columns that differ, where both are there. `location`: of the expected
    row."""

    expected: Mapping[str, Any] | None
    found: Mapping[str, Any] | None
    changed: tuple[str, ...] = ()
    copies: int = 1
    location: Location | None = None


@record
class Mismatch:
    """One thing that is not as expected. `step`: after which step, None: after the first build. `columns` are those of
    `differences`, `key` those of them that tell rows apart. `more`: differences that are not shown."""

    message: str
    location: Location
    step: str | None = None
    columns: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    differences: tuple[RowDifference, ...] = ()
    more: int = 0
    problems: tuple[Problem, ...] = ()


@record
class StepMade:
    """How the model was made after a step (None: first): maintained, rebuilt, …, and why so."""

    step: str | None
    mode: str
    reason: str
    rows: int | None


@record
class UnitResult:
    """What came of one test."""

    name: str
    model: RelationName
    location: Location
    status: UnitStatus
    seconds: float
    mismatches: tuple[Mismatch, ...] = ()
    made: tuple[StepMade, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.model}:{self.name}"


@record
class UnitReport:
    """What came of all that were selected, in the order of their files. `untested`: models that no test is about."""

    results: tuple[UnitResult, ...]
    seconds: float
    untested: tuple[RelationName, ...] = ()

    @property
    def passed(self) -> int:
        return sum(each.status is UnitStatus.PASSED for each in self.results)

    @property
    def failed(self) -> int:
        return len(self.results) - self.passed

    @property
    def exit_code(self) -> int:
        """3 when a test failed, else 0."""
        return 3 if self.failed else 0
