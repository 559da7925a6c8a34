"""Sources: tables somewhere else that Penstock extracts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any, Literal

from penstock.domain.check import Check, Tolerance
from penstock.domain.contract import Contract
from penstock.domain.relation import RelationName
from penstock.errors import Location
from penstock.record import record


class ExtractKind(StrEnum):
    """What one extract holds: the whole table, its changed rows, or new rows of a table that only grows."""

    FULL = "full"
    INCREMENTAL = "incremental"
    APPEND = "append"


@record
class Cursor:
    """An incremental extract by column: of a file that has grown the rows at or above the highest value seen, less
    `lag`; and a row that is older than what is known of its key changes nothing.

    `type` decides the order of values (`timestamp`, `date`, `bigint`, `varchar`). `lag` is seconds for times and a
    plain number for numbers: a bare `>` would lose rows that were committed late at the source, so the overlap is
    read again and rows already known are recognised by their key.
    """

    column: str
    type: str
    lag: float = 0

    @property
    def compared_as(self) -> str | None:
        """The SQL type in which values are compared; None for a type that has no order here."""
        return _COMPARED.get(self.type.lower())


_COMPARED = {
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP",
    "date": "DATE",
    "bigint": "HUGEINT",
    "integer": "HUGEINT",
    "varchar": "VARCHAR",
    "text": "VARCHAR",
}


@record
class SourceColumn:
    """A declared column: text that does not read as `type` (a DuckDB type, `format` a strptime pattern for dates and
    times) sends its row to quarantine on load."""

    name: str
    type: str
    format: str | None = None
    required: bool = False


@record
class SourceTable:
    """One table of a source, and how it is extracted and kept. `effective` is the column that says since when a row is
    valid (None: since its batch was taken). `on_missing_column`: what to do with a batch that lacks a column which
    earlier batches have. `checks` must hold for its current rows; values of its `pii` columns are not shown in what is
    told of them. `max_quarantined`: how many rows of a batch may be set apart before its load fails (None: any number).
    """

    source: str
    name: str
    relation: RelationName
    extract: ExtractKind
    location: Location
    key: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()
    cursor: Cursor | None = None
    columns: tuple[SourceColumn, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    allow_empty: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    owner: str | None = None
    cadence: str | None = None
    tags: tuple[str, ...] = ()
    description: str = ""
    effective: str | None = None
    on_missing_column: Literal["refuse", "null"] = "refuse"
    checks: tuple[Check, ...] = ()
    pii: tuple[str, ...] = ()
    contract: Contract | None = None
    max_quarantined: Tolerance | None = None

    @property
    def id(self) -> str:
        return f"{self.source}.{self.name}"

    @property
    def history(self) -> RelationName:
        """The relation with every version. Keyed tables only; an append table is its own history."""
        return RelationName(self.relation.layer, f"{self.relation.name}_history")

    @property
    def stored(self) -> RelationName:
        """The physical table that loads write."""
        return self.history if self.key else self.relation


@record
class Source:
    """A system that tables come from. `connector` names the plug-in; `root` is the folder (or address) it reads."""

    name: str
    connector: str
    root: str
    tables: tuple[SourceTable, ...]
    location: Location
    owner: str | None = None
    description: str = ""
