"""What a person (or a program, with --json) is told when a verb fails."""

from __future__ import annotations

import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from penstock.cli.output import note, printable, style, write_json
from penstock.errors import PenstockError, Problem, ProjectError


def tell(error: PenstockError, *, as_json: bool) -> int:
    """Report `error` and give the exit code."""
    if as_json:
        write_json({"error": {"exit_code": error.exit_code, "problems": error.problems}})
        return error.exit_code
    head = style("error:", sys.stderr, fg="red", bold=True)
    if isinstance(error, ProjectError):
        number = len(error.problems)
        note(f"{head} {number} problem{'s' if number > 1 else ''} in the project")
        for problem in error.problems:
            note(indented(problem))
    else:
        for problem in error.problems:
            note(f"{head} {indented(problem).lstrip()}")
    return error.exit_code


def indented(problem: Problem, by: str = "  ") -> str:
    """A problem in at most three lines: what, where, how to fix it."""
    lines = [f"{by}{message(problem)} [{problem.code}]"]
    if problem.location:
        lines.append(f"{by}    at {problem.location}")
    if problem.hint:
        lines.append(f"{by}    fix: {problem.hint}")
    return "\n".join(lines)


def message(problem: Problem) -> str:
    """The message with line breaks kept and all other control characters spelled out."""
    return "\n".join(printable(line) for line in problem.message.splitlines())


def bug(error: BaseException, where: Path) -> Problem:
    """Write the traceback to a file nobody else can read, and give the one line to say.

    The file holds frames and messages; no local variables and no environment, where secrets would be."""
    folder = _memory(where)
    name = f"traceback-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    text = "".join(traceback.format_exception(error))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        kept = f"the traceback is in {path}"
    except OSError as failure:
        kept = f"its traceback could not be written ({failure.strerror})"
    return Problem(
        "BUG",
        f"a bug in Penstock ({type(error).__name__}); {kept}",
        hint="please report it with that file; nothing was published by the step that failed",
    )


def _memory(where: Path) -> Path:
    """`.penstock/` of the project around `where`, or a temporary folder when there is none."""
    start = where.resolve()
    for folder in (start, *start.parents):
        if (folder / "penstock.yml").is_file():
            return folder / ".penstock"
    import tempfile

    return Path(tempfile.gettempdir())
