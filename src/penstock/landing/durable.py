"""Folders that survive a power cut, errors of the disk in words, and what tells one file from another."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.embedded.disk import sync
from penstock.errors import DriverError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def reported(doing: str) -> Iterator[None]:
    """Turn the operating system's errors into DriverErrors that say what was being done."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DriverError(
                f"the disk is full while {doing}",
                code="DISK_FULL",
                hint="free some space and run again; nothing was landed",
                transient=True,
            ) from error
        raise DriverError(
            f"{error.strerror or error} while {doing}",
            code="LANDING_IO",
            hint="check the folder's permissions and the disk's health",
        ) from error


def make_folder(path: Path) -> None:
    """Create a folder and its parents so that they outlive a power cut."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def fingerprint(path: Path) -> tuple[str, int]:
    """sha256 (hex) and size in bytes of a file, read in pieces."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return digest.hexdigest(), file.tell()
