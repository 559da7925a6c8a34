"""FROM and its joins → sources, left-deep. Right joins are turned round, full joins stand in a Select of their own."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from penstock.incremental.nodes import JoinKind, Node, Source, conditions, marks
from penstock.incremental.reasons import Rebuild
from penstock.incremental.scope import Scope

_JOIN_PARTS = {"this", "side", "kind", "method", "on", "using"}


class Chain:
    """Builds a scope from FROM and one join after the other. `read` gives a FROM item's name, its scope's content as a
    node; `expression` resolves a condition; `fresh` makes an alias."""

    def __init__(
        self,
        scope: Scope,
        read: Callable[[exp.Expr, Scope], tuple[str, Node] | Scope],
        expression: Callable[[exp.Expr, Scope], exp.Expr],
        fresh: Callable[[str], str],
    ) -> None:
        self.scope = scope
        self._read, self._expression, self._fresh = read, expression, fresh
        self._commas = False

    def start(self, item: exp.Expr) -> None:
        arriving = self._arrive(item)
        self.scope.sources = arriving.sources
        self.scope.visible, self.scope.tables = arriving.visible, arriving.tables

    def join(self, join: exp.Join) -> None:
        odd = [name for name, value in join.args.items() if value and name not in _JOIN_PARTS]
        if odd:
            raise Rebuild(f"it has a join with {odd[0].upper()}")
        kind = self._kind(join)
        arriving = self._arrive(join.this)
        side = join.side.upper()
        if side in ("RIGHT", "FULL") and self._commas:
            raise Rebuild(f"it mixes commas and a {side} JOIN in FROM")
        if side == "RIGHT":
            self._right(join, arriving)
        elif side == "FULL":
            self._full(join, arriving)
        else:
            self._left(join, kind, arriving)

    def _kind(self, join: exp.Join) -> JoinKind:
        method, side, kind = join.method.upper(), join.side.upper(), join.kind.upper()
        if method == "ASOF" and side in ("", "LEFT") and kind in ("", "INNER"):
            return "asof left" if side else "asof"
        if method or kind not in ("", "INNER", "CROSS", "SEMI", "ANTI", "OUTER"):
            raise Rebuild(f"it has a {' '.join(part for part in (method, side, kind) if part)} JOIN")
        if kind in ("SEMI", "ANTI"):
            return "semi" if kind == "SEMI" else "anti"
        if side == "LEFT":
            return "left"
        if join.args.get("on") or join.args.get("using") or side:
            return "inner"
        if not kind:
            self._commas = True
        return "cross"

    def _arrive(self, item: exp.Expr) -> Scope:
        """One FROM item as a scope of its own."""
        found = self._read(item, self.scope)
        if isinstance(found, Scope):
            return found
        name, node = found
        alias = self._fresh(name)
        scope = Scope()
        scope.sources = [Source(alias, node)]
        scope.add_table(name, alias, node.columns)
        (known,) = scope.tables.values()
        scope.visible = list(known.values())
        return scope

    def _one(self, scope: Scope) -> Source:
        """The scope's only source; several are made one."""
        if len(scope.sources) > 1:
            scope.nest(self._fresh("joined"))
        return scope.sources[0]

    def _left(self, join: exp.Join, kind: JoinKind, arriving: Scope) -> None:
        source = self._one(arriving)
        hidden = kind in ("semi", "anti")
        before = (list(self.scope.visible), dict(self.scope.tables))
        on = self._on(join, arriving, full=False, take_right=False)
        if hidden:
            self.scope.visible, self.scope.tables = before
        self.scope.sources.append(Source(source.alias, source.node, kind, on))

    def _right(self, join: exp.Join, arriving: Scope) -> None:
        if len(self.scope.sources) > 1:
            self.scope.nest(self._fresh("joined"))
        left = self.scope.sources[0]
        right = self._one(arriving)
        on = self._on(join, arriving, full=False, take_right=True)
        self.scope.sources = [Source(right.alias, right.node), Source(left.alias, left.node, "left", on)]

    def _full(self, join: exp.Join, arriving: Scope) -> None:
        if len(self.scope.sources) > 1:
            self.scope.nest(self._fresh("joined"))
        right = self._one(arriving)
        on = self._on(join, arriving, full=True, take_right=False)
        self.scope.sources.append(Source(right.alias, right.node, "full", on))
        self.scope.nest(self._fresh("full"))

    def _on(self, join: exp.Join, arriving: Scope, *, full: bool, take_right: bool) -> tuple[exp.Expr, ...]:
        """The join's conditions. Afterwards the scope sees what both sides show; columns of USING once."""
        using = [name.name.lower() for name in join.args.get("using") or ()]
        pairs: list[exp.Expr] = []
        for name in using:
            left, right = self.scope.named(name), arriving.named(name)
            if len(left) != 1 or len(right) != 1:
                raise Rebuild(f"the column {name} in USING is not in both tables once")
            pairs.append(exp.EQ(this=left[0].copy(), expression=right[0].copy()))
            if full or take_right:
                merged = exp.Coalesce(this=left[0].copy(), expressions=[right[0].copy()]) if full else right[0].copy()
                self.scope.visible = [
                    (shown, merged if shown.lower() == name else value) for shown, value in self.scope.visible
                ]
        self.scope.visible += [(shown, value) for shown, value in arriving.visible if shown.lower() not in using]
        for name, known in arriving.tables.items():
            if name in self.scope.tables:
                raise Rebuild(f"two tables in FROM are called {name}")
            self.scope.tables[name] = known
        condition = join.args.get("on")
        found = (*pairs, *(conditions(self._expression(condition, self.scope)) if condition is not None else ()))
        if any(marks(part) for part in found):
            raise Rebuild("it has a subquery in a join's ON")
        return found
