"""The rule: for each source that changed, the rows of FROM that use a changed row of it, all else as it ever was.

What decides by something that may have changed itself (a subquery, an anti-join) is left out: then a term gives too
much, which is allowed. Outer joins see `outer`, subqueries `inner`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from penstock.incremental.nodes import NULLABLE, Inner, Output, Select, Source, inners, marks, outside, used
from penstock.incremental.outer import Ghosts
from penstock.incremental.reasons import Rebuild
from penstock.incremental.space import Versions
from penstock.incremental.units import is_solid

_NEAR = ("asof", "asof left")


def sides(select: Select) -> tuple[Select, ...]:
    """A full join is its left join both ways; everything else is itself."""
    if not select.is_full_join:
        return (select,)
    one, other = select.sources
    turned = (Source(other.alias, other.node), Source(one.alias, one.node, "left", other.on))
    return (replace(select, sources=(one, replace(other, kind="left"))), replace(select, sources=turned))


def terms(select: Select, values: Sequence[Output], versions: Versions) -> list[Select]:
    """`values` of every row of FROM and WHERE that was or is there only in one of the two states."""
    from penstock.incremental.inner import inner_terms

    found = []
    for side in sides(select):
        for at, source in enumerate(side.sources):
            if versions.affects(source.node):
                found.append(version(side, values, versions, at=at))
        found += inner_terms(side, values, versions)
    return found


def version(
    select: Select,
    values: Sequence[Output],
    versions: Versions,
    *,
    at: int | None = None,
    extra: Source | None = None,
    also: Sequence[exp.Expr] = (),
    added: dict[int, Inner] | None = None,
) -> Select:
    """`values` over FROM and WHERE with every source as it ever was, and source `at` only what changed of it. `extra`
    is one more source, `also` more conditions, `added` the subqueries in them."""
    where = [*_kept(select, versions), *also]
    known = {**select.inners, **(added or {})}
    reads = [output.value for output in values] + where + (list(extra.on) if extra else [])
    plan: list[Source] = []
    # From the last to the first: a left join that nobody looks at takes no part.
    for place, source in reversed(list(enumerate(select.sources))):
        wanted = source.alias in _aliases(reads, known)
        found = _part(source, versions, changed=place == at, wanted=wanted)
        if found is not None:
            plan.append(found)
            reads += source.on
            _check(source, select, versions)
        elif wanted and source.kind in _NEAR:
            raise Rebuild("it joins on what an ASOF join brings")
    plan.reverse()
    ghosts = Ghosts()
    sources = [ghosts.source(source, _origin(select, source), versions) for source in plan]
    if extra is not None:
        sources.append(replace(extra, on=tuple(ghosts.value(part) for part in extra.on)))
    outputs = tuple(Output(output.name, ghosts.value(output.value)) for output in values)
    conditions = tuple(ghosts.value(part) for part in where)
    return Select(tuple(sources), outputs, conditions, inners=known)


def _origin(select: Select, source: Source) -> Source:
    return next(known for known in select.sources if known.alias == source.alias)


def _aliases(reads: Sequence[exp.Expr], known: dict[int, Inner]) -> set[str]:
    found: set[str] = set()
    for tree in reads:
        found |= used(tree)
        for number in marks(tree):
            found |= outside(known[number].node)
    return found


def _part(source: Source, versions: Versions, *, changed: bool, wanted: bool) -> Source | None:
    """How a source takes part, None when it does not. Left joins keep their kind here if their columns are looked at:
    `Ghosts` turns them."""
    affected = versions.affects(source.node)
    if changed:
        if source.kind in ("anti", *_NEAR) or (source.kind == "left" and not wanted):
            return Source(source.alias, versions.changed(source.node), "semi", source.on)
        # An inner join: rows without a partner among the changed ones do not use a changed row.
        kind = "inner" if source.kind == "left" else source.kind
        return Source(source.alias, versions.changed(source.node), kind, source.on)
    if source.kind in NULLABLE and not wanted:
        return None
    if affected and source.kind in ("anti", *_NEAR):
        return None
    return replace(source, node=versions.ever(source.node)) if affected else source


def _check(source: Source, select: Select, versions: Versions) -> None:
    below = {known.alias: known.node for known in select.sources}
    for part in source.on:
        moving = any(versions.affects(below[alias]) for alias in used(part) if alias in below)
        if moving and not _solid(part, select):
            raise Rebuild("it joins on a value that may come out otherwise each time (a sum, a row_number)")


def _solid(part: exp.Expr, select: Select) -> bool:
    """Like is_solid, columns of a scope around taken as given."""
    own = {source.alias for source in select.sources}
    return is_solid(part, select) if used(part) <= own else True


def _kept(select: Select, versions: Versions) -> list[exp.Expr]:
    """The conditions of WHERE that hold a row out for certain: in both states, and however often they are computed."""
    below = {source.alias: source.node for source in select.sources}
    near = {source.alias for source in select.sources if source.kind in _NEAR and versions.affects(source.node)}
    nullable = {source.alias for source in select.sources if source.kind == "left" and versions.affects(source.node)}
    known = inners(select)
    kept = []
    for part in select.where:
        subqueries = [known[number].node for number in marks(part)]
        if any(versions.affects(node) or outside(node) & nullable for node in subqueries):
            continue
        moving = any(versions.affects(below[alias]) for alias in used(part) if alias in below)
        if used(part) & near or (moving and not subqueries and not _solid(part, select)):
            continue
        kept.append(part)
    return kept
