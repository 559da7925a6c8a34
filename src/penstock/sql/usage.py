"""Which columns of which relations a query reads, and from which of them each of its own columns is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope, traverse_scope

from penstock.domain.relation import RelationName
from penstock.record import record
from penstock.sql.parse import DIALECT, parse

Place = tuple[RelationName, str]
"""A column of a relation, in lower case."""


@record
class Usage:
    """`read`: every column that is named, also where it only decides about rows. `made`: by own column, those whose
    values are in it. `decide`: those that decide which rows there are, and how they are grouped."""

    read: frozenset[Place]
    made: Mapping[str, frozenset[Place]] = field(default_factory=dict)


def usage(sql: str, columns: Mapping[RelationName, Sequence[str]]) -> Usage | None:
    """What the query in `sql` does with `columns`, by relation; None when that cannot be worked out."""
    layers: dict[str, dict[str, dict[str, str]]] = {}
    for name, listed in columns.items():
        layers.setdefault(name.layer, {})[name.name] = dict.fromkeys((each.lower() for each in listed), "UNKNOWN")
    schema: dict[str, object] = {**layers}
    try:
        tree = qualify(
            parse(sql),
            dialect=DIALECT,
            schema=schema,
            validate_qualify_columns=False,
            quote_identifiers=False,
            allow_partial_qualification=True,
        )
        root = build_scope(tree)
        scopes = traverse_scope(tree)
        if root is None or next(tree.find_all(exp.Columns), None) is not None:
            return None
        if any(scope.table_columns or any(not column.table for column in scope.columns) for scope in scopes):
            return None  # a whole row, or nobody's column
        read = {place for scope in scopes for column in scope.columns if (place := _stored(scope, column)) is not None}
        outputs = _outputs(root)
        made = {name: frozenset(_made(root, at)) for at, name in enumerate(outputs)}
    except (SqlglotError, RecursionError, KeyError, IndexError, ValueError, AttributeError):
        return None
    return Usage(frozenset(read), made)


def _outputs(scope: Scope) -> list[str]:
    return [item.alias_or_name.lower() for item in _selects(scope)]


def _selects(scope: Scope) -> list[exp.Expr]:
    query = scope.expression
    return list(query.selects) if isinstance(query, exp.Query) else []


def _stored(scope: Scope, column: exp.Column) -> Place | None:
    """The column of a relation that a column is, if it is one."""
    source = scope.sources.get(column.table)
    if isinstance(source, exp.Table) and source.db:
        return RelationName(source.db.lower(), source.name.lower()), column.name.lower()
    return None


def _made(scope: Scope, at: int, seen: frozenset[tuple[int, int]] = frozenset()) -> set[Place]:
    """The stored columns in the output column number `at`."""
    if (id(scope), at) in seen:  # a recursive query
        return set()
    seen = seen | {(id(scope), at)}
    if scope.set_operation_scopes:
        return {place for branch in scope.set_operation_scopes for place in _made(branch, at, seen)}
    item = _selects(scope)[at]
    found: set[Place] = set()
    for column in item.find_all(exp.Column):
        place = _stored(scope, column)
        if place is not None:
            found.add(place)
            continue
        source = scope.sources.get(column.table)
        if isinstance(source, Scope):
            names = _outputs(source)
            if column.name.lower() in names:
                found |= _made(source, names.index(column.name.lower()), seen)
    for nested in scope.subquery_scopes:
        if any(nested.expression is each for each in item.walk()):
            found |= {place for n in range(len(_outputs(nested))) for place in _made(nested, n, seen)}
    return found
