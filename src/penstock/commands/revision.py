"""The code revision a run was made with: git's commit, read from its files (starting git would cost more)."""

from __future__ import annotations

from pathlib import Path


def revision(root: Path) -> str | None:
    """The commit the project's checkout is at, None outside a checkout. Says nothing about uncommitted changes."""
    for folder in (root, *root.parents):
        git = folder / ".git"
        if git.is_dir():
            try:
                return _resolve(git)
            except OSError:
                return None
    return None


def _resolve(git: Path) -> str | None:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref: "):
        return head or None
    name = head.removeprefix("ref: ")
    loose = git / name
    if loose.is_file():
        return loose.read_text().strip()
    packed = git / "packed-refs"
    if packed.is_file():
        for line in packed.read_text().splitlines():
            commit, _, ref = line.partition(" ")
            if ref == name:
                return commit
    return None
