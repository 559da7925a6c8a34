"""The folder of reports: each run's own, the latest under a name that stays, old ones taken away.

A file is written aside and renamed, so that whoever reads sees one that is whole. Two processes take turns.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.domain.quality import QualityReport
from penstock.embedded import disk
from penstock.embedded.home import usable
from penstock.reports.document import document
from penstock.reports.page import page

FOLDER = "reports"
LATEST = "latest"
_OURS = re.compile(r"(\d{8}T\d{6}-[0-9a-f]+)\.(json|html)")
_UNFINISHED = re.compile(r"\.[\w-]+\.(json|html)\.part")


def put(report: QualityReport, home: Path, *, kept: int) -> Path:
    """Write the report of a run, and have `latest` be the same unless there is one of a later run; of all reports keep
    those of the `kept` newest runs. Gives the page of the run. Raises DriverError DISK_FULL or HOME_UNUSABLE."""
    folder = home / FOLDER
    files = {"json": as_json(report), "html": page(report)}
    with usable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _turn(folder):
            for left in folder.iterdir():
                if _UNFINISHED.fullmatch(left.name):
                    left.unlink()
            newer = any(_second(run) > _second(report.run) for run in _runs(folder))
            for kind, text in files.items():
                content = text.encode("utf-8", "backslashreplace")
                _replace(folder, f"{report.run}.{kind}", content)
                if not newer:
                    _replace(folder, f"{LATEST}.{kind}", content)
            _forget(folder, kept)
            disk.sync(folder)
    return folder / f"{report.run}.html"


def as_json(report: QualityReport) -> str:
    """One JSON document; each check and relation on a line of its own, to be read by people and compared by tools."""
    parts = [f"{json.dumps(key)}: {_lines(value)}" for key, value in document(report).items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(value: object) -> str:
    if isinstance(value, list) and value:
        return "[\n  " + ",\n  ".join(map(_line, value)) + "\n]"
    return _line(value)


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _runs(folder: Path) -> set[str]:
    return {found[1] for entry in folder.iterdir() if (found := _OURS.fullmatch(entry.name))}


def _second(run: str) -> str:
    """When it began. Of two runs of one second, the one that reports later is the latest."""
    return run.partition("-")[0]


def _forget(folder: Path, kept: int) -> None:
    old = set(sorted(_runs(folder), reverse=True)[kept:])
    for entry in folder.iterdir():
        found = _OURS.fullmatch(entry.name)
        if found and found[1] in old:
            entry.unlink()


def _replace(folder: Path, name: str, content: bytes) -> None:
    aside = folder / f".{name}.part"
    disk.write(aside, content)
    aside.replace(folder / name)


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
