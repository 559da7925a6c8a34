"""Putting an export in its place: complete or not at all, whoever reads, whatever dies.

A file is written in a hidden folder beside its place, made durable, and renamed over the old one. A folder cannot be
renamed over another, so its place is a symbolic link to a hidden folder of this version, and the link is replaced;
the version just replaced is kept until the next publish, because a reader may still be in it.

    exports/report.csv
    exports/sales            -> .sales.20261121-a.version
    exports/.sales.20261121-a.version/
    exports/.sales.20261121-b.tmp/        being written, or left by a process that died: removed by the next publish
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock import failpoint
from penstock.embedded.disk import sync
from penstock.errors import DriverError, UserError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


def inside(root: Path, path: str) -> Path:
    """`path` below `root`. Raises UserError PATH_OUTSIDE for absolute paths, `..`, and links that lead out."""
    parts = path.split("/")
    if not path or path.startswith("/") or "\\" in path or any(ord(mark) < 32 for mark in path) or path[1:2] == ":":
        raise _outside(path, "a relative path with / between its parts")
    if any(part in {"", ".", ".."} for part in parts):
        raise _outside(path, "a path without empty parts, . and ..")
    if any(part.startswith(".") for part in parts):
        raise _outside(path, "names that do not start with a dot: those are kept for files being written")
    final = root.joinpath(*parts)
    if not final.resolve().is_relative_to(root.resolve()):
        raise _outside(path, "a path that no symbolic link leads out of the exports folder")
    return final


def _outside(path: str, expected: str) -> UserError:
    return UserError(
        f"the export path {path!r} is refused: expected {expected}",
        code="PATH_OUTSIDE",
        hint="exports are written below the environment's exports folder; give a path like reports/sales.csv",
    )


def publish(write: Callable[[Path], int], final: Path, *, run: str) -> int:
    """Call `write` with a path that does not exist, then put what it wrote at `final` in one step. Returns its rows.

    `final` comes from `inside`; `run` names this publish (the run's id). Raises DriverError DISK_FULL,
    PERMISSION_DENIED or EXPORT_IO, or what `write` raises; `final` is then as it was.
    """
    name = final.name
    token = re.sub(r"[^A-Za-z0-9_-]", "-", run) or "run"
    with _file_errors(final):
        _refuse_foreign_folder(final)
        _make_folders(final.parent)
        _sweep(final.parent, name)
        with _workshop(final.parent / f".{name}.{token}.tmp") as folder:
            target = folder / name
            rows = write(target)
            _sync_tree(target)
            failpoint.reach("export.written")
            if target.is_dir():
                _replace_folder(target, final, folder / ".link", token)
            else:
                _replace_file(target, final)
    return rows


def _replace_file(target: Path, final: Path) -> None:
    previous = _linked_version(final)
    target.replace(final)
    sync(final.parent)
    failpoint.reach("export.renamed")
    _drop_versions(final, keep={previous})


def _replace_folder(target: Path, final: Path, link: Path, token: str) -> None:
    previous = _linked_version(final)
    version = _free_version(final, token)
    target.rename(version)
    link.symlink_to(version.name, target_is_directory=True)
    link.replace(final)
    sync(final.parent)
    failpoint.reach("export.renamed")
    _drop_versions(final, keep={previous, version.name})


def _linked_version(final: Path) -> str | None:
    return final.readlink().name if final.is_symlink() else None


def _free_version(final: Path, token: str) -> Path:
    """A name no version has: one run may publish the same folder twice."""
    for count in range(1, 10_000):
        suffix = f"-{count}" if count > 1 else ""
        version = final.parent / f".{final.name}.{token}{suffix}.version"
        if not version.exists():
            return version
    raise DriverError(f"10000 versions of {final.name} exist", code="EXPORT_IO", hint="remove the old ones")


def _drop_versions(final: Path, keep: set[str | None]) -> None:
    for version in _ours(final.parent, final.name, "version"):
        if version.name not in keep:
            shutil.rmtree(version, ignore_errors=True)


def _ours(parent: Path, name: str, kind: str) -> list[Path]:
    """Our hidden folders for `name`, and not those of a longer name (`sales` and `sales.eu`)."""
    pattern = re.compile(rf"\.{re.escape(name)}\.[A-Za-z0-9_-]+\.{kind}")
    return [entry for entry in parent.iterdir() if pattern.fullmatch(entry.name) and entry.is_dir()]


def _sweep(parent: Path, name: str) -> None:
    """Remove what dead processes left. A folder that is being written is locked by its process."""
    for leftover in _ours(parent, name, "tmp"):
        descriptor = os.open(leftover, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(leftover, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """A new hidden folder, locked while this process lives and removed at the end."""
    try:
        folder.mkdir()
    except FileExistsError:
        raise DriverError(
            f"{folder.name} is being written by another process",
            code="LOCKED",
            hint="wait for it to end",
            transient=True,
        ) from None
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _refuse_foreign_folder(final: Path) -> None:
    if final.is_dir() and not final.is_symlink():
        raise UserError(
            f"expected a file or nothing at {final}, found a folder that Penstock did not make",
            code="EXPORT_IN_THE_WAY",
            hint="move the folder away, or give the export another path",
        )


def _make_folders(folder: Path) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        sync(each.parent)


def _sync_tree(target: Path) -> None:
    """Make `target` durable: every file, then every folder that names one."""
    if target.is_dir():
        for folder, _, files in os.walk(target, topdown=False):
            for file in files:
                sync(Path(folder, file))
            sync(Path(folder))
    else:
        sync(target)
    sync(target.parent)


@contextmanager
def _file_errors(final: Path) -> Iterator[None]:
    """What the operating system refuses, as a DriverError that says what a person can do."""
    try:
        yield
    except OSError as error:
        raise _driver_error(final, error) from error


def _driver_error(final: Path, error: OSError) -> DriverError:
    where = f"cannot write {final}: {error.strerror or error}"
    if error.errno in _FULL:
        hint = "free some space and run again; the file that was there is untouched"
        return DriverError(where, code="DISK_FULL", hint=hint, transient=True)
    if error.errno in _DENIED:
        hint = f"let the user who runs Penstock write to {final.parent}"
        return DriverError(where, code="PERMISSION_DENIED", hint=hint)
    return DriverError(where, code="EXPORT_IO", hint="the file that was there is untouched")
