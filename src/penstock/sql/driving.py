"""Whether each row of a query is made of one row of one relation, and no two of the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from sqlglot import exp

from penstock.domain.relation import RelationName
from penstock.record import record
from penstock.sql.aggregates import is_aggregate, is_windowed

_TOGETHER = ("joins", "laterals", "group", "having", "distinct", "pivots", "match", "connect")
"""What puts rows together, or makes more of them. WHERE, QUALIFY and LIMIT only leave some out."""
_PLAIN = {"this", "db", "alias"}
_MANY = (exp.Explode, exp.Unnest, exp.Posexplode)
_MANY_BY_NAME = frozenset({"unnest", "generate_subscripts", "regexp_split_to_table", "string_split_to_table"})


@record
class _Named:
    """What a name of WITH stands for, and the names that it sees itself. Without a query: something recursive."""

    query: exp.Expr | None
    sees: Mapping[str, _Named] = field(default_factory=dict)


def driving(tree: exp.Expr) -> RelationName | None:
    """The relation that gives the rows; None where they come from several, or several become one."""
    return _of_query(tree, {})


def _of_query(tree: exp.Expr, around: Mapping[str, _Named]) -> RelationName | None:
    names = dict(around)
    clause = tree.args.get("with_")
    if isinstance(clause, exp.With):
        for cte in clause.expressions:
            names[cte.alias.lower()] = _Named(None) if clause.recursive else _Named(cte.this, dict(names))
    if isinstance(tree, exp.Subquery):
        return None if tree.args.get("pivots") else _of_query(tree.this, names)
    source = tree.args.get("from_")
    if not isinstance(tree, exp.Select) or not isinstance(source, exp.From):
        return None
    above = [*tree.expressions, *filter(None, (tree.args.get("qualify"), tree.args.get("order")))]
    if any(tree.args.get(part) for part in _TOGETHER) or any(_puts_together(each) for each in above):
        return None
    return _of_source(source.this, names)


def _of_source(source: exp.Expr, names: Mapping[str, _Named]) -> RelationName | None:
    if isinstance(source, exp.Subquery):
        return _of_query(source, names)
    plain = {part for part, value in source.args.items() if value} <= _PLAIN
    if not isinstance(source, exp.Table) or not isinstance(source.this, exp.Identifier) or not plain:
        return None
    if source.db:
        return RelationName(source.db.lower(), source.name.lower())
    named = names.get(source.name.lower())
    return None if named is None or named.query is None else _of_query(named.query, named.sees)


def _puts_together(tree: exp.Expr) -> bool:
    """Whether an expression has an aggregate of the query's own rows, or gives several rows for one."""
    for node in tree.walk(prune=lambda node: isinstance(node, exp.Query)):
        if is_aggregate(node) and not is_windowed(node):
            return True
        by_name = isinstance(node, exp.Anonymous) and node.name.lower() in _MANY_BY_NAME
        if isinstance(node, _MANY) or by_name:
            return True
    return False
