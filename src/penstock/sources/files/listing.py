"""Which files a table's globs find. Names, sizes and times only: nothing is opened.

Standard library only: every plan lists the files of every source table.
"""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from penstock.domain.source import SourceTable
from penstock.errors import DataError, DriverError, UserError
from penstock.record import record

_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
}


@record
class Found:
    """A file of a table. `path` is relative to the root (what manifests remember), `full` absolute."""

    path: str
    full: Path
    size: int
    modified_ns: int
    inode: int

    def unchanged(self) -> bool:
        """Whether the file is still the one that was listed."""
        try:
            status = self.full.stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns, status.st_ino) == (self.size, self.modified_ns, self.inode)


def patterns(options: Mapping[str, Any]) -> tuple[str, ...]:
    path = options["path"]
    return (path,) if isinstance(path, str) else tuple(path)


def find(table: SourceTable, root: Path, only: str | None = None) -> tuple[Found, ...]:
    """The table's files in name order (`only`: those of one glob). Raises UserError for a path that leaves the root."""
    inside = root.resolve()
    folders: dict[str, Path] = {}
    found = {}
    for pattern in patterns(table.options) if only is None else (only,):
        for path in matching(pattern, root):
            file = _look(table, inside, path, folders)
            if file is not None:
                found[path] = file
    return tuple(found[path] for path in sorted(found))


def matching(pattern: str, root: Path) -> list[str]:
    if pattern.startswith("/") or ".." in pattern.split("/"):
        raise UserError(
            f"expected a path below the source's root, found {pattern!r}",
            code="PATH_OUTSIDE_ROOT",
            hint="set `root:` to the folder that holds the files",
        )
    return glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207 - Path.glob shows hidden files


def _look(table: SourceTable, inside: Path, path: str, folders: dict[str, Path]) -> Found | None:
    """`folders`: those that were resolved already, for an inbox of years has one folder and thousands of files."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"expected file names in UTF-8, found {os.fsencode(path)!r}",
            code="FILE_NAME_INVALID",
            location=table.location,
        ) from None
    try:
        target, status = _resolved(inside, path, folders)
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError) as error:
        raise DriverError(f"cannot read {path}: {error}", code="SOURCE_UNREADABLE") from error
    if not target.is_relative_to(inside):
        raise UserError(
            f"{path} leads out of the source's root, to {target}",
            code="PATH_OUTSIDE_ROOT",
            location=table.location,
            hint="set `root:` to a folder that holds the file itself",
        )
    if not stat.S_ISREG(status.st_mode):
        return None
    return Found(path, target, status.st_size, status.st_mtime_ns, status.st_ino)


def _resolved(inside: Path, path: str, folders: dict[str, Path]) -> tuple[Path, os.stat_result]:
    """Where the file really is, without links, and what the system says of it."""
    above, _, name = path.rpartition("/")
    folder = folders.get(above)
    if folder is None:
        folder = folders[above] = (inside / above).resolve(strict=True)
    target = folder / name
    status = target.lstat()
    if name in {"", ".", ".."} or stat.S_ISLNK(status.st_mode):
        target = (inside / path).resolve(strict=True)
        status = target.stat()
    return target, status


def format_of(table: SourceTable, path: str) -> tuple[str, str]:
    """Format and compression of a file: as declared, else by its extension."""
    name = PurePosixPath(path.lower())
    compression = table.options.get("compression") or _COMPRESSIONS.get(name.suffix, "none")
    inner = name.with_suffix("") if name.suffix in _COMPRESSIONS else name
    kind = table.options.get("format") or _FORMATS.get(inner.suffix)
    if kind is None:
        raise UserError(
            f"cannot tell the format of {path} by its extension",
            code="FORMAT_UNKNOWN",
            location=table.location,
            hint="add `format: csv` (or tsv, json, ndjson, parquet)",
        )
    return kind, compression


def stamp(files: Sequence[Found]) -> str:
    """A fingerprint of names, sizes, times and inodes."""
    text = "\n".join(f"{file.path}\0{file.size}\0{file.modified_ns}\0{file.inode}" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()
