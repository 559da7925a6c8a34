"""What a reason for setting a row apart ends with: the value that was found."""

from __future__ import annotations

from collections.abc import Collection

from penstock.quoting import literal

FOUND = ", found "
"""What stands before this in a reason is the same for all rows with that fault."""
HIDDEN = "***"


def found(value: str, private: bool) -> str:
    """SQL of the end of a reason. `value`: SQL of what stands in the row; a `private` one is not told."""
    told = literal(f"'{HIDDEN}'") if private else f"chr(39) || CAST({value} AS VARCHAR) || chr(39)"
    return f"{literal(FOUND)} || CASE WHEN {value} IS NULL THEN 'NULL' ELSE {told} END"


def is_private(name: str, private: Collection[str] | None) -> bool:
    """Whether the values of a column are not told. `private`: the columns declared so, None: all are."""
    return private is None or name.lower() in {each.lower() for each in private}
