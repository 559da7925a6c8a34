"""Which columns of which relations a query names, as far as its text tells without knowing what they have."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from penstock.domain.relation import RelationName
from penstock.errors import UserError
from penstock.record import record
from penstock.sql.parse import parse


@record
class Naming:
    """`named`: (relation, column) pairs that are sure. `perhaps`: a column named without its table where several could
    have it: (column, the relations). `has_star`: what the query gives depends on what else its relations have."""

    named: tuple[tuple[str, str], ...]
    perhaps: tuple[tuple[str, tuple[str, ...]], ...]
    has_star: bool


def naming(sql: str) -> Naming:
    """A query that cannot be followed names nothing: whoever asks has to do without."""
    try:
        tree = parse(sql)
        scopes = list(traverse_scope(tree))
    except (UserError, RecursionError, ValueError, KeyError, AttributeError):
        return Naming((), (), True)
    named: dict[tuple[str, str], None] = {}
    perhaps: dict[tuple[str, tuple[str, ...]], None] = {}
    for scope in scopes:
        for column in scope.columns:
            _note(column, scope, named, perhaps)
    star = any(isinstance(each.parent, (exp.Select, exp.Column)) for each in _stars(tree))
    return Naming(tuple(named), tuple(perhaps), star)


def _stars(tree: exp.Expr) -> Iterator[exp.Expr]:
    """`*` and `t.*`, not that of `count(*)`."""
    yield from tree.find_all(exp.Star)


def _note(
    column: exp.Column,
    scope: Scope,
    named: dict[tuple[str, str], None],
    perhaps: dict[tuple[str, tuple[str, ...]], None],
) -> None:
    name = column.name
    if not name or isinstance(column.this, exp.Star):
        return
    relations = {alias: _relation(source) for alias, source in scope.sources.items()}
    if column.table:
        relation = next((found for alias, found in relations.items() if alias.lower() == column.table.lower()), None)
        if relation is not None:
            named[relation, name] = None
        return
    if _is_alias(column, scope):
        return
    if len(relations) == 1:
        relation = next(iter(relations.values()))
        if relation is not None:
            named[relation, name] = None
        return
    several = tuple(dict.fromkeys(each for each in relations.values() if each is not None))
    if several and not _of_block(name, scope):
        perhaps[name, several] = None


def _relation(source: object) -> str | None:
    if isinstance(source, exp.Table) and source.db:
        return str(RelationName(source.db.lower(), source.name.lower()))
    return None


def _of_block(name: str, scope: Scope) -> bool:
    """Whether a CTE or a subquery of the scope gives a column of this name, or one that nobody can list."""
    for source in scope.sources.values():
        if isinstance(source, Scope) and isinstance(source.expression, exp.Query):
            given = [each.lower() for each in source.expression.named_selects]
            if name.lower() in given or "*" in given:
                return True
    return False


def _is_alias(column: exp.Column, scope: Scope) -> bool:
    """Whether the name is that of an output column, used in another place than its own definition."""
    select = scope.expression
    if not isinstance(select, exp.Select):
        return False
    own = [item for item in select.expressions if item.alias_or_name.lower() == column.name.lower()]
    if not own:
        return False
    return not any(node is column for item in own for node in item.walk())
