"""Progress of a run on stderr: a bar on a terminal, one plain line per step elsewhere.

Both are subscribers of the run's events. Steps with nothing to do are not mentioned: a run of five hundred models in
which nothing changed says nothing and imports nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import datetime
from threading import Lock
from typing import Any, Protocol

from penstock.cli.output import note, printable, style, things
from penstock.domain.event import RunStarted, StepFinished, StepStarted
from penstock.domain.run import Status, StepResult

COLOURS = {Status.SUCCESS: "green", Status.FAILED: "red", Status.SKIPPED: "yellow", Status.CANCELLED: "yellow"}


class Watcher(Protocol):
    def __call__(self, event: Any) -> None: ...

    def close(self) -> None: ...


@contextmanager
def watching(quiet: bool = False) -> Iterator[Watcher | None]:
    """A subscriber that suits stderr; None when nobody wants to see anything.

    What a Python model prints meanwhile goes to stderr too: stdout is for the result, and may have to be JSON."""
    with redirect_stdout(sys.stderr):
        if quiet:
            yield None
            return
        watcher: Watcher = Bar() if sys.stderr.isatty() else Lines()
        try:
            yield watcher
        finally:
            watcher.close()


def line(result: StepResult, at: datetime) -> str:
    """`12:00:01  build   stg.orders_hourly   success    4,120 rows  0.12 s`"""
    rows = things(result.rows, "row") if result.rows is not None else ""
    text = f"{at:%H:%M:%S}  {result.kind:<6}  {result.target:<28}  {result.status.value:<9}  {rows:>14}"
    text = f"{text}  {result.seconds:.2f} s"
    if result.status is Status.FAILED and result.problems:
        text += f"  [{result.problems[0].code}]"
    elif result.status is Status.SKIPPED:
        text += f"  {result.reason}"
    return printable(text)


class Lines:
    """One line per step that did something. Events may come from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()

    def __call__(self, event: Any) -> None:
        if isinstance(event, StepFinished) and event.result.status is not Status.UNCHANGED:
            with self._lock:
                note(line(event.result, datetime.now()))

    def close(self) -> None: ...


class Bar:
    """A bar with what is running beside it, and the finished steps scrolling above."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._steps = 0
        self._done = 0
        self._running: dict[str, str] = {}
        self._progress: Any = None
        self._task: Any = None

    def __call__(self, event: Any) -> None:
        with self._lock:
            if isinstance(event, RunStarted):
                self._steps = event.steps
            elif isinstance(event, StepStarted):
                self._running[event.step] = event.target
                self._show()
            elif isinstance(event, StepFinished):
                self._running.pop(event.result.step, None)
                self._done += 1
                self._finished(event.result)

    def _finished(self, result: StepResult) -> None:
        if result.status is not Status.UNCHANGED:
            self._show()
            text = style(line(result, datetime.now()), sys.stderr, fg=COLOURS.get(result.status))
            from rich.text import Text

            self._progress.console.print(Text.from_ansi(text), soft_wrap=True)
        if self._progress is not None:
            self._show()

    def _show(self) -> None:
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                MofNCompleteColumn(),
                BarColumn(bar_width=30),
                TimeElapsedColumn(),
                TextColumn("{task.description}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._progress.add_task("", total=self._steps)
            self._progress.start()
        names = ", ".join(sorted(self._running.values()))
        self._progress.update(self._task, completed=self._done, total=max(self._steps, self._done), description=names)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
