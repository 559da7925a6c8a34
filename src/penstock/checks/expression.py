"""expression: a condition in SQL on the columns of a row. NULL passes."""

from __future__ import annotations

from penstock.checks.kind import Option, RowKind

KIND = RowKind(
    name="expression",
    dimension="consistency",
    passes=lambda check, subject: f"(\n{check.options['expression']}\n)",
    says=lambda check: " ".join(str(check.options["expression"]).split()),
    columns="none",
    options={"expression": Option("text", ..., "A condition on one row; it reads no other relation.")},
    short="expression",
)
