"""A query over other relations: each it names replaced by a SELECT, in the text, so that all else stays as it is."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from penstock.domain.relation import RelationName
from penstock.quoting import identifier
from penstock.sql.parse import parse


def substituted(sql: str, selects: Mapping[RelationName, str]) -> str:
    """`sql` with every relation of `selects` replaced by its SELECT. Raises UserError when it cannot be parsed."""
    tree = parse(sql)
    edits: list[tuple[int, int, str]] = []
    for table in tree.find_all(exp.Table):
        layer, own = table.args.get("db"), table.this
        name = _relation(layer, own)
        if name is not None and layer is not None and name in selects:
            start, end = _span(layer, own)
            alias = "" if table.alias else f" AS {identifier(table.name)}"
            edits.append((start, end, f"({selects[name]}\n){alias}"))
    for column in tree.find_all(exp.Column):
        layer, table_name = column.args.get("db"), column.args.get("table")
        found = _relation(layer, table_name)
        if layer is not None and table_name is not None and found in selects:  # raw.orders.id → orders.id
            start, end = _span(layer, table_name)
            edits.append((start, end, sql[_span(table_name, table_name)[0] : end]))
    for start, end, text in sorted(edits, reverse=True):
        sql = sql[:start] + text + sql[end:]
    return sql


def _relation(layer: object, name: object) -> RelationName | None:
    if isinstance(layer, exp.Identifier) and isinstance(name, exp.Identifier):
        return RelationName(layer.name.lower(), name.name.lower())
    return None


def _span(first: exp.Expr, last: exp.Expr) -> tuple[int, int]:
    return int(first.meta["start"]), int(last.meta["end"]) + 1
