"""The command line as its user has it: a process of its own, in a folder of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class CommandLine:
    """`cli("run", code=0)` in `cwd`; fails with everything that was said when the exit code is another one."""

    cwd: Path

    def __call__(self, *arguments: str, code: int = 0, stdin: str | None = None, **environment: str) -> Done:
        process = subprocess.run(
            [sys.executable, "-m", "penstock", *arguments],
            cwd=self.cwd,
            env={**os.environ, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        done = Done(process.returncode, process.stdout, process.stderr)
        assert done.code == code, f"{arguments}: exit {done.code}\n{done.out}\n{done.err}"
        return done

    def rows(self, sql: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self("query", sql, "--json", "--limit", "100000").json["rows"]
        return found


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str | None, bool], Path]:
    """An example's project, made once, run or not; to be copied, never changed."""

    @cache
    def make(example: str | None, run: bool) -> Path:
        folder = tmp_path_factory.mktemp("made")
        if run:
            shutil.copytree(make(example, False), folder / "it")
            CommandLine(folder / "it")("run", "-q")
        else:
            CommandLine(folder)("init", "it", *(["--example", example] if example else []))
        return folder / "it"

    return make


@pytest.fixture
def project(tmp_path: Path, made: Callable[[str | None, bool], Path]) -> Callable[..., CommandLine]:
    """`project()` is a fresh starter project, `project("shop")` the shop; `run`: a first run is behind it."""

    def make(example: str | None = None, *, run: bool = False) -> CommandLine:
        shutil.copytree(made(example, run), tmp_path / "it")
        return CommandLine(tmp_path / "it")

    return make
