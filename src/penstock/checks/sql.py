"""sql: a SELECT of your own that gives the rows that fail, in checks/*.sql."""

from __future__ import annotations

from penstock.checks.kind import SelectKind

KIND = SelectKind(
    name="sql",
    dimension="consistency",
    failing=lambda check, subject: check.sql,
    says=lambda check: check.description or "no row of its SELECT",
    columns="none",
)
