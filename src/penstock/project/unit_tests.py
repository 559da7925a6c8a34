"""tests/*.yml → UnitTest. What a test says is read here; whether it fits the project is asked in unit_plan.py."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from penstock.domain.relation import RelationName
from penstock.domain.unit_test import Expected, Fixture, UnitStep, UnitTest
from penstock.project.column_types import type_problem
from penstock.project.problems import Problems
from penstock.project.unit_rows import check_path, from_csv, inline
from penstock.project.unit_schema import ExpectationSpec, FailureSpec, RowsSpec, StepSpec, UnitTestSpec, UnitTestsSpec
from penstock.project.validation import shown, validate
from penstock.project.yaml import Document, Path, read


def unit_tests(text: str, path: str, problems: Problems) -> tuple[UnitTest, ...]:
    """The tests of one file, those that can be read. What is wrong goes to `problems`."""
    return _Reader(read(text, path), problems).file()


class _Reader:
    def __init__(self, document: Document, problems: Problems) -> None:
        self.document = document
        self.problems = problems

    def file(self) -> tuple[UnitTest, ...]:
        spec = validate(UnitTestsSpec, self.document.value, self.document, (), self.problems)
        if spec is None:
            return ()
        now = self.moment(spec.now, ("now",))
        found = [self.test(name, raw, now, spec.variables) for name, raw in spec.tests.items()]
        return tuple(test for test in found if test is not None)

    def test(self, name: str, raw: Any, now: str | None, variables: Mapping[str, Any]) -> UnitTest | None:
        base: Path = ("tests", name)
        spec = validate(UnitTestSpec, raw, self.document, base, self.problems)
        if spec is None:
            return None
        before = len(self.problems)
        given = self.relations(spec.given, (*base, "given"))
        expected = self.expected(spec, base)
        steps = [self.step(each, index, (*base, "steps", index)) for index, each in enumerate(spec.steps)]
        nothing = expected.rows is None and not expected.is_error and not expected.checks
        if nothing and expected.quarantine is None and not steps and len(self.problems) == before:
            self.problems.add(
                "MISSING_KEY",
                "a test needs what it expects",
                self.document.key(*base),
                "add `expect:` with rows (`expect: []` for none), or `expect_error:`",
            )
        if expected.is_error and steps:
            self.problems.add(
                "TEST_INVALID",
                "steps cannot follow where an error is expected",
                self.document.key(*base, "steps"),
                "put expect_error into the step that fails, or remove the steps",
            )
        moment = self.moment(spec.now, (*base, "now")) or now
        if len(self.problems) > before:
            return None
        return UnitTest(
            name=name,
            model=RelationName.parse(spec.model),
            location=self.document.key(*base),
            model_location=self.document.at(*base, "model"),
            expected=expected,
            description=spec.description,
            tags=tuple(spec.tags),
            now=moment,
            variables={**variables, **spec.variables},
            given=given,
            steps=tuple(steps),
        )

    def step(self, spec: StepSpec, index: int, base: Path) -> UnitStep:
        changes = {what: self.relations(getattr(spec, what), (*base, what)) for what in ("insert", "update", "delete")}
        if not any(changes.values()) and spec.now is None:
            self.problems.add(
                "TEST_INVALID",
                "a step that changes nothing",
                self.document.at(*base),
                "add `insert:`, `update:` or `delete:` with rows by relation, or `now:`",
            )
        return UnitStep(
            name=spec.name or f"step {index + 1}",
            location=self.document.at(*base),
            expected=self.expected(spec, base),
            now=self.moment(spec.now, (*base, "now")),
            mode=spec.mode,
            **changes,
        )

    # Rows

    def relations(self, raw: Mapping[str, Any], base: Path) -> dict[str, Fixture]:
        found = {str(RelationName.parse(name)): self.rows(rows, (*base, name)) for name, rows in raw.items()}
        return {name: rows for name, rows in found.items() if rows is not None}

    def rows(self, raw: Any, base: Path) -> Fixture | None:
        if not isinstance(raw, dict):
            return inline(raw, self.document, base, self.problems)
        spec = validate(RowsSpec, raw, self.document, base, self.problems)
        if spec is None:
            return None
        for name, kind in spec.columns.items():
            if problem := type_problem(kind):
                self.problems.add("BAD_TYPE", problem[0], self.document.at(*base, "columns", name), problem[1])
        found = self.source(raw, spec.csv, spec.file, base)
        if found is None:
            return None
        return Fixture(
            found.location, found.rows, found.lines, found.names,
            columns=spec.columns, file=found.file, is_text=found.is_text, key=tuple(spec.key),
        )  # fmt: skip

    def source(self, raw: Mapping[str, Any], csv: str | None, file: str | None, base: Path) -> Fixture | None:
        """The rows of a mapping that has them in one of three ways."""
        ways = [way for way in ("rows", "csv", "file") if way in raw]
        if len(ways) != 1:
            found = " and ".join(ways) or f"the columns {', '.join(map(str, raw))}"
            self.problems.add(
                "TEST_ROWS",
                f"expected one of rows, csv and file, found {found if raw else 'nothing'}",
                self.document.at(*base),
                "write `- {column: value, …}` for a row, `csv: |` and a header line, or `file: fixtures/rows.csv`",
            )
            return None
        if csv is not None:
            place = self.document.at(*base, "csv")
            # The text of a block (`csv: |`) begins on the line below the sign.
            first = (place.line or 1) + (1 if "\n" in csv else 0)
            return from_csv(csv, place, first, self.problems)
        if file is not None:
            place = self.document.at(*base, "file")
            path = check_path(file, place, self.problems)
            return Fixture(place, file=path) if path else None
        return inline(raw.get("rows"), self.document, (*base, "rows"), self.problems)

    # What is expected

    def expected(self, spec: UnitTestSpec | StepSpec, base: Path) -> Expected:
        place = self.document.key(*base, "expect") if spec.expect is not None else self.document.key(*base)
        failure = spec.expect_error
        if failure is not None:
            place = self.document.key(*base, "expect_error")
            if spec.expect is not None or spec.expect_checks:
                self.problems.add("TEST_INVALID", "expected rows or an error, found both", place, "keep one of the two")
            if failure == FailureSpec():
                self.problems.add(
                    "TEST_INVALID", "which error is expected?", place, "write its code, or a part of its message"
                )
        code, text = (failure.code, failure.message) if failure is not None else (None, None)
        if text is not None and code is None and text.isupper() and " " not in text:
            code, text = text, None
        rows, own = self.wished(spec.expect, (*base, "expect"))
        apart, of_apart = self.wished(spec.expect_quarantine, (*base, "expect_quarantine"))
        return Expected(
            place,
            rows,
            compared=tuple(own.columns),
            ordered=own.ordered,
            tolerance=float(own.tolerance),
            error_code=code,
            error_text=text,
            checks=self.checks(spec.expect_checks, (*base, "expect_checks")),
            quarantine=apart,
            apart=tuple(of_apart.columns),
        )

    def wished(self, raw: Any, base: Path) -> tuple[Fixture | None, ExpectationSpec]:
        """Rows that are expected, and what is said of them beside."""
        if raw is None:
            return None, ExpectationSpec()
        if not isinstance(raw, dict):
            return inline(raw, self.document, base, self.problems), ExpectationSpec()
        own = validate(ExpectationSpec, raw, self.document, base, self.problems)
        if own is None:
            return None, ExpectationSpec()
        return self.source(raw, own.csv, own.file, base), own

    def checks(self, raw: Mapping[str, Any], base: Path) -> dict[str, str | int]:
        for name, value in raw.items():
            is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
            if value not in ("passed", "failed") and not is_count:
                self.problems.add(
                    "TEST_INVALID",
                    f"{name}: expected passed, failed or a number of rows that fail, found {shown(value)}",
                    self.document.at(*base, name),
                    "write passed or failed",
                )
        return dict(raw)

    def moment(self, text: str | None, base: Path) -> str | None:
        if text is None:
            return None
        try:
            datetime.fromisoformat(text)
        except ValueError:
            self.problems.add(
                "TEST_INVALID",
                f"now: expected a time, found {text!r}",
                self.document.at(*base),
                "write it as in 2026-11-17 12:00:00; it is UTC unless it has a zone",
            )
        return text
