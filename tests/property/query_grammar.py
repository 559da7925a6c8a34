"""Random tables, queries and changes: every operator that may be maintained, put together in every way.

All of it is drawn through `Choices`, so that hypothesis can shrink what it finds and a seed can repeat it. Values are
exact (BIGINT, VARCHAR, DECIMAL, TIMESTAMP), and whatever needs an order has a total one: a query has one answer only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from grammar_from import Tables
from grammar_parts import (
    BOOL,
    DEC,
    INT,
    LITERALS,
    TEXT,
    TIME,
    VALUES,
    Choices,
    Column,
    Drawn,
    Made,
    Scope,
    Seeded,
    refs,
)
from hypothesis import strategies as st
from incremental_lab import Model, Row, State, Table

_FAMILIES = """inner left right full cross nested using self-join left-chain semi anti asof point-in-time where or not
    null group group-expression group-all group-position group-alias having distinct distinct-on window window-several
    window-named qualify cte cte-twice cte-nested from-subquery view union-all union except intersect in not-in exists
    not-exists correlated in-tuple subquery-in-or subquery-in-case scalar scalar-correlated scalar-select scalar-where
    scalar-having limit limit-top stamp alias filter"""
FAMILIES = tuple(_FAMILIES.split())


class Grammar(Tables):
    """Draws one model: its tables, views and SQL."""

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
        word = self.pick(["UNION ALL", "UNION", "UNION", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL"])
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
            where = f" WHERE {self.predicate(scope, max(depth, 1))}"
        shapes = [self.plain, self.grouped, self.windowed, self.grouped, self.distinct, self.distinct_on, self.limited]
        shape = self.pick(shapes)
        return shape(f" FROM {made}{where}", scope, depth, top)

    def outputs(self, scope: Scope, most: int = 3) -> list[tuple[str, Column]]:
        """`(expression, column)` of a SELECT list."""
        values = [self.value(scope) for _ in range(self._choices.integer(1, most))]
        found = []
        for value in values:
            # An alias stands for an operation: its brackets must not be lost where it is used.
            bare = value.name[1:-1] if value.kind == BOOL and value.name.startswith("(") else value.name
            found.append((bare, Column(self.fresh("c"), value.kind)))
        return found

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
        if outputs[0][1].kind == INT and self.chance(3):
            self.note("alias")
            outputs.append((f"{outputs[0][1].name} * 2 - 1", Column(self.fresh("c"), INT)))
        if outputs[0][1].kind == BOOL and self.chance(5):
            self.note("alias")
            outputs.append((f"NOT {outputs[0][1].name}", Column(self.fresh("c"), BOOL)))
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
        return Made(sql, tuple(column for _, column in outputs), ordered=True)

    def limited(self, rest: str, scope: Scope, depth: int, top: bool) -> Made:
        self.note("limit-top" if top else "limit")
        outputs = self.outputs(scope)
        order = ", ".join(f"{column.name} {self.pick(['ASC', 'DESC'])}" for _, column in outputs)
        sql = f"SELECT {self.listed(outputs)}{rest} ORDER BY {order} LIMIT {self.pick(['1', '2', '3'])}"
        return Made(sql, tuple(column for _, column in outputs), ordered=True)

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
        if self.chance(1) and not made.ordered:
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
