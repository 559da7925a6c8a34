"""A folder → a Project."""

from __future__ import annotations

from pathlib import Path

from penstock.domain.project import Project
from penstock.project.files import files, find_root

__all__ = ["find_root", "load"]


def load(root: Path, cache: Path | None = None) -> Project:
    """The project in `root`, read and checked. `cache` keeps what was parsed (default: .penstock/project.json).

    Raises UserError NO_PROJECT, and ProjectError with everything that is wrong, each with file, line and the fix.
    """
    root = root.resolve()
    found = files(root)
    from penstock.project.assemble import assemble

    return assemble(root, found)
