"""not_null: the column has a value. NaN and empty text are values."""

from __future__ import annotations

from penstock.checks.kind import RowKind

KIND = RowKind(
    name="not_null",
    dimension="completeness",
    passes=lambda check, subject: f"{subject.quoted(check.columns[0])} IS NOT NULL",
    says=lambda check: f"a value in {check.columns[0]}",
    short="columns",
    counts=lambda check, subject: None if check.where else f"count(*) - count({subject.quoted(check.columns[0])})",
)
