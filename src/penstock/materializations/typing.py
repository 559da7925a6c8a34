"""Typing on load: landed text becomes the declared type, or its row goes to quarantine. Never a silent change.

DuckDB's own casts are generous ('1.9'::INT is 2, '1_000'::INT is 1000, decimals are rounded), so a value counts as a
number only when its text says exactly that number. The cheap test (the value printed again is the same text) is tried
first; a pattern decides the rest (signs, leading zeros, blanks around). Dates and times end with the year 9999: what
prints as `infinity`, as five digits or BC is no date that a file meant.
"""

from __future__ import annotations

import re

from penstock.domain.number_text import FLOATS
from penstock.domain.number_text import shape as shape_of
from penstock.domain.relation import Column
from penstock.domain.source import SourceColumn
from penstock.quoting import identifier, literal
from penstock.record import record

ALIASES = {
    "INT": "INTEGER",
    "LONG": "BIGINT",
    "STRING": "VARCHAR",
    "TEXT": "VARCHAR",
    "CHAR": "VARCHAR",
    "BOOL": "BOOLEAN",
    "FLOAT": "DOUBLE",
    "DOUBLE PRECISION": "DOUBLE",
    "REAL": "FLOAT",
    "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE",
}
_TYPE = re.compile(r"(?P<name>[A-Z0-9_ ]+?) ?(?:\( ?(?P<first>\d+) ?(?:, ?(?P<second>\d+) ?)?\))?(?P<lists>(?:\[\])*)")
_FIRST, _LAST = "0001-01-01", "9999-12-31"
_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = r"\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
_ZONE = r"(Z|[+-](0\d|1[0-4])(:?\d{2})?)"


@record
class Typed:
    """SQL for one column: `value`, its typed value; `bad`, true for a row whose value does not fit (None: never)."""

    name: str
    type: str
    value: str
    bad: str | None = None


def normal(declared: str) -> str:
    """A type by the name the engine calls it: `int` → INTEGER, `numeric(12, 2)` → DECIMAL(12,2), `decimal` →
    DECIMAL(18,3), `varchar(9)` → VARCHAR."""
    upper = " ".join(declared.upper().split())
    parts = _TYPE.fullmatch(upper)
    if parts is None:
        return _nested(declared, upper)
    name, lists = ALIASES.get(parts["name"], parts["name"]), parts["lists"]
    if name in {"DECIMAL", "NUMERIC"}:
        width, scale = (parts["first"], parts["second"] or "0") if parts["first"] else ("18", "3")
        return f"DECIMAL({width},{scale}){lists}"
    return name + lists


def _nested(declared: str, otherwise: str) -> str:
    from penstock.domain.column_type import TypeUnknown, parse

    try:
        return str(parse(declared, written=True))
    except TypeUnknown:
        return otherwise


def longest(declared: str) -> int | None:
    """The 9 of `varchar(9)`, which the engine takes for a comment."""
    parts = _TYPE.fullmatch(" ".join(declared.upper().split()))
    return int(parts["first"]) if parts and parts["first"] and normal(declared) == "VARCHAR" else None


def typed(column: Column, declared: SourceColumn | None) -> Typed:
    """How a landed column is read. Undeclared columns stay as they landed."""
    name = identifier(column.name)
    if declared is None:
        return Typed(column.name, column.type, name)
    wanted = normal(declared.type)
    missing = f"{name} IS NULL" if declared.required else None
    if (most := longest(declared.type)) is not None:
        long = f"(length({name if column.type == wanted else f'CAST({name} AS VARCHAR)'}) > {most})"
        missing = _either(long, missing)
    if column.type == wanted:
        return Typed(column.name, wanted, name, missing)
    if column.type != "VARCHAR":
        value = f"TRY_CAST({name} AS {wanted})"
        changed = f"({name} IS NOT NULL AND TRY_CAST({value} AS {column.type}) IS DISTINCT FROM {name})"
        return Typed(column.name, wanted, value, _either(changed, missing))
    value, fits, plain = _reading(name, wanted, declared.format)
    # CASE evaluates its arms for the rows that reach them only: almost all leave at the second.
    usual = f"WHEN {plain} THEN false " if plain else ""
    wrong = f"(CASE WHEN {name} IS NULL THEN false {usual}ELSE NOT coalesce({fits}, false) END)"
    return Typed(column.name, wanted, value, _either(wrong, missing))


def _either(first: str, second: str | None) -> str:
    return first if second is None else f"({first} OR {second})"


def _reading(name: str, wanted: str, pattern: str | None) -> tuple[str, str, str | None]:
    """SQL of the typed value of a text column, of whether the text fits the type exactly, and of a cheaper test that
    is enough where it holds."""
    value = f"TRY_CAST({name} AS {wanted})"
    if pattern is not None:
        return _by_format(name, wanted, pattern)
    same = f"CAST({value} AS VARCHAR) = {name}"
    if number := shape_of(wanted):
        fits = _fits(name, value, number)
        if wanted not in FLOATS:
            return value, fits, same
        small = f"({value} <> 0 OR regexp_full_match({name}, '[^1-9eE]*([eE].*)?'))"
        return value, f"({fits} AND isfinite({value}) AND {small})", None
    if wanted == "BOOLEAN":
        return f"TRY_CAST(trim({name}) AS BOOLEAN)", f"(lower(trim({name})) IN ('true', 'false'))", None
    if shape := _SHAPES.get(wanted):
        within = _within(value, wanted)
        fits = f"({_fits(name, value, shape)}{f' AND {within}' if within else ''})"
        return value, fits, f"{same} AND {within}" if wanted in {"DATE", "TIMESTAMP"} else None
    if wanted.endswith("]"):  # 1.9 in a list of integers would become 2
        printed = f"regexp_replace(CAST({value} AS VARCHAR), '\\s', '', 'g')"
        same = f"({printed} = regexp_replace({name}, '\\s', '', 'g'))"
        inner, fits = _from_json(name, wanted)
        return f"CASE WHEN json_valid({name}) THEN {inner} ELSE {value} END", f"({same} OR {fits})", None
    if wanted.startswith(("STRUCT(", "MAP(")):
        return *_from_json(name, wanted), None
    return value, f"{value} IS NOT NULL", None


def _from_json(name: str, wanted: str) -> tuple[str, str]:
    from penstock.domain.column_type import parse
    from penstock.materializations.nested import reading

    return reading(name, parse(wanted), lambda text, kind: _reading(text, kind, None)[:2])


_SHAPES = {
    "DATE": _DATE,
    "TIME": _TIME,
    "TIMESTAMP": rf"{_DATE}([ T]{_TIME}Z?)?",
    "TIMESTAMP_S": rf"{_DATE}([ T]\d{{2}}:\d{{2}}(:\d{{2}}(\.0*)?)?Z?)?",
    "TIMESTAMP_MS": rf"{_DATE}([ T]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d{{0,3}}0*)?)?Z?)?",
    "TIMESTAMP_NS": rf"{_DATE}([ T]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d{{1,9}})?)?Z?)?",
    "TIMESTAMP WITH TIME ZONE": rf"{_DATE}[ T]{_TIME} ?{_ZONE}",
}


def _within(value: str, wanted: str) -> str | None:
    """Whether a date or time lies in the years 1 to 9999."""
    if wanted == "DATE":
        return f"{value} BETWEEN DATE '{_FIRST}' AND DATE '{_LAST}'"
    if wanted in {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}:
        return f"{value} BETWEEN {wanted} '{_FIRST} 00:00:00' AND {wanted} '{_LAST} 23:59:59.999999'"
    return None


def _by_format(name: str, wanted: str, pattern: str) -> tuple[str, str, None]:
    """By a strptime pattern. Three texts of it need a second look: `infinity` and `epoch`, which DuckDB takes for 1900
    whatever the pattern, and the year 26 in the place of 2026; so everything before 1900 gets one."""
    parsed = f"try_strptime({name}, {literal(pattern)})"
    value = f"TRY_CAST({parsed} AS {wanted})"
    year = f" AND contains({name}, strftime({parsed}, '%Y'))" if "%Y" in pattern else ""
    old = f"(lower(trim({name})) NOT IN ('infinity', '-infinity', 'epoch'){year})"
    usual = f"{parsed} > TIMESTAMP '1900-01-01 00:00:00'"
    exact = f" AND {value} = {parsed}" if wanted.startswith("TIMESTAMP") and wanted != "TIMESTAMP_NS" else ""
    if wanted == "TIMESTAMP" and not re.search("%[zZn]", pattern):
        value, exact = parsed, ""
    return value, f"({value} IS NOT NULL AND CASE WHEN {usual} THEN true ELSE {old} END{exact})", None


def _fits(name: str, value: str, pattern: str) -> str:
    return f"({value} IS NOT NULL AND regexp_full_match({name}, {literal(pattern)}))"
