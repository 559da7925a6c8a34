"""What random queries are made of: choices, columns with their types, expressions without subqueries."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st
from incremental_lab import Table

T = TypeVar("T")
INT, TEXT, DEC, TIME, BOOL = "BIGINT", "VARCHAR", "DECIMAL(9, 2)", "TIMESTAMP", "BOOLEAN"

VALUES: dict[str, tuple[Any, ...]] = {
    INT: (1, 2, 3, None),
    TEXT: ("a", "b", "A", None),
    DEC: ("1.00", "2.50", "-1.00", None),
    TIME: (*(f"2026-01-0{day} 00:00:00" for day in (1, 2, 3)), None),
}
LITERALS = {
    INT: ("1", "2", "3"),
    TEXT: ("'a'", "'b'", "'A'"),
    DEC: ("1.00", "2.50", "0.00"),
    BOOL: ("true", "false", "true"),
}
LITERALS[TIME] = tuple(f"TIMESTAMP '2026-01-0{day}'" for day in (1, 2, 3))


class Choices(Protocol):
    def integer(self, low: int, high: int) -> int: ...


class Seeded:
    """Choices that a number repeats."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


class Drawn:
    """Choices that hypothesis makes and shrinks."""

    def __init__(self, draw: Callable[[st.SearchStrategy[int]], int]) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))


@dataclass(frozen=True)
class Column:
    name: str
    kind: str


@dataclass(frozen=True)
class Item:
    """Something in FROM: `alias` is "" for columns that USING has made one."""

    alias: str
    columns: tuple[Column, ...]

    def refs(self) -> list[Column]:
        prefix = f"{self.alias}." if self.alias else ""
        return [Column(prefix + column.name, column.kind) for column in self.columns]


Scope = Sequence[Item]


def refs(scope: Scope) -> list[Column]:
    return [found for item in scope for found in item.refs()]


@dataclass(frozen=True)
class Made:
    sql: str
    columns: tuple[Column, ...]
    ordered: bool = False


class Expressions:
    """Draws expressions. `families` are the operators that were drawn."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._counter = 0
        self.families: set[str] = set()
        self.tables: dict[str, Table] = {}
        self.views: dict[str, str] = {}
        self._known: list[tuple[str, tuple[Column, ...], tuple[str, ...]]] = []
        self._ctes: list[tuple[str, tuple[Column, ...]]] = []

    # choosing

    def pick(self, items: Sequence[T]) -> T:
        return items[self._choices.integer(0, len(items) - 1)]

    def chance(self, tenths: int) -> bool:
        return self._choices.integer(0, 9) >= 10 - tenths

    def fresh(self, letter: str) -> str:
        self._counter += 1
        return f"{letter}{self._counter}"

    def note(self, *families: str) -> None:
        self.families.update(families)

    # tables

    def schema(self) -> None:
        extra = [Column("g", INT), Column("s", TEXT), Column("d", DEC), Column("t", TIME)]
        for name, first, key in (("a", [Column("id", INT)], ("id",)), ("b", [], ()), ("c", [], ())):
            wanted = self._choices.integer(1, 15)
            chosen = [column for at, column in enumerate(extra) if wanted >> at & 1]
            self._table(f"raw.{name}", (*first, Column("k", INT), *chosen), key)
        history = (Column("k", INT), Column("valid_from", TIME), Column("valid_to", TIME), Column("s", TEXT))
        self._table("raw.h", history, ("k", "valid_from"))

    def _table(self, name: str, columns: tuple[Column, ...], key: tuple[str, ...]) -> None:
        self.tables[name] = Table({column.name: column.kind for column in columns}, key)
        self._known.append((name, columns, key))

    # expressions

    def value(self, scope: Scope, kind: str | None = None) -> Column:
        """An expression without aggregates or subqueries."""
        known = [found for found in refs(scope) if kind in (None, found.kind)]
        if not known:
            return Column(self.pick(LITERALS[kind or INT]), kind or INT)
        found = self.pick(known)
        if not self.chance(2):
            return found
        literal = self.pick(LITERALS[found.kind])
        made = [f"coalesce({found.name}, {literal})", f"CASE WHEN {found.name} = {literal} THEN {found.name} END"]
        if kind is None and self.chance(2):
            return Column(f"({self.comparison(scope)})", BOOL)
        if found.kind == INT:
            made += [f"{found.name} + 1", f"{found.name} % 2", f"-{found.name}"]
        if found.kind == TEXT:
            made += [f"upper({found.name})", f"{found.name} || 'x'"]
        return Column(self.pick(made), found.kind)

    def aggregate(self, scope: Scope) -> Column:
        value = self.value(scope)
        choices = [
            Column("count(*)", INT),
            Column(f"count({value.name})", INT),
            Column(f"count(DISTINCT {value.name})", INT),
            Column(f"min({value.name})", value.kind),
            Column(f"max({value.name})", value.kind),
        ]
        if value.kind in (INT, DEC):
            choices += [Column(f"sum({value.name})", value.kind), Column(f"avg({value.name})::DECIMAL(18, 6)", DEC)]
        if value.kind == TEXT:
            choices.append(Column(f"string_agg({value.name}, ',' ORDER BY {value.name})", TEXT))
        found = self.pick(choices)
        if self.chance(1):
            self.note("filter")
            bare = found.name.removesuffix("::DECIMAL(18, 6)")
            cast = found.name[len(bare) :]
            return Column(f"{bare} FILTER (WHERE {self.comparison(scope)}){cast}", found.kind)
        return found

    def comparison(self, scope: Scope) -> str:
        left = self.value(scope)
        shape = self._choices.integer(0, 6)
        if shape <= 2:
            return f"{left.name} {self.pick(['=', '<>', '<', '>='])} {self.pick(LITERALS[left.kind])}"
        if shape == 3:
            self.note("null")
            return f"{left.name} IS {self.pick(['', 'NOT '])}NULL"
        if shape == 4:
            return f"{left.name} {self.pick(['IN', 'NOT IN'])} ({', '.join(LITERALS[left.kind][:2])})"
        if shape == 5:
            return f"{left.name} BETWEEN {LITERALS[left.kind][0]} AND {self.pick(LITERALS[left.kind])}"
        return f"{left.name} {self.pick(['=', '<', 'IS DISTINCT FROM'])} {self.value(scope, left.kind).name}"
