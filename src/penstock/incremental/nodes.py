"""What a query is here: nested nodes whose columns are all resolved to one of their sources.

Every source in a query has an alias of its own, so a column (`alias.name`) means the same wherever it stands, also in a
subquery. Expressions are SQLGlot trees; a subquery in one is a mark (`mark`) that its Select explains in `inners`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sqlglot import exp

from penstock.domain.relation import RelationName

JoinKind = Literal["from", "cross", "inner", "left", "full", "semi", "anti", "asof", "asof left"]
NULLABLE: tuple[JoinKind, ...] = ("left", "asof left")
VISIBLE: tuple[JoinKind, ...] = ("from", "cross", "inner", "left", "full", "asof", "asof left")
_MARK = "_penstock_subquery"


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A table as it stands: a stored relation, or (`relation` None) a temporary table; `no_nulls`: one without NULL."""

    columns: tuple[str, ...]
    relation: RelationName | None = None
    temporary: str = ""
    no_nulls: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """Something in FROM that reads no relation: VALUES, range(…)."""

    columns: tuple[str, ...]
    tree: exp.Expr


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One item of FROM. Joins are left-deep: each joins all the sources before it. A full join is a Select of just two
    sources; right joins and joins in parentheses have been turned into left joins and Selects."""

    alias: str
    node: Node
    kind: JoinKind = "from"
    on: tuple[exp.Expr, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    name: str
    value: exp.Expr


@dataclass(frozen=True, slots=True, eq=False)
class Inner:
    """A subquery in an expression; the left side of IN stands in its mark."""

    kind: Literal["scalar", "exists", "in"]
    node: Node


@dataclass(frozen=True, slots=True, eq=False)
class Select:
    """`where`, like each `on`, is a list of conditions that must all hold. `group` is None without grouping and empty
    when all rows are one group. `order` is kept only where it decides what comes out (LIMIT, DISTINCT ON)."""

    sources: tuple[Source, ...]
    outputs: tuple[Output, ...]
    where: tuple[exp.Expr, ...] = ()
    group: tuple[exp.Expr, ...] | None = None
    having: exp.Expr | None = None
    qualify: exp.Expr | None = None
    distinct: bool = False
    distinct_on: tuple[exp.Expr, ...] = ()
    order: tuple[exp.Expr, ...] = ()
    limit: exp.Expr | None = None
    offset: exp.Expr | None = None
    inners: Mapping[int, Inner] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(output.name for output in self.outputs)

    @property
    def limited(self) -> bool:
        return self.limit is not None or self.offset is not None

    @property
    def is_full_join(self) -> bool:
        return len(self.sources) == 2 and self.sources[1].kind == "full"

    def output(self, name: str) -> exp.Expr:
        return next(output.value for output in self.outputs if output.name == name)

    def expressions(self) -> Iterator[exp.Expr]:
        """Every expression of this Select, those of its joins included."""
        for source in self.sources:
            yield from source.on
        yield from self.where
        yield from self.above()

    def above(self) -> Iterator[exp.Expr]:
        """The expressions that see rows after FROM and WHERE."""
        yield from (output.value for output in self.outputs)
        yield from self.group or ()
        yield from (found for found in (self.having, self.qualify) if found is not None)
        yield from self.distinct_on
        yield from self.order


@dataclass(frozen=True, slots=True, eq=False)
class Combined:
    """UNION, EXCEPT or INTERSECT; columns go by position and have the names of the left side."""

    kind: Literal["union", "except", "intersect"]
    all: bool
    left: Node
    right: Node

    @property
    def columns(self) -> tuple[str, ...]:
        return self.left.columns


Node = Leaf | Constant | Select | Combined


def column(alias: str, name: str) -> exp.Column:
    return exp.Column(this=exp.to_identifier(name, quoted=True), table=exp.to_identifier(alias, quoted=True))


def mark(number: int, operand: exp.Expr | None = None) -> exp.Expr:
    """What stands for subquery `number`; `operand` is the left side of IN."""
    parts = [exp.Literal.number(number)] + ([] if operand is None else [operand])
    return exp.Anonymous(this=_MARK, expressions=parts)


def is_mark(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.this == _MARK


def number_of(node: exp.Expr) -> int:
    return int(node.expressions[0].this)


def operand_of(node: exp.Expr) -> exp.Expr:
    found: exp.Expr = node.expressions[1]
    return found


def marks(tree: exp.Expr) -> list[int]:
    return [number_of(node) for node in tree.find_all(exp.Anonymous) if is_mark(node)]


def used(tree: exp.Expr) -> set[str]:
    """The aliases of the columns that stand in `tree` itself (not in its subqueries)."""
    return {found.table for found in tree.find_all(exp.Column)}


def inners(select: Select) -> dict[int, Inner]:
    """The subqueries that the expressions of `select` have now."""
    return {number: select.inners[number] for tree in select.expressions() for number in marks(tree)}


def relations(node: Node) -> set[RelationName]:
    """The stored relations below `node`, also those in subqueries."""
    match node:
        case Leaf():
            return {node.relation} if node.relation else set()
        case Constant():
            return set()
        case Combined():
            return relations(node.left) | relations(node.right)
        case Select():
            below = [source.node for source in node.sources] + [inner.node for inner in inners(node).values()]
            return {found for one in below for found in relations(one)}


def columns_within(node: Node) -> Iterator[exp.Column]:
    """Every column that stands anywhere in `node`, at any depth."""
    match node:
        case Combined():
            yield from columns_within(node.left)
            yield from columns_within(node.right)
        case Select():
            for tree in node.expressions():
                yield from tree.find_all(exp.Column)
            for inner in inners(node).values():
                yield from columns_within(inner.node)
            for source in node.sources:
                yield from columns_within(source.node)


def aliases_within(node: Node) -> set[str]:
    match node:
        case Combined():
            return aliases_within(node.left) | aliases_within(node.right)
        case Select():
            own = {source.alias for source in node.sources}
            below = [source.node for source in node.sources] + [inner.node for inner in inners(node).values()]
            return own.union(*(aliases_within(one) for one in below))
    return set()


def outside(node: Node) -> set[str]:
    """Aliases that `node` refers to and does not have: it is correlated to them."""
    return {found.table for found in columns_within(node)} - aliases_within(node)


def conditions(tree: exp.Expr | None) -> tuple[exp.Expr, ...]:
    """`tree` as a list of conditions that must all hold."""
    if tree is None:
        return ()
    if isinstance(tree, exp.Paren):
        return conditions(tree.this)
    if isinstance(tree, exp.And):
        return (*conditions(tree.left), *conditions(tree.right))
    return (tree,)


def substitute(tree: exp.Expr, values: Mapping[tuple[str, str], exp.Expr]) -> exp.Expr:
    """`tree` with columns replaced by `(alias, name) → value`."""

    def one(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            found = values.get((node.table, node.name))
            return found.copy() if found is not None else node
        return node

    return tree.transform(one)


def simple(sources: Sequence[Source], names: Sequence[str] | None = None) -> Select:
    """All columns (or those of `names`) of the first source, over all of them."""
    first = sources[0]
    wanted = names if names is not None else first.node.columns
    return Select(tuple(sources), tuple(Output(name, column(first.alias, name)) for name in wanted))


def with_sources(select: Select, sources: Sequence[Source]) -> Select:
    return replace(select, sources=tuple(sources))


def named(node: Node, names: Sequence[str]) -> Node:
    """The same rows under other column names."""
    if tuple(node.columns) == tuple(names):
        return node
    outputs = tuple(Output(new, column("named", old)) for new, old in zip(names, node.columns, strict=True))
    return Select((Source("named", node),), outputs)


def union(nodes: Sequence[Node]) -> Node:
    """All rows of all `nodes`."""
    found = nodes[0]
    for node in nodes[1:]:
        found = Combined("union", True, found, node)
    return found
