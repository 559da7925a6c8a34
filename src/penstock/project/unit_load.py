"""The tests of a project, from its folder tests/. What was parsed is kept by content, as that of the project is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from penstock.domain.unit_test import FOLDER, Expected, Fixture, UnitTest
from penstock.errors import PenstockError
from penstock.project.cache import Kept, Stored, key, read, write
from penstock.project.codec import decode, encode
from penstock.project.files import ProjectFile
from penstock.project.problems import Problems
from penstock.project.unit_rows import from_file
from penstock.record import record

CACHE = Path(".penstock", "tests.json")
_YAML = (".yml", ".yaml")
Tests = tuple[UnitTest, ...]


@record
class TestsPiece:
    """One file of tests/."""

    tests: Tests


class Memory:
    """What is kept between calls of `penstock test`: a JSON value by key and content. Never needed: a file that is
    damaged or was written by another version is not used."""

    def __init__(self, root: Path) -> None:
        self._place = root / CACHE
        self._key = key()
        stored = read(self._place, self._key)
        self._before = stored.pieces
        self.kept = Kept(stored.read_pieces())

    def close(self) -> None:
        pieces = json.dumps(self.kept.after)
        if pieces != self._before:
            write(self._place, self._key, Stored(pieces=pieces))


def load(root: Path, memory: Memory, problems: Problems) -> Tests:
    """Every test of the project that can be read, in the order of the files. What is wrong goes to `problems`."""
    found: list[UnitTest] = []
    for path in _paths(root):
        try:
            data = (root / path).read_bytes()
        except OSError as error:
            problems.add("FILE_UNREADABLE", f"{path} cannot be read: {error.strerror}", None, "check it")
            continue
        file = ProjectFile(path, "config", data, sha256(data).hexdigest())
        tests = memory.kept.get(path, file.sha256)
        parsed = decode(TestsPiece, tests).tests if tests is not None else _parsed(file, memory, problems)
        found += [_with_files(root, test, problems) for test in parsed]
    return tuple(found)


def _parsed(file: ProjectFile, memory: Memory, problems: Problems) -> Tests:
    from penstock.project.unit_tests import unit_tests

    before = len(problems)
    try:
        tests = unit_tests(file.text(), file.path, problems)
    except PenstockError as error:
        problems.take(error)
        return ()
    if len(problems) == before:
        memory.kept.put(file.path, file.sha256, encode(TestsPiece, TestsPiece(tests)))
    return tests


def _paths(root: Path) -> Iterator[str]:
    """YAML files of the folder and of those below, sorted. Hidden ones are editors' leftovers."""
    top = root / FOLDER
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in sorted(names):
            if name.endswith(_YAML) and not name.startswith("."):
                yield (Path(folder) / name).relative_to(root).as_posix()


# Fixtures in files of their own: read every time, since the file that names them does not change with them


def _with_files(root: Path, test: UnitTest, problems: Problems) -> UnitTest:
    def rows(fixture: Fixture) -> Fixture:
        if fixture.file is None:
            return fixture
        return from_file(root, fixture, problems) or replace(fixture, file=None)  # told: nobody need try again

    def some(fixtures: Any) -> dict[str, Fixture]:
        return {name: rows(fixture) for name, fixture in fixtures.items()}

    def expected(each: Expected) -> Expected:
        return replace(
            each,
            rows=rows(each.rows) if each.rows else None,
            quarantine=rows(each.quarantine) if each.quarantine else None,
        )

    steps = tuple(
        replace(
            step,
            insert=some(step.insert),
            update=some(step.update),
            delete=some(step.delete),
            expected=expected(step.expected),
        )
        for step in test.steps
    )
    return replace(test, given=some(test.given), expected=expected(test.expected), steps=steps)
