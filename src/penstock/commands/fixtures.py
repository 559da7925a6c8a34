"""Parquet fixtures of unit tests → rows as text, with the types the file has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from penstock.domain.unit_test import FOLDER, Expected, Fixture, UnitTest
from penstock.embedded.connection import connect
from penstock.engines.duckdb.session import DuckSession
from penstock.errors import Location, PenstockError
from penstock.project.problems import Problems
from penstock.quoting import identifier, literal


def parquet(folder: Path, tests: tuple[UnitTest, ...], problems: Problems) -> tuple[UnitTest, ...]:
    """The tests with the rows of every Parquet file read. One that cannot be goes to `problems`, and has no rows."""
    connection = connect(None, allowed=[folder], threads=1)
    try:
        reading = _Reading(folder, DuckSession(connection), problems)
        return tuple(reading.test(each) for each in tests)
    finally:
        connection.close()


class _Reading:
    def __init__(self, folder: Path, session: DuckSession, problems: Problems) -> None:
        self.folder = folder
        self.session = session
        self.problems = problems

    def test(self, test: UnitTest) -> UnitTest:
        steps = tuple(
            replace(
                step,
                insert=self.some(step.insert),
                update=self.some(step.update),
                delete=self.some(step.delete),
                expected=self.expected(step.expected),
            )
            for step in test.steps
        )
        return replace(test, given=self.some(test.given), expected=self.expected(test.expected), steps=steps)

    def expected(self, each: Expected) -> Expected:
        rows = self.rows(each.rows) if each.rows is not None else None
        return replace(each, rows=rows, quarantine=self.rows(each.quarantine) if each.quarantine is not None else None)

    def some(self, fixtures: Mapping[str, Fixture]) -> Mapping[str, Fixture]:
        return {name: self.rows(fixture) for name, fixture in fixtures.items()}

    def rows(self, fixture: Fixture) -> Fixture:
        if fixture.file is None:
            return fixture
        place = f"read_parquet({literal(str((self.folder / fixture.file).resolve()))})"
        try:
            columns = self.session.describe(f"SELECT * FROM {place}")
            listed = ", ".join(_as_text(column.name, column.type) for column in columns)
            rows = self.session.query(f"SELECT {listed} FROM {place}").rows
        except PenstockError as error:
            message = f"cannot read {FOLDER}/{fixture.file}: {error.problem.message}"
            self.problems.add("TEST_FILE", message, fixture.location, "expected a Parquet file")
            return replace(fixture, file=None)
        names = tuple(column.name for column in columns)
        return replace(
            fixture,
            location=Location(f"{FOLDER}/{fixture.file}"),
            rows=tuple(dict(zip(names, row, strict=True)) for row in rows),
            names=names,
            kinds={column.name: column.type for column in columns},
            file=None,
        )


def _as_text(name: str, kind: str) -> str:
    """Lists and records as JSON, which they are read from again."""
    column = identifier(name)
    nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))
    text = f"to_json({column})" if nested else column
    return f"CAST({text} AS VARCHAR) AS {column}"
