"""Whether a unit test fits its project: the model is there, what it reads is given, columns are those of the inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from penstock.domain.model import Model
from penstock.domain.project import Project
from penstock.domain.relation import RelationName
from penstock.domain.unit_test import Expected, Fixture, Shape, UnitInput, UnitPlan, UnitStep, UnitTest
from penstock.errors import Location
from penstock.planner.plan import in_order
from penstock.planner.reach import TIMES, Reach
from penstock.project.problems import Problems, closest, did_you_mean

Shapes = Mapping[RelationName, Shape]


class Fitting:
    """Fits tests to one project, each problem told with its place. `shapes`: what is known of relations' columns."""

    def __init__(self, project: Project, shapes: Shapes, problems: Problems) -> None:
        self._project = project
        self._reach = Reach(project, {})
        self._shapes = shapes
        self._problems = problems

    def plan(self, test: UnitTest) -> UnitPlan | None:
        """None when the test does not fit."""
        before = len(self._problems)
        model = self._reach.models.get(test.model)
        if model is None:
            self._no_model(test)
            return None
        needed: dict[RelationName, None] = {}
        built: dict[RelationName, Model] = {}
        self._walk(model, test, needed, built)
        checked = self._checks(test, model)
        for relation in dict.fromkeys(name for each in checked.checks for name in each.refers):
            if str(relation) not in self._given(test, relation):
                self._missing(test, model, relation, "a check of it looks at")
            needed[relation] = None
        inputs = self._inputs(test, needed)
        self._values(test, built.values())
        self._expectation(test, test.expected)
        for step in test.steps:
            self._step(test, step, inputs)
        if len(self._problems) > before:
            return None
        built[model.relation] = checked
        return UnitPlan(test, checked, tuple(inputs.values()), tuple(in_order(tuple(built.values()))))

    def _no_model(self, test: UnitTest) -> None:
        names = [str(name) for name in self._reach.models]
        table = self._reach.tables.get(test.model)
        if table is not None:
            hint = "a source table has no SELECT to test: test a model that reads it"
        else:
            hint = did_you_mean(str(test.model), names, f"models: {', '.join(names[:10])}")
        self._problems.add("TEST_MODEL", f"there is no model {test.model}", test.model_location, hint)

    # What it reads

    def _given(self, test: UnitTest, relation: RelationName) -> tuple[str, ...]:
        """The names under which a test gives a relation: a keyed source table by its rows or by its versions."""
        table = self._reach.tables.get(relation)
        names = (relation,) if table is None else (table.relation, table.stored)
        return tuple(name for name in dict.fromkeys(map(str, names)) if name in test.given)

    def _walk(
        self, model: Model, test: UnitTest, needed: dict[RelationName, None], built: dict[RelationName, Model]
    ) -> None:
        """What is given for the model, or for the models between that are not given and so are built."""
        built[model.relation] = replace(model, checks=(), contract=None)
        for read in model.reads:
            if self._given(test, read):
                needed[read] = None
            elif read in self._reach.models:
                if read not in built:
                    self._walk(self._reach.models[read], test, needed, built)
            else:
                self._missing(test, model, read, "reads")

    def _missing(self, test: UnitTest, model: Model, relation: RelationName, verb: str) -> None:
        through = "" if model.relation == test.model else f", which {test.model} is built from"
        self._problems.add(
            "TEST_INPUT",
            f"{model.relation}{through} {verb} {relation}, which the test does not give",
            test.location,
            f"give it rows under `given:`; `{relation}: []` for none",
        )

    def _inputs(self, test: UnitTest, needed: Mapping[RelationName, None]) -> dict[str, UnitInput]:
        used = {name for relation in needed for name in self._given(test, relation)}
        found: dict[str, UnitInput] = {}
        for name, fixture in test.given.items():
            relation = RelationName.parse(name)
            table = self._reach.tables.get(relation)
            if name not in used:
                reads = sorted({*map(str, needed), *used})
                known = relation in self._reach.models or table is not None
                what = f"{test.model} does not read {name}" if known else f"there is no relation {name}"
                left = [each for each in reads if each not in test.given]
                hint = did_you_mean(name, left, f"it reads {', '.join(reads)}" if reads else "remove it")
                self._problems.add("TEST_INPUT", what, fixture.location, hint)
                continue
            if table is not None and table.key and {str(table.relation), str(table.history)} <= test.given.keys():
                if relation == table.relation:
                    self._problems.add(
                        "TEST_INPUT",
                        f"{name} and {table.history} are both given: the first is the current rows of the second",
                        fixture.location,
                        f"give {table.history} alone",
                    )
                continue
            shape = self._shapes.get(relation, Shape({}))
            model = self._reach.models.get(relation)
            key = (
                model.key
                if model is not None
                else table.key
                if table is not None and relation == table.relation
                else ()
            )
            found[name] = UnitInput(relation, fixture, shape, key or fixture.key, table)
            self._columns(found[name], fixture)
        return found

    def _columns(self, given: UnitInput, fixture: Fixture) -> None:
        known = {name.lower(): name for name in given.shape.columns}
        own = {name.lower() for name in fixture.names}
        for name in (*fixture.names, *fixture.columns, *fixture.key):
            if name.lower() in known:
                continue
            close = closest(name, [each for low, each in known.items() if low not in own])
            if given.shape.is_open and (close is None or name in fixture.columns):
                continue
            self._problems.add(
                "TEST_COLUMN",
                f"{given.relation} has no column {name!r}"
                + ("" if not given.shape.is_open else f", or none that a model reads; it has {close!r}"),
                _row_with(fixture, name),
                f"did you mean {close!r}?" if close else f"columns: {', '.join(known.values())}",
            )

    # What it says beside rows

    def _values(self, test: UnitTest, built: Iterable[Model]) -> None:
        variables = self._project.variables
        for name, value in test.variables.items():
            if name not in variables:
                hint = did_you_mean(name, variables, f"variables: {', '.join(variables) or 'none are declared'}")
                self._problems.add("TEST_INVALID", f"the project has no variable {name!r}", test.location, hint)
            elif not _same_kind(value, variables[name]):
                kind = type(variables[name]).__name__
                message = f"{name}: expected a value of its type ({kind}), found {value!r}"
                self._problems.add("TEST_INVALID", message, test.location, "as in penstock.yml")
        timed = [str(model.relation) for model in built if any(name in TIMES for name in model.parameters)]
        if timed and test.now is None:
            self._problems.add(
                "TEST_CLOCK",
                f"{timed[0]} uses the time of the run, which the test does not fix",
                test.location,
                "add `now: 2026-11-17 12:00:00`, to the test or to the top of the file",
            )

    def _checks(self, test: UnitTest, model: Model) -> Model:
        """The model with the checks that the test asks about, each of which only tells what it finds; and with those
        that set rows apart, where it says which rows should be."""
        stages = (test.expected, *(step.expected for step in test.steps))
        asked = {name for each in stages for name in each.checks}
        known = {check.name: check for check in model.checks}
        for name in sorted(asked - known.keys()):
            hint = did_you_mean(name, known, f"its checks: {', '.join(known) or 'none'}")
            self._problems.add("TEST_INVALID", f"{model.relation} has no check {name!r}", test.location, hint)
        apart = set()
        if any(each.quarantine is not None for each in stages):
            apart = {check.name for check in model.checks if check.on_fail == "quarantine"}
            if not apart:
                message = f"{model.relation} has no check that sets rows apart, and rows are expected to be"
                self._problems.add("TEST_INVALID", message, test.location, "`on_fail: quarantine` does so")
        checks = tuple(
            each if each.name in apart else replace(each, on_fail="warn")
            for each in model.checks
            if each.name in asked | apart
        )
        return replace(model, checks=checks, contract=None, max_quarantined=None)

    def _expectation(self, test: UnitTest, expected: Expected) -> None:
        shape = self._shapes.get(test.model, Shape({}))
        if expected.rows is None:
            return
        known = {name.lower() for name in shape.columns}
        for name in (*expected.rows.names, *expected.compared):
            if not shape.is_open and name.lower() not in known:
                hint = did_you_mean(name, shape.columns, f"columns: {', '.join(shape.columns)}")
                where = _row_with(expected.rows, name) if name in expected.rows.names else expected.location
                self._problems.add("TEST_COLUMN", f"{test.model} gives no column {name!r}", where, hint)
        own = {name.lower() for name in expected.rows.names}
        for name in expected.compared:
            if expected.rows.rows and name.lower() not in own:
                message = f"the column {name!r} is to be compared, and no expected row has it"
                self._problems.add("TEST_COLUMN", message, expected.location, "add it to the rows, or take it out")

    # Steps

    def _step(self, test: UnitTest, step: UnitStep, inputs: Mapping[str, UnitInput]) -> None:
        for what, changes in (("insert", step.insert), ("update", step.update), ("delete", step.delete)):
            for name, rows in changes.items():
                given = inputs.get(name)
                if given is None:
                    if name not in test.given:
                        hint = did_you_mean(name, inputs, f"given: {', '.join(test.given) or 'nothing'}")
                        message = f"{name} is changed and was not given"
                        self._problems.add("TEST_INPUT", message, rows.location, hint)
                    continue
                self._columns(given, rows)
                self._change(given, what, rows)
        self._expectation(test, step.expected)

    def _change(self, given: UnitInput, what: str, rows: Fixture) -> None:
        if what != "insert" and given.table is not None and not given.table.key:
            message = f"{given.relation} is append-only: its rows neither change nor go"
            self._problems.add("TEST_INPUT", message, rows.location, "insert rows")
            return
        if what != "update":
            return
        if not given.key:
            self._problems.add(
                "TEST_INPUT",
                f"nothing says which row of {given.relation} an update is of: it has no key",
                rows.location,
                "add `key:` to what is given: `{rows: […], key: id}`; or delete and insert",
            )
        for index, row in enumerate(rows.rows):
            own = {name.lower() for name in row}
            missing = [name for name in given.key if name.lower() not in own]
            if missing:
                message = f"an update of {given.relation} needs its key, and lacks {', '.join(missing)}"
                self._problems.add("TEST_ROWS", message, rows.place(index), "name the key and the columns that change")


def _row_with(fixture: Fixture, name: str) -> Location:
    """Where a column is named first."""
    for index, row in enumerate(fixture.rows):
        if name in row:
            return fixture.place(index)
    return fixture.location


def _same_kind(value: object, declared: object) -> bool:
    if isinstance(declared, bool) or isinstance(value, bool):
        return isinstance(declared, bool) and isinstance(value, bool)
    if isinstance(declared, (int, float)):
        return isinstance(value, (int, float))
    return isinstance(value, str)
