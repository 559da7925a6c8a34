"""A model's SELECT → the statements that keep its relation equal to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlglot import exp

from penstock.domain.maintenance import AFFECTED, Maintenance, Program
from penstock.domain.relation import RelationName
from penstock.incremental.catalog import Catalog
from penstock.incremental.limited import split
from penstock.incremental.nodes import Combined, Leaf, Node, Output, Select, relations, union
from penstock.incremental.reasons import Rebuild
from penstock.incremental.render import sql
from penstock.incremental.resolve import resolve
from penstock.incremental.restrict import restrict_expressions
from penstock.incremental.space import create
from penstock.incremental.states import States
from penstock.incremental.terms import terms
from penstock.incremental.units import positions, stamps


def analyse(query: str, catalog: Catalog, key: Sequence[str] = ()) -> Maintenance:
    """How the model can be kept: by which unit, or why not. `key`: the model's declared key."""
    try:
        node = _resolved(query, catalog)
        parts = split(node)
        if parts is not None:
            node = parts[0]
        at = _units(node, catalog, key)
        _compile(node, relations(node), at)
    except Rebuild as why:
        return Maintenance(reason=why.reason, timed=why.timed)
    held = stamps(node)
    below, above = (sql(parts[0]), parts[1]) if parts is not None else ("", "")
    return Maintenance(
        unit=_named(node, at),
        stamps=tuple(name for name in node.columns if name in held),
        below=below,
        above=above,
    )


def program(query: str, catalog: Catalog, changed: Collection[RelationName], key: Sequence[str] = ()) -> Program:
    """The statements for one set of changed inputs (stored relations). Raises Rebuild when there are none. For a model
    with a LIMIT at its top they are about the rows below it."""
    node = _resolved(query, catalog)
    parts = split(node)
    if parts is not None:
        node = parts[0]
    held = stamps(node)
    at = _units(node, catalog, key)
    prepare, temporary = _compile(node, changed, at)
    names = _unit_names(at)
    return Program(
        unit=_named(node, at),
        stamps=tuple(name for name in node.columns if name in held),
        prepare=prepare,
        select=sql(_now(node, at, Leaf(names, temporary=AFFECTED))),
        select_without_nulls=sql(_now(node, at, Leaf(names, temporary=AFFECTED, no_nulls=True))),
        temporary=temporary,
        above=parts[1] if parts is not None else "",
    )


def _resolved(query: str, catalog: Catalog) -> Node:
    try:
        return resolve(query, catalog)
    except RecursionError:
        raise Rebuild("it is nested too deeply") from None


def _units(node: Node, catalog: Catalog, key: Sequence[str]) -> tuple[int, ...]:
    held = stamps(node)
    return tuple(at for at in positions(node, catalog, key) if node.columns[at] not in held)


def _named(node: Node, at: Sequence[int]) -> tuple[str, ...]:
    return tuple(node.columns[place] for place in at)


def _unit_names(at: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"u{place}" for place in range(len(at)))


def _compile(
    node: Node, changed: Collection[RelationName], at: Sequence[int]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The statements that make AFFECTED, and the temporary tables they leave."""
    states = States(changed)
    names = _unit_names(at)
    found = _affected(node, at, names, states)
    if not found:
        raise Rebuild("none of its inputs is among those that changed")
    prepare = (*states.statements, create(AFFECTED, names, union(found)))
    return prepare, (*states.temporary, AFFECTED)


def _affected(node: Node, at: Sequence[int], names: Sequence[str], states: States) -> list[Node]:
    """The units of all branches in which something may have changed."""
    match node:
        case Combined():
            return _affected(node.left, at, names, states) + _affected(node.right, at, names, states)
        case Select():
            outputs = tuple(Output(name, node.outputs[place].value) for name, place in zip(names, at, strict=True))
            return list(terms(node, outputs, states))
    return []


def _now(node: Node, at: Sequence[int], units: Leaf) -> Node:
    """The rows of the units as they should be now."""
    match node:
        case Combined():
            return Combined(node.kind, node.all, _now(node.left, at, units), _now(node.right, at, units))
        case Select():
            pairs: list[tuple[exp.Expr, str]] = [
                (node.outputs[place].value, f"u{number}") for number, place in enumerate(at)
            ]
            return restrict_expressions(node, pairs, units)
    return node
