"""The smallest part of a query's output that can be made anew alone."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from penstock.domain.relation import RelationName
from penstock.incremental.catalog import Catalog
from penstock.incremental.expressions import is_exact, moves_with_time, windows
from penstock.incremental.nodes import Combined, Constant, Leaf, Node, Select, inners, marks, used
from penstock.incremental.reasons import Rebuild


def all_windows(select: Select) -> list[exp.Window]:
    return [found for tree in select.above() for found in windows(tree)]


def is_plain(select: Select) -> bool:
    """Whether each output row is made of one row of FROM, whatever the others are."""
    return (
        select.group is None
        and not all_windows(select)
        and not select.distinct_on
        and not select.limited
        and not any(source.kind in ("asof", "asof left") for source in select.sources)
        and not any(marks(output.value) for output in select.outputs)
    )


def exact(node: Node) -> frozenset[str]:
    """Columns that come out the very same however often and in whatever order they are computed: no sums of floating
    point, nothing that had to choose between equals."""
    match node:
        case Leaf() | Constant():
            return frozenset(node.columns)
        case Combined():
            right = exact(node.right)
            pairs = zip(node.left.columns, node.right.columns, strict=True)
            left = exact(node.left)
            return frozenset(mine for mine, theirs in pairs if mine in left and theirs in right)
        case Select():
            if node.limited:
                return frozenset()
            kept = set(node.distinct_on)
            return frozenset(
                output.name
                for output in node.outputs
                if is_solid(output.value, node) and (not kept or output.value in kept)
            )


def is_solid(tree: exp.Expr, select: Select) -> bool:
    """Whether `tree` is the same in every evaluation over the same rows."""
    if marks(tree) or moves_with_time(tree) or not is_exact(tree):
        return False
    known = {source.alias: source.node for source in select.sources}
    for found in tree.find_all(exp.Column):
        node = known.get(found.table)
        # A plain table is exact as a whole; looking it up first keeps this cheap.
        if node is None or (not isinstance(node, Leaf) and found.name not in exact(node)):
            return False
    return True


def partition(select: Select) -> tuple[exp.Expr, ...] | None:
    """Expressions over FROM that split the output into parts made of different rows of FROM; None when only the whole
    is such a part."""
    if select.limited or select.group == ():
        return None
    if select.group is not None:
        found = list(select.group)
    else:
        over = all_windows(select)
        if over:
            found = list(over[0].args.get("partition_by") or ())
        elif select.distinct_on:
            found = list(select.distinct_on)
        else:
            found = [output.value for output in select.outputs]
            # What an ASOF join brings can be another row's when a third comes between.
            near = {source.alias for source in select.sources if source.kind in ("asof", "asof left")}
            found = [value for value in found if not near & used(value)]
    for window in all_windows(select):
        parts = window.args.get("partition_by") or ()
        found = [value for value in found if value in parts]
    if select.distinct_on:
        found = [value for value in found if value in select.distinct_on]
    found = [value for value in found if value.find(exp.Column) and is_solid(value, select)]
    return tuple(dict.fromkeys(found)) or None


def positions(node: Node, catalog: Catalog, key: Sequence[str]) -> tuple[int, ...]:
    """The output columns that say which unit a row of the model is in. Raises Rebuild when there are none."""
    match node:
        case Combined():
            left = set(positions(node.left, catalog, ()))
            both = tuple(sorted(left & set(positions(node.right, catalog, ()))))
            if not both:
                raise Rebuild("no column says in which unit a row is on both sides of the UNION")
            return _preferred(both, node.columns, key)
        case Select():
            return _positions(node, catalog, key)
    return tuple(range(len(node.columns)))


def _positions(select: Select, catalog: Catalog, key: Sequence[str]) -> tuple[int, ...]:
    if select.limited:
        raise Rebuild("it has a LIMIT: every row may decide which others stay")
    if select.group == ():
        raise Rebuild("it sums up everything in one group")
    parts = partition(select)
    if parts is None:
        if select.group is not None:
            raise Rebuild("it groups by what may come out otherwise each time")
        if all_windows(select):
            raise Rebuild("its windows have no PARTITION BY column in common")
        raise Rebuild("no output column tells its rows apart for certain")
    found = tuple(at for at, output in enumerate(select.outputs) if output.value in parts)
    if not found:
        what = "GROUP BY" if select.group is not None else "PARTITION BY" if all_windows(select) else "DISTINCT ON"
        raise Rebuild(f"no column of its {what} is in the output")
    if select.group is not None or all_windows(select) or select.distinct_on:
        return found
    return _preferred(found, select.columns, key or known_key(select, catalog))


def _preferred(found: tuple[int, ...], names: Sequence[str], key: Sequence[str]) -> tuple[int, ...]:
    """The key's columns when all of them would do: few columns are quicker to look up than all."""
    wanted = {name.lower() for name in key}
    chosen = tuple(at for at in found if names[at].lower() in wanted)
    return chosen if wanted and len(chosen) == len(wanted) else found


def known_key(node: Node, catalog: Catalog) -> tuple[str, ...]:
    """Output columns that hold the key of what the query reads first, () when they are not all there."""
    match node:
        case Leaf(relation=RelationName() as relation):
            return tuple(
                own for name in catalog.keys.get(relation, ()) for own in node.columns if own.lower() == name.lower()
            )
        case Select() if node.group is None:
            first = node.sources[0]
            found = []
            for name in known_key(first.node, catalog):
                for output in node.outputs:
                    value = output.value
                    if isinstance(value, exp.Column) and value.table == first.alias and value.name == name:
                        found.append(output.name)
                        break
                else:
                    return ()
            return tuple(found)
    return ()


def stamps(node: Node) -> frozenset[str]:
    """Output columns that hold the time (or chance) of their making. Raises Rebuild when time decides more than that:
    which rows there are, or what they are joined and grouped by."""
    match node:
        case Combined():
            left, right = stamps(node.left), stamps(node.right)
            at = {place for place, name in enumerate(node.left.columns) if name in left}
            at |= {place for place, name in enumerate(node.right.columns) if name in right}
            if at and not (node.kind == "union" and node.all):
                raise Rebuild("it compares rows that hold the time they were made", timed=True)
            return frozenset(node.columns[place] for place in at)
        case Select():
            return _stamps(node)
    return frozenset()


def _stamps(select: Select) -> frozenset[str]:
    below = {source.alias: stamps(source.node) for source in select.sources}
    for inner in inners(select).values():
        if stamps(inner.node):
            raise Rebuild("a subquery holds the time it was made", timed=True)

    def timed(tree: exp.Expr) -> bool:
        return moves_with_time(tree) or any(
            found.name in below.get(found.table, ()) for found in tree.find_all(exp.Column)
        )

    found = frozenset(output.name for output in select.outputs if timed(output.value))
    outputs = {id(output.value) for output in select.outputs}
    others = [tree for tree in select.expressions() if id(tree) not in outputs]
    if any(timed(tree) for tree in others):
        raise Rebuild("the time (or chance) decides which rows it has", timed=True)
    within = [part for window in all_windows(select) for part in window.find_all(exp.Column, exp.Func)]
    if any(timed(part) for part in within):
        raise Rebuild("the time (or chance) decides what a window sees", timed=True)
    if found and select.distinct:
        raise Rebuild("its DISTINCT compares rows that hold the time they were made", timed=True)
    return found
