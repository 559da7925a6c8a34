"""The entry point, as a process of its own: exit codes, streams, signals, what it imports."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.cli.verbs import VERBS

PENSTOCK = (sys.executable, "-m", "penstock")


def call(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PENSTOCK, *arguments], cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    done = python(
        "import sys; from penstock.cli.main import run; code = run(['--help']);"
        "heavy = {'duckdb', 'pydantic', 'yaml', 'sqlglot', 'rich', 'xlsxwriter', 'sqlite3'} & set(sys.modules);"
        "verbs = {name for name in sys.modules if name.startswith('penstock.commands')};"
        "sys.exit(repr((code, heavy, verbs)) if code or heavy or verbs else 0)",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert all(verb in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_teaches(verb: str, tmp_path: Path) -> None:
    done = call(verb, "--help", cwd=tmp_path)
    assert done.returncode == 0
    examples = done.stdout.partition("Examples:")[2]
    assert examples.count(f"penstock {verb}") >= 2
    assert "Exit codes:" in done.stdout
    assert "--json" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rnu",), "did you mean `penstock run`?"),
        (("xyzzy",), "the verbs are: init, "),
        (("show",), "LAYER.NAME"),
        (("run", "--wait", "soon"), "--wait"),
        (("query", "SELECT 1", "--limit", "-1"), "--limit"),
    ],
)
def test_a_wrong_command_line_is_exit_2_on_stderr(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = call(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "[USAGE]" in done.stderr
    assert done.stdout == ""


def test_a_wrong_command_line_is_told_in_json_too(tmp_path: Path) -> None:
    done = call("run", "--nope", "--json", cwd=tmp_path)
    assert done.returncode == 2
    problem = json.loads(done.stdout)["error"]["problems"][0]
    assert problem["code"] == "USAGE"
    assert "--nope" in problem["message"]
    assert done.stderr == ""


def test_version(tmp_path: Path) -> None:
    assert call("--version", cwd=tmp_path).stdout.startswith("penstock 0.")


def test_help_is_a_verb_too(tmp_path: Path) -> None:
    assert call("help", cwd=tmp_path).stdout == call("--help", cwd=tmp_path).stdout
    assert call("help", "run", cwd=tmp_path).stdout == call("run", "--help", cwd=tmp_path).stdout
    assert call("help", "nope", cwd=tmp_path).returncode == 2


def test_no_verb_gives_the_help(tmp_path: Path) -> None:
    done = call(cwd=tmp_path)
    assert done.returncode == 2
    assert "Verbs:" in done.stderr


BREAK = """
import sys, types
from penstock.cli import main
broken = types.ModuleType("penstock.commands.status")
def status(*arguments, **options):
    {body}
broken.status = status
sys.modules["penstock.commands.status"] = broken
sys.exit(main.run(["status", *sys.argv[1:]]))
"""


def broken(body: str, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BREAK.format(body=body), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_bug_is_one_line_and_a_private_file(tmp_path: Path) -> None:
    (tmp_path / "penstock.yml").write_text("name: x\n")
    below = tmp_path / "models"
    below.mkdir()
    done = broken("secret = 'hunter2'; raise KeyError('gone')", below)
    assert done.returncode == 70
    assert "a bug in Penstock (KeyError)" in done.stderr
    assert "Traceback" not in done.stderr
    (kept,) = (tmp_path / ".penstock").glob("traceback-*.txt")
    assert str(kept) in done.stderr
    assert "KeyError" in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_bug_in_json(tmp_path: Path) -> None:
    done = broken("raise ZeroDivisionError", tmp_path, "--json")
    assert done.returncode == 70
    assert json.loads(done.stdout)["error"]["problems"][0]["code"] == "BUG"


def test_errors_say_what_where_and_how_to_fix(tmp_path: Path) -> None:
    body = (
        "from penstock.errors import Location, Problem, ProjectError; "
        "raise ProjectError([Problem('A', 'one', Location('models/stg/a.sql', 3), 'do'),"
        " Problem('B', 'two')])"
    )
    done = broken(body, tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: 2 problems in the project",
        "  one [A]",
        "      at models/stg/a.sql:3",
        "      fix: do",
        "  two [B]",
    ]
    told = json.loads(broken(body, tmp_path, "--json").stdout)["error"]
    assert told["problems"][0] == {
        "code": "A",
        "message": "one",
        "location": {"path": "models/stg/a.sql", "line": 3, "column": None},
        "hint": "do",
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [("DataError", 3), ("DriverError", 4), ("StateError", 5), ("Cancelled", 130), ("InternalError", 70)],
)
def test_exit_codes(error: str, code: int, tmp_path: Path) -> None:
    done = broken(f"import penstock.errors as e; raise e.{error}('it', code='X')", tmp_path)
    assert done.returncode == code
    assert "it [X]" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_cancel(number: signal.Signals, tmp_path: Path) -> None:
    listen = "signal.signal(signal.SIGINT, signal.default_int_handler)"  # a shell's background jobs ignore it
    done = broken(f"import os, signal; {listen}; os.kill(os.getpid(), {int(number)}); signal.pause()", tmp_path)
    assert done.returncode == 130
    assert "[CANCELLED]" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    body = "import sys; from penstock.cli.output import write; [write('x' * 1000) for _ in range(1000)]; sys.exit(0)"
    process = subprocess.Popen(
        [sys.executable, "-c", BREAK.format(body=body)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0
