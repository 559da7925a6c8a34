"""The files of a project: found, read and hashed. Nothing is parsed here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Literal

from penstock.errors import Location, Problem, ProjectError, UserError
from penstock.record import record

CONFIG = "penstock.yml"
_YAML = (".yml", ".yaml")
INCIDENTS = ("incidents.yml", "incidents.yaml")
Kind = Literal["config", "source", "function", "sql", "python", "export", "check", "incidents"]


@record
class ProjectFile:
    """One file: its path relative to the project with `/`, what it declares, its bytes and their sha256."""

    path: str
    kind: Kind
    data: bytes
    sha256: str

    def text(self) -> str:
        """The content as text. Raises UserError when it is not UTF-8."""
        try:
            return self.data.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line = self.data.count(b"\n", 0, error.start) + 1
            raise UserError(
                f"expected UTF-8 text, found the byte 0x{self.data[error.start]:02x} at offset {error.start}",
                code="FILE_ENCODING",
                location=Location(self.path, line),
                hint="save the file as UTF-8",
            ) from None


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that holds a penstock.yml. Raises UserError NO_PROJECT."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG).is_file():
            return folder
    raise no_project(start)


def no_project(folder: Path) -> UserError:
    return UserError(
        f"expected a project, found no {CONFIG} in {folder}",
        code="NO_PROJECT",
        hint="make one with `penstock init DIR`, or go to the project's folder",
    )


def files(root: Path) -> tuple[ProjectFile, ...]:
    """Every file of the project below `root`, by path. Raises UserError NO_PROJECT, ProjectError FILE_UNREADABLE."""
    if not (root / CONFIG).is_file():
        raise no_project(root)
    found: list[ProjectFile] = []
    problems: list[Problem] = []
    for path, kind in _paths(root):
        try:
            with open(f"{root}/{path}", "rb") as handle:  # noqa: PTH123 - five hundred Path objects cost 10 ms
                data = handle.read()
        except OSError as error:
            problems.append(
                Problem("FILE_UNREADABLE", f"the file cannot be read: {error.strerror}", Location(path), "check it")
            )
            continue
        found.append(ProjectFile(path, kind, data, sha256(data).hexdigest()))
    if problems:
        raise ProjectError(problems)
    return tuple(found)


def fingerprint(found: tuple[ProjectFile, ...]) -> str:
    """Changes when any file's content or path does."""
    return sha256("\n".join(f"{file.sha256} {file.path}" for file in found).encode()).hexdigest()


def _paths(root: Path) -> Iterator[tuple[str, Kind]]:
    yield CONFIG, "config"
    for name in _names(root, "sources"):
        if name.endswith(_YAML):
            yield f"sources/{name}", "source"
    for name in _names(root, "functions"):
        if name.endswith(".sql"):
            yield f"functions/{name}", "function"
    yield from _models(str(root), "models")
    for name in _names(root, "exports"):
        if name.endswith(_YAML):
            yield f"exports/{name}", "export"
    for name in _names(root, "checks"):
        if name.endswith((".sql", ".py")) and not name.startswith("__"):
            yield f"checks/{name}", "check"
        elif name in INCIDENTS:
            yield f"checks/{name}", "incidents"


def _names(root: Path, folder: str) -> list[str]:
    """The files of a folder, sorted; none when it does not exist. Hidden files are editors' leftovers."""
    try:
        with os.scandir(f"{root}/{folder}") as entries:
            return sorted(entry.name for entry in entries if entry.is_file() and not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _models(root: str, folder: str) -> Iterator[tuple[str, Kind]]:
    try:
        with os.scandir(f"{root}/{folder}") as entries:
            found = sorted((entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith((".", "__")))
    except (FileNotFoundError, NotADirectoryError):
        return
    for name, is_folder in found:
        if is_folder:
            yield from _models(root, f"{folder}/{name}")
        elif name.endswith(".sql"):
            yield f"{folder}/{name}", "sql"
        elif name.endswith(".py"):
            yield f"{folder}/{name}", "python"
