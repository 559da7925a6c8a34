"""Where the columns of a SELECT come from, as far as they come from one relation as they are."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from penstock.domain.relation import RelationName
from penstock.sql.parse import parse

Origin = tuple[RelationName, str]


class Unclear(Exception):
    """Says why the rows of a SELECT are not those of one relation."""


def unchanged(sql: str, column: str) -> Origin:
    """The relation and the column (in lower case) that an output column is taken from as it is. Raises Unclear where it
    is computed, and where a row of the output is made of several."""
    return _trace(parse(sql), column.lower(), {})


def _trace(tree: exp.Expr, column: str, known: Mapping[str, exp.Expr]) -> Origin:
    while isinstance(tree, exp.Subquery):
        tree = tree.this
    if not isinstance(tree, exp.Select):
        raise Unclear("it is a union of several SELECTs")
    clause = tree.args.get("with_")
    names = {**known, **({cte.alias.lower(): cte.this for cte in clause.expressions} if clause else {})}
    if tree.args.get("group") or any(_aggregates(each, tree) for each in tree.expressions):
        raise Unclear("it groups rows")
    sources = _sources(tree)
    found = _projection(tree, column, sources)
    if isinstance(found, exp.Expr):
        while isinstance(found, (exp.Alias, exp.Paren)):
            found = found.this
        if not isinstance(found, exp.Column):
            raise Unclear(f"{column} is computed")
        owner, name = found.table.lower(), found.name.lower()
        if not owner and len(sources) > 1:
            raise Unclear(f"{column} is not written with the name of the relation it is read from")
        if owner and owner not in sources:
            raise Unclear(f"{column} is no column of a relation")
        source = sources[owner] if owner else next(iter(sources.values()))
    else:
        source, name = sources[found], column
    if isinstance(source, exp.Subquery):
        return _trace(source, name, names)
    if isinstance(source, exp.Table) and source.db:
        return RelationName(source.db.lower(), source.name.lower()), name
    if source.name.lower() in names:
        without = {each: select for each, select in names.items() if each != source.name.lower()}
        return _trace(names[source.name.lower()], name, without)
    raise Unclear(f"{column} is no column of a relation")


def _sources(tree: exp.Select) -> dict[str, exp.Expr]:
    start = tree.args.get("from_")
    items = [start.this] if start else []
    items += [join.this for join in tree.args.get("joins") or ()]
    found = {item.alias_or_name.lower(): item for item in items}
    if not found or any(not isinstance(item, (exp.Table, exp.Subquery)) for item in items):
        raise Unclear("it does not read plain relations")
    return found


def _aggregates(projection: exp.Expr, tree: exp.Select) -> bool:
    return any(each.find_ancestor(exp.Window, exp.Select) is tree for each in projection.find_all(exp.AggFunc))


def _projection(tree: exp.Select, column: str, sources: Mapping[str, exp.Expr]) -> exp.Expr | str:
    """The expression of an output column; where a plain star gives it, the name of what that is a star of."""
    for each in tree.expressions:
        if not isinstance(each, exp.Star) and each.alias_or_name.lower() == column:
            return each  # type: ignore[no-any-return]
    stars = [each for each in tree.expressions if each.is_star]
    if len(stars) == 1:
        owner = stars[0].table.lower() if isinstance(stars[0], exp.Column) else ""
        star = stars[0].this if owner else stars[0]
        if not any(star.args.values()) and (owner in sources or (not owner and len(sources) == 1)):
            return owner or next(iter(sources))
    raise Unclear(f"{column} is not among the columns it names")
