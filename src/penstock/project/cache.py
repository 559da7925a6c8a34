"""What was parsed by the last call, by content hash, so that only changed files are parsed again.

The cache is one JSON file and never needed: one that is damaged, of another version of Penstock, or cannot be written
is ignored. The project and the pieces of it are JSON texts inside it, so that a call that finds nothing changed does
not read the pieces.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import penstock

_FORMAT = 1
_ROOMS = ("", "domain", "project", "checks", "contracts", "sql", "sources", "sources/files", "exports")


@dataclass(slots=True)
class Stored:
    """`project` and `pieces` are JSON texts: the finished project of the files with `fingerprint` (None: it had
    problems), and by path `[key, piece]`."""

    fingerprint: str | None = None
    project: str = ""
    pieces: str = "{}"

    def read_pieces(self) -> dict[str, Any]:
        try:
            found = json.loads(self.pieces)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def key() -> str:
    """Which Penstock wrote a cache: its version, and for a source checkout the state of the code that matters."""
    home = os.path.dirname(penstock.__file__)  # noqa: PTH120 - this runs in every call
    stamps: list[str] = []
    for room in _ROOMS:
        with contextlib.suppress(OSError), os.scandir(f"{home}/{room}") as entries:
            stamps += [
                f"{entry.name} {stat.st_size} {stat.st_mtime_ns}"
                for entry in entries
                if entry.name.endswith(".py") and (stat := entry.stat())
            ]
    return f"{_FORMAT} {penstock.__version__} {sha256(chr(10).join(sorted(stamps)).encode()).hexdigest()}"


def read(path: Path, wanted: str) -> Stored:
    """The cache at `path` if it was written by the Penstock that `wanted` (see key) names, else an empty one."""
    try:
        data = json.loads(path.read_bytes())
        if data["key"] != wanted:
            return Stored()
        stored = Stored(data["fingerprint"], data["project"], data["pieces"])
        if data["sha256"] != _seal(wanted, stored):
            return Stored()
    except (OSError, ValueError, KeyError, TypeError, RecursionError, AttributeError):
        return Stored()
    return stored


def write(path: Path, wanted: str, stored: Stored) -> None:
    """Put the cache in place, in one step. A folder that cannot be written to costs time, not correctness."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    data = {
        "key": wanted,
        "sha256": _seal(wanted, stored),
        "fingerprint": stored.fingerprint,
        "project": stored.project,
        "pieces": stored.pieces,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(data), encoding="utf-8")
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _seal(wanted: str, stored: Stored) -> str:
    text = "\0".join([wanted, stored.fingerprint or "", stored.project, stored.pieces])
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(slots=True)
class Kept:
    """Pieces as JSON data by path, from one call to the next. `get` gives a piece only under the key it was put."""

    before: dict[str, Any]
    after: dict[str, Any] = field(default_factory=dict)

    def get(self, path: str, wanted: str) -> Any:
        """The data kept for `path`, or None."""
        found = self.before.get(path)
        if isinstance(found, list) and len(found) == 2 and found[0] == wanted:
            self.after[path] = found
            return found[1]
        return None

    def put(self, path: str, wanted: str, data: Any) -> None:
        self.after[path] = [wanted, data]
