"""sources/*.yml → SourcePiece."""

from __future__ import annotations

from typing import Any

from penstock.domain.relation import RelationName
from penstock.domain.source import Cursor, ExtractKind, Source, SourceTable
from penstock.errors import Location
from penstock.project.checks import NONE, Macros, checks
from penstock.project.column_types import TIMES
from penstock.project.contracts import of_table, personal, typed_columns
from penstock.project.names import BOOKKEEPING, HISTORY, NAME_HINT, is_name
from penstock.project.options import checked, known_kind
from penstock.project.pieces import SourcePiece
from penstock.project.problems import Problems
from penstock.project.schema import CursorSpec, SourceSpec, TableSpec
from penstock.project.spans import seconds
from penstock.project.tolerances import tolerance
from penstock.project.validation import validate
from penstock.project.yaml import Document, Path, read

_TABLE_KEYS = tuple(info.alias or name for name, info in TableSpec.model_fields.items())


def source(text: str, path: str, first_layer: str, problems: Problems, macros: Macros = NONE) -> SourcePiece | None:
    """What one file of sources/ declares; its relations are in `first_layer`. None when it cannot be read; what is
    wrong goes to `problems`."""
    document = read(text, path)
    spec = validate(SourceSpec, document.value, document, (), problems)
    if spec is None:
        return None
    name = spec.source or path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    if not is_name(name):
        problems.add("BAD_NAME", f"the file's name {name!r} cannot name a source", document.at(), NAME_HINT)
    known = known_kind("source", spec.connector, document, ("connector",), problems)
    tables: list[SourceTable] = []
    places: dict[str, Location] = {}
    for table_name, raw in spec.tables.items():
        base = ("tables", table_name)
        if not is_name(table_name):
            problems.add("BAD_NAME", f"{table_name!r} is not a name", document.key(*base), NAME_HINT)
        table = validate(TableSpec, raw, document, base, problems)
        if table is None:
            continue
        rules = _Rules(table, document, base, problems)
        rules.check()
        options = (
            checked(
                "source",
                spec.connector,
                table.model_extra or {},
                document=document,
                path=base,
                own_keys=_TABLE_KEYS,
                problems=problems,
            )
            if known
            else {}
        )
        contract = of_table(table, document, base, problems, table.owner or spec.owner)
        if not is_name(table_name):
            continue
        places[table_name] = document.at(*base, "as") if table.as_ else document.key(*base)
        tables.append(
            SourceTable(
                source=name,
                name=table_name,
                relation=RelationName(first_layer, table.as_ or table_name),
                extract=ExtractKind(table.extract),
                location=document.key(*base),
                key=tuple(table.key),
                order_by=tuple(table.order_by),
                cursor=rules.cursor(),
                columns=typed_columns(table, contract),
                rename=dict(table.rename),
                allow_empty=table.allow_empty,
                options=options or {},
                owner=table.owner or spec.owner,
                cadence=table.cadence,
                tags=tuple(table.tags),
                description=table.description,
                effective=table.effective,
                on_missing_column=table.on_missing_column,
                checks=checks(table.checks, document, (*base, "checks"), problems, macros),
                pii=personal(table.pii, contract),
                contract=contract,
                max_quarantined=tolerance(table.quarantine.max) if table.quarantine else None,
            )
        )
    place = document.at("source") if spec.source else document.at()
    found = Source(name, spec.connector, spec.root, tuple(tables), place, spec.owner, spec.description)
    return SourcePiece(found, places)


class _Rules:
    """The rules between the keys of one table."""

    def __init__(self, table: TableSpec, document: Document, base: Path, problems: Problems) -> None:
        self.table, self.document, self.base, self.problems = table, document, base, problems

    def add(self, code: str, message: str, hint: str, *path: str | int, key: bool = False) -> None:
        where = self.document.key if key else self.document.at
        self.problems.add(code, message, where(*self.base, *path), hint)

    def check(self) -> None:
        table = self.table
        if table.extract == "append":
            if table.key:
                self.add(
                    "KEY_FORBIDDEN",
                    "a table with extract: append has no key: its rows are never replaced",
                    "remove the key, or use extract: incremental",
                    "key",
                    key=True,
                )
            if table.order_by:
                self.add(
                    "KEY_FORBIDDEN",
                    "order_by decides between rows of one key, and extract: append has none",
                    "remove order_by",
                    "order_by",
                    key=True,
                )
        elif not table.key:
            self.add(
                "KEY_REQUIRED",
                f"a table with extract: {table.extract} needs a key: which columns tell its rows apart?",
                "add `key: …`, or use extract: append for events without one",
                key=True,
            )
        if table.cursor is not None and table.extract != "incremental":
            self.add(
                "CURSOR_FORBIDDEN",
                f"a cursor belongs to extract: incremental, found extract: {table.extract}",
                "remove the cursor, or use extract: incremental",
                "cursor",
                key=True,
            )
        for column, each in table.columns.items():
            if each.format and not each.type.strip().lower().startswith(TIMES):
                self.add(
                    "BAD_VALUE",
                    f"a format is for dates and times, and {column!r} is {each.type}",
                    "remove the format",
                    "columns",
                    column,
                    "format",
                )
        self.effective()
        self.names()

    def effective(self) -> None:
        """A column that says since when a row is valid: of a keyed table, and a time."""
        column = self.table.effective
        if column is None:
            return
        if self.table.extract == "append":
            self.add(
                "OPTION_MISPLACED",
                "effective dates the versions of a row, and extract: append has none",
                "remove effective, or use extract: incremental with a key",
                "effective",
                key=True,
            )
        declared = {name.lower(): each for name, each in self.table.columns.items()}.get(column.lower())
        if declared is not None and not declared.type.strip().lower().startswith(("date", "timestamp")):
            self.add(
                "BAD_VALUE",
                f"effective: expected a date or a timestamp, and {column!r} is declared {declared.type}",
                "declare it `timestamp`, or choose another column",
                "effective",
            )

    def names(self) -> None:
        """No two columns of one name, none that loading adds itself."""
        reserved = BOOKKEEPING if self.table.extract == "append" else (*BOOKKEEPING, *HISTORY)
        targets: dict[str, str] = {}
        for old, new in self.table.rename.items():
            if new.lower() in targets:
                self.add(
                    "DUPLICATE_COLUMN",
                    f"two columns are renamed to {new!r}: {targets[new.lower()]!r} and {old!r}",
                    "give each its own name",
                    "rename",
                    old,
                )
            targets[new.lower()] = old
        seen: dict[str, str] = {}
        for column in self.table.columns:
            if column.lower() in seen:
                self.add(
                    "DUPLICATE_COLUMN",
                    f"the column {column!r} is declared twice (names differ only in case)",
                    "keep one of them",
                    "columns",
                    column,
                    key=True,
                )
            seen[column.lower()] = column
            if column in self.table.rename and column.lower() not in targets:
                self.add(
                    "RENAMED_COLUMN",
                    f"the column {column!r} is renamed to {self.table.rename[column]!r}",
                    f"declare it as {self.table.rename[column]!r}: columns, key, order_by and cursor use the new names",
                    "columns",
                    column,
                    key=True,
                )
        declared: list[tuple[str, Path]] = [(column, ("columns", column)) for column in self.table.columns]
        declared += [(new, ("rename", old)) for old, new in self.table.rename.items()]
        for column, path in declared:
            if column.lower() in reserved:
                self.add(
                    "RESERVED_NAME",
                    f"{column!r} is a column that loading adds itself",
                    "rename the source's column: `rename: {" + column + ": source_" + column.lstrip("_") + "}`",
                    *path,
                    key=True,
                )

    def cursor(self) -> Cursor | None:
        spec = self.table.cursor
        return None if spec is None else Cursor(spec.column, spec.type, self.lag(spec))

    def lag(self, spec: CursorSpec) -> float:
        """Seconds for times, a plain number for numbers."""
        lag: Any = spec.lag
        path = ("cursor", "lag")
        if isinstance(lag, str):
            span = seconds(lag)
            if span is None:
                self.add(
                    "BAD_VALUE", f"lag: {lag!r} is not a span of time", "as in 90 seconds, 2 hours or 1 day", *path
                )
                return 0
            if spec.type not in ("timestamp", "date"):
                self.add(
                    "BAD_VALUE",
                    f"lag: a cursor of type {spec.type} has no time, found {lag!r}",
                    "write a plain number",
                    *path,
                )
                return 0
            return span
        if not 0 <= lag < float("inf"):
            self.add("BAD_VALUE", f"lag: expected zero or more, found {lag}", "as in 90 seconds or 2 hours", *path)
        if lag and spec.type == "varchar":
            self.add("BAD_VALUE", "lag: a cursor of type varchar has no distance", "remove the lag", *path)
        return float(lag)
