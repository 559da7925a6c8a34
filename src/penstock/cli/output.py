"""Everything the command line writes: results to stdout, all else to stderr.

On a terminal tables are drawn with rich; elsewhere they are plain aligned text, and rich is not imported.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Literal, TextIO

import click

from penstock.cli.encode import document, moment, plain
from penstock.record import record

WIDEST = 60
"""Cells longer than this are cut on a terminal, never elsewhere."""
NARROWEST = 19
"""What is left of a text cell at least: a time to the second."""
GAP = 2
"""Between two columns."""


@record
class Table:
    """Text cells in columns. `right` holds the positions of right-aligned columns."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Collection[int] = ()


def write(text: str, stream: TextIO | None = None) -> None:
    """A line to stdout. A reader that went away (`| head`) is no error: the rest is thrown away."""
    target = stream or sys.stdout
    try:
        target.write(text + "\n")
        target.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), target.fileno())
    except UnicodeEncodeError:
        encoding = target.encoding or "ascii"
        target.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def note(text: str) -> None:
    """A line to stderr: for people, not for pipes."""
    write(text, sys.stderr)


def write_json(value: object) -> None:
    write(document(value))


def count(number: int | None) -> str:
    """`4120` as `4,120`; nothing for None."""
    return "" if number is None else f"{number:,}"


def things(number: int, one: str, many: str | None = None) -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def age(seconds: float | None) -> str:
    """Seconds as people say them: `42 s`, `5 min`, `3 h`, `12 d`."""
    if seconds is None:
        return ""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def cell(value: Any) -> str:
    """A warehouse value as one line of text. Control characters are spelled out: data must not drive the terminal."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() else str(value)
    if isinstance(value, (date, time)):
        return moment(value).replace("T", " ")
    if isinstance(value, (list, tuple, dict)):
        return printable(json.dumps(plain(value), ensure_ascii=False))
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    return printable(str(value))


def row_text(row: Mapping[str, Any]) -> str:
    """`order_id = 7, quantity = 2`: a row in a line of text."""
    return ", ".join(f"{cell(name)} = {cell(value)}" for name, value in row.items())


def printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def write_table(table: Table) -> None:
    if sys.stdout.isatty():
        _draw(table)
    else:
        write(aligned(table))


def aligned(table: Table) -> str:
    """The table as plain text: two spaces between columns, a rule under the headers, nothing cut."""
    lines: list[Sequence[str]] = [table.headers, *table.rows]
    widths = [max(len(line[position]) for line in lines) for position in range(len(table.headers))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            text.rjust(width) if position in table.right else text.ljust(width)
            for position, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _draw(table: Table) -> None:
    """Long text is cut to make the table fit; numbers never are, since `8…` would be a wrong number."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    screen = Console(highlight=False)
    widths = fitted(table, screen.width)
    drawn = Drawn(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for position, header in enumerate(table.headers):
        justify: Literal["right", "left"] = "right" if position in table.right else "left"
        drawn.add_column(Text(header), justify=justify, overflow="ellipsis", no_wrap=True, width=widths[position])
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    console = Console(highlight=False, width=max(screen.width, sum(widths) + GAP * len(widths)))
    with console.capture() as capture:
        console.print(drawn)
    write("\n".join(line.rstrip() for line in capture.get().rstrip("\n").split("\n")))


def fitted(table: Table, room: int) -> list[int]:
    """The width of each column: the widest text columns give way until the table fits, or nothing is left to cut."""
    from rich.cells import cell_len

    widths = [
        max(map(cell_len, (header, *(row[position] for row in table.rows))))
        for position, header in enumerate(table.headers)
    ]
    least = [
        width if position in table.right else min(width, max(NARROWEST, cell_len(table.headers[position])))
        for position, width in enumerate(widths)
    ]
    widths = [min(width, max(WIDEST, low)) for width, low in zip(widths, least, strict=True)]
    while sum(widths) + GAP * len(widths) > room:
        spare = [width - low for width, low in zip(widths, least, strict=True)]
        if not any(spare):
            break
        widest = max(range(len(widths)), key=lambda position: (spare[position] > 0, widths[position]))
        widths[widest] -= 1
    return widths


def style(text: str, stream: TextIO | None = None, **how: Any) -> str:
    """`text` coloured when the stream is a terminal and NO_COLOR is not set."""
    if (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR"):
        return click.style(text, **how)
    return text
