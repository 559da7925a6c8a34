"""length: how long text is, in characters (of a BLOB in bytes, of a list in elements). NULL passes, empty text is 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.checks.kind import Option, RowKind, Subject, Trouble
from penstock.checks.range import bounds
from penstock.checks.regex import text_of
from penstock.checks.values import shown
from penstock.domain.check import Check


def _passes(check: Check, subject: Subject) -> str:
    column, options = check.columns[0], check.options
    kind = subject.type_of(column)
    if kind == "BLOB":
        size = f"octet_length({subject.quoted(column)})"
    elif kind.endswith("[]"):
        size = f"len({subject.quoted(column)})"
    else:
        size = f"length({text_of(subject, column)})"
    tests = [f"{size} {sign} {int(options[name])}" for name, sign in _SIGNS.items() if options[name] is not None]
    return " AND ".join(tests)


_SIGNS = {"min": ">=", "max": "<=", "equals": "="}
_WORDS = {"min": "at least", "max": "at most", "equals": "exactly"}


def _says(check: Check) -> str:
    parts = [f"{word} {shown(check.options[name])}" for name, word in _WORDS.items() if check.options[name] is not None]
    return f"{check.columns[0]} {' and '.join(parts)} long"


def wrong(options: Mapping[str, Any]) -> Sequence[Trouble]:
    """`min` and `max`, or `equals`."""
    if options["equals"] is None:
        return bounds(options)
    if options["min"] is not None or options["max"] is not None:
        return [("equals", "equals leaves nothing for min and max to say", "give equals, or min and max")]
    return ()


KIND = RowKind(
    name="length",
    dimension="validity",
    passes=_passes,
    says=_says,
    options={
        "min": Option("count", None, "The shortest."),
        "max": Option("count", None, "The longest."),
        "equals": Option("count", None, "Exactly this long."),
    },
    wrong=wrong,
)
