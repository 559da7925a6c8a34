"""Penstock: layered data pipelines with gates.

from penstock import Project
Project("shop").run()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.api import Project

__version__ = "0.1.0"
__all__ = ["Project", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the Python API when it is first used. By name: the root must not stand above the rooms in it."""
    if name == "Project":
        from importlib import import_module

        return import_module("penstock.api").Project
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
