"""What the columns of a file are called in the table, and whether they are the ones that were declared."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence

from penstock.domain.source import SourceTable
from penstock.errors import DataError, Location

RESERVED = frozenset({"processing_ts", "valid_from", "valid_to", "is_current"})
RESERVED_PREFIXES = ("_batch", "_penstock")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def folded(name: str) -> str:
    """The name as DuckDB compares it: ASCII letters without case, all else as it is."""
    return name.translate(_LOWER)


def in_relation(table: SourceTable, names: Sequence[str]) -> tuple[str, ...]:
    """The relation's names for columns as they were received."""
    return tuple(table.rename.get(name, name) for name in names)


def as_received(table: SourceTable, pairs: Iterable[tuple[str, str]], path: str) -> dict[str, str]:
    """How columns land, by their names in the relation; `pairs`: the name there, the name as received, from every file
    of a batch. Those that are called alike everywhere land as they were received. Where two names as received differ in
    letter case only, which a Parquet file cannot hold, all land under the relation's names."""
    found: dict[str, tuple[str, set[str]]] = {}
    for name, received in pairs:
        found.setdefault(folded(name), (name, set()))[1].add(received)
    back = {name: alike.pop() if len(alike) == 1 else name for name, alike in found.values()}
    if len({folded(name) for name in back.values()}) == len(back):
        return back
    if taken := [name for name in back if name in table.rename]:
        raise DataError(
            f"columns differ in letter case only, and {taken[0]!r} is both an old and a new name under `rename:`",
            code="COLUMN_TWICE",
            location=Location(path),
            hint="give one another new name; or all names: `skip: 1` and `header: [names]`",
        )
    return {name: name for name in back}


def renamed(table: SourceTable, names: Sequence[str], path: str, line: int | None = None) -> tuple[str, ...]:
    """The table's names for a file's columns, in the file's order. Raises DataError for names that cannot stand."""
    where = Location(path, line)
    result = in_relation(table, names)
    seen: dict[str, str] = {}
    for position, (name, found) in enumerate(zip(result, names, strict=True), start=1):
        if not name.strip():
            raise DataError(
                f"column {position} has no name",
                code="COLUMN_UNNAMED",
                location=where,
                hint="name it in the file, or give all names: `skip: 1` and `header: [names]`",
            )
        if "\0" in name:
            raise DataError(f"the name of column {position} holds a NUL", code="NUL_BYTE", location=where)
        key = folded(name)
        if key in seen:
            raise DataError(
                f"two columns are called {name!r}"
                + ("" if found == seen[key] else f" (found {seen[key]!r}, {found!r})"),
                code="COLUMN_TWICE",
                location=where,
                hint="give one another name: `rename: {old: new}`; or all names: `skip: 1` and `header: [names]`",
            )
        seen[key] = found
        if key in RESERVED or key.startswith(RESERVED_PREFIXES):
            raise DataError(
                f"the column name {name!r} is reserved",
                code="COLUMN_RESERVED",
                location=where,
                hint=f"rename: {{{found}: source_{name.lstrip('_')}}}",
            )
    return result


def _delimited(names: Sequence[str], missing: Sequence[str]) -> str:
    """A hint when all columns seem to be in one, with something else between them than was declared."""
    if len(names) == 1:
        for sign, written in ((";", ";"), ("\t", "\\t"), ("|", "|"), (",", ",")):
            if {folded(part.strip(' "')) for part in names[0].split(sign)} >= {folded(name) for name in missing}:
                return f'all columns are in one: declare `delimiter: "{written}"`'
    return ""


def check_declared(table: SourceTable, names: Sequence[str], path: str) -> None:
    """Every column the declaration speaks of is there. Raises DataError listing what was found."""
    there = {folded(name) for name in names}
    needed = [*table.key, *table.order_by, *((table.effective,) if table.effective else ())]
    if table.cursor is not None:
        needed.append(table.cursor.column)
    wanted = list(needed)
    if table.on_missing_column == "refuse":
        declared = [*(column.name for column in table.columns), *table.rename.values()]
        # What the contract says of a column that is missing is asked when the batch is loaded.
        wanted += [name for name in declared if table.contract is None or table.contract.column(name) is None]
    missing = [name for name in dict.fromkeys(wanted) if folded(name) not in there]
    if missing:
        listed = ", ".join(names[:50]) + (" …" if len(names) > 50 else "")
        hint = f"correct {table.id} in {table.location.path}, or `rename:` the file's column"
        if not set(missing) & set(needed):
            hint += "; if the source has stopped sending it, `on_missing_column: null` reads it as NULL from now on"
        raise DataError(
            f"expected column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; found: {listed}",
            code="COLUMN_MISSING",
            location=Location(path),
            hint=_delimited(names, missing) or hint,
        )
