"""Left joins whose right side has changed: a left row may have stood, or may stand, without a partner.

Each changed row of the right side takes part twice, as itself and as its ghost: it is joined like itself, but what
others see of a ghost is NULL. So the null-extended image of every left row that meets a changed row is there too, in
one join, and for several left joins in every combination.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from penstock.incremental.nodes import Combined, Node, Output, Select, Source, column
from penstock.incremental.space import Versions

GHOST = "_penstock_ghost"


class Ghosts:
    """The sources of one FROM that have ghosts so far."""

    def __init__(self) -> None:
        self._aliases: set[str] = set()

    def source(self, source: Source, origin: Source, versions: Versions) -> Source:
        """The source with ghosts, if it needs them; its conditions see the ghosts of those before it."""
        found = replace(source, on=tuple(self.value(part) for part in source.on))
        if origin.kind == "left" and source.kind != "semi" and versions.affects(origin.node):
            changed = versions.changed(origin.node)
            found = replace(found, node=Combined("union", True, _marked(source, False), _marked_node(changed, True)))
            self._aliases.add(source.alias)
        return found

    def value(self, tree: exp.Expr) -> exp.Expr:
        """`tree` as those see it who do not join."""
        if not self._aliases:
            return tree

        def one(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Column) and node.table in self._aliases:
                return exp.Case(ifs=[exp.If(this=exp.Not(this=column(node.table, GHOST)), true=node.copy())])
            return node

        return tree.copy().transform(one)


def _marked(source: Source, ghost: bool) -> Select:
    return _marked_node(source.node, ghost)


def _marked_node(node: Node, ghost: bool) -> Select:
    outputs = [Output(name, column("rows", name)) for name in node.columns]
    return Select((Source("rows", node),), (*outputs, Output(GHOST, exp.Boolean(this=ghost))))
