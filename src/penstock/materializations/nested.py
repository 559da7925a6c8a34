"""Typing on load, below the top: the text of a JSON object or array becomes a struct, a list or a map, if every value
in it fits and no field of it would be lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from penstock.domain.column_type import Listed, Mapped, Struct, Type
from penstock.quoting import identifier, literal

Read = Callable[[str, str], tuple[str, str]]
"""SQL of a text and the name of a type → SQL of its value, and of whether the text fits."""


def reading(name: str, kind: Type, read: Read) -> tuple[str, str]:
    """SQL of the typed value of the text `name`, and of whether it fits exactly."""
    made = _Reading(read)
    json = f"TRY_CAST({name} AS JSON)"
    return f"TRY_CAST({made.value(json, kind)} AS {kind})", f"({json} IS NOT NULL AND {made.fits(json, kind)})"


class _Reading:
    """Expressions over JSON values. Each lambda has a variable of its own."""

    def __init__(self, read: Read) -> None:
        self.read = read
        self.numbers: Iterator[int] = count()

    def variable(self) -> str:
        return f"v{next(self.numbers)}"

    def value(self, json: str, kind: Type) -> str:
        each = self.variable()
        match kind:
            case Struct(fields):
                packed = ", ".join(f"{identifier(name)} := {self.value(_at(json, name), of)}" for name, of in fields)
                return f"CASE WHEN json_type({json}) = 'OBJECT' THEN struct_pack({packed}) END"
            case Listed(item):
                one = self.value(each, item)
                items = f"list_transform(CAST({json} AS JSON[]), lambda {each}: {one})"
                return f"CASE WHEN json_type({json}) = 'ARRAY' THEN {items} END"
            case Mapped(key, of):
                parts = f"k := {self.read(f'{each}.key', str(key))[0]}, v := {self.value(f'{each}.value', of)}"
                entries = f"list_transform({_entries(json)}, lambda {each}: struct_pack({parts}))"
                return f"CASE WHEN {self.keys(json, key)} THEN map_from_entries({entries}) END"
        return str(json) if str(kind) == "JSON" else self.read(_text(json), str(kind))[0]

    def keys(self, json: str, kind: Type) -> str:
        """Whether it is an object whose keys are all of a type, and no two are the same by it."""
        each = self.variable()
        keys = f"list_transform({_entries(json)}, lambda {each}: {self.read(f'{each}.key', str(kind))[0]})"
        unique = f"list_unique({keys}) = len({_entries(json)})"
        return f"(CASE WHEN json_type({json}) = 'OBJECT' THEN {unique} ELSE false END)"

    def fits(self, json: str, kind: Type) -> str:
        """True for what is not there: it is NULL then."""
        each = self.variable()
        test: str
        match kind:
            case Struct(fields):
                names = ", ".join(literal(name) for name, _ in fields)
                tests = [f"len(list_filter(json_keys({json}), lambda {each}: {each} NOT IN ({names}))) = 0"]
                tests += [self.fits(_at(json, name), of) for name, of in fields]
                test = f"json_type({json}) = 'OBJECT' AND {' AND '.join(tests)}"
            case Listed(item, length):
                items = f"CAST({json} AS JSON[])"
                wrong = f"len(list_filter({items}, lambda {each}: NOT {self.fits(each, item)})) = 0"
                exact = f" AND len({items}) = {length}" if length is not None else ""
                test = f"CASE WHEN json_type({json}) = 'ARRAY' THEN {wrong}{exact} ELSE false END"
            case Mapped(key, of):
                good = f"{self.read(f'{each}.key', str(key))[1]} AND {self.fits(f'{each}.value', of)}"
                wrong = f"len(list_filter({_entries(json)}, lambda {each}: NOT coalesce({good}, false))) = 0"
                test = f"CASE WHEN {self.keys(json, key)} THEN {wrong} ELSE false END"
            case _:
                if str(kind) == "JSON":
                    return "true"
                inside = self.read(_text(json), str(kind))[1]
                test = f"json_type({json}) NOT IN ('OBJECT', 'ARRAY') AND {inside}"
        return f"(CASE WHEN {json} IS NULL OR json_type({json}) = 'NULL' THEN true ELSE coalesce({test}, false) END)"


def _at(json: str, field: str) -> str:
    pointer = "/" + field.replace("~", "~0").replace("/", "~1")
    return f"json_extract({json}, {literal(pointer)})"


def _text(json: str) -> str:
    return f"({json} ->> '$')"


def _entries(json: str) -> str:
    return f"map_entries(CAST({json} AS MAP(VARCHAR, JSON)))"
