"""Why a check sets one row apart: text that is made while rows are judged."""

from __future__ import annotations

from collections.abc import Collection

from penstock.checks.compile import fails, kind_of
from penstock.checks.kind import RowKind, Subject
from penstock.domain.check import Check, Rule
from penstock.quoting import literal
from penstock.sql.reason import found, is_private


def rule(check: Check, subject: Subject, private: Collection[str] | None) -> Rule:
    """A check of single rows as SQL on the columns of a row. `private`: columns whose values are not told, None: all of
    them. Raises KeyError for a column that is not there, TypeError for a check that is not about single rows."""
    condition = fails(check, subject)
    kind = kind_of(check)
    says = kind.says(check) if isinstance(kind, RowKind) else ""
    reason = literal(f"{check.name}: {check.description or f'expected {says}'}")
    if len(check.columns) == 1:
        name = check.columns[0]
        reason += f" || {found(subject.quoted(name), is_private(name, private))}"
    return Rule(condition, f"({reason})", check.columns)
