"""python: a function of your own that gives the rows that fail, in checks/*.py."""

from __future__ import annotations

from penstock.checks.kind import CodeKind

KIND = CodeKind(
    name="python",
    dimension="consistency",
    says=lambda check: check.description or f"no row of {check.location.path}",
)
