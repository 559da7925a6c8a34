"""Typing on load: landed text becomes the declared type, or its row goes to quarantine. Never a silent change.

DuckDB's own casts are generous ('1.9'::INT is 2, '1_000'::INT is 1000, decimals are rounded), so a value counts as a
number only when its text says exactly that number. The cheap test (the value printed again is the same text) is tried
first; a pattern decides the rest (signs, leading zeros, blanks around).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from penstock.domain.relation import Column
from penstock.domain.source import SourceColumn
from penstock.quoting import identifier, literal

INTEGERS = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
)
ALIASES = {
    "INT": "INTEGER",
    "LONG": "BIGINT",
    "STRING": "VARCHAR",
    "TEXT": "VARCHAR",
    "BOOL": "BOOLEAN",
    "FLOAT": "DOUBLE",
}
_DECIMAL = re.compile(r"^(?:DECIMAL|NUMERIC)\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)$")
_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = r"\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
_ZONE = r"(Z|[+-]\d{2}(:?\d{2})?)"


@dataclass(frozen=True, slots=True)
class Typed:
    """SQL for one column: `value`, its typed value; `bad`, true for a row whose value does not fit (None: never)."""

    name: str
    type: str
    value: str
    bad: str | None = None


def normal(declared: str) -> str:
    """A type's one spelling: `int` → INTEGER, `numeric(12, 2)` → DECIMAL(12,2)."""
    upper = " ".join(declared.upper().split())
    if decimal := _DECIMAL.match(upper):
        return f"DECIMAL({decimal[1]},{decimal[2]})"
    if upper in {"TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"}:
        return "TIMESTAMP WITH TIME ZONE"
    return ALIASES.get(upper, upper)


def typed(column: Column, declared: SourceColumn | None) -> Typed:
    """How a landed column is read. Undeclared columns stay as they landed."""
    name = identifier(column.name)
    if declared is None:
        return Typed(column.name, column.type, name)
    wanted = normal(declared.type)
    missing = f"{name} IS NULL" if declared.required else None
    if column.type == wanted:
        return Typed(column.name, wanted, name, missing)
    if column.type != "VARCHAR":
        value = f"TRY_CAST({name} AS {wanted})"
        changed = f"({name} IS NOT NULL AND TRY_CAST({value} AS {column.type}) IS DISTINCT FROM {name})"
        return Typed(column.name, wanted, value, _either(changed, missing))
    value, fits, plain = _reading(name, wanted, declared.format)
    # CASE evaluates its arms for the rows that reach them only: almost all leave at the second.
    usual = f"WHEN CAST({value} AS VARCHAR) = {name} THEN false " if plain else ""
    wrong = f"(CASE WHEN {name} IS NULL THEN false {usual}ELSE NOT coalesce({fits}, false) END)"
    return Typed(column.name, wanted, value, _either(wrong, missing))


def _either(first: str, second: str | None) -> str:
    return first if second is None else f"({first} OR {second})"


def _reading(name: str, wanted: str, pattern: str | None) -> tuple[str, str, bool]:
    """SQL of the typed value of a text column, and of whether the text fits the type exactly; and whether a value that
    prints as the same text fits for certain."""
    value = f"TRY_CAST({name} AS {wanted})"
    if pattern is not None:
        parsed = f"try_strptime({name}, {literal(pattern)})"
        value = parsed if wanted == "TIMESTAMP" else f"TRY_CAST({parsed} AS {wanted})"
        return value, f"{parsed} IS NOT NULL", False
    if wanted in INTEGERS:
        return value, _fits(name, value, r"\s*[+-]?[0-9]+\s*"), True
    if decimal := _DECIMAL.match(wanted):
        scale = int(decimal[2])
        fraction = rf"(\.[0-9]{{0,{scale}}}0*)?" if scale else r"(\.0*)?"
        return value, _fits(name, value, rf"\s*[+-]?[0-9]+{fraction}\s*"), True
    if wanted in {"DOUBLE", "REAL"}:
        return value, _fits(name, value, r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*"), False
    if wanted == "BOOLEAN":
        return value, f"(lower(trim({name})) IN ('true', 'false'))", False
    shapes = {
        "DATE": _DATE,
        "TIME": _TIME,
        "TIMESTAMP": rf"{_DATE}([ T]{_TIME}Z?)?",
        "TIMESTAMP WITH TIME ZONE": rf"{_DATE}[ T]{_TIME} ?{_ZONE}",
    }
    if shape := shapes.get(wanted):
        return value, _fits(name, value, shape), wanted in {"DATE", "TIMESTAMP"}
    return value, f"{value} IS NOT NULL", False


def _fits(name: str, value: str, pattern: str) -> str:
    return f"({value} IS NOT NULL AND regexp_full_match({name}, {literal(pattern)}))"
