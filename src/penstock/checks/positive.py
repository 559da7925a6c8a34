"""positive: above zero, or zero too with `zero: true`. NULL passes, NaN fails."""

from __future__ import annotations

from penstock.checks.kind import Option, RowKind, Subject
from penstock.domain.check import Check


def _passes(check: Check, subject: Subject) -> str:
    column = check.columns[0]
    name = subject.quoted(column)
    test = f"{name} >{'=' if check.options['zero'] else ''} 0"
    return f"{test} AND NOT isnan({name})" if subject.is_floating(column) else test


KIND = RowKind(
    name="positive",
    dimension="validity",
    passes=_passes,
    says=lambda check: f"{check.columns[0]} {'zero or more' if check.options['zero'] else 'above zero'}",
    options={"zero": Option("flag", False, "Zero passes too.")},
    short="columns",
)
