"""A part of a query in other states than now (what `space.Versions` asks for)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from penstock.incremental.nodes import (
    Combined,
    Inner,
    Leaf,
    Node,
    Output,
    Select,
    Source,
    column,
    columns_within,
    inners,
    marks,
    named,
    union,
    used,
)
from penstock.incremental.restrict import restrict_expressions
from penstock.incremental.space import Space, came, either, went
from penstock.incremental.terms import sides as turns
from penstock.incremental.terms import terms, version
from penstock.incremental.units import is_plain, is_solid, partition


class States(Space):
    """One compilation's states of nodes, each made once."""

    def changed(self, node: Node) -> Node:
        return self.once("changed", node, lambda: self._changed(node))

    def _changed(self, node: Node) -> Node:
        match node:
            case Leaf():
                return either(node)
            case Combined():
                sides = [self.changed(side) for side in (node.left, node.right) if self.affects(side)]
                return named(union(sides), node.columns)
            case Select() if is_plain(node):
                found: list[Node] = list(terms(node, node.outputs, self))
                return found[0] if len(found) == 1 else self.materialized("changed", union(found))
            case Select():
                return self.materialized("changed", self._images(node))
        raise AssertionError("a constant never changes")

    def ever(self, node: Node) -> Node:
        return self.once("ever", node, lambda: self._ever(node)) if self.affects(node) else node

    def _ever(self, node: Node) -> Node:
        match node:
            case Leaf():
                return Combined("union", True, node, went(node))
            case Combined() if node.kind != "union":
                return self.ever(node.left)
            case Combined():
                return Combined("union", True, self.ever(node.left), self.ever(node.right))
            case Select() if is_plain(node):
                return union([version(side, side.outputs, self) for side in turns(node)])
            case Select() if partition(node) is None:
                return self._images(node)
            case Select():
                return union([_loose(node), self._restricted(_loose(self._select_before(node)), node)])
        return node

    def _images(self, select: Select) -> Node:
        """All rows of the affected parts, as they are and as they were."""
        was, now = _loose(self._select_before(select)), _loose(select)
        if partition(select) is None:
            return union([now, was])
        return union([self._restricted(now, select), self._restricted(was, select)])

    def _restricted(self, state: Select, select: Select) -> Select:
        parts = partition(select) or ()
        table = self.affected(select, parts)
        return restrict_expressions(state, [(value, f"u{at}") for at, value in enumerate(parts)], table)

    def affected(self, select: Select, parts: Sequence[exp.Expr]) -> Leaf:
        """The table of affected parts of a Select: columns u0, u1, …"""

        def made() -> Leaf:
            outputs = tuple(Output(f"u{at}", value) for at, value in enumerate(parts))
            return self.materialized("affected", union(list(terms(select, outputs, self))))

        return self.once("affected", select, made)

    def before(self, node: Node) -> Node:
        return self.once("before", node, lambda: self._before(node)) if self.affects(node) else node

    def _before(self, node: Node) -> Node:
        match node:
            case Leaf():
                return _leaf_before(node, node.columns, (), "rows")
            case Combined():
                return replace(node, left=self.before(node.left), right=self.before(node.right))
            case Select():
                return self._select_before(node)
        return node

    def _select_before(self, select: Select) -> Select:
        then = {number: Inner(inner.kind, self.before(inner.node)) for number, inner in inners(select).items()}
        sources = tuple(self._source_before(source, select) for source in select.sources)
        return replace(select, sources=sources, inners=then)

    def _source_before(self, source: Source, select: Select) -> Source:
        node = source.node
        if not self.affects(node):
            return source
        if not isinstance(node, Leaf):
            return replace(source, node=self.before(node))
        wanted = {found.name for found in columns_within(select) if found.table == source.alias}
        names = tuple(name for name in node.columns if name in wanted) or node.columns[:1]
        own: list[exp.Expr] = []
        if source.kind in ("from", "cross", "inner"):
            own = [part for part in select.where if used(part) == {source.alias} and not marks(part)]
        return replace(source, node=_leaf_before(node, names, own, source.alias))


def _loose(select: Select) -> Select:
    """The Select without what chooses between rows by values that may come out otherwise next time."""
    having = select.having if select.having is not None and is_solid(select.having, select) else None
    qualify = select.qualify if select.qualify is not None and is_solid(select.qualify, select) else None
    return replace(
        select, having=having, qualify=qualify, distinct_on=(), order=(), limit=None, offset=None, distinct=False
    )


def _leaf_before(leaf: Leaf, names: Sequence[str], where: Sequence[exp.Expr], alias: str) -> Node:
    """(now EXCEPT ALL what came) UNION ALL what went. Both keep to the columns and rows that are wanted: projecting
    and filtering go with taking rows away and adding them."""

    def part(state: Leaf) -> Select:
        return Select((Source(alias, state),), tuple(Output(name, column(alias, name)) for name in names), tuple(where))

    return Combined("union", True, Combined("except", True, part(leaf), part(came(leaf))), part(went(leaf)))
