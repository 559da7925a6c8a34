"""`checks:` of a model or a source table, and checks/*.sql → Check. What is wrong goes to `problems`, all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from penstock import registry
from penstock.checks.kind import Kind, RowKind, SelectKind, TableKind
from penstock.domain.check import Check
from penstock.domain.relation import RelationName
from penstock.errors import Location, PenstockError, UserError
from penstock.project.check_schema import CheckFile, Common, kinds, shape
from penstock.project.column_types import type_problem
from penstock.project.front_matter import of_sql
from penstock.project.pieces import CheckPiece, Mention
from penstock.project.problems import Problems, did_you_mean
from penstock.project.tolerances import tolerance
from penstock.project.validation import shown, validate
from penstock.project.yaml import Document, Path
from penstock.sql.functions import Macro, expand

Macros = Mapping[str, Macro]
NONE: Macros = {}


def checks(
    raw: Sequence[Any], document: Document, base: Path, problems: Problems, macros: Macros = NONE
) -> tuple[Check, ...]:
    """The checks in the list `raw`, found at `base`. Names are made unique within it. `macros`: the functions of
    the project, which their conditions may call."""
    found: list[Check] = []
    for index, entry in enumerate(raw):
        place = (*base, index)
        with problems.of_check(_place(entry, document, place)):
            found += _entry(entry, document, place, problems, macros)
    return tuple(_named(found, problems))


def _place(entry: Any, document: Document, place: Path) -> Location:
    """Where the checks that an entry of the list declares stand."""
    return document.key(*place, next(iter(entry))) if isinstance(entry, dict) and entry else document.at(*place)


def _entry(entry: Any, document: Document, place: Path, problems: Problems, macros: Macros) -> Sequence[Check]:
    known = kinds()
    if not isinstance(entry, dict) or len(entry) != 1:
        problems.add(
            "BAD_VALUE",
            f"expected a check such as `not_null: [a, b]`, found {shown(entry)}",
            document.at(*place),
            f"each check is one kind with what it asks for; kinds: {', '.join(known)}",
        )
        return ()
    name, value = next(iter(entry.items()))
    kind = known.get(name) or _installed(name, document.key(*place, name), problems)
    if kind is None and name in registry.installed():
        return ()
    if kind is None:
        problems.add(
            "UNKNOWN_KIND",
            f"unknown kind of check {name!r}",
            document.key(*place, name),
            did_you_mean(name, [*known, *registry.installed()], f"use one of: {', '.join(known)}"),
        )
        return ()
    return list(_Entry(kind, document, (*place, name), problems, macros).read(value))


def _installed(name: str, place: Location, problems: Problems) -> Kind | None:
    """A kind that another package brings. One that cannot be loaded is a problem, and none."""
    if name not in registry.installed():
        return None
    try:
        kind = registry.check(name)
    except UserError as error:
        problems.add(error.problem.code, error.problem.message, place, error.problem.hint or "")
        return None
    if isinstance(kind, (RowKind, TableKind, SelectKind)):
        return kind
    problems.add("PLUGIN_UNAVAILABLE", f"{name!r} is no kind of check, but {kind!r}", place, "see penstock.checks.kind")
    return None


CONDITIONS = ("expression", "with_where")
"""Options of kinds that are conditions in SQL."""


class _Entry:
    """One entry of the list, behind its kind."""

    def __init__(self, kind: Kind, document: Document, path: Path, problems: Problems, macros: Macros) -> None:
        self.kind, self.document, self.path, self.problems, self.macros = kind, document, path, problems, macros

    def add(self, code: str, message: str, hint: str, *path: str | int) -> None:
        self.problems.add(code, f"{self.kind.name}: {message}", self.document.key(*self.path, *path), hint)

    def read(self, value: Any) -> Iterator[Check]:
        kind = self.kind
        if not isinstance(value, dict):
            if kind.short is None or not isinstance(value, (str, list)):
                takes = "columns" if kind.columns != "none" else next(iter(kind.options))
                self.add("BAD_VALUE", f"expected a mapping, found {shown(value)}", f"write `{{{takes}: …}}`")
                return
            value = {kind.short: value}
        spec = validate(shape(kind.name), value, self.document, self.path, self.problems)
        if spec is None or not isinstance(spec, Common):
            return
        data = spec.model_dump(by_alias=True)
        columns = self.columns(data)
        options = {name: data[name] for name in kind.options}
        for option, message, hint in kind.wrong({**options, "columns": columns}):
            self.add("CHECK_OPTION", message, hint, option)
        bare = isinstance(kind, TableKind) and kind.bare
        if kind.columns != "none" and not columns and not bare:
            self.add("MISSING_KEY", "which column?", "add `column: …`")
            return
        where = self.called("where", spec.where)
        options |= {name: self.called(name, options[name]) for name in CONDITIONS if options.get(name)}
        self.rules(spec, options, where)
        refers = tuple(RelationName.parse(v) for n, v in options.items() if kind.options[n].sort == "relation" and v)
        for group in [(name,) for name in columns] if kind.columns == "each" else [columns]:
            yield Check(
                name=spec.name or _name(kind.name, group, options),
                kind=kind.name,
                location=self.document.key(*self.path),
                columns=tuple(group),
                options=options,
                where=where,
                on_fail=spec.on_fail,
                tolerance=tolerance(spec.max_failures),
                dimension=spec.dimension or kind.dimension,
                description=spec.description,
                refers=refers,
            )

    def columns(self, data: Mapping[str, Any]) -> list[str]:
        one, many = data.get("column") or [], data.get("columns") or []
        if one and many:
            self.add("OPTION_MISPLACED", "column and columns are the same thing", "keep one of them", "column")
        return list(one or many)

    def called(self, name: str, sql: str | None) -> str | None:
        """A condition with the project's functions in the place of their calls."""
        if sql is None or not self.macros:
            return sql
        place = self.document.at(*self.path, name)
        try:
            return expand(sql, self.macros, place.path, place.line or 1, lead="SELECT ").sql
        except PenstockError as error:
            self.add(error.problem.code, f"{name}: {error.problem.message}", error.problem.hint or "correct it", name)
            return sql

    def rules(self, spec: Common, options: Mapping[str, Any], where: str | None) -> None:
        """The rules between what all kinds take and what this one is."""
        kind = self.kind
        if spec.on_fail == "quarantine" and not isinstance(kind, RowKind):
            what = "is about the table" if isinstance(kind, TableKind) else "is about rows together"
            self.add("CHECK_OPTION", f"it {what}: no single row can be set apart", "use fail or warn", "on_fail")
        if spec.max_failures and isinstance(kind, TableKind):
            self.add("CHECK_OPTION", "it is about the table, not about rows", "remove max_failures", "max_failures")
        if spec.max_failures and spec.on_fail == "quarantine":
            why = "rows that fail are set apart, however many there are"
            self.add("CHECK_OPTION", why, "remove max_failures, or use fail or warn", "max_failures")
        if kind.name == "type":
            if trouble := type_problem(options["is"]):
                self.problems.add("BAD_TYPE", trouble[0], self.document.at(*self.path, "is"), trouble[1])
            elif options["format"] and not options["is"].strip().lower().startswith(("date", "timestamp")):
                self.add(
                    "CHECK_OPTION", f"a format is for dates and times, found {options['is']}", "remove it", "format"
                )
        apart = spec.on_fail == "quarantine"
        self.condition("where", where, apart=apart)
        for name in CONDITIONS:
            self.condition(name, options.get(name), apart=apart)
        pattern = options.get("pattern")
        if pattern and "\0" in pattern:
            self.add("CHECK_OPTION", "a pattern cannot hold NUL", "remove it", "pattern")

    def condition(self, name: str, sql: str | None, *, apart: bool) -> None:
        """One SQL expression on the columns of a row. `apart`: rows are set apart by it, and have to stay so until they
        change."""
        if sql is None:
            return
        from penstock.sql.facts import facts

        place = self.document.at(*self.path, name)
        wrapped = f"SELECT (\n{sql}\n) AS holds"
        try:
            found = facts(wrapped, place.path, (place.line or 1) - 1)
        except PenstockError as error:
            self.problems.add("SQL_PARSE", f"{name}: {error.problem.message}", place, "write one condition in SQL")
            return
        for problem in found.problems:
            self.problems.add(problem.code, f"{name}: {problem.message}", place, problem.hint)
        if _closes_early(sql):
            self.add(
                "SQL_PARSE", f"a bracket is closed in {name} that is not opened in it", "write one condition", name
            )
            return
        several = "," in sql and facts(f"SELECT\n{sql}\n AS holds", place.path).columns != ("holds",)
        if found.columns != ("holds",) or several:
            self.add("SQL_PARSE", f"expected one condition in {name}", "write `a AND b` for two", name)
        if found.mentions:
            hint = "use relationships, or a SELECT in checks/*.sql"
            self.add("CHECK_OPTION", f"{name} reads {found.mentions[0].relation}, and judges single rows", hint, name)
        if found.volatile and apart:
            hint = "compare with a column, such as processing_ts, which says when a row came; or use fail or warn"
            self.add("CHECK_OPTION", f"{name} changes with the time or by chance, and rows do not", hint, name)
        if found.parameters:
            hint = "write the value; parameters work in checks/*.sql"
            self.add("CHECK_OPTION", f"{name} uses ${found.parameters[0][0]}", hint, name)


def _closes_early(sql: str) -> bool:
    """`a) OR (b` stands in brackets of ours, and would close them."""
    from penstock.sql.tokens import significant

    depth = 0
    for token in significant(sql):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth < 0:
            return True
    return False


def _name(kind: str, columns: Sequence[str], options: Mapping[str, Any]) -> str:
    """`unique(a, b)`, `anomaly(rows)`, `anomaly(mean of a)`."""
    what = [each for each in (options.get("measure"), ", ".join(columns)) if each]
    return f"{kind}({' of '.join(what)})" if what else kind


def _named(found: Sequence[Check], problems: Problems) -> Iterator[Check]:
    """Two checks of one name cannot be told apart: those that were given none are numbered."""
    from dataclasses import replace

    taken: set[str] = set()
    for check in found:
        name, number = check.name, 2
        while name in taken:
            name, number = f"{check.name} {number}", number + 1
        taken.add(name)
        yield replace(check, name=name)


def check_file(text: str, path: str, problems: Problems, macros: Macros = NONE) -> CheckPiece | None:
    """What one file of checks/ declares; None when it cannot be read.

    Raises ProjectError for front matter that is not YAML, UserError for SQL that does not parse.
    """
    from penstock.sql.facts import facts
    from penstock.sql.parse import Where, single

    matter = of_sql(text, path)
    spec = validate(CheckFile, matter.document.value, matter.document, (), problems)
    start = matter.end + len(text[matter.end :]) - len(text[matter.end :].lstrip())
    line = text.count("\n", 0, start) + 1
    sql = expand(single(text[start:], Where(text[start:], path, line)), macros, path, line).sql
    found = facts(sql, path, line)
    problems.extend(found.problems)
    if spec is None:
        return None
    relation = RelationName.parse(spec.relation)
    first: dict[str, Location] = {}
    for name, row, column in found.parameters:
        first.setdefault(name, Location(path, row, column))
    check = Check(
        name=path.rsplit("/", 1)[-1].removesuffix(".sql"),
        kind="sql",
        location=Location(path, line),
        columns=tuple(spec.key),
        on_fail=spec.on_fail,
        tolerance=tolerance(spec.max_failures),
        dimension=spec.dimension or "consistency",
        description=spec.description,
        refers=tuple(name for name in found.reads if name != relation),
        sql=sql,
        line=line,
    )
    mentions = tuple(Mention(m.relation, Location(path, m.line, m.column)) for m in found.mentions)
    place = matter.document.at("relation") if matter.document.value else Location(path, 1)
    return CheckPiece(check, Mention(relation, place), mentions, first)
