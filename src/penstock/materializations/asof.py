"""A source table's relations as they were when a batch had just been loaded: what they show now, without what came
later. Loading dates every version by its batch, so this is exact; not where a column of the source dates them, for a
late row changes the past. Everything here is text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.materializations.history import META, stored
from penstock.quoting import columns, literal


def relations(table: SourceTable, names: Sequence[str], at: str) -> Mapping[RelationName, str]:
    """The SELECT of each relation of the table at a time (text, UTC). `names`: the columns of its stored table."""
    now = f"CAST({literal(at)} AS TIMESTAMP)"
    if not table.key:
        return {table.relation: f"SELECT {columns(names)} FROM {stored(table)} WHERE processing_ts <= {now}"}
    open_then = f"(valid_to IS NULL OR valid_to > {now})"
    own = columns(name for name in names if name not in META)
    then = {
        "valid_to": f"CASE WHEN valid_to <= {now} THEN valid_to END AS valid_to",
        "is_current": f"{open_then} AS is_current",
    }
    every = ", ".join(then.get(name, columns([name])) for name in names)
    return {
        table.relation: f"SELECT {own}, processing_ts FROM {stored(table)} WHERE valid_from <= {now} AND {open_then}",
        table.history: f"SELECT {every} FROM {stored(table)} WHERE valid_from <= {now}",
    }
