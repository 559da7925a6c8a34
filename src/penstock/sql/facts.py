"""What a query says about itself: the tables it reads, its parameters, its output columns. Needs no schema."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from penstock.domain.relation import RelationName
from penstock.errors import Location, Problem
from penstock.record import record
from penstock.sql.driving import driving
from penstock.sql.parse import Where, parse, single, start_of
from penstock.sql.render import parameters
from penstock.sql.tokens import canonical, fingerprint

_TABLE_FUNCTIONS = """unnest range generate_series generate_subscripts repeat repeat_row json_each json_tree
    regexp_split_to_table string_split_to_table"""
TABLE_FUNCTIONS = frozenset(_TABLE_FUNCTIONS.split())
"""Table functions that compute and read nothing. Every other one could reach outside the warehouse."""

_VOLATILE = """now random rand uuid uuidv4 uuidv7 gen_random_uuid current_timestamp current_date current_time localtime
    localtimestamp today get_current_time get_current_timestamp transaction_timestamp statement_timestamp
    clock_timestamp nextval currval setseed txid_current current_localtime current_localtimestamp
    current_setting getvariable"""
VOLATILE = frozenset(_VOLATILE.split())
_VOLATILE_NODES = (
    exp.CurrentTimestamp,
    exp.CurrentDate,
    exp.CurrentTime,
    exp.CurrentDatetime,
    exp.Localtime,
    exp.Localtimestamp,
    exp.Rand,
    exp.Uuid,
    exp.NextValueFor,
    exp.TableSample,
)


@record
class Mention:
    """One place where the SQL names a relation; `line` counts from the line the SQL begins on."""

    relation: RelationName
    line: int
    column: int


@record
class Facts:
    """`mentions`: every mention of a relation, in the order of the text. `columns`: the output's names, None when they
    cannot be known without a schema (a star, an expression without a name). `volatile`: the result may differ between
    two runs on the same data. `problems`: what a model must not do, each with its place. `drives`: the one relation
    each row of which gives at most one row of the output; None where rows are joined or put together."""

    mentions: tuple[Mention, ...]
    parameters: tuple[tuple[str, int, int], ...]
    columns: tuple[str, ...] | None
    volatile: bool
    fingerprint: str
    problems: tuple[Problem, ...] = ()
    drives: RelationName | None = None

    @property
    def reads(self) -> tuple[RelationName, ...]:
        """The relations read, each once, in the order of the text."""
        return tuple(dict.fromkeys(mention.relation for mention in self.mentions))


def facts(sql: str, path: str = "<sql>", line: int = 1) -> Facts:
    """What the query in `sql` reads and gives. Raises UserError when it cannot be parsed (see parse)."""
    tree = parse(sql, path, line)
    where = Where(sql, path, line)
    mentions: list[Mention] = []
    problems: list[Problem] = []
    for table in _tables(tree):
        if problem := _refused(table, where):
            problems.append(problem)
        elif isinstance(table, exp.Table) and isinstance(table.this, exp.Identifier):
            place = where.at(start_of(table.args["db"]))
            relation = RelationName(table.db.lower(), table.name.lower())
            mentions.append(Mention(relation, place.line or line, place.column or 1))
    used = tuple(parameters(sql, line))
    problems += _parameter_problems(tree, used, where)
    names = _outputs(tree)
    problems += _column_problems(names, where)
    return Facts(
        mentions=tuple(sorted(mentions, key=lambda mention: (mention.line, mention.column))),
        parameters=used,
        columns=None if any(name is None for name, _ in names) else tuple(name for name, _ in names if name),
        volatile=is_volatile(tree),
        fingerprint=fingerprint([canonical(single(sql, where))]),
        problems=tuple(problems),
        drives=driving(tree),
    )


def _tables(tree: exp.Expr) -> Iterator[exp.Expr]:
    """Every table below `tree` that is no CTE, and every lateral call. Kept on a stack of its own: a long chain of
    UNION or OR is a tree deeper than Python's."""
    todo: list[tuple[exp.Expr, frozenset[str]]] = [(tree, frozenset())]
    while todo:
        node, names = todo.pop()
        clause = node.args.get("with_")
        if isinstance(clause, exp.With):
            for cte in clause.expressions:
                own = cte.alias.lower()
                # A CTE sees the ones before it, and itself only in WITH RECURSIVE.
                todo.append((cte.this, names | {own} if clause.recursive else names))
                names = names | {own}
        if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Func):
            yield node
        if isinstance(node, exp.Table) and (node.db or node.name.lower() not in names):
            yield node
        todo += [(child, names) for child in node.iter_expressions() if child is not clause]


def _refused(table: exp.Expr, where: Where) -> Problem | None:
    """Why a model may not read `table` in this way, or None."""
    name, place = table.name, where.at(start_of(table))
    if isinstance(table.this, exp.Func):
        function = table.this.name if isinstance(table.this, exp.Anonymous) else table.this.sql_name()
        if function.lower() in TABLE_FUNCTIONS:
            return None
        return Problem(
            "TABLE_FUNCTION",
            f"a model may not call the table function {function.lower()}()",
            place,
            "declare a source for data from outside, and read its relation",
        )
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        return None
    if table.catalog:
        return Problem(
            "UNQUALIFIED_TABLE",
            f"expected layer.name, found three parts: {table.catalog}.{table.db}.{name}",
            place,
            "name the relation by its layer and its name only",
        )
    if table.db:
        return None
    if any(sign in name for sign in "./*\\:"):
        return Problem(
            "TABLE_FUNCTION",
            f"a model may not read the file {name!r}",
            place,
            "declare a source for data from outside, and read its relation",
        )
    return Problem(
        "UNQUALIFIED_TABLE",
        f"expected layer.name, found {name!r} alone, which no WITH clause here defines",
        place,
        f"write the layer too, as in stg.{name.lower()}",
    )


def _parameter_problems(tree: exp.Expr, used: tuple[tuple[str, int, int], ...], where: Where) -> Iterator[Problem]:
    named = {name for name, _, _ in used}
    hint = "declare the value under variables: in penstock.yml and write it $name"
    for name, line, column in used:
        if not name.isidentifier():
            place = Location(where.path, line, column)
            yield Problem("BAD_PARAMETER", f"expected a named parameter such as $run_date, found ${name}", place, hint)
    for placeholder in tree.find_all(exp.Placeholder, exp.Parameter):
        if placeholder.name not in named:
            found = f":{placeholder.name}" if placeholder.name else "?"
            place = where.at(start_of(placeholder))
            yield Problem("BAD_PARAMETER", f"expected a named parameter such as $run_date, found {found}", place, hint)


def _outputs(tree: exp.Expr) -> list[tuple[str | None, exp.Expr]]:
    """The output columns of a query: each one's name (None: unknown without a schema) and the node that makes it."""
    node: exp.Expr = tree
    while not isinstance(node, exp.Select):
        # The first branch of UNION and its like names the columns.
        inner = node.this
        if isinstance(node, exp.SetOperation) and node.args.get("by_name"):
            return [(None, node)]
        if not isinstance(inner, exp.Query) or isinstance(inner, exp.Table):
            return [(None, node)]
        node = inner
    found: list[tuple[str | None, exp.Expr]] = []
    for item in node.expressions:
        if isinstance(item, exp.Alias):
            found.append((item.alias, item))
        elif isinstance(item, exp.Column) and isinstance(item.this, exp.Identifier):
            found.append((item.name, item))
        else:
            found.append((None, item))
    return found


def _column_problems(names: list[tuple[str | None, exp.Expr]], where: Where) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, node in names:
        if name is None:
            if not isinstance(node, exp.Query) and node.find(exp.Placeholder, exp.Parameter) and not node.is_star:
                yield Problem(
                    "UNNAMED_COLUMN",
                    "a column made from a $parameter has no name of its own",
                    where.at(start_of(node)),
                    "name it: … AS name",
                )
        elif name.lower() in seen:
            yield Problem(
                "DUPLICATE_COLUMN",
                f"the output has two columns named {name!r}"
                + (f" (names differ only in case from {seen[name.lower()]!r})" if seen[name.lower()] != name else ""),
                where.at(start_of(node.args["alias"]) if isinstance(node, exp.Alias) else start_of(node)),
                "rename one with AS, or leave one out",
            )
        else:
            seen[name.lower()] = name


def is_volatile(tree: exp.Expr) -> bool:
    """Whether the result may differ between two runs on the same data."""
    if next(tree.find_all(*_VOLATILE_NODES), None) is not None:
        return True
    for node in tree.find_all(exp.Anonymous, exp.Column):
        word = isinstance(node, exp.Column) and (bool(node.table) or not node.name.lower().startswith("current_"))
        if node.name.lower() in VOLATILE and not word:
            return True
    return False
