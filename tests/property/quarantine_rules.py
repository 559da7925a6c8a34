"""Random row checks, each with what it means in plain Python, and what a relation with them has to look like."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from query_grammar import Choices

Row = dict[str, Any]
Passes = Callable[[Any], bool]
"""Whether a value that is not NULL passes."""


@dataclass(frozen=True)
class Rule:
    """`text`: the check as it stands in front matter; `fails`: whether a row does."""

    name: str
    text: str
    fails: Callable[[Row], bool]


def _number(low: str) -> list[tuple[str, dict[str, Any], Passes, str]]:
    return [
        ("positive", {}, lambda v: v > 0 and not _nan(v), "above zero"),
        ("positive", {"zero": True}, lambda v: v >= 0 and not _nan(v), "zero or more"),
        ("range", {"min": 2}, lambda v: v >= 2 and not _nan(v), "at least 2"),
        ("range", {"max": 1}, lambda v: v <= 1 and not _nan(v), "at most 1"),
        ("accepted_values", {"values": [1, 2]}, lambda v: v in (1, 2), "one of 1, 2"),
    ]


def _nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


KINDS: dict[str, list[tuple[str, dict[str, Any], Passes, str]]] = {
    "BIGINT": _number("0"),
    "DECIMAL": _number("0"),
    "DOUBLE": _number("0"),
    "VARCHAR": [
        ("accepted_values", {"values": ["a", "b"]}, lambda v: v in ("a", "b"), "one of a, b"),
        ("regex", {"pattern": "[a-z]+"}, lambda v: v.isascii() and v.isalpha() and v.islower(), "like /[a-z]+/"),
    ],
    "BOOLEAN": [("accepted_values", {"values": [True]}, lambda v: v is True, "one of true")],
    "TIMESTAMP": [("range", {"min": "2026-01-02"}, lambda v: (v.year, v.month, v.day) >= (2026, 1, 2), "at least …")],
}


def rules(choices: Choices, columns: Sequence[tuple[str, str]], most: int = 3) -> list[Rule]:
    """Up to `most` checks on `(name, type)` columns, sometimes none. A name says little of what a check is."""
    count = choices.integer(1, most) if choices.integer(0, 6) else 0
    first = choices.integer(0, 3)
    return [_rule(choices, columns, f"rule {first + number}") for number in range(count)]


def _rule(choices: Choices, columns: Sequence[tuple[str, str]], name: str) -> Rule:
    column, kind = columns[choices.integer(0, len(columns) - 1)]
    kind = kind.partition("(")[0]
    where, meant = _where(choices, columns)
    given: dict[str, Any] = {"on_fail": "quarantine", "name": name, "description": f"no good: {name}'s"}
    if where:
        given["where"] = where
    shape = choices.integer(0, 6)
    if shape == 0 or kind not in KINDS:
        return Rule(
            name, json.dumps({"not_null": {"column": column, **given}}), lambda r: meant(r) and r[column] is None
        )
    if shape == 1:
        given["expression"] = f'"{column}" IS NOT NULL -- or what?'
        return Rule(name, json.dumps({"expression": given}), lambda r: meant(r) and r[column] is None)
    check, options, passes, _ = KINDS[kind][choices.integer(0, len(KINDS[kind]) - 1)]
    text = json.dumps({check: {"column": column, **options, **given}})
    return Rule(name, text, lambda r: meant(r) and r[column] is not None and not passes(r[column]))


def _where(choices: Choices, columns: Sequence[tuple[str, str]]) -> tuple[str, Callable[[Row], bool]]:
    column, kind = columns[choices.integer(0, len(columns) - 1)]
    shape = choices.integer(0, 5)
    if shape == 0:
        return f'"{column}" IS NOT NULL', lambda r: r[column] is not None
    if shape == 1 and kind == "BIGINT":  # NULL: not what the check is about
        return f'"{column}" > 1', lambda r: r[column] is not None and r[column] > 1
    return "", lambda r: True


def front_matter(found: Sequence[Rule], *more: str) -> str:
    lines = [*more, *(["checks:"] if found else []), *(f"  - {rule.text}" for rule in found)]
    return "\n".join(["/*---", *lines, "---*/\n"]) if lines else ""


def image(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row as it compares: NaN is like itself."""
    return tuple("NaN" if _nan(value) else value for value in row)


def split(names: Sequence[str], rows: Sequence[Sequence[Any]], found: Sequence[Rule]) -> tuple[Any, Any]:
    """What should be published, and what set apart with which reasons."""
    published: Counter[Any] = Counter()
    apart: Counter[Any] = Counter()
    for row in rows:
        named = dict(zip(names, row, strict=True))
        reasons = [f"{rule.name}: no good: {rule.name}'s" for rule in found if rule.fails(named)]
        if reasons:
            apart[(image(row), tuple(reasons))] += 1
        else:
            published[image(row)] += 1
    return published, apart
