"""Reading what is set apart, of source tables and of models alike.

Of a source table it stands in the ledger; of a model in a table of its own beside it, which has the model's columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from penstock.domain.relation import RelationName
from penstock.errors import StateError
from penstock.materializations.entries import ENTRIES
from penstock.materializations.judgement import hashed
from penstock.ports import Session
from penstock.quoting import identifier, literal, qualified
from penstock.sql.reason import FOUND

OF_MODEL = "quarantine_"
"""How the tables of models in the ledger's schema begin; what follows is the model's name."""
_FIELDS = "id, reasons, payload, copies, run, rules, first_seen, last_seen, batch, commit"


def tables(session: Session) -> dict[RelationName, str]:
    """Every relation that something may be set apart of, with a FROM item of that: one row for each, its columns those
    of a QuarantinedRow. Raises StateError for a warehouse of an older Penstock."""
    found = session.query(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '_penstock' "
        "AND starts_with(table_name, 'quarantine') ORDER BY ordinal_position"
    ).rows
    by_table: dict[str, list[str]] = {}
    for table, column in found:
        by_table.setdefault(table, []).append(column)
    if "id" not in by_table.get("quarantine", ["id"]):
        raise StateError(
            "this warehouse was written by an older Penstock, whose quarantine has no ids",
            code="LEDGER_VERSION",
            hint="`penstock run` brings it up to date",
        )
    items: dict[RelationName, str] = {}
    if "quarantine" in by_table:
        for (name,) in session.query(f"SELECT DISTINCT relation FROM {ENTRIES}").rows:
            items[RelationName.parse(name)] = (
                "(SELECT id, reasons, payload, copies, run, rules, first_seen, last_seen, batch, "
                f"CAST(NULL AS BIGINT) AS commit FROM {ENTRIES} WHERE relation = {literal(name)})"
            )
    for table, columns in by_table.items():
        if table.startswith(OF_MODEL) and "_penstock_reasons" in columns:
            own = [column for column in columns if not column.startswith("_penstock_")]
            items[RelationName.parse(table.removeprefix(OF_MODEL))] = _of_model(table, own)
    return items


def _of_model(table: str, columns: list[str]) -> str:
    packed = ", ".join(f"{literal(name)}: {identifier(name)}" for name in columns)
    return (
        f"(SELECT {hashed(columns)} AS id, any_value(_penstock_reasons) AS reasons, "
        f"any_value(CAST(to_json({{{packed}}}) AS VARCHAR)) AS payload, count(*) AS copies, "
        "any_value(_penstock_run) AS run, any_value(_penstock_rules) AS rules, "
        "min(_penstock_first_seen) AS first_seen, CAST(NULL AS TIMESTAMP) AS last_seen, "
        "CAST(NULL AS VARCHAR) AS batch, min(_penstock_commit) AS commit "
        f"FROM {qualified('_penstock', table)} GROUP BY 1)"
    )


def totals(
    session: Session, relation: RelationName, table: str, hidden: Sequence[str]
) -> tuple[int, int, datetime | None, datetime | None]:
    """Rows that are open, rows that were discarded (`hidden` are their ids), when the open ones were seen first and
    last."""
    open_ = "FILTER (NOT list_contains(?::VARCHAR[], id))"
    row = session.query(
        f"SELECT coalesce(sum(copies) {open_}, 0)::BIGINT, "
        "coalesce(sum(copies) FILTER (list_contains(?::VARCHAR[], id)), 0)::BIGINT, "
        f"min(first_seen) {open_}, max(last_seen) {open_} FROM {table}",
        [list(hidden)] * 4,
    ).rows[0]
    return row[0], row[1], row[2], row[3]


def reasons(session: Session, relation: RelationName, table: str, hidden: Sequence[str]) -> list[tuple[str, int]]:
    """How many rows have each fault, the most frequent first. The values that were found are not told."""
    found = session.query(
        f"SELECT reason, sum(copies)::BIGINT FROM (SELECT DISTINCT id, copies, split_part(r, {literal(FOUND)}, 1) "
        f"AS reason FROM (SELECT id, copies, unnest(reasons) AS r FROM {table} "
        "WHERE NOT list_contains(?::VARCHAR[], id))) GROUP BY reason ORDER BY 2 DESC, 1",
        [list(hidden)],
    )
    return [(row[0], row[1]) for row in found.rows]


def rows(
    session: Session,
    relation: RelationName,
    table: str,
    *,
    limit: int | None,
    reason: str | None,
    hidden: Sequence[str],
) -> list[Mapping[str, Any]]:
    wanted, values = "NOT list_contains(?::VARCHAR[], id)", [list(hidden)]
    if reason is not None:
        wanted += " AND len(list_filter(reasons, lambda r: contains(lower(r), ?))) > 0"
        values.append(reason.lower())  # type: ignore[arg-type]
    some = "" if limit is None else f" LIMIT {int(limit)}"
    return _read(session, f"{table} WHERE {wanted} ORDER BY coalesce(last_seen, first_seen) DESC, id{some}", values)


def by_id(session: Session, relation: RelationName, table: str, begins: str) -> list[Mapping[str, Any]]:
    """Rows whose id begins so: three at most."""
    return _read(session, f"{table} WHERE starts_with(id, ?) ORDER BY id LIMIT 3", [begins.lower()])


def _read(session: Session, what: str, values: Sequence[Any]) -> list[Mapping[str, Any]]:
    found = session.query(f"SELECT {_FIELDS} FROM {what}", values)
    return [dict(zip((column.name for column in found.columns), row, strict=True)) for row in found.rows]
