"""Trying a step again when two transactions met: both were right, one has to be second."""

from __future__ import annotations

from collections.abc import Callable

from penstock.errors import PenstockError
from penstock.executor.work import Outcome

CONFLICT = "CONFLICT"
ATTEMPTS = 5


def retried(do: Callable[[], Outcome]) -> Outcome:
    """Call `do` until it does not conflict, ATTEMPTS times at most. A conflict has rolled everything back, so the step
    begins again from its BEGIN. Nothing else is tried again here."""
    for _ in range(ATTEMPTS - 1):
        try:
            return do()
        except PenstockError as error:
            if error.code != CONFLICT:
                raise
    return do()
