"""quantile_drift: a quantile of a column (the median, if none is named) is about what it was before (see drift)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.checks import drift
from penstock.checks.kind import Option, TableKind, Trouble
from penstock.checks.values import number


def _wrong(options: Mapping[str, Any]) -> Sequence[Trouble]:
    if not 0 <= options["quantile"] <= 1:
        return [("quantile", f"expected 0 to 1, found {options['quantile']}", "0.5 is the median")]
    return drift.wrong(options)


KIND = TableKind(
    name="quantile_drift",
    dimension="accuracy",
    measures=lambda check, subject: drift.aggregate(
        check, subject, "quantile_cont", f", {number(check.options['quantile'])}"
    ),
    judge=drift.judge,
    tells=lambda check: True,
    options={"quantile": Option("number", 0.5, "Which one: 0.5 is the median."), **drift.OPTIONS},
    wrong=_wrong,
    kept=True,
    takes=lambda check: "numbers",
)
