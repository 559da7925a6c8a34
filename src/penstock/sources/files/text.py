"""Text files as sheets: delimited text as it stands, JSON by way of a spool."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from penstock.domain.source import SourceTable
from penstock.errors import DataError, Location
from penstock.record import record
from penstock.sources.files.csvcheck import CsvCheck
from penstock.sources.files.intake import Ready
from penstock.sources.files.listing import Found
from penstock.sources.files.naming import folded, in_relation, renamed
from penstock.sources.files.sheet import Sheet

DELIMITED = ("csv", "tsv")


@record
class Dialect:
    delimiter: str
    quote: str
    header: bool
    names: tuple[str, ...] | None


def dialect(table: SourceTable, kind: str) -> Dialect:
    options = table.options
    header = options["header"]
    names = tuple(header) if isinstance(header, (list, tuple)) else None
    return Dialect(
        options["delimiter"] or ("\t" if kind == "tsv" else ","),
        options["quote"],
        header is True,
        names,
    )


def csv_check(table: SourceTable, found: Found, kind: str) -> CsvCheck:
    form = dialect(table, kind)
    return CsvCheck(
        found.path,
        form.delimiter,
        form.quote,
        final_newline=table.options["final_newline"] == "required",
        width=len(form.names) if form.names else None,
        header=form.header,
        skipped=table.options["skip"],
        max_line=table.options["max_line"],
    )


def column_names(table: SourceTable, kind: str, first: Sequence[str], path: str) -> tuple[str, ...]:
    """The names of the fields of a delimited file as received: from its first record or the declaration. Raises
    DataError for names that cannot stand."""
    form = dialect(table, kind)
    line = table.options["skip"] + 1
    if form.names is not None:
        if [name.strip().lower() for name in first] == [name.strip().lower() for name in form.names]:
            raise DataError(
                "the first line repeats the declared column names: it would be landed as a row",
                code="HEADER_FOUND",
                location=Location(path, line),
                hint="set `header: true`, or `skip: 1`",
            )
        names = form.names
    elif form.header:
        names = tuple(first)
    else:
        names = tuple(f"column_{number}" for number in range(1, len(first) + 1))
    renamed(table, names, path, line)
    return names


def sheets_of(table: SourceTable, ready: Ready, staging: Path) -> list[Sheet]:
    """The rows of a file. None when the file is empty."""
    if ready.format in DELIMITED:
        if ready.first is None:
            return []
        form = dialect(table, ready.format)
        names = column_names(table, ready.format, ready.first, ready.found.path)
        return [
            Sheet(
                ready.path,
                in_relation(table, names),
                ready.found.path,
                received=names,
                delimiter=form.delimiter,
                quote=form.quote,
                header=form.header or ready.rewritten,
                before=table.options["skip"] - (ready.rewritten and not form.header),
                max_line=table.options["max_line"],
            )
        ]
    from penstock.sources.files.jsonspool import spool

    return spool(table, ready, staging)


def check_agreement(sheets: Sequence[Sheet]) -> None:
    """Delimited files of one table have the same columns, in any order."""
    if not sheets:
        return
    first = sheets[0]
    expected = {folded(name) for name in first.names}
    for sheet in sheets[1:]:
        found = {folded(name) for name in sheet.names}
        if found != expected:
            missing, extra = sorted(expected - found), sorted(found - expected)
            parts = [f"without {', '.join(missing)}"] if missing else []
            parts += [f"with {', '.join(extra)}"] if extra else []
            raise DataError(
                f"expected the columns of {first.origin}, found a file {' and '.join(parts)}",
                code="FILES_DIFFER",
                location=Location(sheet.origin, 1),
                hint="write all files of a table alike; or make them tables of their own",
            )
