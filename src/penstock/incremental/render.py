"""Nodes → SQL. Everything quoted, every alias written, so that nothing is left to be resolved otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from penstock.incremental.nodes import (
    Combined,
    Constant,
    Inner,
    JoinKind,
    Leaf,
    Node,
    Select,
    Source,
    is_mark,
    number_of,
    operand_of,
)
from penstock.sql.parse import DIALECT

_JOINS: Mapping[JoinKind, Mapping[str, str]] = {
    "cross": {"kind": "CROSS"},
    "inner": {},
    "left": {"side": "LEFT"},
    "full": {"side": "FULL"},
    "semi": {"kind": "SEMI"},
    "anti": {"kind": "ANTI"},
    "asof": {"method": "ASOF"},
    "asof left": {"method": "ASOF", "side": "LEFT"},
}


def sql(node: Node) -> str:
    """The node as one query."""
    return tree(node).sql(DIALECT)


def tree(node: Node) -> exp.Expr:
    match node:
        case Leaf():
            names = [exp.Column(this=_name(name)) for name in node.columns]
            return exp.Select(expressions=names, from_=exp.From(this=_table(node)))
        case Constant():
            return exp.Select(expressions=[exp.Star()], from_=exp.From(this=node.tree.copy()))
        case Combined():
            made = {"union": exp.Union, "except": exp.Except, "intersect": exp.Intersect}[node.kind]
            sides = {"this": _side(node.left), "expression": _side(node.right)}
            return made(**sides, distinct=not node.all)
        case Select():
            return _select(node)


def _side(node: Node) -> exp.Expr:
    """One side of UNION and its like; in parentheses where order of evaluation could be in doubt."""
    found = tree(node)
    plain = isinstance(node, (Leaf, Constant)) or (isinstance(node, Select) and not node.order and not node.limited)
    return found if plain else exp.Subquery(this=found)


def _name(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def _table(leaf: Leaf) -> exp.Table:
    if leaf.relation is None:
        return exp.Table(this=_name(leaf.temporary))
    return exp.Table(this=_name(leaf.relation.name), db=_name(leaf.relation.layer))


def _item(source: Source) -> exp.Expr:
    alias = exp.TableAlias(this=_name(source.alias))
    found: exp.Expr
    match source.node:
        case Leaf():
            found = _table(source.node)
        case Constant():
            found = source.node.tree.copy()
            alias.set("columns", [_name(name) for name in source.node.columns])
        case _:
            found = exp.Subquery(this=tree(source.node))
    found.set("alias", alias)
    return found


def _join(source: Source, inners: Mapping[int, Inner]) -> exp.Join:
    if source.kind == "cross" or (source.kind == "inner" and not source.on):
        return exp.Join(this=_item(source), kind="CROSS")
    on = _all([_value(part, inners) for part in source.on]) or exp.true()
    return exp.Join(this=_item(source), on=on, **_JOINS[source.kind])


def _all(parts: Sequence[exp.Expr]) -> exp.Expr | None:
    return exp.and_(*parts, copy=False) if parts else None


def _select(node: Select) -> exp.Select:
    inners = node.inners
    made = exp.Select(
        expressions=[exp.alias_(_value(output.value, inners), output.name, quoted=True) for output in node.outputs],
        from_=exp.From(this=_item(node.sources[0])),
        joins=[_join(source, inners) for source in node.sources[1:]],
    )
    if (where := _all([_value(part, inners) for part in node.where])) is not None:
        made.set("where", exp.Where(this=where))
    if node.group:
        made.set("group", exp.Group(expressions=[_value(part, inners) for part in node.group]))
    if node.having is not None:
        made.set("having", exp.Having(this=_value(node.having, inners)))
    if node.qualify is not None:
        made.set("qualify", exp.Qualify(this=_value(node.qualify, inners)))
    if node.distinct_on:
        on = exp.Tuple(expressions=[_value(part, inners) for part in node.distinct_on])
        made.set("distinct", exp.Distinct(on=on))
    elif node.distinct:
        made.set("distinct", exp.Distinct())
    if node.order:
        made.set("order", exp.Order(expressions=[_value(part, inners) for part in node.order]))
    if node.limit is not None:
        made.set("limit", exp.Limit(expression=node.limit.copy()))
    if node.offset is not None:
        made.set("offset", exp.Offset(expression=node.offset.copy()))
    return made


def _value(value: exp.Expr, inners: Mapping[int, Inner]) -> exp.Expr:
    """An expression with its subqueries written out."""

    def one(node: exp.Expr) -> exp.Expr:
        if not is_mark(node):
            return node
        inner = inners[number_of(node)]
        query = tree(inner.node)
        if inner.kind == "exists":
            return exp.Exists(this=query)
        if inner.kind == "in":
            return exp.Paren(this=exp.In(this=_value(operand_of(node), inners), query=exp.Subquery(this=query)))
        return exp.Subquery(this=query)

    return _bracketed(value.copy().transform(one))


_OPERATORS = (exp.Binary, exp.Unary, exp.Between, exp.In, exp.AtTimeZone)


def _bracketed(tree: exp.Expr) -> exp.Expr:
    """`tree` with parentheses round each operation inside another: what an alias or a block stands for has been put in
    its place, and there the text alone would be read otherwise (`a + 1 AS b, b * 2`)."""
    for node in list(tree.walk(prune=lambda found: isinstance(found, exp.Query))):
        around = node.parent
        if node is tree or not isinstance(node, _OPERATORS) or isinstance(node, (exp.Paren, exp.Dot)):
            continue
        chained = isinstance(node, exp.Connector) and type(node) is type(around)
        inside = isinstance(around, _OPERATORS) and not isinstance(around, (exp.Paren, exp.Dot, exp.Escape))
        if (inside and not chained) or (isinstance(around, exp.Bracket) and node.arg_key == "this"):
            brackets = exp.Paren()
            node.replace(brackets)
            brackets.set("this", node)
    return tree
