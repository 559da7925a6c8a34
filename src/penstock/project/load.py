"""A folder → a Project. Nothing heavy is imported here: when no file changed, the project comes from the cache."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from penstock.domain.project import Project
from penstock.project.cache import Stored, key, read, write
from penstock.project.codec import decode
from penstock.project.files import files, find_root, fingerprint

__all__ = ["CACHE", "find_root", "load"]

CACHE = Path(".penstock", "project.json")


def load(root: Path, cache: Path | None = None) -> Project:
    """The project in `root`, read and checked. `cache` keeps what was parsed (default: CACHE below root).

    Raises UserError NO_PROJECT, and ProjectError with everything that is wrong, each with file, line and the fix.
    """
    root = root.resolve()
    place = cache or root / CACHE
    found = files(root)
    wanted = key()
    stored = read(place, wanted)
    if stored.fingerprint == fingerprint(found):
        project = _kept(stored, root)
        if project is not None:
            return project
    from penstock.project.assemble import assemble

    assembled = assemble(root, found, stored.read_pieces())
    write(place, wanted, assembled.stored)
    if assembled.problems:
        raise assembled.problems
    return assembled.project


def _kept(stored: Stored, root: Path) -> Project | None:
    try:
        return replace(decode(Project, json.loads(stored.project)), root=str(root))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
