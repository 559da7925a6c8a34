"""Random FROM clauses, conditions and subqueries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from grammar_parts import INT, TIME, Column, Expressions, Item, Made, Scope, refs


class Tables(Expressions):
    """Draws FROM with its joins, and conditions on what it gives."""

    def query(self, depth: int, *, top: bool = False) -> Made:
        """A whole query, to stand in FROM."""
        raise NotImplementedError

    def predicate(self, scope: Scope, depth: int, outer: Scope = ()) -> str:
        shape = self._choices.integer(0, 9)
        if shape <= 3 or depth <= 0:
            return self.comparison(scope)
        if shape == 4:
            return f"{self.comparison(scope)} AND {self.predicate(scope, depth - 1)}"
        if shape == 5:
            self.note("or")
            before = set(self.families)
            left = self.subquery_test(scope, depth) if self.chance(4) else self.predicate(scope, depth - 1)
            made = f"({left} OR {self.comparison(scope)})"
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
