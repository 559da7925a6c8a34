"""test: the unit tests of models, in memory. Neither the warehouse nor the landing nor any source is touched."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.commands.signals import noted
from penstock.commands.workspace import Workspace, open_workspace
from penstock.domain.project import Project
from penstock.domain.relation import RelationName
from penstock.domain.unit_test import FOLDER, Fixture, UnitPlan, UnitReport, UnitResult, UnitTest
from penstock.errors import Cancelled
from penstock.ports import Emit
from penstock.project.problems import Problems
from penstock.project.unit_load import Memory, load

if TYPE_CHECKING:
    from penstock.engines.duckdb.memory import MemoryWarehouses

PROGRAMS = Path(".penstock", "tests")
PATIENCE = 0.2
"""Seconds after which it is looked whether somebody has cancelled."""


def test(
    where: Path,
    select: Sequence[str] = (),
    *,
    environment: str | None = None,
    exclude: Sequence[str] = (),
    threads: int | None = None,
    emit: Emit | None = None,
) -> UnitReport:
    """Carry out the selected unit tests (nothing selected: all). Selectors name models, as everywhere, or tests.
    `threads`: how many at once; default: as many as there are processors, up to four. `emit` is called with each
    UnitResult as it comes.

    Raises ProjectError with every problem of the project, or of all its tests, before any test is carried out.
    """
    begun = time.perf_counter()
    space = open_workspace(where, environment)
    plans = planned(space)
    tested = {plan.test.model for plan in plans}
    wanted = _selected(space.project, plans, select, exclude)
    untested = tuple(model.relation for model in space.project.models if model.relation not in tested)
    results = _Walk(space, wanted, threads or space.threads, emit).results() if wanted else ()
    return UnitReport(results, time.perf_counter() - begun, untested)


def planned(space: Workspace) -> tuple[UnitPlan, ...]:
    """Every test of the project, fitted to it. Raises ProjectError with all that is wrong with any of them."""
    from penstock.commands.shapes import shapes
    from penstock.project.unit_plan import Fitting

    if not (space.root / FOLDER).is_dir():
        return ()
    problems = Problems()
    memory = Memory(space.root)
    tests = load(space.root, memory, problems)
    names = [each.location for each in tests]
    if tests:
        tests = _with_parquet(space.root, tests, problems)
        fitting = Fitting(space.project, shapes(space, memory), problems)
        found = [fitting.plan(each) for each in tests]
        _duplicates(tests, problems)
    memory.close()
    problems.stop()
    return tuple(plan for plan in found if plan is not None) if names else ()


def _duplicates(tests: Sequence[UnitTest], problems: Problems) -> None:
    """Two tests of one model with one name could not be told apart in a report."""
    first: dict[str, UnitTest] = {}
    for each in tests:
        if first.setdefault(each.id, each) is not each:
            message = f"{each.model} has two tests named {each.name!r} (the first in {first[each.id].location})"
            problems.add("TEST_INVALID", message, each.location, "rename one of them")


def _with_parquet(root: Path, tests: tuple[UnitTest, ...], problems: Problems) -> tuple[UnitTest, ...]:
    """Parquet fixtures, read: as text, with their types. By a connection that sees the folder of tests alone."""
    if not any(fixture.file is not None for each in tests for fixture in _fixtures(each)):
        return tests
    from penstock.commands.fixtures import parquet

    return parquet(root / FOLDER, tests, problems)


def _fixtures(each: UnitTest) -> Iterable[Fixture]:
    yield from each.given.values()
    for expected in (each.expected, *(step.expected for step in each.steps)):
        yield from (rows for rows in (expected.rows, expected.quarantine) if rows is not None)
    for step in each.steps:
        for changes in (step.insert, step.update, step.delete):
            yield from changes.values()


# Which


def _selected(
    project: Project, plans: Sequence[UnitPlan], select: Sequence[str], exclude: Sequence[str]
) -> tuple[UnitPlan, ...]:
    """A test answers to its model's name and to its own; the graph is that of the models."""
    if not select and not exclude:
        return tuple(plans)
    from penstock.commands.selection import nodes_of
    from penstock.graph.selection import Node
    from penstock.graph.selection import select as chosen

    by_model: dict[RelationName, list[UnitPlan]] = {}
    for plan in plans:
        by_model.setdefault(plan.test.model, []).append(plan)
    nodes, edges = nodes_of(project)
    own = {str(name): [f"test:{each.test.id}" for each in some] for name, some in by_model.items()}
    known: list[Node] = []
    for node in nodes:
        for id_ in own.get(node.id, ()):
            _, _, name = id_.rpartition(":")
            names = (*node.names, name, id_.removeprefix("test:"))
            known.append(replace(node, id=id_, names=names))
        if node.id not in own:
            known.append(node)
    below = {
        id_: [each for read in edges.get(node.id, ()) for each in own.get(read, [read])]
        for node in nodes
        for id_ in own.get(node.id, [node.id])
    }
    found = chosen(select, known, below, exclude)
    return tuple(plan for plan in plans if f"test:{plan.test.id}" in found)


# Carrying them out


class _Walk:
    """Tests of one model after each other, models at the same time, in threads that have a database each."""

    def __init__(self, space: Workspace, plans: Sequence[UnitPlan], threads: int, emit: Emit | None) -> None:
        from penstock.executor.unit.trial import Laboratory
        from penstock.landing.empty import EmptyLanding

        self._plans = plans
        self._emit = emit
        self._lab = Laboratory(
            space.project,
            space.root,
            space.environment.name,
            space.root / PROGRAMS,
            EmptyLanding(),
            time.perf_counter,
        )
        by_model: dict[RelationName, list[int]] = {}
        for place, plan in enumerate(plans):
            by_model.setdefault(plan.test.model, []).append(place)
        self._work = list(by_model.values())
        self._threads = max(1, min(threads, len(self._work)))
        self._local = threading.local()
        self._guard = threading.Lock()
        self._open: list[MemoryWarehouses] = []
        self._cancelled = False
        self._found: dict[int, UnitResult] = {}

    def results(self) -> tuple[UnitResult, ...]:
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="test")
        running: set[Future[None]] = set()
        told: set[int] = set()
        try:
            with noted(self._cancel):
                running = {pool.submit(self._some, places) for places in self._work}
                while running:
                    done, running = wait(running, timeout=PATIENCE, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
                    self._tell(told)
                    if self._cancelled:
                        self._interrupt()
        except BaseException:
            self._cancelled = True
            while running:
                self._interrupt()
                running = wait(running, timeout=PATIENCE).not_done
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            for each in self._open:
                each.close()
        if self._cancelled:
            raise Cancelled("cancelled; tests leave nothing behind", code="CANCELLED")
        return tuple(self._found[place] for place in range(len(self._plans)))

    def _tell(self, told: set[int]) -> None:
        if self._emit is not None:
            for place in sorted(self._found.keys() - told):
                told.add(place)
                self._emit(self._found[place])

    def _some(self, places: Sequence[int]) -> None:
        from penstock.executor.unit.trial import Trial

        for place in places:
            if self._cancelled:
                return
            try:
                with self._warehouses().fresh() as warehouse:
                    self._found[place] = Trial(self._plans[place], self._lab, warehouse).run()
            except Cancelled:
                self._cancelled = True

    def _warehouses(self) -> MemoryWarehouses:
        """This thread's."""
        from penstock.engines.duckdb.memory import MemoryWarehouses

        mine: MemoryWarehouses | None = getattr(self._local, "warehouses", None)
        if mine is None:
            mine = self._local.warehouses = MemoryWarehouses()
            with self._guard:
                self._open.append(mine)
        return mine

    def _cancel(self) -> None:
        self._cancelled = True

    def _interrupt(self) -> None:
        with self._guard:
            for each in self._open:
                each.interrupt()
