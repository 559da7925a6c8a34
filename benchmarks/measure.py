"""Measuring whole processes: CPU seconds and memory of a command and of everything it starts.

CPU seconds (user + system) and not the clock on the wall: other work on the machine moves them far less. Two commands
that are compared run in turns, a b a b …, and the ratio is the median of the ratios of the pairs, so that a machine
that grows slower in the middle slows both.

Nothing heavy is imported here: a child's peak memory counts from that of the process that started it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

PENSTOCK = (sys.executable, "-m", "penstock")
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took. `cpu`: seconds, user and system; `peak`: MiB of memory at most at one time."""

    cpu: float
    peak: float


class Failed(Exception):
    """A measured command did not succeed: its figure would mean nothing."""


class Benchmark(Protocol):
    """What every module of this package has beside its `measure(…)` function."""

    def arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def figures(self, options: argparse.Namespace, work: Path) -> Figures: ...


def cost(command: Sequence[str | Path], cwd: Path, *, environment: Mapping[str, str] | None = None) -> Cost:
    """Run `command` to its end. Raises Failed with the end of what it printed when it does not succeed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    words = [str(part) for part in command]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env={**kept, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            printed = output.read().decode(errors="replace")[-2000:]
            raise Failed(f"{' '.join(words)} ended with {process.returncode}:\n{printed}")
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / scale)


def penstock(*arguments: str | Path, cwd: Path) -> Cost:
    """`penstock …` as a whole process: start-up, project, plan, work, exit."""
    return cost([*PENSTOCK, *arguments], cwd)


_SCRIPT = """
import duckdb, sys
with duckdb.connect(sys.argv[1]) as connection:
    connection.execute("SET enable_progress_bar = false")
    with open(sys.argv[2], encoding="utf-8") as script:
        connection.execute(script.read())
"""


def script(sql: str, work: Path, *, name: str, database: bool = True) -> Cost:
    """DuckDB alone, as a whole process: the statements of `sql`, in a new database file (or in memory).

    The script is kept as `<name>.sql` in `work`, so that one can look at what was measured."""
    path = work / f"{name}.sql"
    path.write_text(sql, encoding="utf-8")
    file = work / f"{name}.duckdb"
    for old in (file, file.with_name(f"{file.name}.wal")):
        old.unlink(missing_ok=True)
    try:
        return cost([sys.executable, "-c", _SCRIPT, file if database else ":memory:", path], work)
    finally:
        file.unlink(missing_ok=True)


def in_turns(times: int, measured: Mapping[str, Callable[[], Cost]]) -> dict[str, list[float]]:
    """CPU seconds of each, `times` over, in turns; the order turns round every time."""
    found: dict[str, list[float]] = {name: [] for name in measured}
    names = list(measured)
    for turn in range(times):
        for name in names if turn % 2 == 0 else reversed(names):
            found[name].append(measured[name]().cpu)
    return found


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of the pairs."""
    return round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 2)


def middle(values: Sequence[float]) -> float:
    return round(statistics.median(values), 3)


def least(values: Sequence[float]) -> float:
    """The least of them: what it takes when nobody is in the way."""
    return round(min(values), 3)


def machine() -> Figures:
    """What the figures were made on."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "penstock": version("penstock"),
    }


@contextmanager
def workplace(where: Path | None) -> Iterator[Path]:
    """A folder for projects and data: a temporary one, or `where`, which is kept with what was generated."""
    if where is not None:
        where.mkdir(parents=True, exist_ok=True)
        yield where.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="penstock-bench-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show(figures: Figures) -> None:
    width = max(map(len, figures), default=0)
    for name, value in figures.items():
        print(f"  {name:<{width}}  {value}")


def keep(path: Path, name: str, figures: Figures) -> None:
    """Put a benchmark's figures into the JSON file, beside those of the others."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        before = {}
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**before, name: {**figures, "machine": machine()}}, indent=2, sort_keys=True)
    path.write_text(f"{text}\n", encoding="utf-8")


FIGURES = Path(__file__).parent / "figures.json"


def common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=FIGURES, help="the JSON file to write to (default %(default)s)")
    parser.add_argument("--work", type=Path, help="a folder for data and projects; kept (default: a temporary one)")


def main(name: str, benchmark: Benchmark, description: str | None, arguments: Sequence[str] | None = None) -> None:
    """The command line of one benchmark."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common(parser)
    benchmark.arguments(parser)
    options = parser.parse_args(arguments)
    run(name, benchmark, options)


def run(name: str, benchmark: Benchmark, options: argparse.Namespace) -> Figures:
    print(f"{name}:")
    with workplace(options.work) as work:
        figures = benchmark.figures(options, work)
    show(figures)
    keep(options.out, name, figures)
    return figures
