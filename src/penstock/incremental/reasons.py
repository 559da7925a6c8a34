"""Why a model is rebuilt."""

from __future__ import annotations


class Rebuild(Exception):
    """The query cannot be maintained. `reason` is half a sentence for people ("it has a LIMIT"); `timed` when the
    result depends on the time."""

    def __init__(self, reason: str, *, timed: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.timed = timed
