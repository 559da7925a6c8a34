"""The lock beside a warehouse: one writer or many readers, between real processes, and gone with its process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from penstock.embedded import filelock
from penstock.errors import DriverError, Locked

HOLDER = """
import sys
from pathlib import Path
from penstock.embedded import filelock
from penstock.errors import Locked

path, shared = Path(sys.argv[1]), sys.argv[2] == "shared"
try:
    with filelock.held(path, "their run", shared=shared, wait=float(sys.argv[3])):
        print("held", flush=True)
        sys.stdin.readline()
except Locked as error:
    print(error.problem.message, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "warehouse.lock"


@contextmanager
def other(path: Path, how: str = "alone", wait: float = 0) -> Iterator[subprocess.Popen[str]]:
    """Another process that asks for the lock and, when it gets it, holds it until its stdin says something."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), how, str(wait)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize(
    ("theirs", "ours", "refused"),
    [("alone", "alone", True), ("alone", "shared", True), ("shared", "alone", True), ("shared", "shared", False)],
)
def test_one_writer_or_many_readers(path: Path, theirs: str, ours: str, refused: bool) -> None:
    with other(path, theirs) as process:
        assert said(process) == "held"
        if not refused:
            with filelock.held(path, "mine", shared=ours == "shared"):
                pass
            return
        with pytest.raises(Locked) as caught, filelock.held(path, "mine", shared=ours == "shared"):
            pytest.fail("both have it")
    assert (caught.value.code, caught.value.transient) == ("LOCKED", True)
    holder = f"`their run` (pid {process.pid} on " if theirs == "alone" else "a process that reads"
    assert holder in caught.value.problem.message
    assert "home is in use" in caught.value.problem.message
    assert "--wait" in str(caught.value.problem.hint)


def test_they_are_told_about_us(path: Path) -> None:
    with filelock.held(path, "my run"), other(path) as process:
        assert f"`my run` (pid {os.getpid()} on " in said(process)


def test_the_lock_goes_with_the_process_however_it_ends(path: Path) -> None:
    with other(path) as process:
        assert said(process) == "held"
        process.send_signal(signal.SIGKILL)
        process.wait()
        with filelock.held(path, "mine"):
            assert json.loads(path.read_text())["pid"] == os.getpid()


def test_a_killed_writer_is_not_blamed_for_what_readers_hold(path: Path) -> None:
    with other(path) as writer:
        assert said(writer) == "held"
        writer.kill()
        writer.wait()
    with other(path, "shared") as reader:
        assert said(reader) == "held"
        with pytest.raises(Locked, match="a process that reads"), filelock.held(path, "mine"):
            pytest.fail("both have it")


def test_who_waits_gets_it_when_it_is_free(path: Path) -> None:
    with other(path) as first:
        assert said(first) == "held"
        with other(path, wait=60) as second:
            assert first.stdin is not None
            first.stdin.write("go\n")
            first.stdin.flush()
            assert said(second) == "held"


def test_who_has_waited_says_how_long(path: Path) -> None:
    slept: list[float] = []
    with other(path) as process:
        assert said(process) == "held"
        with (
            pytest.raises(Locked, match=r"after waiting 2\.5 s"),
            filelock.held(path, "mine", wait=2.5, sleep=slept.append, clock=lambda: sum(slept)),
        ):
            pytest.fail("both have it")
    assert 2.4 < sum(slept) < 2.7


def test_the_note_is_gone_when_the_lock_is(path: Path) -> None:
    with filelock.held(path, "mine"):
        assert json.loads(path.read_text())["for"] == "mine"
    assert path.read_text() == ""
    with filelock.held(path, "mine", shared=True):
        assert path.read_text() == "", "readers do not sign"


def test_a_lock_file_is_no_lock(path: Path) -> None:
    """What is left after a crash, or copied along with a home, holds up nobody."""
    path.parent.mkdir()
    path.write_text(json.dumps({"pid": 1, "host": "elsewhere", "for": "run"}))
    with filelock.held(path, "mine"):
        pass


@pytest.mark.parametrize("note", ["", "{", "[]", '{"pid": "x", "host": "y", "for": "z"}', "null", "\x00" * 10])
def test_a_note_that_cannot_be_read_is_no_traceback(path: Path, note: str) -> None:
    with other(path) as process:
        assert said(process) == "held"
        path.write_text(note)
        with pytest.raises(Locked, match="home is in use by"), filelock.held(path, "mine"):
            pytest.fail("both have it")


def test_nobody_else_can_read_it(path: Path) -> None:
    with filelock.held(path, "mine"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_child_does_not_hold_it(path: Path) -> None:
    """A program that a Python model starts must not hold the warehouse after the run has ended."""
    with filelock.held(path, "mine"):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        with filelock.held(path, "again"):
            pass
    finally:
        child.kill()
        child.wait()


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DriverError) as caught, filelock.held(tmp_path / "file" / "lock", "mine"):
        pytest.fail("it is no folder")
    assert caught.value.code == "HOME_UNUSABLE"
