"""`contract:` of a source table or a model → Contract, and the rules between it and what stands beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.domain.check import Check
from penstock.domain.column_type import parse
from penstock.domain.contract import Contract, ContractColumn
from penstock.domain.source import SourceColumn
from penstock.project.contract_schema import ContractColumnSpec, ContractSpec
from penstock.project.names import BOOKKEEPING, HISTORY
from penstock.project.problems import Problems, did_you_mean
from penstock.project.schema import PythonFrontMatter, SqlFrontMatter, TableSpec
from penstock.project.validation import validate
from penstock.project.versions import of_file
from penstock.project.yaml import Document, Path
from penstock.record import record


def of_table(
    table: TableSpec, document: Document, base: Path, problems: Problems, owner: str | None
) -> Contract | None:
    """The contract of a source table, held against the table's other keys."""
    found = _read(table.contract, document, (*base, "contract"), problems, table.key, owner)
    if found is None:
        return None
    reserved = BOOKKEEPING if table.extract == "append" else (*BOOKKEEPING, *HISTORY)
    for name in found.spec.columns:
        if name.lower() in reserved:
            hint = "leave it out: the contract is about the source's own columns"
            found.add("RESERVED_NAME", f"{name!r} is a column that loading adds itself", hint, "columns", name)
    for name, typed in table.columns.items():
        found.beside(name, typed.type, typed.required)
    named = [*table.key, *table.order_by, *([table.effective] if table.effective else [])]
    if table.cursor is not None:
        named.append(table.cursor.column)
    for name in dict.fromkeys(named):
        if table.contract and name not in table.key and found.spec.mode == "strict":
            found.has(name, "this table needs the column")
    if found.spec.mode == "strict" and table.on_missing_column == "null":
        hint = "remove on_missing_column, or write `mode: additive`"
        found.add("CONTRACT_INVALID", "a strict contract stops at a column that is missing", hint, "mode")
    found.names(table.pii, "pii")
    return found.contract()


def typed_columns(table: TableSpec, contract: Contract | None) -> tuple[SourceColumn, ...]:
    """How a source table's columns are read: as declared under `columns`, and as the contract says."""
    declared = {name.lower(): (name, each) for name, each in table.columns.items()}
    promised = {name.lower(): each for name, each in _columns(table.contract).items()} if contract else {}
    found = [
        SourceColumn(name, each.type, each.format, each.required or _required(contract, name))
        for name, each in declared.values()
    ]
    found += [
        SourceColumn(column.name, _text(promised[column.name.lower()]), None, not column.nullable)
        for column in (contract.columns if contract else ())
        if column.name.lower() not in declared
    ]
    return tuple(found)


def _columns(raw: Any) -> dict[str, Any]:
    columns = raw.get("columns") if isinstance(raw, dict) else None
    return columns if isinstance(columns, dict) else {}


def _text(raw: Any) -> str:
    """The type as it was written: `varchar(9)` says more than the engine's name of it."""
    return str(raw["type"] if isinstance(raw, dict) else raw)


def _required(contract: Contract | None, name: str) -> bool:
    column = contract.column(name) if contract else None
    return column is not None and not column.nullable


def of_model(spec: SqlFrontMatter | PythonFrontMatter, document: Document, problems: Problems) -> Contract | None:
    """The contract of a model, held against its other front matter."""
    found = _read(spec.contract, document, ("contract",), problems, spec.key, spec.owner)
    if found is None:
        return None
    if spec.columns:
        listed = [name.lower() for name in spec.columns]
        for name in found.spec.columns:
            if name.lower() not in listed:
                hint = did_you_mean(name, spec.columns, "add it to columns, or remove it from the contract")
                found.add("CONTRACT_INVALID", f"the column {name!r} is not among `columns`", hint, "columns", name)
        if found.spec.mode == "strict":
            for name in spec.columns:
                found.has(name, "`columns` lists it")
    for name, column in found.spec.columns.items():
        if column.default is not None:
            hint = "remove it; COALESCE in the SELECT gives a value in the place of NULL"
            found.add("CONTRACT_INVALID", "a default is for batches that lack a column", hint, "columns", name)
        if "(" in column.type and str(parse(column.type, written=True)) == "VARCHAR":
            hint = "write varchar; a `length` check judges how long a text is"
            found.add("CONTRACT_INVALID", f"the length of {name!r} is not part of its type", hint, "columns", name)
    if spec.materialization == "view" and (found.key or any(each.nullable is False for each in found.each)):
        hint = "write `materialization: auto`, or promise columns and types only"
        message = "a view shows new rows at once: neither a key nor `nullable: false` can be held"
        found.add("CONTRACT_INVALID", message, hint)
    found.names(spec.pii, "pii")
    return found.contract()


def personal(names: Sequence[str], contract: Contract | None) -> tuple[str, ...]:
    """The columns with personal data: those that are listed, and those that the contract says hold some."""
    told = [each.name for each in contract.columns if each.pii] if contract else []
    return tuple({name.lower(): name for name in (*names, *told)}.values())


def promises(contract: Contract | None, key: Sequence[str], *, history: bool) -> tuple[Check, ...]:
    """What a contract promises of rows, as checks that hold a commit back. `key`: what is unique in any case;
    `history`: several versions of a row stand beside each other."""
    if contract is None:
        return ()
    found = [
        Check(
            name=f"contract: not_null({each.name})",
            kind="not_null",
            location=contract.location,
            columns=(each.name,),
            dimension="completeness",
            description=f"version {contract.version} of the contract",
        )
        for each in contract.columns
        if not each.nullable
    ]
    unique = {name.lower() for name in key} == {name.lower() for name in contract.key}
    if contract.key and not unique and not history:
        found.append(
            Check(
                name=f"contract: unique({', '.join(contract.key)})",
                kind="unique",
                location=contract.location,
                columns=contract.key,
                dimension="uniqueness",
                description=f"version {contract.version} of the contract",
            )
        )
    return tuple(found)


@record
class _Found:
    """A block that reads, and where to say what is wrong with it."""

    spec: ContractSpec
    document: Document
    path: Path
    problems: Problems
    key: tuple[str, ...]
    owner: str | None

    @property
    def each(self) -> Sequence[ContractColumnSpec]:
        return list(self.spec.columns.values())

    def add(self, code: str, message: str, hint: str, *path: str) -> None:
        self.problems.add(code, f"contract: {message}", self.document.key(*self.path, *path), hint)

    def has(self, name: str, why: str) -> None:
        if name.lower() not in map(str.lower, self.spec.columns):
            hint = "add it to the contract, or write `mode: additive`"
            self.add("CONTRACT_INVALID", f"strict, and without the column {name!r}: {why}", hint, "columns")

    def names(self, names: Sequence[str], what: str) -> None:
        for name in names:
            if name.lower() not in map(str.lower, self.spec.columns):
                hint = did_you_mean(name, self.spec.columns, "add it to the contract's columns, with `pii: true`")
                self.add("CONTRACT_INVALID", f"{what} names {name!r}, which is not among its columns", hint, "columns")

    def beside(self, name: str, type_: str, required: bool) -> None:
        """A column that `columns:` of the table speaks of too."""
        own = next((key for key in self.spec.columns if key.lower() == name.lower()), None)
        if own is None:
            if self.spec.mode == "strict":
                self.has(name, "`columns` declares it")
            return
        column = self.spec.columns[own]
        if parse(column.type, written=True) != parse(type_, written=True):
            message = f"{own!r} is {column.type} here, and {type_} under `columns`"
            self.add("CONTRACT_INVALID", message, "say it once: keep one of them", "columns", own)
        if required and column.nullable:
            message = f"{own!r} may be NULL here, and is required under `columns`"
            self.add("CONTRACT_INVALID", message, "write `nullable: false`, or remove required", "columns", own)

    @property
    def number(self) -> int | None:
        """The version that the file's name says: `sales_report@2.sql`."""
        version = of_file(self.document.path)
        return version[1] if version else None

    def rules(self) -> None:
        if self.number is not None and self.spec.version not in (None, self.number):
            message = f"version {self.spec.version}, in a file that says {self.number}"
            self.add("CONTRACT_INVALID", message, "remove it: the file's name is enough", "version")
        seen: dict[str, str] = {}
        for name in self.spec.columns:
            if other := seen.get(name.lower()):
                message = f"{name!r} and {other!r} are one column: letter case does not count"
                self.add("DUPLICATE_COLUMN", message, "keep one of them", "columns", name)
            seen.setdefault(name.lower(), name)
        for name in self.key:
            own = seen.get(name.lower())
            if own is None:
                hint = did_you_mean(name, self.spec.columns, "add it to the contract's columns")
                self.add("CONTRACT_INVALID", f"the key column {name!r} is not among its columns", hint, "columns")
            elif self.spec.columns[own].nullable:
                message = f"{own!r} is part of the key and may be NULL"
                self.add("CONTRACT_INVALID", message, "remove `nullable: true`", "columns", own)
            elif self.spec.columns[own].default is not None:
                message = f"{own!r} is part of the key and has a default: all such rows would be one"
                self.add("CONTRACT_INVALID", message, "remove the default", "columns", own)

    def contract(self) -> Contract:
        key = {name.lower() for name in self.key}
        return Contract(
            columns=tuple(
                ContractColumn(
                    name=name,
                    type=str(parse(each.type, written=True)),
                    nullable=name.lower() not in key if each.nullable is None else each.nullable,
                    pii=each.pii,
                    default=_default(each.default),
                    description=each.description,
                )
                for name, each in self.spec.columns.items()
            ),
            version=self.spec.version or self.number or 1,
            key=self.key,
            mode=self.spec.mode,
            compatibility=self.spec.compatibility,
            owner=self.owner,
            deprecated=self.spec.deprecated,
            location=self.document.key(*self.path),
        )


def _default(value: str | int | float | bool | None) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def _read(
    raw: Any, document: Document, path: Path, problems: Problems, key: Sequence[str], owner: str | None
) -> _Found | None:
    if raw is None:
        return None
    spec = validate(ContractSpec, raw, document, path, problems)
    if spec is None:
        return None
    both = {name.lower() for name in key} != {name.lower() for name in spec.key}
    found = _Found(spec, document, path, problems, tuple(spec.key or key), spec.owner or owner)
    if key and spec.key and both:
        message = f"its key is ({', '.join(spec.key)}), and ({', '.join(key)}) beside it"
        found.add("CONTRACT_INVALID", message, "say it once: remove the key of the contract", "key")
    found.rules()
    return found
