"""How many rows are in quarantine, relation by relation."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.executor.ledger import QUARANTINE, SCHEMA
from penstock.ports import Session
from penstock.quoting import qualified

OF_MODEL = "quarantine_"
"""What the name of a model's table of held-back rows begins with; its relation follows."""


def held(session: Session) -> Mapping[str, int]:
    """`layer.name` → rows that are held back now; relations without any are left out."""
    counts = dict(session.query(f"SELECT relation, CAST(sum(copies) AS BIGINT) FROM {QUARANTINE} GROUP BY ALL").rows)
    tables = session.query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND starts_with(table_name, ?)",
        (SCHEMA, OF_MODEL),
    ).rows
    for (name,) in tables:
        ((rows,),) = session.query(f"SELECT count(*) FROM {qualified(SCHEMA, name)}").rows
        relation = str(name).removeprefix(OF_MODEL)
        counts[relation] = counts.get(relation, 0) + rows
    return {relation: rows for relation, rows in sorted(counts.items()) if rows}
