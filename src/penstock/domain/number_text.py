"""How a text says a number of a type exactly: engines' own casts round ('1.9' is 2) and take more than a person would
('1_000' is 1000)."""

from __future__ import annotations

import re

INTEGERS = frozenset(
    f"{sign}{size}" for sign in ("", "U") for size in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
)
FLOATS = frozenset({"DOUBLE", "FLOAT"})
_DECIMAL = re.compile(r"DECIMAL\(\d+, ?(\d+)\)")


def shape(kind: str) -> str | None:
    """A regular expression (RE2) that the whole text fits; None for types that are no numbers. `kind`: as the engine
    calls the type. Whether the number is in the type's range is another question."""
    if kind in INTEGERS:
        return r"\s*[+-]?[0-9]+\s*"
    if decimal := _DECIMAL.fullmatch(kind):
        scale = int(decimal[1])
        number = rf"([0-9]+(\.[0-9]{{0,{scale}}}0*)?|\.[0-9]{{1,{scale}}}0*)" if scale else r"[0-9]+(\.0*)?"
        return rf"\s*[+-]?{number}\s*"
    if kind in FLOATS:
        return r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*"
    return None
