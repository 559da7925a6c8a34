"""The verbs that give rows: show and query."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from penstock.cli.encode import plain
from penstock.cli.options import EXIT_CODES, as_csv, common, waiting
from penstock.cli.output import Table, cell, is_number, note, things, write, write_json, write_table
from penstock.domain.rows import Rows


@click.command(epilog=EXIT_CODES)
@click.argument("relation", metavar="LAYER.NAME")
@click.option("--limit", "-n", type=click.IntRange(min=0), default=20, show_default=True, help="How many rows.")
@click.option(
    "--at", metavar="TIME|COMMIT", help="As it was at this time (UTC unless it names a zone), or after this commit."
)
@as_csv
@waiting(10)
@common
def show(
    *,
    where: Path,
    environment: str | None,
    relation: str,
    limit: int,
    at: str | None,
    wait: float,
    as_csv: bool,
    as_json: bool,
) -> int:
    """The first rows of a relation, as it is or as it was.

    \b
    Examples:
      penstock show serv.sales_report
      penstock show raw.orders_history --limit 100 --csv > orders.csv
      penstock show serv.sales_report --at 2026-11-18T09:00Z
      penstock show serv.sales_report --at 17
    """
    from penstock.commands.show import show as command

    found = command(where, relation, environment=environment, limit=limit, at=at, wait=wait)
    write_rows(found, as_json, as_csv, limit)
    return 0


@click.command(epilog=EXIT_CODES)
@click.argument("sql", metavar="SQL")
@click.option("--limit", "-n", type=click.IntRange(min=0), default=1000, show_default=True, help="How many rows.")
@as_csv
@waiting(10)
@common
def query(
    *, where: Path, environment: str | None, sql: str, limit: int, wait: float, as_csv: bool, as_json: bool
) -> int:
    """Run one SELECT on the warehouse, read-only. With `-` for SQL, it is read from stdin.

    \b
    Examples:
      penstock query "SELECT category, sum(revenue) FROM serv.sales_report GROUP BY ALL"
      penstock query - < question.sql
      penstock query "FROM serv.sales_report" --limit 100000 --csv > report.csv
    """
    from penstock.commands.query import query as command

    text = sys.stdin.read() if sql == "-" else sql
    write_rows(command(where, text, environment=environment, limit=limit, wait=wait), as_json, as_csv, limit)
    return 0


def write_rows(found: Rows, as_json: bool, as_csv: bool, limit: int) -> None:
    if as_json and as_csv:
        raise click.UsageError("--json and --csv cannot both be given")
    if as_json:
        write_json(objects(found))
    elif as_csv:
        write(comma_separated(found))
    elif found.columns:
        write_table(tabled(found))
        if not found.more:
            note(things(len(found.rows), "row"))
    if found.more:
        note(f"the first {things(limit, 'row')} only; there are more (--limit gives more)")


def tabled(found: Rows) -> Table:
    right = [
        position
        for position in range(len(found.columns))
        if any(is_number(row[position]) for row in found.rows)
        and all(row[position] is None or is_number(row[position]) for row in found.rows)
    ]
    return Table(
        [cell(column.name) for column in found.columns], [[cell(value) for value in row] for row in found.rows], right
    )


def objects(found: Rows) -> dict[str, Any]:
    """One JSON object per row. Columns of the same name are told apart: `id`, `id_1`."""
    names: list[str] = []
    for column in found.columns:
        name, suffix = column.name, 0
        while name in names:
            suffix += 1
            name = f"{column.name}_{suffix}"
        names.append(name)
    return {
        "columns": [{"name": name, "type": column.type} for name, column in zip(names, found.columns, strict=True)],
        "rows": [dict(zip(names, plain(row), strict=True)) for row in found.rows],
        "more": found.more,
    }


def comma_separated(found: Rows) -> str:
    """Rows as CSV. NULL is an empty field and an empty text is `""`, so that the two can be told apart: the standard
    library's writer cannot do that before Python 3.12."""
    lines: list[list[str | None]] = [[column.name for column in found.columns]]
    lines.extend([_field(value) for value in row] for row in found.rows)
    return "\n".join(",".join(_quoted(field) for field in line) for line in lines)


def _field(value: Any) -> str | None:
    if value is None:
        return None
    found = plain(value)
    return found if isinstance(found, str) else cell(value)


def _quoted(field: str | None) -> str:
    if field is None:
        return ""
    if field and not any(char in field for char in ',"\r\n') and field.strip() == field:
        return field
    return '"' + field.replace('"', '""') + '"'
