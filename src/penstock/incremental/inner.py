"""Subqueries in expressions: rows of FROM for which what a subquery says may have changed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from penstock.incremental.nodes import (
    Inner,
    Node,
    Output,
    Select,
    Source,
    column,
    inners,
    is_mark,
    mark,
    marks,
    number_of,
    operand_of,
    outside,
    used,
)
from penstock.incremental.reasons import Rebuild
from penstock.incremental.space import Versions
from penstock.incremental.terms import version
from penstock.incremental.units import exact, is_solid

_MET = "_penstock_met"


def inner_terms(select: Select, values: Sequence[Output], versions: Versions) -> list[Select]:
    """A term for each subquery that an input which changed stands in."""
    found = []
    own = {source.alias for source in select.sources}
    for number, inner in inners(select).items():
        if not versions.affects(inner.node):
            continue
        around = outside(inner.node)
        if around - own:
            raise Rebuild("a subquery in a subquery looks at the query around both")
        if around:
            met = _met(select, number, inner, own, versions)
            found.append(version(select, values, versions, extra=met))
        elif inner.kind == "in":
            node = versions.changed(inner.node)
            if not set(inner.node.columns) <= exact(inner.node):
                raise Rebuild("it looks for a value that may come out otherwise each time")
            found.append(version(select, values, versions, extra=_looked_for(select, number, node, node.columns)))
        else:
            found.append(_all_if_moved(select, values, inner, versions))
    return found


def _all_if_moved(select: Select, values: Sequence[Output], inner: Inner, versions: Versions) -> Select:
    """Every row, if the subquery's one value is not what it was."""
    then, now = versions.number(), versions.number()
    added = {then: Inner(inner.kind, versions.before(inner.node)), now: inner}
    moved = exp.NullSafeNEQ(this=mark(then), expression=mark(now))
    return version(select, values, versions, also=[moved], added=added)


def _place(select: Select, number: int) -> tuple[exp.Expr, bool]:
    """The mark of a subquery, and whether it is a condition of WHERE itself: then NULL is as good as false."""
    for tree in select.expressions():
        if is_mark(tree) and number_of(tree) == number:
            return tree, any(tree is part for part in select.where)
        for node in tree.find_all(exp.Anonymous):
            if is_mark(node) and number_of(node) == number:
                return node, False
    raise AssertionError("a subquery that no expression has")


def _looked_for(select: Select, number: int, node: Node, names: Sequence[str]) -> Source:
    """Changed rows of the subquery of an IN, joined to the rows that look for them."""
    return Source(_MET, node, "semi", tuple(_equalities(select, number, names)))


def _equalities(select: Select, number: int, names: Sequence[str]) -> list[exp.Expr]:
    found, alone = _place(select, number)
    operand = operand_of(found)
    sought = operand.expressions if isinstance(operand, exp.Tuple) else [operand]
    if len(sought) != len(names):
        raise Rebuild("an IN compares different numbers of columns")
    pairs = [(value, column(_MET, name)) for value, name in zip(sought, names, strict=True)]
    equal = [exp.EQ(this=value.copy(), expression=theirs) for value, theirs in pairs]
    if alone:
        return list(equal)
    # NOT IN and its like: a NULL on either side decides too. For tuples DuckDB 1.5 takes one NULL for a whole one.
    nulls = [exp.Is(this=side.copy(), expression=exp.Null()) for pair in pairs for side in pair]
    return [exp.Paren(this=exp.or_(exp.and_(*equal, copy=False), *nulls, copy=False))]


def _met(select: Select, number: int, inner: Inner, own: set[str], versions: Versions) -> Source:
    """A correlated subquery: what it says of a row depends on the rows that its conditions let meet. Changed rows of
    it, joined by those conditions."""
    node = inner.node
    if not isinstance(node, Select):
        raise Rebuild("a UNION in a subquery looks at the query around it")
    within = {source.alias for source in node.sources}
    meeting = [part for part in node.where if used(part) - within]
    known = inners(node)
    for tree in [*node.above(), *meeting]:
        for below in marks(tree):
            if versions.affects(known[below].node) or outside(known[below].node) - within:
                raise Rebuild("a subquery in a subquery looks at the query around both")
    if any(used(part) - within for source in node.sources for part in source.on):
        raise Rebuild("a subquery joins on what the query around it has")
    if any(outside(known[below].node) - within for part in node.where for below in marks(part)):
        raise Rebuild("a subquery in a subquery looks at the query around both")

    columns = {part.sql(): part for tree in meeting for part in tree.find_all(exp.Column) if part.table in within}
    if not all(is_solid(part, node) for part in columns.values()):
        raise Rebuild("a subquery meets its rows by a value that may come out otherwise each time")
    outputs = [Output(f"k{at}", part.copy()) for at, part in enumerate(columns.values())]
    theirs = {(part.table, part.name): column(_MET, f"k{at}") for at, part in enumerate(columns.values())}
    on = [_theirs(part, theirs) for part in meeting]
    if inner.kind == "in" and node.group is None and all(_is_own(output.value, node) for output in node.outputs):
        names = [f"o{at}" for at in range(len(node.outputs))]
        outputs += [Output(name, output.value) for name, output in zip(names, node.outputs, strict=True)]
        on += _equalities(select, number, names)
    if not outputs:
        outputs = [Output("one", exp.Literal.number(1))]
    local = Select(
        node.sources,
        tuple(outputs),
        tuple(part for part in node.where if part not in meeting),
        inners=node.inners,
    )
    changed = versions.once("local", node, lambda: versions.changed(local))
    return Source(_MET, changed, "semi", tuple(on))


def _is_own(value: exp.Expr, node: Select) -> bool:
    return is_solid(value, node)


def _theirs(tree: exp.Expr, theirs: dict[tuple[str, str], exp.Column]) -> exp.Expr:
    from penstock.incremental.nodes import substitute

    return substitute(tree.copy(), theirs)
