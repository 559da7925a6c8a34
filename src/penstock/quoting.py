"""The only place where text becomes SQL text: identifiers are quoted, literals escaped.

Values that can be bound are bound; these functions serve statements that take no parameters (DDL, COPY, SET).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier. Raises ValueError for names no engine accepts."""
    if not name or "\0" in name:
        raise ValueError(f"not a possible identifier: {name!r}")
    return '"' + name.replace('"', '""') + '"'


def qualified(*names: str) -> str:
    """`schema, table` as `"schema"."table"`."""
    return ".".join(identifier(name) for name in names)


def columns(names: Iterable[str], prefix: str = "") -> str:
    """A comma-separated list of quoted columns, each behind `prefix.` when one is given."""
    lead = f"{prefix}." if prefix else ""
    return ", ".join(lead + identifier(name) for name in names)


def literal(value: str) -> str:
    """`value` as an SQL string literal. Raises ValueError for NUL, which no engine accepts."""
    if "\0" in value:
        raise ValueError("a SQL literal cannot hold NUL")
    return "'" + value.replace("'", "''") + "'"


def under_names(rows: str, names: Mapping[str, str]) -> str:
    """A FROM item: the rows of another one with other names for some of its columns (old → new)."""
    other = ", ".join(f"{identifier(old)} AS {identifier(new)}" for old, new in names.items() if old != new)
    return f"(SELECT * RENAME ({other}) FROM {rows})" if other else rows
