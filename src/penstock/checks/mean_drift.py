"""mean_drift: the mean of a column is about what it was when the relation was published before (see drift)."""

from __future__ import annotations

from penstock.checks import drift
from penstock.checks.kind import TableKind

KIND = TableKind(
    name="mean_drift",
    dimension="accuracy",
    measures=lambda check, subject: drift.aggregate(check, subject, "avg"),
    judge=drift.judge,
    options=drift.OPTIONS,
    wrong=drift.wrong,
    kept=True,
    takes=lambda check: "numbers",
)
