"""Which files an extract has to look at, from what is there and what was landed. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest
from pathlib import Path

from penstock.domain.batch import Manifest, SourceFile
from penstock.domain.source import ExtractKind, SourceTable
from penstock.errors import DataError
from penstock.sources.files.listing import Found, find, patterns


def together(table: SourceTable) -> bool:
    """Whether all files make one batch (else each file is its own)."""
    return table.extract is ExtractKind.FULL and table.options.get("files", "together") == "together"


def landed(table: SourceTable, previous: Sequence[Manifest]) -> Mapping[str, SourceFile]:
    """path → the file as last landed. When files are landed together only the last batch counts: a file that came
    back after an absence is new."""
    batches: Iterable[Manifest] = previous[-1:] if together(table) else previous
    return {file.path: file for batch in batches for file in batch.files}


def same_stat(file: Found, known: SourceFile | None) -> bool:
    return known is not None and (known.size, known.modified_ns) == (file.size, file.modified_ns)


def suspects(table: SourceTable, files: Sequence[Found], previous: Sequence[Manifest]) -> tuple[Found, ...]:
    """The files that may hold something new, judged by size and time alone. When files are landed together and any
    of them may have changed, all of them."""
    known = landed(table, previous)
    changed = tuple(file for file in files if not same_stat(file, known.get(file.path)))
    if together(table):
        return tuple(files) if changed or known.keys() != {file.path for file in files} else ()
    return changed


def summary(table: SourceTable, files: Sequence[Found], previous: Sequence[Manifest]) -> str | None:
    """What would be landed, in words: `2 new files, 1 changed file`; None when nothing is new."""
    known = landed(table, previous)
    new = sum(file.path not in known for file in files)
    changed = sum(file.path in known and not same_stat(file, known[file.path]) for file in files)
    gone = len(known.keys() - {file.path for file in files}) if together(table) else 0
    counts = (("new", new), ("changed", changed), ("removed", gone))
    return ", ".join(f"{n} {what} file{'s' if n > 1 else ''}" for what, n in counts if n) or None


def missing(table: SourceTable, root: Path, files: Sequence[Found], previous: Sequence[Manifest]) -> tuple[str, ...]:
    """The globs whose lack of files is an error. A full extract needs each of them, or rows would seem deleted; the
    others need any file, once."""
    if table.extract is ExtractKind.FULL:
        return tuple(pattern for pattern in patterns(table.options) if not find(table, root, pattern))
    return () if files or previous else patterns(table.options)


def missing_error(table: SourceTable, root: Path, absent: Sequence[str]) -> DataError:
    what = ", ".join(absent)
    reason = "" if root.is_dir() else ": that folder does not exist"
    there = _some_files(root)
    return DataError(
        f"expected a file that matches {what} in {root}, found none{reason}",
        code="SOURCE_MISSING",
        location=table.location,
        hint="check `path:` and `root:`, and whether the file has arrived" + (f"; there is: {there}" if there else ""),
    )


def _some_files(root: Path, most: int = 5) -> str:
    """Files that lie in a folder, by name, at most a few."""
    try:
        with os.scandir(root) as entries:
            names = nsmallest(most + 1, (e.name for e in entries if not e.name.startswith(".") and e.is_file()))
    except OSError:
        return ""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
