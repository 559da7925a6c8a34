"""SQL → nodes: views and WITH opened, stars spelled out, every column resolved. What is not known raises Rebuild."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from penstock.domain.relation import RelationName
from penstock.incremental.catalog import Catalog
from penstock.incremental.expressions import check, windows
from penstock.incremental.joins import Chain
from penstock.incremental.nodes import (
    Combined,
    Constant,
    Inner,
    Leaf,
    Node,
    Output,
    Select,
    Source,
    column,
    conditions,
    mark,
    marks,
)
from penstock.incremental.reasons import Rebuild
from penstock.incremental.scope import Scope
from penstock.sql.aggregates import has_aggregate
from penstock.sql.parse import parse

_SELECT = """expressions from_ joins where group having qualify windows order limit offset distinct with_ kind hint"""
_SELECT_PARTS = frozenset(_SELECT.split())
_TABLE_PARTS = {"this", "db", "alias"}
_COMBINED = {exp.Union: "union", exp.Except: "except", exp.Intersect: "intersect"}


@dataclass(frozen=True, slots=True)
class With:
    """A WITH clause's entry: its query, what it may see, the names it gives its columns."""

    tree: exp.Expr
    seen: Mapping[str, With]
    columns: tuple[str, ...]


def resolve(sql: str, catalog: Catalog) -> Node:
    """The query as nodes. Raises Rebuild for what is not understood."""
    return Resolver(catalog).query(parse(sql), None, {})


class Resolver:
    """One query's resolution: aliases and marks are counted through all of it."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._counter = 0
        self._inners: dict[int, Inner] = {}

    def _fresh(self, name: str) -> str:
        self._counter += 1
        return f"{name or 't'}_{self._counter}"

    # queries

    def query(self, tree: exp.Expr, parent: Scope | None, seen: Mapping[str, With]) -> Node:
        seen = self._with(tree, seen)
        if isinstance(tree, exp.Subquery):
            node = self.query(tree.this, parent, seen)
        elif isinstance(tree, exp.Select):
            return self._select(tree, parent, seen)
        elif isinstance(tree, exp.SetOperation):
            node = self._combined(tree, parent, seen)
        else:
            raise Rebuild(f"it has {tree.key.upper()}")
        if tree.args.get("limit") or tree.args.get("offset"):
            raise Rebuild("it limits a UNION or a query in parentheses")
        return node

    def _with(self, tree: exp.Expr, seen: Mapping[str, With]) -> Mapping[str, With]:
        clause = tree.args.get("with_")
        if not isinstance(clause, exp.With):
            return seen
        if clause.recursive:
            raise Rebuild("it has WITH RECURSIVE")
        found = dict(seen)
        for entry in clause.expressions:
            alias = entry.args["alias"]
            names = tuple(name.name for name in alias.args.get("columns") or ())
            found[alias.name.lower()] = With(entry.this, dict(found), names)
        return found

    def _combined(self, tree: exp.SetOperation, parent: Scope | None, seen: Mapping[str, With]) -> Node:
        kind = next((name for known, name in _COMBINED.items() if isinstance(tree, known)), None)
        if kind is None or tree.args.get("by_name") or tree.args.get("on") or tree.args.get("side"):
            raise Rebuild(f"it has {tree.key.upper()} BY NAME")
        left = self.query(tree.this, parent, seen)
        right = self.query(_named(tree.expression), parent, seen)
        if len(left.columns) != len(right.columns):
            raise Rebuild("the sides of a UNION have different numbers of columns")
        return Combined(kind, not tree.args.get("distinct"), left, right)  # type: ignore[arg-type]

    def _select(self, tree: exp.Select, parent: Scope | None, seen: Mapping[str, With]) -> Select:
        odd = [name for name, value in tree.args.items() if value and name not in _SELECT_PARTS]
        if odd:
            raise Rebuild(f"it has {odd[0].upper()}")
        scope = Scope(parent)
        chain = Chain(scope, lambda item, around: self._item(item, around, seen), self._joined(seen), self._fresh)
        start = tree.args.get("from_")
        if start is None:
            scope.sources = [Source(self._fresh("one"), Constant(("one",), exp.values([(1,)], "v", ["one"])))]
        else:
            chain.start(start.this)
        for join in tree.args.get("joins") or ():
            chain.join(join)
        return _Body(self, scope, seen, tree).select()

    def _joined(self, seen: Mapping[str, With]):  # type: ignore[no-untyped-def]
        return lambda condition, scope: self.expression(condition, scope, seen, "ON")

    # FROM items

    def _item(self, item: exp.Expr, around: Scope, seen: Mapping[str, With]) -> tuple[str, Node] | Scope:
        alias = item.args.get("alias")
        name = alias.name.lower() if alias is not None and alias.this is not None else ""
        if isinstance(item, exp.Subquery):
            if isinstance(item.this, exp.Table):
                return self._parenthesis(item.this, seen)
            _only(item, {"this", "alias", "with_", "limit", "offset", "order"})
            node = self.query(_called(replace_alias(item), alias), None, seen)
        elif isinstance(item, exp.Values) or (isinstance(item, exp.Table) and isinstance(item.this, exp.Func)):
            return name, self._constant(item, alias)
        elif isinstance(item, exp.Table):
            _only(item, _TABLE_PARTS)
            name = name or item.name.lower()
            node = self._table(item, seen)
        else:
            raise Rebuild(f"it has {item.key.upper()} in FROM")
        columns = tuple(found.name for found in alias.args.get("columns") or ()) if alias is not None else ()
        return name, self._renamed(node, columns)

    def _parenthesis(self, first: exp.Table, seen: Mapping[str, With]) -> Scope:
        """FROM (a JOIN b ON …): a scope of its own."""
        scope = Scope()
        chain = Chain(scope, lambda item, around: self._item(item, around, seen), self._joined(seen), self._fresh)
        joins = first.args.get("joins") or ()
        alone = first.copy()
        alone.set("joins", None)
        chain.start(alone)
        for join in joins:
            chain.join(join)
        return scope

    def _constant(self, item: exp.Expr, alias: exp.Expr | None) -> Constant:
        names = tuple(found.name for found in alias.args.get("columns") or ()) if alias is not None else ()
        if not names:
            raise Rebuild("it has VALUES or a table function without column names")
        if item.find(exp.Column, exp.Query):
            raise Rebuild("it has a table function of other tables' columns in FROM")
        return Constant(names, item)

    def _table(self, item: exp.Table, seen: Mapping[str, With]) -> Node:
        known = None if item.db else seen.get(item.name.lower())
        if known is not None:
            tree = _named(known.tree) if known.columns else known.tree
            return self._renamed(self.query(tree, None, known.seen), known.columns)
        relation = RelationName(item.db.lower(), item.name.lower())
        if relation in self._catalog.tables:
            return Leaf(self._catalog.tables[relation], relation)
        if relation in self._catalog.views:
            return self.query(parse(self._catalog.views[relation]), None, {})
        raise Rebuild(f"the columns of {relation} are not known")

    def _renamed(self, node: Node, names: Sequence[str]) -> Node:
        if not names:
            return node
        alias = self._fresh("renamed")
        if len(names) < len(node.columns) and not isinstance(node, Leaf):
            raise Rebuild("only some of the columns of a query in FROM are given names")
        after = (*names, *node.columns[len(names) :])
        outputs = tuple(Output(new, column(alias, old)) for new, old in zip(after, node.columns, strict=True))
        return Select((Source(alias, node),), outputs)

    # expressions

    def expression(
        self,
        tree: exp.Expr,
        scope: Scope,
        seen: Mapping[str, With],
        where: str,
        aliases: Mapping[str, exp.Expr] | None = None,
        *,
        clash: bool = False,
    ) -> exp.Expr:
        """`tree` with its columns resolved and its subqueries as marks. `aliases` are names of the SELECT list that may
        stand here too; with `clash` a name that is both a column and an alias is not decided."""

        def one(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
                return self._column(node, scope, aliases or {}, clash=clash)
            if isinstance(node, exp.In) and node.args.get("query"):
                operand = self.expression(node.this, scope, seen, where, aliases, clash=clash)
                return self._mark("in", node.args["query"], scope, seen, operand)
            if isinstance(node, exp.Exists):
                return self._mark("exists", node.this, scope, seen)
            if isinstance(node, exp.Subquery):
                return self._mark("scalar", node, scope, seen)
            return node

        return check(tree.copy().transform(one), where)

    def _mark(
        self, kind: str, tree: exp.Expr, scope: Scope, seen: Mapping[str, With], operand: exp.Expr | None = None
    ) -> exp.Expr:
        self._counter += 1
        number = self._counter
        self._inners[number] = Inner(kind, self.query(_named(tree), scope, seen))  # type: ignore[arg-type]
        return mark(number, operand)

    def _column(self, node: exp.Column, scope: Scope, aliases: Mapping[str, exp.Expr], *, clash: bool) -> exp.Expr:
        found = scope.find(node)
        alias = aliases.get(node.name.lower()) if not node.table else None
        if found is not None and alias is not None and clash and found != alias:
            raise Rebuild(f"the name {node.name} is both a column and an alias")
        if found is None and alias is not None:
            return alias.copy()
        if found is None:
            raise Rebuild(f"the name {node.sql('duckdb')} could not be resolved")
        return found

    def inners(self, trees: Sequence[exp.Expr]) -> dict[int, Inner]:
        return {number: self._inners[number] for tree in trees for number in marks(tree)}


class _Body:
    """What stands around FROM in one SELECT."""

    def __init__(self, resolver: Resolver, scope: Scope, seen: Mapping[str, With], tree: exp.Select) -> None:
        self._resolver, self._scope, self._seen, self._tree = resolver, scope, seen, tree
        self._aliases: dict[str, exp.Expr] = {}
        self._named = {found.name.lower(): found for found in tree.args.get("windows") or ()}

    def select(self) -> Select:
        tree = self._tree
        outputs = self._outputs()
        where = conditions(self._optional("where", "WHERE"))
        having = self._optional("having", "HAVING", clash=True)
        qualify = self._optional("qualify", "QUALIFY", clash=True)
        group = self._group(outputs, having)
        on = self._distinct_on(outputs)
        limit, offset = self._number("limit"), self._number("offset")
        found = Select(
            sources=tuple(self._scope.sources),
            outputs=tuple(outputs),
            where=where,
            group=group,
            having=having,
            qualify=qualify,
            distinct=bool(tree.args.get("distinct")) and not on,
            distinct_on=on,
            order=self._order(outputs) if on or limit is not None or offset is not None else (),
            limit=limit,
            offset=offset,
        )
        return replace(found, inners=self._resolver.inners(list(found.expressions())))

    def _expression(self, tree: exp.Expr, where: str, *, clash: bool = False) -> exp.Expr:
        for window in tree.find_all(exp.Window):
            self._spell_out(window)
        return self._resolver.expression(tree, self._scope, self._seen, where, self._aliases, clash=clash)

    def _optional(self, part: str, where: str, *, clash: bool = False) -> exp.Expr | None:
        found = self._tree.args.get(part)
        return None if found is None else self._expression(found.this, where, clash=clash)

    def _number(self, part: str) -> exp.Expr | None:
        clause = self._tree.args.get(part)
        if clause is None:
            return None
        if not isinstance(clause, (exp.Limit, exp.Offset)) or not isinstance(clause.expression, exp.Literal):
            raise Rebuild(f"its {part.upper()} is not a number")
        return clause.expression.copy()

    def _spell_out(self, window: exp.Window) -> None:
        """OVER w → the window that WINDOW w AS (…) names."""
        name = window.args.get("alias")
        if name is None:
            return
        named = self._named.get(name.name.lower())
        if named is None or named.args.get("alias") is not None:
            raise Rebuild(f"the window {name.name} could not be resolved")
        for part in ("partition_by", "order", "spec"):
            value = named.args.get(part)
            if value and not window.args.get(part):
                copied = [found.copy() for found in value] if isinstance(value, list) else value.copy()
                window.set(part, copied)
        window.set("alias", None)

    def _outputs(self) -> list[Output]:
        found: list[Output] = []
        for item in self._tree.expressions:
            if isinstance(item, exp.Star):
                found += self._star(item, "")
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                found += self._star(item.this, item.table)
            else:
                value = item.this if isinstance(item, exp.Alias) else item
                name = item.alias if isinstance(item, exp.Alias) else item.name if isinstance(item, exp.Column) else ""
                if not name:
                    raise Rebuild(f"its output column {len(found) + 1} has no name (give it one with AS)")
                resolved = self._expression(value.copy(), "the SELECT list")
                found.append(Output(name, resolved))
                self._aliases.setdefault(name.lower(), resolved)
        names = [output.name.lower() for output in found]
        if len(set(names)) != len(names):
            raise Rebuild("two of its columns have one name")
        return found

    def _star(self, star: exp.Star, table: str) -> list[Output]:
        left_out = {item.name.lower() for item in star.args.get("except_") or ()}
        other = {item.alias.lower(): item.this for item in star.args.get("replace") or ()}
        renamed = {item.this.name.lower(): item.alias for item in star.args.get("rename") or ()}
        odd = [part for part, value in star.args.items() if value and part not in ("except_", "replace", "rename")]
        if odd:
            raise Rebuild(f"it has * with {odd[0].upper()}")
        found = []
        for name, value in self._scope.star(table):
            low = name.lower()
            if low in left_out:
                continue
            kept = self._expression(other[low].copy(), "REPLACE") if low in other else value
            found.append(Output(renamed.get(low, name), kept))
        return found

    def _group(self, outputs: Sequence[Output], having: exp.Expr | None) -> tuple[exp.Expr, ...] | None:
        clause = self._tree.args.get("group")
        seen = [output.value for output in outputs] + ([having] if having is not None else [])
        if clause is None:
            return () if having is not None or any(has_aggregate(value) for value in seen) else None
        odd = [part for part, value in clause.args.items() if value and part not in ("expressions", "all")]
        if odd or any(isinstance(item, (exp.Rollup, exp.Cube, exp.GroupingSets)) for item in clause.expressions):
            raise Rebuild("it has grouping sets")
        if clause.args.get("all"):
            found = [
                value.copy() for value in seen[: len(outputs)] if not has_aggregate(value) and value.find(exp.Column)
            ]
            if not found:
                raise Rebuild("its GROUP BY ALL has no column to group by")
        else:
            found = [self._positioned(item, outputs, "GROUP BY") for item in _spread(clause.expressions)]
        if any(marks(value) or windows(value) for value in found):
            raise Rebuild("it groups by a subquery or a window")
        return tuple(found)

    def _positioned(self, item: exp.Expr, outputs: Sequence[Output], where: str) -> exp.Expr:
        if isinstance(item, exp.Literal) and not item.is_string:
            place = int(item.this)
            if not 1 <= place <= len(outputs):
                raise Rebuild(f"{where} {place} is no output column")
            return outputs[place - 1].value.copy()
        return self._expression(item.copy(), where)

    def _distinct_on(self, outputs: Sequence[Output]) -> tuple[exp.Expr, ...]:
        clause = self._tree.args.get("distinct")
        on = clause.args.get("on") if clause is not None else None
        if on is None:
            return ()
        items = on.expressions if isinstance(on, exp.Tuple) else [on]
        return tuple(self._positioned(item, outputs, "DISTINCT ON") for item in items)

    def _order(self, outputs: Sequence[Output]) -> tuple[exp.Expr, ...]:
        clause = self._tree.args.get("order")
        found = []
        for item in clause.expressions if clause is not None else ():
            ordered = item.copy()
            name = item.this.name.lower() if isinstance(item.this, exp.Column) and not item.this.table else ""
            # In ORDER BY an alias comes before a column.
            value = self._aliases.get(name)
            ordered.set("this", value.copy() if value is not None else self._positioned(item.this, outputs, "ORDER BY"))
            found.append(ordered)
        return tuple(found)


def _spread(items: Sequence[exp.Expr]) -> list[exp.Expr]:
    """GROUP BY (a, b) is GROUP BY a, b; GROUP BY () is none."""
    found: list[exp.Expr] = []
    for item in items:
        found += _spread(item.expressions) if isinstance(item, exp.Tuple) else [item]
    return found


def _named(tree: exp.Expr) -> exp.Expr:
    """A query whose columns nobody can name: each has some name. The stars of EXISTS (SELECT * …) say nothing."""
    found = tree.copy()
    query = found.this if isinstance(found, exp.Subquery) else found
    if isinstance(query, exp.Select):
        items: list[exp.Expr] = []
        for at, item in enumerate(query.expressions):
            starred = isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star))
            if starred and isinstance(tree.parent, exp.Exists):
                items.append(exp.alias_(exp.Literal.number(1), f"c{at}"))
            elif starred or isinstance(item, (exp.Alias, exp.Column)):
                items.append(item)
            else:
                items.append(exp.alias_(item.copy(), f"c{at}"))
        query.set("expressions", items)
    return found


def _called(tree: exp.Expr, alias: exp.Expr | None) -> exp.Expr:
    """A query in FROM, whose columns need no names of their own when its alias names them."""
    return _named(tree) if alias is not None and alias.args.get("columns") else tree


def _only(item: exp.Expr, parts: set[str]) -> None:
    odd = [name for name, value in item.args.items() if value and name not in parts]
    if odd:
        raise Rebuild(f"it has {odd[0].upper()} on a table in FROM")


def replace_alias(item: exp.Expr) -> exp.Expr:
    """A subquery in FROM without its alias: what is left is a query."""
    alone = item.copy()
    alone.set("alias", None)
    return alone
