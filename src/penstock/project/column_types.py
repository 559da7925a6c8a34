"""The types a source column may be given: a closed list, because a type's text ends up in SQL."""

from __future__ import annotations

import re

from penstock.project.problems import did_you_mean

_TYPES = """boolean bool tinyint smallint integer int bigint hugeint utinyint usmallint uinteger ubigint uhugeint
    float real double decimal numeric varchar text string char date time timestamp timestamptz timestamp_s
    timestamp_ms timestamp_ns interval uuid blob json"""
TYPES = frozenset(_TYPES.split()) | {"timestamp with time zone", "double precision"}

TIMES = ("date", "time", "timestamp")
"""A `format` may be given for types that begin with one of these."""

_SHAPE = re.compile(r"(?P<name>[a-z_ ]+?) *(?:\( *(?P<first>[0-9]{1,3}) *(?:, *(?P<second>[0-9]{1,3}) *)?\))?(?:\[\])*")


def type_problem(text: str) -> tuple[str, str] | None:
    """Why `text` is not a type a column may have, and the fix; None when it is one."""
    match = _SHAPE.fullmatch(text.strip().lower())
    name = match["name"] if match else text.split("(", maxsplit=1)[0].strip().lower()
    if match is None or name not in TYPES:
        hint = did_you_mean(name, TYPES, "use a scalar type such as bigint, decimal(12,2), varchar, date, timestamp")
        return f"{text!r} is not a type a column can be given", hint
    if match["first"] is not None:
        if name in ("decimal", "numeric"):
            width, scale = int(match["first"]), int(match["second"] or 0)
            if not 1 <= width <= 38 or scale > width:
                return f"{text!r}: expected a width of 1 to 38 and a scale up to it", "as in decimal(12,2)"
        elif name not in ("varchar", "char") or match["second"] is not None:
            return f"the type {name} takes no size", f"write {name}"
    return None
