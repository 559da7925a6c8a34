"""Types as the engine names them, taken apart; and which of them can be read as which.

`reads_as(written, read)` holds when every value of `written` is a value of `read`: no digit is lost, no value refused.
Where rules of others allow a loss they are not followed: Avro reads `long` as `double`, which has 53 bits for 64.

Sources of the rules: Apache Avro, specification, "Schema Resolution" (promotions, records by field name, enums by
symbols); Apache Iceberg, specification, "Schema Evolution" (int to long, float to double, wider decimals of the same
scale, date to timestamp). Wider decimals of a larger scale, and whole numbers read as decimals, follow from the
definition.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from penstock.record import record

Part = TypeVar("Part")

SIGNED = {"TINYINT": 7, "SMALLINT": 15, "INTEGER": 31, "BIGINT": 63, "HUGEINT": 127}
UNSIGNED = {"UTINYINT": 8, "USMALLINT": 16, "UINTEGER": 32, "UBIGINT": 64, "UHUGEINT": 128}
EXACT_BITS = {"FLOAT": 24, "DOUBLE": 53}
"""Whole numbers of up to so many bits have a value of their own."""
_TIMES = {"DATE": {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"}, "TIMESTAMP_S": {"TIMESTAMP_MS", "TIMESTAMP"},
          "TIMESTAMP_MS": {"TIMESTAMP"}}  # fmt: skip
_ALIASES = {
    "INT": "INTEGER", "INT4": "INTEGER", "INT8": "BIGINT", "LONG": "BIGINT", "INT2": "SMALLINT", "INT1": "TINYINT",
    "STRING": "VARCHAR", "TEXT": "VARCHAR", "CHAR": "VARCHAR", "BOOL": "BOOLEAN", "LOGICAL": "BOOLEAN",
    "REAL": "FLOAT", "FLOAT4": "FLOAT", "FLOAT8": "DOUBLE", "DOUBLE PRECISION": "DOUBLE", "NUMERIC": "DECIMAL",
    "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE", "DATETIME": "TIMESTAMP", "TIMETZ": "TIME WITH TIME ZONE",
}  # fmt: skip
NAMES = frozenset({*SIGNED, *UNSIGNED, *EXACT_BITS, "BOOLEAN", "VARCHAR", "DECIMAL", "DATE", "TIME", "TIMESTAMP",
                   "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE", "TIME WITH TIME ZONE",
                   "INTERVAL", "UUID", "BLOB", "JSON", "BIT"})  # fmt: skip


class TypeUnknown(ValueError):
    """Text that is no type; the message says what was found."""


@record
class Scalar:
    """`size`: width and scale of a decimal."""

    name: str
    size: tuple[int, int] | None = None

    def __str__(self) -> str:
        return f"{self.name}({self.size[0]},{self.size[1]})" if self.size else self.name


@record
class Listed:
    """A list; `length` of one of fixed length."""

    item: Type
    length: int | None = None

    def __str__(self) -> str:
        return f"{self.item}[{self.length or ''}]"


@record
class Struct:
    fields: tuple[tuple[str, Type], ...]

    def __str__(self) -> str:
        return f"STRUCT({', '.join(f'{_quoted(name)} {each}' for name, each in self.fields)})"


@record
class Mapped:
    key: Type
    value: Type

    def __str__(self) -> str:
        return f"MAP({self.key}, {self.value})"


@record
class Enumerated:
    symbols: tuple[str, ...]

    def __str__(self) -> str:
        listed = ", ".join("'" + symbol.replace("'", "''") + "'" for symbol in self.symbols)
        return f"ENUM({listed})"


Type = Scalar | Listed | Struct | Mapped | Enumerated


_RESERVED = """all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
    default deferrable desc describe distinct do else end except false fetch for foreign from grant group having in
    initially intersect into lambda lateral leading limit not null offset on only or order pivot pivot_longer
    pivot_wider placing primary qualify references returning select show some summarize symmetric table then to trailing
    true union unique unpivot using variadic when where window with"""
RESERVED = frozenset(_RESERVED.split())
"""Words that are no names unless they are quoted."""


def _quoted(name: str) -> str:
    plain = re.fullmatch("[a-z_][a-z0-9_]*", name) and name not in RESERVED
    return name if plain else '"' + name.replace('"', '""') + '"'


@cache
def parse(text: str, written: bool = False) -> Type:
    """`int` → INTEGER, `numeric(12, 2)` → DECIMAL(12,2), `decimal` → DECIMAL(18,3), `struct(a bigint)[]`. Raises
    TypeUnknown. `written`: by a person in a project, who means DOUBLE by `float`; the engine means 32 bits."""
    return _Parser(text, written).whole()


def is_same(one: str, other: str) -> bool:
    """Whether two texts of the engine's are one type."""
    if one == other:
        return True
    try:
        return parse(one) == parse(other)
    except TypeUnknown:
        return False


_TOKEN = re.compile(
    r"""\s*(?:(?P<word>[A-Za-z_][A-Za-z0-9_]*)|"(?P<name>(?:[^"]|"")+)"|'(?P<text>(?:[^']|'')*)'"""
    r"""|(?P<number>[0-9]{1,9})|(?P<sign>[(),\[\]]))"""
)


class _Parser:
    def __init__(self, text: str, written: bool) -> None:
        self.text, self.at, self.written = text, 0, written
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None or match.lastgroup is None:
                raise TypeUnknown(f"{text!r} is not a type")
            value = match[match.lastgroup]
            doubled = {"name": '""', "text": "''"}.get(match.lastgroup)
            self.tokens.append((match.lastgroup, value.replace(doubled, doubled[0]) if doubled else value))
            place = match.end()

    def whole(self) -> Type:
        found = self.one()
        if self.at != len(self.tokens):
            raise TypeUnknown(f"{self.text!r} is not a type")
        return found

    def peek(self, kind: str, value: str | None = None) -> bool:
        if self.at >= len(self.tokens):
            return False
        found, text = self.tokens[self.at]
        return found == kind and (value is None or text.upper() == value)

    def take(self, kind: str, value: str | None = None) -> str:
        if not self.peek(kind, value):
            raise TypeUnknown(f"{self.text!r} is not a type")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def one(self) -> Type:
        word = self.take("word").upper()
        found = self.nested(word) if word in ("STRUCT", "ROW", "MAP", "ENUM") else self.scalar(word)
        while self.peek("sign", "["):
            self.at += 1
            length = int(self.take("number")) if self.peek("number") else None
            self.take("sign", "]")
            found = Listed(found, length)
        return found

    def scalar(self, word: str) -> Type:
        for tail in (("WITH", "TIME", "ZONE"), ("WITHOUT", "TIME", "ZONE"), ("PRECISION",)):
            if word in ("TIMESTAMP", "TIME", "DOUBLE") and all(
                self.at + n < len(self.tokens) and self.tokens[self.at + n][1].upper() == part
                for n, part in enumerate(tail)
            ):
                self.at += len(tail)
                word = word if tail[0] != "WITH" else f"{word} WITH TIME ZONE"
        name = "DOUBLE" if word == "FLOAT" and self.written else _ALIASES.get(word, word)
        if name not in NAMES:
            raise TypeUnknown(f"{word.lower()!r} is not a type")
        sizes: list[int] = []
        if name in ("DECIMAL", "VARCHAR") and self.peek("sign", "("):
            self.at += 1
            sizes.append(int(self.take("number")))
            if name == "DECIMAL" and self.peek("sign", ","):
                self.at += 1
                sizes.append(int(self.take("number")))
            self.take("sign", ")")
        if name != "DECIMAL":
            return Scalar(name)
        width, scale = (*sizes, 0)[:2] if sizes else (18, 3)
        if not 1 <= width <= 38 or scale > width:
            raise TypeUnknown(f"{self.text!r}: expected a width of 1 to 38 and a scale up to it")
        return Scalar(name, (width, scale))

    def nested(self, word: str) -> Type:
        self.take("sign", "(")
        if word == "MAP":
            key = self.one()
            self.take("sign", ",")
            found: Type = Mapped(key, self.one())
        elif word == "ENUM":
            found = Enumerated(tuple(self.several(lambda: self.take("text"))))
        else:
            fields = tuple(self.several(self.field))
            if len({name.lower() for name, _ in fields}) < len(fields):
                raise TypeUnknown(f"{self.text!r} has two fields of one name")
            found = Struct(fields)
        self.take("sign", ")")
        return found

    def several(self, one: Callable[[], Part]) -> list[Part]:
        found = [one()]
        while self.peek("sign", ","):
            self.at += 1
            found.append(one())
        return found

    def field(self) -> tuple[str, Type]:
        name = self.take("name") if self.peek("name") else self.take("word")
        return name, self.one()


def reads_as(written: Type, read: Type) -> bool:
    """Whether every value of `written` is one of `read`."""
    return not refused(written, read)


def refused(written: Type, read: Type, path: str = "") -> str:
    """Why a value of `written` may not be one of `read`, in words; empty when all are."""
    if written == read:
        return ""
    if isinstance(written, Scalar) and isinstance(read, Scalar):
        return "" if _wider(written, read) else _differ(written, read, path)
    if isinstance(written, Listed) and isinstance(read, Listed):
        if read.length is not None and read.length != written.length:
            return _differ(written, read, path)
        return refused(written.item, read.item, f"{path}[]")
    if isinstance(written, Mapped) and isinstance(read, Mapped):
        return refused(written.key, read.key, f"{path} (keys)") or refused(
            written.value, read.value, f"{path} (values)"
        )
    if isinstance(written, Struct) and isinstance(read, Struct):
        given = {name.lower(): each for name, each in written.fields}
        for name, each in read.fields:
            if name.lower() not in given:
                return f"the field {path}.{name} is not there".replace(" .", " ")
            if why := refused(given[name.lower()], each, f"{path}.{name}"):
                return why
        return ""
    if isinstance(written, Enumerated) and isinstance(read, Enumerated):
        lost = [symbol for symbol in written.symbols if symbol not in read.symbols]
        return f"{path or 'it'} may be {', '.join(map(repr, lost))}".lstrip(".") if lost else ""
    if isinstance(written, Enumerated) and read == Scalar("VARCHAR"):
        return ""
    return _differ(written, read, path)


def _differ(written: Type, read: Type, path: str) -> str:
    where = f"{path.lstrip('.')}: " if path else ""
    return f"{where}{written} does not read as {read}"


def _wider(written: Scalar, read: Scalar) -> bool:
    if written.name == "FLOAT" and read.name == "DOUBLE":
        return True
    if written.name == "JSON" and read.name == "VARCHAR":
        return True
    if written.name == "DECIMAL" and read.name == "DECIMAL" and written.size and read.size:
        (width, scale), (wider, finer) = written.size, read.size
        return finer >= scale and wider - finer >= width - scale
    signed = written.name in SIGNED
    if not signed and written.name not in UNSIGNED:
        return read.name in _TIMES.get(written.name, ())
    bits = SIGNED[written.name] if signed else UNSIGNED[written.name]
    if read.name in SIGNED:
        return SIGNED[read.name] >= bits
    if read.name in UNSIGNED:
        return not signed and UNSIGNED[read.name] >= bits
    if read.name == "DECIMAL" and read.size:
        return read.size[0] - read.size[1] >= len(str(2**bits))
    return EXACT_BITS.get(read.name, 0) >= bits
