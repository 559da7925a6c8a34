"""Only the rows of some units: semi-joins with a table of units, as near to the stored tables as they may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from penstock.incremental.nodes import Combined, Constant, Leaf, Node, Select, Source, column, marks, simple, used
from penstock.incremental.units import all_windows

Pair = tuple[exp.Expr, str]
"""An expression over a Select's sources, and the column of the units' table it must be found in."""


def restrict_expressions(select: Select, pairs: Sequence[Pair], units: Leaf) -> Select:
    """The rows of FROM whose expressions stand together in `units`; NULL is found by NULL. The expressions must be such
    that rows apart in them do not meet above FROM (what `partition` gives)."""
    if select.is_full_join:
        sources, exactly = _full(select, pairs, units), False
    else:
        sources, exactly = _narrowed(select, pairs, units)
    if not exactly:
        alias = f"{units.temporary}_here"
        sources = [
            *sources,
            Source(alias, units, "semi", tuple(_same(value, alias, name, units) for value, name in pairs)),
        ]
    return replace(select, sources=tuple(sources))


def restrict(node: Node, pairs: Sequence[tuple[str, str]], units: Leaf) -> Node:
    """The rows of `node` whose columns stand together in `units`."""
    match node:
        case Combined():
            places = {name: at for at, name in enumerate(node.left.columns)}
            right = [(node.right.columns[places[name]], unit) for name, unit in pairs]
            return replace(node, left=restrict(node.left, pairs, units), right=restrict(node.right, right, units))
        case Select():
            inside = [(node.output(name), unit) for name, unit in pairs]
            below = [(value, unit) for value, unit in inside if _may_go_below(value, node)]
            found = restrict_expressions(node, below, units) if below else node
            return found if len(below) == len(inside) else _looked_up(found, pairs, units)
        case Leaf() if node.relation is None:
            return node
        case Leaf() | Constant():
            return _looked_up(node, pairs, units)


def _looked_up(node: Node, pairs: Sequence[tuple[str, str]], units: Leaf) -> Select:
    own, theirs = f"{units.temporary}_of", f"{units.temporary}_in"
    on = tuple(_same(column(own, name), theirs, unit, units) for name, unit in pairs)
    return simple([Source(own, node), Source(theirs, units, "semi", on)])


def _same(value: exp.Expr, alias: str, name: str, units: Leaf) -> exp.Expr:
    # Both find the same where there is no NULL, but only "=" lets an engine skip blocks it need not read.
    made = exp.EQ if units.no_nulls else exp.NullSafeEQ
    return made(this=value.copy(), expression=column(alias, name))


def _may_go_below(value: exp.Expr, select: Select) -> bool:
    """Whether choosing rows by `value` before grouping, windows and DISTINCT is the same as after them."""
    if select.limited or marks(value) or not value.find(exp.Column):
        return False
    if select.distinct_on and value not in select.distinct_on:
        return False
    if select.group is not None and value not in select.group:
        return False
    return all(value in (window.args.get("partition_by") or ()) for window in all_windows(select))


def _narrowed(select: Select, pairs: Sequence[Pair], units: Leaf) -> tuple[list[Source], bool]:
    """The sources, each with only the rows that can meet a unit; and whether one of them does all that is asked."""
    exactly = False
    found = []
    for source in select.sources:
        own = [(name, unit) for value, unit in pairs if (name := _found_in(source, value, select))]
        if own:
            found.append(replace(source, node=restrict(source.node, own, units)))
            direct = all(isinstance(value, exp.Column) and value.table == source.alias for value, _ in pairs)
            stored = not isinstance(source.node, Leaf) or source.node.relation is not None
            exactly = exactly or (direct and stored and source.kind in ("from", "cross", "inner"))
        else:
            found.append(source)
    return found, exactly


def _found_in(source: Source, value: exp.Expr, select: Select) -> str | None:
    """The column of `source` that is equal to `value` wherever the source's row counts, None when there is none."""
    if not isinstance(value, exp.Column):
        return None
    kept = source.kind in ("from", "cross", "inner")
    if value.table == source.alias:
        return value.name if kept else None
    for other in _equal(value, select, source):
        if other.table == source.alias:
            return other.name
    return None


def _equal(value: exp.Column, select: Select, target: Source) -> list[exp.Column]:
    """Columns that equal `value` in every row where `target` takes part: by WHERE and inner joins, and by the target's
    own ON."""
    inner = {source.alias for source in select.sources if source.kind in ("from", "cross", "inner")}
    rules = [part for part in select.where if used(part) <= inner]
    rules += [part for source in select.sources if source.kind == "inner" for part in source.on if used(part) <= inner]
    if target.alias not in inner:
        rules += list(target.on)
    if value.table not in inner:
        return []
    found: list[exp.Column] = [value]
    for known in found:
        for rule in rules:
            if not isinstance(rule, exp.EQ):
                continue
            for one, other in ((rule.left, rule.right), (rule.right, rule.left)):
                if one == known and isinstance(other, exp.Column) and other not in found:
                    found.append(other)
    return found[1:]


def _full(select: Select, pairs: Sequence[Pair], units: Leaf) -> list[Source]:
    """Both sides of a full join may be narrowed by a column that USING has made one."""
    one, other = select.sources
    equal = [(rule.left, rule.right) for rule in other.on if isinstance(rule, exp.EQ)]
    mine: list[tuple[str, str]] = []
    theirs: list[tuple[str, str]] = []
    for value, unit in pairs:
        if not isinstance(value, exp.Coalesce) or len(value.expressions) != 1:
            continue
        both = (value.this, value.expressions[0])
        if both in equal or both[::-1] in equal:
            for part in both:
                (mine if part.table == one.alias else theirs).append((part.name, unit))
    if not mine:
        return [one, other]
    return [
        replace(one, node=restrict(one.node, mine, units)),
        replace(other, node=restrict(other.node, theirs, units)),
    ]
