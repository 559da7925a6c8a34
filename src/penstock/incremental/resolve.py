"""SQL → nodes: views and WITH opened, stars spelled out, every column resolved. What is not known raises Rebuild."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from penstock.domain.relation import RelationName
from penstock.incremental.catalog import Catalog
from penstock.incremental.expressions import check
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
    mark,
    marks,
)
from penstock.incremental.reasons import Rebuild
from penstock.incremental.scope import Scope
from penstock.incremental.select import Body
from penstock.record import record
from penstock.sql.parse import parse

_SELECT = """expressions from_ joins where group having qualify windows order limit offset distinct with_ kind hint"""
_SELECT_PARTS = frozenset(_SELECT.split())
_TABLE_PARTS = {"this", "db", "alias"}
_COMBINED = {exp.Union: "union", exp.Except: "except", exp.Intersect: "intersect"}


@record
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
        return Body(self, scope, seen, tree).select()

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
