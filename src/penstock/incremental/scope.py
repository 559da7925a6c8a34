"""Names in a query → columns of its sources. Follows DuckDB: a column of FROM comes before an alias of the SELECT."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from penstock.incremental.nodes import Output, Select, Source, column, substitute
from penstock.incremental.reasons import Rebuild


@dataclass(slots=True)
class Scope:
    """What the names in one SELECT may mean. `visible` is what `*` gives, in order; `tables` are the columns that can
    be named with their table; both map to columns of sources. `parent` is the scope around a subquery."""

    parent: Scope | None = None
    visible: list[tuple[str, exp.Expr]] = field(default_factory=list)
    tables: dict[str, dict[str, tuple[str, exp.Expr]]] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)

    def add_table(self, name: str, alias: str, columns: Iterable[str]) -> None:
        """Columns of a new source that can be named `name.column`."""
        if name and name in self.tables:
            raise Rebuild(f"two tables in FROM are called {name}")
        self.tables[name or f" {alias}"] = {c.lower(): (c, column(alias, c)) for c in columns}

    def find(self, found: exp.Column) -> exp.Expr | None:
        """What a column's name means here or in a scope around, None when it is no column."""
        here = self._here(found)
        if here is not None or self.parent is None:
            return here
        return self.parent.find(found)

    def _here(self, found: exp.Column) -> exp.Expr | None:
        name = found.name.lower()
        if found.table:
            known = self.tables.get(found.table.lower(), {}).get(name)
            return known[1].copy() if known else None
        matches = self.named(name)
        if len(matches) > 1:
            raise Rebuild(f"the name {found.name} is ambiguous")
        return matches[0].copy() if matches else None

    def named(self, name: str) -> list[exp.Expr]:
        return [value for visible, value in self.visible if visible.lower() == name]

    def star(self, table: str) -> list[tuple[str, exp.Expr]]:
        """The columns of `*`, or of `table.*`."""
        if not table:
            return [(name, value.copy()) for name, value in self.visible]
        known = self.tables.get(table.lower())
        if known is None:
            raise Rebuild(f"{table}.* could not be resolved")
        return [(name, value.copy()) for name, value in known.values()]

    def replaced(self, values: Mapping[tuple[str, str], exp.Expr]) -> None:
        """Let every name mean what `values` says its column is now."""
        self.visible = [(name, substitute(value, values)) for name, value in self.visible]
        self.tables = {
            table: {key: (name, substitute(value, values)) for key, (name, value) in known.items()}
            for table, known in self.tables.items()
        }

    def nest(self, alias: str) -> None:
        """Make one source of all sources so far: a Select that gives all their columns."""
        values: dict[tuple[str, str], exp.Expr] = {}
        outputs: list[Output] = []
        for source in self.sources:
            if source.kind in ("semi", "anti"):
                continue
            for name in source.node.columns:
                own = f"c{len(outputs)}"
                outputs.append(Output(own, column(source.alias, name)))
                values[source.alias, name] = column(alias, own)
        shown = list(self.visible)
        self.replaced(values)
        for at, (name, value) in enumerate(shown):
            if not isinstance(value, exp.Column):  # what USING has made of two columns
                own = f"c{len(outputs)}"
                outputs.append(Output(own, value))
                self.visible[at] = (name, column(alias, own))
        self.sources = [Source(alias, Select(tuple(self.sources), tuple(outputs)))]
