"""Random tables, queries and changes: every operator that may be maintained, put together in every way.

All of it is drawn through `Choices`, so that hypothesis can shrink what it finds and a seed can repeat it. Values are
exact (BIGINT, VARCHAR, DECIMAL, TIMESTAMP), and whatever needs an order has a total one: a query has one answer only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st
from incremental_lab import Model, Row, State, Table

T = TypeVar("T")
INT, TEXT, DEC, TIME = "BIGINT", "VARCHAR", "DECIMAL(9, 2)", "TIMESTAMP"

VALUES: dict[str, tuple[Any, ...]] = {
    INT: (1, 2, 3, None),
    TEXT: ("a", "b", "A", None),
    DEC: ("1.00", "2.50", "-1.00", None),
    TIME: (*(f"2026-01-0{day} 00:00:00" for day in (1, 2, 3)), None),
}
LITERALS = {INT: ("1", "2", "3"), TEXT: ("'a'", "'b'", "'A'"), DEC: ("1.00", "2.50", "0.00")}
LITERALS[TIME] = tuple(f"TIMESTAMP '2026-01-0{day}'" for day in (1, 2, 3))

_FAMILIES = """inner left right full cross nested using self-join left-chain semi anti asof point-in-time where or not
    null group group-expression group-all group-position group-alias having distinct distinct-on window window-several
    window-named qualify cte cte-twice cte-nested from-subquery view union-all union except intersect in not-in exists
    not-exists correlated in-tuple subquery-in-or subquery-in-case scalar scalar-correlated scalar-select scalar-where
    scalar-having limit limit-top stamp filter"""
FAMILIES = tuple(_FAMILIES.split())


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


class Grammar:
    """Draws one model: its tables, views and SQL. `families` are the operators that were drawn."""

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

    def predicate(self, scope: Scope, depth: int, outer: Scope = ()) -> str:
        shape = self._choices.integer(0, 9)
        if shape <= 3 or depth <= 0:
            return self.comparison(scope)
        if shape == 4:
            return f"{self.comparison(scope)} AND {self.predicate(scope, depth - 1)}"
        if shape == 5:
            self.note("or")
            before = set(self.families)
            made = f"({self.predicate(scope, depth - 1)} OR {self.comparison(scope)})"
            if {"in", "not-in", "exists", "not-exists", "scalar"} & (self.families - before):
                self.note("subquery-in-or")
            return made
        if shape == 6:
            self.note("not")
            return f"NOT ({self.predicate(scope, depth - 1)})"
        if shape == 7 and self.chance(3):
            self.note("subquery-in-case")
            return f"CASE WHEN {self.subquery_test(scope, depth)} THEN {self.comparison(scope)} ELSE true END"
        return self.subquery_test(scope, depth)

    # subqueries

    def subquery_test(self, scope: Scope, depth: int) -> str:
        shape = self._choices.integer(0, 6)
        if shape <= 1:
            word = self.pick(["EXISTS", "NOT EXISTS"])
            self.note(word.lower().replace(" ", "-"))
            return f"{word} ({self.inner(scope, depth, ['1'])})"
        if shape <= 4:
            word = self.pick(["IN", "NOT IN"])
            self.note(word.lower().replace(" ", "-"))
            left = self.value(scope)
            if self.chance(2):
                self.note("in-tuple")
                other = self.value(scope)
                made = self.inner(scope, depth, [left.kind, other.kind])
                return f"({left.name}, {other.name}) {word} ({made})"
            return f"{left.name} {word} ({self.inner(scope, depth, [left.kind])})"
        self.note("scalar-where")
        left = self.value(scope, INT)
        return f"{left.name} {self.pick(['=', '<', '>='])} {self.scalar(scope, depth)}"

    def scalar(self, scope: Scope, depth: int) -> str:
        """A subquery of one BIGINT."""
        self.note("scalar")
        before = "correlated" in self.families
        self.families.discard("correlated")
        made = self.inner(scope, depth, ["aggregate"])
        if "correlated" in self.families:
            self.note("scalar-correlated")
        if before:
            self.note("correlated")
        return f"({made})"

    def inner(self, around: Scope, depth: int, wanted: Sequence[str]) -> str:
        """A subquery that gives one column for each of `wanted` (types, "1" or "aggregate")."""
        if not self.chance(8):
            made, scope = self.source_list(depth - 1)
        else:
            source, item = self.source(0)
            made, scope = source, [item]
        conditions = []
        if self.chance(6):
            mine, theirs = refs(scope), refs(around)
            pairs = [(one, other) for one in mine for other in theirs if one.kind == other.kind]
            if pairs:
                self.note("correlated")
                one, other = self.pick(pairs)
                conditions.append(f"{one.name} {self.pick(['=', '=', '=', '<', '<>'])} {other.name}")
        if self.chance(5):
            conditions.append(self.predicate(scope, depth - 1))
        outputs = []
        for kind in wanted:
            if kind == "1":
                outputs.append(self.pick(["1", "*"]))
            elif kind == "aggregate":
                outputs.append(self.pick(["count(*)", f"max({self.value(scope, INT).name})"]))
            else:
                outputs.append(self.value(scope, kind).name)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        group = ""
        if "aggregate" not in wanted and "1" not in wanted and self.chance(2):
            group = f" GROUP BY {', '.join(outputs)} HAVING count(*) >= {self.pick(['1', '2'])}"
            if any(output[0] in "'0123456789T" for output in outputs):
                group = ""
        return f"SELECT {', '.join(outputs)} FROM {made}{where}{group}"

    # FROM

    def source(self, depth: int) -> tuple[str, Item]:
        """One item: a table, a view, a CTE, a subquery."""
        shape = self._choices.integer(0, 9)
        alias = self.fresh("t")
        if shape >= 8 and depth > 0:
            self.note("from-subquery")
            made = self.query(depth - 1)
            return f"({made.sql}) AS {alias}", Item(alias, made.columns)
        if shape >= 6 and self._ctes:
            name, columns = self.pick(self._ctes)
            if name in self._used:
                self.note("cte-twice")
            self._used.add(name)
            self.note("cte")
            return f"{name} AS {alias}", Item(alias, columns)
        if shape == 5 and self.views:
            name, columns = self.pick(self._view_columns)
            self.note("view")
            return f"{name} AS {alias}", Item(alias, columns)
        name, columns, _ = self.pick(self._known)
        return f"{name} AS {alias}", Item(alias, columns)

    _used: set[str]
    _view_columns: list[tuple[str, tuple[Column, ...]]]

    def source_list(self, depth: int) -> tuple[str, list[Item]]:
        """FROM with its joins, and what can be seen of it."""
        special = self._choices.integer(0, 19)
        if special == 18:
            return self.point_in_time()
        if special == 19:
            return self.asof(depth)
        made, first = self.source(depth)
        scope = [first]
        kinds = []
        for _ in range(self.pick([0, 1, 1, 2, 2, 3])):
            made, kind = self.join(made, scope, depth)
            kinds.append(kind)
        if any(pair == ("left", "left") for pair in pairwise(kinds)):
            self.note("left-chain")
        names = [part for part in made.split() if part.startswith("raw.")]
        if len(set(names)) < len(names):
            self.note("self-join")
        return made, scope

    def join(self, made: str, scope: list[Item], depth: int, *, commas: bool = True) -> tuple[str, str]:
        kind = self.pick(["inner", "left", "inner", "left", "right", "full", "cross", "semi", "anti", "left", "comma"])
        if depth > 0 and self.chance(1):
            self.note("nested")
            inside, item = self.source(depth - 1)
            items = [item]
            inside, _ = self.join(inside, items, 0, commas=False)
            new, sql = items, f"({inside})"
        else:
            sql, item = self.source(depth)
            new = [item]
        if kind in ("cross", "comma"):
            self.note("cross")
            scope += new
            if kind == "comma" and commas and "JOIN" not in made:
                return f"{made}, {sql}", "cross"
            return f"{made} CROSS JOIN {sql}", "cross"
        word = {"inner": "JOIN", "left": "LEFT JOIN", "right": "RIGHT JOIN", "full": "FULL JOIN"}.get(
            kind, f"{kind.upper()} JOIN"
        )
        self.note(kind)
        shared = [
            column
            for column in new[0].columns
            if len(new) == 1
            and sum(column in item.columns for item in scope) == 1
            and sum(column.name == other.name for item in scope for other in item.columns) == 1
            and new[0].alias
        ]
        if shared and self.chance(3) and kind not in ("semi", "anti"):
            self.note("using")
            names = [self.pick(shared)] if self.chance(7) else shared[:2]
            plain = tuple(names)
            scope[:] = [
                replace(item, columns=tuple(column for column in item.columns if column not in plain)) for item in scope
            ]
            rest = replace(new[0], columns=tuple(column for column in new[0].columns if column not in plain))
            scope += [rest, Item("", plain)]
            return f"{made} {word} {sql} USING ({', '.join(column.name for column in plain)})", kind
        pairs = [(one, other) for one in refs(scope) for other in refs(new) if one.kind == other.kind]
        same = [pair for pair in pairs if pair[0].name.rsplit(".")[-1] == pair[1].name.rsplit(".")[-1]]
        conditions = []
        if pairs and not self.chance(1):
            one, other = self.pick(same or pairs)
            conditions.append(f"{one.name} = {other.name}")
        if self.chance(2) or not conditions:
            conditions.append(self.comparison([*scope, *new]))
        on = self.pick([" AND ", " AND ", " AND ", " OR "]).join(conditions)
        if kind not in ("semi", "anti"):
            scope += new
        return f"{made} {word} {sql} ON {on}", kind

    def point_in_time(self) -> tuple[str, list[Item]]:
        """Rows joined to the version that was valid at their time."""
        self.note("point-in-time")
        versions, alias = self.fresh("t"), self.fresh("t")
        known = [(name, columns) for name, columns, _ in self._known[:3] if Column("t", TIME) in columns]
        if known:
            name, columns = self.pick(known)
            at = f"{alias}.t"
        else:
            name, columns = "raw.h", self._known[3][1]
            at = f"{alias}.valid_from"
        word = self.pick(["JOIN", "LEFT JOIN"])
        on = (
            f"{alias}.k = {versions}.k AND {at} >= {versions}.valid_from"
            f" AND ({versions}.valid_to IS NULL OR {at} < {versions}.valid_to)"
        )
        scope = [Item(alias, columns), Item(versions, self._known[3][1])]
        return f"{name} AS {alias} {word} raw.h AS {versions} ON {on}", scope

    def asof(self, depth: int) -> tuple[str, list[Item]]:
        """ASOF to something that has one row for each (k, time)."""
        self.note("asof")
        made, item = self.source(depth)
        times = [column for column in item.columns if column.kind == TIME]
        keys = [column for column in item.columns if column.kind == INT]
        if not times or not keys:
            made, item = "raw.h AS asof_left", Item("asof_left", self._known[3][1])
            times, keys = [item.columns[1]], [item.columns[0]]
        alias = self.fresh("t")
        with_time = [(name, columns) for name, columns, _ in self._known[:3] if Column("t", TIME) in columns]
        if with_time and self.chance(5):
            name, _ = self.pick(with_time)
            columns = (Column("k", INT), Column("t", TIME), Column("n", INT))
            right = f"(SELECT k, t, count(*) AS n FROM {name} GROUP BY k, t) AS {alias}"
            at = "t"
        else:
            columns, right, at = self._known[3][1], f"raw.h AS {alias}", "valid_from"
        word = self.pick(["ASOF JOIN", "ASOF LEFT JOIN"])
        mine, time = self.pick(keys).name, self.pick(times).name
        on = f"{item.alias}.{mine} = {alias}.k AND {item.alias}.{time} >= {alias}.{at}"
        return f"{made} {word} {right} ON {on}", [item, Item(alias, columns)]

    # queries

    def query(self, depth: int, *, top: bool = False) -> Made:
        shape = self._choices.integer(0, 12)
        if shape >= 11 and depth > 0:
            return self.combined(depth)
        if shape >= 9 and (depth > 0 or top):
            return self.with_clause(depth, top=top)
        return self.select(depth, top=top)

    def with_clause(self, depth: int, *, top: bool) -> Made:
        self.note("cte")
        known = list(self._ctes)
        entries = []
        for _ in range(self.pick([1, 1, 2])):
            name = self.fresh("w")
            if len(self._ctes) > len(known):
                self.note("cte-nested")
            made = self.query(max(0, depth - 1))
            entries.append(f"{name} AS ({made.sql})")
            self._ctes.append((name, made.columns))
        made = self.select(depth, top=top)
        self._ctes = known
        return Made(f"WITH {', '.join(entries)} {made.sql}", made.columns)

    def combined(self, depth: int) -> Made:
        word = self.pick(["UNION ALL", "UNION", "UNION ALL", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL"])
        self.note("union-all" if word == "UNION ALL" else word.split()[0].lower())
        kinds = [self.pick([INT, TEXT, DEC]) for _ in range(self.pick([1, 2, 3]))]
        names = [self.fresh("c") for _ in kinds]
        sides = [self.typed(depth - 1, kinds, names) for _ in range(2)]
        if word == "UNION ALL" and self.chance(2):
            sides.append(self.typed(depth - 1, kinds, names))
        columns = tuple(Column(name, kind) for name, kind in zip(names, kinds, strict=True))
        return Made(f" {word} ".join(sides), columns)

    def typed(self, depth: int, kinds: Sequence[str], names: Sequence[str]) -> str:
        """A SELECT of these types."""
        made, scope = self.source_list(depth)
        outputs = [self.value(scope, kind).name for kind in kinds]
        listed = ", ".join(f"{output} AS {name}" for output, name in zip(outputs, names, strict=True))
        where = f" WHERE {self.predicate(scope, depth)}" if self.chance(3) else ""
        distinct = "DISTINCT " if self.chance(1) else ""
        group = " GROUP BY ALL" if not distinct and self.chance(2) else ""
        return f"SELECT {distinct}{listed} FROM {made}{where}{group}"

    def select(self, depth: int, *, top: bool = False) -> Made:
        made, scope = self.source_list(depth)
        where = ""
        if self.chance(4):
            self.note("where")
            where = f" WHERE {self.predicate(scope, depth)}"
        shapes = [self.plain, self.grouped, self.windowed, self.grouped, self.distinct, self.distinct_on, self.limited]
        shape = self.pick(shapes)
        return shape(f" FROM {made}{where}", scope, depth, top)

    def outputs(self, scope: Scope, most: int = 3) -> list[tuple[str, Column]]:
        """`(expression, column)` of a SELECT list."""
        values = [self.value(scope) for _ in range(self._choices.integer(1, most))]
        return [(value.name, Column(self.fresh("c"), value.kind)) for value in values]

    def listed(self, outputs: Sequence[tuple[str, Column]]) -> str:
        return ", ".join(f"{sql} AS {column.name}" for sql, column in outputs)

    def more(self, outputs: list[tuple[str, Column]], scope: Scope, depth: int, top: bool) -> None:
        """What a SELECT list may have besides: a scalar subquery, a stamp."""
        if depth > 0 and self.chance(1):
            self.note("scalar-select")
            outputs.append((self.scalar(scope, depth), Column(self.fresh("c"), INT)))
        if top and self.chance(1):
            self.note("stamp")
            outputs.append(("now()", Column("made_at", TIME)))

    def plain(self, rest: str, scope: Scope, depth: int, top: bool) -> Made:
        if self.chance(2) and {column.name for column in refs(scope)} and not depth:
            names = [column.name.rsplit(".")[-1] for column in refs(scope)]
            if len(set(names)) == len(names) and all(item.alias for item in scope):
                columns = tuple(Column(column.name.rsplit(".")[-1], column.kind) for column in refs(scope))
                return Made(f"SELECT *{rest}", columns)
        outputs = self.outputs(scope, 4)
        self.more(outputs, scope, depth, top)
        return Made(f"SELECT {self.listed(outputs)}{rest}", tuple(column for _, column in outputs))

    def distinct(self, rest: str, scope: Scope, depth: int, top: bool) -> Made:
        self.note("distinct")
        outputs = self.outputs(scope)
        return Made(f"SELECT DISTINCT {self.listed(outputs)}{rest}", tuple(column for _, column in outputs))

    def distinct_on(self, rest: str, scope: Scope, depth: int, top: bool) -> Made:
        """One row of each; of those equal in all that is looked at, it does not matter which."""
        self.note("distinct-on")
        outputs = self.outputs(scope, 4)
        on = [outputs[0][0]]
        if self.chance(2):
            on.append(self.value(scope).name)
        order = ", ".join([*on, *(f"{sql} {self.pick(['ASC', 'DESC'])}" for sql, _ in outputs[1:])])
        sql = f"SELECT DISTINCT ON ({', '.join(on)}) {self.listed(outputs)}{rest} ORDER BY {order}"
        return Made(sql, tuple(column for _, column in outputs))

    def limited(self, rest: str, scope: Scope, depth: int, top: bool) -> Made:
        self.note("limit-top" if top else "limit")
        outputs = self.outputs(scope)
        order = ", ".join(f"{column.name} {self.pick(['ASC', 'DESC'])}" for _, column in outputs)
        sql = f"SELECT {self.listed(outputs)}{rest} ORDER BY {order} LIMIT {self.pick(['1', '2', '3'])}"
        return Made(sql, tuple(column for _, column in outputs))

    def grouped(self, rest: str, scope: Scope, depth: int, top: bool) -> Made:
        self.note("group")
        keys = self.outputs(scope, 2)
        while any(not any(ref.name in sql for ref in refs(scope)) for sql, _ in keys):
            keys = [(column.name, Column(self.fresh("c"), column.kind)) for column in refs(scope)[:1]]
        if any(not sql.replace(".", "").replace("_", "").isalnum() for sql, _ in keys):
            self.note("group-expression")
        outputs = list(keys)
        style = self.pick(["plain", "all", "position", "alias"])
        for _ in range(self._choices.integer(0, 2)):
            made = self.aggregate(scope)
            outputs.append((made.name, Column(self.fresh("c"), made.kind)))
        if style == "all":
            self.note("group-all")
            group = "ALL"
        elif style == "position":
            self.note("group-position")
            group = ", ".join(str(at + 1) for at in range(len(keys)))
        elif style == "alias":
            self.note("group-alias")
            group = ", ".join(column.name for _, column in keys)
        else:
            group = ", ".join(sql for sql, _ in keys)
            if len(keys) > 1 and self.chance(2):
                outputs.pop(0)
        after = ""
        if self.chance(3):
            self.note("having")
            right = self.pick(["1", "2"])
            if depth > 0 and self.chance(2):
                self.note("scalar-having")
                right = self.scalar((), depth)
            after = f" HAVING {self.aggregate(scope).name if self.chance(2) else 'count(*)'} IS NOT NULL"
            after += f" AND count(*) {self.pick(['>=', '<', '='])} {right}"
        if top and self.chance(1):
            self.note("stamp")
            outputs.append(("now()", Column("made_at", TIME)))
        if style == "plain" and self.chance(2):
            self.note("window")
            window = f"sum(count(*)) OVER (PARTITION BY {keys[-1][0]})"
            outputs.append((window, Column(self.fresh("c"), INT)))
        return Made(
            f"SELECT {self.listed(outputs)}{rest} GROUP BY {group}{after}", tuple(column for _, column in outputs)
        )

    def windowed(self, rest: str, scope: Scope, depth: int, top: bool) -> Made:
        self.note("window")
        outputs = self.outputs(scope, 3)
        part = outputs[0][0]
        total = ", ".join(column.name for column in refs(scope)[::-1])
        order = f" ORDER BY {total}"
        parts = [f"PARTITION BY {part}"]
        if self.chance(3):
            self.note("window-several")
            parts.append(f"PARTITION BY {part}, {self.value(scope).name}")
        named = ""
        if self.chance(2):
            self.note("window-named")
            named = f" WINDOW win AS (PARTITION BY {part})"
        functions = []
        for _ in range(self._choices.integer(1, 2)):
            over = "win" if named and self.chance(5) else self.pick(parts)
            value = self.value(scope)
            shape = self.pick(["count", "max", "row_number", "rank", "lag", "first", "running"])
            if shape in ("count", "max"):
                window = f"{shape}({value.name}) OVER ({over})"
            elif shape in ("row_number", "rank"):
                window = f"{shape}() OVER ({over}{order})"
            elif shape == "lag":
                window = f"lag({value.name}) OVER ({over}{order})"
            elif shape == "first":
                window = f"first_value({value.name}) OVER ({over}{order})"
            else:
                window = f"count({value.name}) OVER ({over}{order} ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)"
            kind = value.kind if shape in ("max", "lag", "first") else INT
            functions.append((window, Column(self.fresh("c"), kind)))
        outputs += functions
        after = ""
        if self.chance(3):
            self.note("qualify")
            window, column = self.pick(functions)
            subject = self.pick([column.name, window])
            after = f" QUALIFY {subject} {self.pick(['=', '<=', '>'])} {self.pick(LITERALS[column.kind])}"
        if top and self.chance(1):
            self.note("stamp")
            outputs.append(("now()", Column("made_at", TIME)))
        sql = f"SELECT {self.listed(outputs)}{rest}{named}{after}"
        return Made(sql, tuple(column for _, column in outputs))

    def model(self, depth: int = 2) -> Model:
        self._used, self._view_columns = set(), []
        self.schema()
        if self.chance(3):
            made = self.query(1)
            self.views["stg.v"] = made.sql
            self._view_columns.append(("stg.v", made.columns))
        self.families.clear()
        self._used.clear()
        made = self.query(depth, top=True)
        if self.chance(1) and "ORDER BY" not in made.sql.rsplit(" FROM ", 1)[-1]:
            made = replace(made, sql=f"{made.sql} ORDER BY 1")
        key = tuple(column.name for column in made.columns[:1]) if self.chance(2) else ()
        return Model(made.sql, self.tables, self.views, key, frozenset(self.families))


# data


def states(choices: Choices, model: Model, steps: int = 3) -> list[State]:
    """The tables' rows before, and after each of `steps` changes of one or several tables."""
    found: list[State] = [{name: _rows(choices, table) for name, table in model.tables.items()}]
    for _ in range(steps):
        now = {name: list(rows) for name, rows in found[-1].items()}
        for _ in range(choices.integer(1, 4)):
            name = list(now)[choices.integer(0, len(now) - 1)]
            _changed(choices, model.tables[name], now[name])
        found.append(now)
    return found


def _changed(choices: Choices, table: Table, rows: list[Row]) -> None:
    shape = choices.integer(0, 4)
    if shape >= 3 and rows:
        del rows[choices.integer(0, len(rows) - 1)]
    elif shape == 2 and rows:
        rows[choices.integer(0, len(rows) - 1)] = _row(choices, table)
    elif shape == 1 and rows and not table.key:
        rows.append(rows[choices.integer(0, len(rows) - 1)])
    else:
        rows.append(_row(choices, table))
    rows[:] = _unique(table, rows)


def _rows(choices: Choices, table: Table) -> list[Row]:
    return _unique(table, [_row(choices, table) for _ in range(choices.integer(0, 5))])


def _row(choices: Choices, table: Table) -> Row:
    """A row, drawn as one number; columns of a key are never NULL."""
    pools = [
        tuple(range(1, 7)) if name == "id" else VALUES[kind][:3] if name in table.key else VALUES[kind]
        for name, kind in table.columns.items()
    ]
    total = 1
    for pool in pools:
        total *= len(pool)
    number = choices.integer(0, total - 1)
    found = []
    for pool in pools:
        number, at = divmod(number, len(pool))
        found.append(pool[at])
    return tuple(found)


def _unique(table: Table, rows: list[Row]) -> list[Row]:
    """The last row of each key."""
    if not table.key:
        return rows
    places = [list(table.columns).index(name) for name in table.key]
    return list({tuple(row[place] for place in places): row for row in rows}.values())


@st.composite
def cases(draw: Callable[[st.SearchStrategy[int]], int], depth: int = 2) -> tuple[Model, list[State], bool]:
    """A model, the states of its tables, and whether all inputs count as changed at every step."""
    choices = Drawn(draw)
    model = Grammar(choices).model(depth)
    return model, states(choices, model), choices.integer(0, 3) == 3


def seeded(seed: int, depth: int = 2) -> tuple[Model, list[State], bool]:
    """The case that belongs to a number."""
    choices = Seeded(seed)
    model = Grammar(choices).model(depth)
    return model, states(choices, model), choices.integer(0, 3) == 3
