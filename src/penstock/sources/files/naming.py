"""What the columns of a file are called in the table, and whether they are the ones that were declared."""

from __future__ import annotations

import string
from collections.abc import Sequence

from penstock.domain.source import SourceTable
from penstock.errors import DataError, Location

RESERVED = frozenset({"processing_ts", "valid_from", "valid_to", "is_current"})
RESERVED_PREFIXES = ("_batch", "_penstock")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def folded(name: str) -> str:
    """The name as DuckDB compares it: ASCII letters without case, all else as it is."""
    return name.translate(_LOWER)


def renamed(table: SourceTable, names: Sequence[str], path: str, line: int | None = None) -> tuple[str, ...]:
    """The table's names for a file's columns, in the file's order. Raises DataError for names that cannot stand."""
    where = Location(path, line)
    result = tuple(table.rename.get(name, name) for name in names)
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
            hint=hint,
        )
