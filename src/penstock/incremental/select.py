"""What stands around FROM in one SELECT: outputs, conditions, groups, order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.incremental.expressions import windows
from penstock.incremental.nodes import Output, Select, conditions, marks
from penstock.incremental.reasons import Rebuild
from penstock.incremental.scope import Scope
from penstock.sql.aggregates import has_aggregate

if TYPE_CHECKING:
    from penstock.incremental.resolve import Resolver, With


class Body:
    """What stands around FROM in one SELECT."""

    def __init__(self, resolver: Resolver, scope: Scope, seen: Mapping[str, With], tree: exp.Select) -> None:
        self._resolver, self._scope, self._seen, self._tree = resolver, scope, seen, tree
        self._aliases: dict[str, exp.Expr] = {}
        self._named = {found.name.lower(): found for found in tree.args.get("windows") or ()}

    def select(self) -> Select:
        tree = self._tree
        outputs = self._outputs()
        where = conditions(self._optional("where", "WHERE"))
        having = self._optional("having", "HAVING", clash=True)
        qualify = self._optional("qualify", "QUALIFY", clash=True)
        group = self._group(outputs, having)
        on = self._distinct_on(outputs)
        limit, offset = self._number("limit"), self._number("offset")
        found = Select(
            sources=tuple(self._scope.sources),
            outputs=tuple(outputs),
            where=where,
            group=group,
            having=having,
            qualify=qualify,
            distinct=bool(tree.args.get("distinct")) and not on,
            distinct_on=on,
            order=self._order(outputs) if on or limit is not None or offset is not None else (),
            limit=limit,
            offset=offset,
        )
        return replace(found, inners=self._resolver.inners(list(found.expressions())))

    def _expression(self, tree: exp.Expr, where: str, *, clash: bool = False) -> exp.Expr:
        for window in tree.find_all(exp.Window):
            self._spell_out(window)
        return self._resolver.expression(tree, self._scope, self._seen, where, self._aliases, clash=clash)

    def _optional(self, part: str, where: str, *, clash: bool = False) -> exp.Expr | None:
        found = self._tree.args.get(part)
        return None if found is None else self._expression(found.this, where, clash=clash)

    def _number(self, part: str) -> exp.Expr | None:
        clause = self._tree.args.get(part)
        if clause is None:
            return None
        if not isinstance(clause, (exp.Limit, exp.Offset)) or not isinstance(clause.expression, exp.Literal):
            raise Rebuild(f"its {part.upper()} is not a number")
        return clause.expression.copy()

    def _spell_out(self, window: exp.Window) -> None:
        """OVER w → the window that WINDOW w AS (…) names."""
        name = window.args.get("alias")
        if name is None:
            return
        named = self._named.get(name.name.lower())
        if named is None or named.args.get("alias") is not None:
            raise Rebuild(f"the window {name.name} could not be resolved")
        for part in ("partition_by", "order", "spec"):
            value = named.args.get(part)
            if value and not window.args.get(part):
                copied = [found.copy() for found in value] if isinstance(value, list) else value.copy()
                window.set(part, copied)
        window.set("alias", None)

    def _outputs(self) -> list[Output]:
        found: list[Output] = []
        for item in self._tree.expressions:
            if isinstance(item, exp.Star):
                found += self._star(item, "")
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                found += self._star(item.this, item.table)
            else:
                value = item.this if isinstance(item, exp.Alias) else item
                name = item.alias if isinstance(item, exp.Alias) else item.name if isinstance(item, exp.Column) else ""
                if not name:
                    raise Rebuild(f"its output column {len(found) + 1} has no name (give it one with AS)")
                resolved = self._expression(value.copy(), "the SELECT list")
                found.append(Output(name, resolved))
                self._aliases.setdefault(name.lower(), resolved)
        names = [output.name.lower() for output in found]
        if len(set(names)) != len(names):
            raise Rebuild("two of its columns have one name")
        return found

    def _star(self, star: exp.Star, table: str) -> list[Output]:
        left_out = {item.name.lower() for item in star.args.get("except_") or ()}
        other = {item.alias.lower(): item.this for item in star.args.get("replace") or ()}
        renamed = {item.this.name.lower(): item.alias for item in star.args.get("rename") or ()}
        odd = [part for part, value in star.args.items() if value and part not in ("except_", "replace", "rename")]
        if odd:
            raise Rebuild(f"it has * with {odd[0].upper()}")
        found = []
        for name, value in self._scope.star(table):
            low = name.lower()
            if low in left_out:
                continue
            kept = self._expression(other[low].copy(), "REPLACE") if low in other else value
            found.append(Output(renamed.get(low, name), kept))
        return found

    def _group(self, outputs: Sequence[Output], having: exp.Expr | None) -> tuple[exp.Expr, ...] | None:
        clause = self._tree.args.get("group")
        seen = [output.value for output in outputs] + ([having] if having is not None else [])
        if clause is None:
            return () if having is not None or any(has_aggregate(value) for value in seen) else None
        odd = [part for part, value in clause.args.items() if value and part not in ("expressions", "all")]
        if odd or any(isinstance(item, (exp.Rollup, exp.Cube, exp.GroupingSets)) for item in clause.expressions):
            raise Rebuild("it has grouping sets")
        if clause.args.get("all"):
            found = [
                value.copy() for value in seen[: len(outputs)] if not has_aggregate(value) and value.find(exp.Column)
            ]
            if not found:
                raise Rebuild("its GROUP BY ALL has no column to group by")
        else:
            found = [self._positioned(item, outputs, "GROUP BY") for item in _spread(clause.expressions)]
        if any(marks(value) or windows(value) for value in found):
            raise Rebuild("it groups by a subquery or a window")
        return tuple(found)

    def _positioned(self, item: exp.Expr, outputs: Sequence[Output], where: str) -> exp.Expr:
        if isinstance(item, exp.Literal) and not item.is_string:
            place = int(item.this)
            if not 1 <= place <= len(outputs):
                raise Rebuild(f"{where} {place} is no output column")
            return outputs[place - 1].value.copy()
        return self._expression(item.copy(), where)

    def _distinct_on(self, outputs: Sequence[Output]) -> tuple[exp.Expr, ...]:
        clause = self._tree.args.get("distinct")
        on = clause.args.get("on") if clause is not None else None
        if on is None:
            return ()
        items = on.expressions if isinstance(on, exp.Tuple) else [on]
        return tuple(self._positioned(item, outputs, "DISTINCT ON") for item in items)

    def _order(self, outputs: Sequence[Output]) -> tuple[exp.Expr, ...]:
        clause = self._tree.args.get("order")
        found = []
        for item in clause.expressions if clause is not None else ():
            ordered = item.copy()
            name = item.this.name.lower() if isinstance(item.this, exp.Column) and not item.this.table else ""
            # In ORDER BY an alias comes before a column.
            value = self._aliases.get(name)
            ordered.set("this", value.copy() if value is not None else self._positioned(item.this, outputs, "ORDER BY"))
            found.append(ordered)
        return tuple(found)


def _spread(items: Sequence[exp.Expr]) -> list[exp.Expr]:
    """GROUP BY (a, b) is GROUP BY a, b; GROUP BY () is none."""
    found: list[exp.Expr] = []
    for item in items:
        found += _spread(item.expressions) if isinstance(item, exp.Tuple) else [item]
    return found
