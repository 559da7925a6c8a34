"""How good a relation is, as a number. Pure.

The score of a check: of a check of rows, the share of the rows judged that pass (no rows: 1); where only rows that came
were judged, all others have passed before, and the share is that of all rows of the relation. Of any other check, 1
when it holds and 0 when it does not. How loud a check is does not count, nor how many rows it may let through: rows
that fail are bad rows, tolerated or held back. The score of a dimension, of a relation and of a layer is the mean of
the scores of their checks, each of the same weight. A check that was never evaluated counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from penstock.domain.quality import DIMENSIONS, CheckState, Counted, Scores


def score(outcome: str, rows: int | None, failing: int | None, others: int = 0) -> float:
    """0 … 1 of one check. `others`: rows beside those judged, which have passed before."""
    if rows is None or failing is None:
        return 1.0 if outcome == "passed" else 0.0
    return 1.0 - min(failing, rows) / (rows + others) if rows else 1.0


def scores(checks: Iterable[CheckState]) -> Scores:
    judged = [check for check in checks if check.score is not None]
    by_dimension = {name: [c.score or 0.0 for c in judged if c.dimension == name] for name in DIMENSIONS}
    return Scores(
        _mean([check.score or 0.0 for check in judged]),
        {name: sum(found) / len(found) for name, found in by_dimension.items() if found},
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def counted(checks: Iterable[CheckState]) -> Counted:
    outcomes = [check.outcome for check in checks]
    return Counted(
        total=len(outcomes),
        passed=outcomes.count("passed"),
        warned=outcomes.count("warned"),
        failed=outcomes.count("failed"),
        not_evaluated=outcomes.count(None),
    )
