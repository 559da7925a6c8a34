"""What one compilation has made so far: which inputs changed, the statements to run before, the names it has given."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol, TypeVar

from penstock.domain.maintenance import new_rows, old_rows
from penstock.domain.relation import RelationName
from penstock.incremental.nodes import Combined, Leaf, Node, relations
from penstock.incremental.render import sql
from penstock.quoting import identifier

Made = TypeVar("Made")
_OWN = 1_000_000
"""Subqueries of a compilation's own are counted from here on, those of the model from 1."""


class Versions(Protocol):
    """The parts of a query in other states than now. `changed` and `ever` may give rows too many, never too few: they
    only serve to find out which units are affected. `before` is exact."""

    def affects(self, node: Node) -> bool:
        """Whether an input that changed stands below `node`."""

    def changed(self, node: Node) -> Node:
        """Row images that entered or left an affected `node`, and perhaps others."""

    def ever(self, node: Node) -> Node:
        """The rows `node` had before or has now, and perhaps others."""

    def before(self, node: Node) -> Node:
        """`node` as it was when the model last looked: an exact multiset."""

    def once(self, what: str, node: Node, make: Callable[[], Made]) -> Made:
        """`make()`, or what it gave before for the same `what` of the same node."""

    def number(self) -> int:
        """A number for a subquery that the model does not have."""


class Space:
    """What one compilation has made so far."""

    def __init__(self, changed: Collection[RelationName]) -> None:
        self.inputs = frozenset(changed)
        self.statements: list[str] = []
        self.temporary: list[str] = []
        self._counter = 0
        self._affects: dict[int, tuple[Node, bool]] = {}
        self._made: dict[tuple[str, int], tuple[Node, object]] = {}

    def affects(self, node: Node) -> bool:
        known = self._affects.get(id(node))
        if known is None or known[0] is not node:
            known = self._affects[id(node)] = (node, bool(relations(node) & self.inputs))
        return known[1]

    def once(self, what: str, node: Node, make: Callable[[], Made]) -> Made:
        known = self._made.get((what, id(node)))
        if known is None or known[0] is not node:
            known = self._made[what, id(node)] = (node, make())
        return known[1]  # type: ignore[return-value]

    def fresh(self, name: str) -> str:
        self._counter += 1
        return f"_penstock_{name}{self._counter}"

    def number(self) -> int:
        self._counter += 1
        return _OWN + self._counter

    def materialized(self, name: str, node: Node, *, columns: tuple[str, ...] | None = None) -> Leaf:
        """A temporary table of the distinct rows of `node`."""
        names = columns or tuple(node.columns)
        table = self.fresh(name)
        self.statements.append(create(table, names, node))
        self.temporary.append(table)
        return Leaf(names, temporary=table)


def create(table: str, names: Collection[str], node: Node) -> str:
    """The statement that makes a temporary table of distinct rows."""
    listed = ", ".join(identifier(name) for name in names)
    return (
        f"CREATE OR REPLACE TEMP TABLE {identifier(table)} AS SELECT DISTINCT * FROM ({sql(node)}) AS _rows({listed})"
    )


def came(leaf: Leaf) -> Leaf:
    return _images(leaf, new_rows)


def went(leaf: Leaf) -> Leaf:
    return _images(leaf, old_rows)


def _images(leaf: Leaf, name: Callable[[RelationName], str]) -> Leaf:
    if leaf.relation is None:
        raise AssertionError("a temporary table never changes")
    return Leaf(leaf.columns, temporary=name(leaf.relation))


def either(leaf: Leaf) -> Node:
    """The row images that entered or left."""
    return Combined("union", True, came(leaf), went(leaf))
