import io
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from penstock.cli import output
from penstock.cli.output import Table, age, aligned, cell, write


def test_plain_table_is_aligned_and_cuts_nothing() -> None:
    text = aligned(Table(("name", "rows"), [("a" * 90, "1"), ("b", "12,000")], right=(1,)))
    assert text.splitlines() == [
        "name" + " " * 86 + "    rows",
        "-" * 90 + "  ------",
        "a" * 90 + "       1",
        "b" + " " * 89 + "  12,000",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        ("NULL", "NULL"),
        (True, "true"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10"), "0.10"),
        ("two\nlines\x1b[31m", "two\\nlines\\x1b[31m"),
        ("\u202egnp", "\\u202egnp"),
        ("é 漢", "é 漢"),
        (datetime(2026, 11, 17, 8, tzinfo=UTC), "2026-11-17 08:00:00Z"),
        ([1, None], "[1, null]"),
        (b"\x01", "01"),
    ],
)
def test_cell(value: object, text: str) -> None:
    assert cell(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (-3, "0 s"), (0.4, "0 s"), (119, "119 s"), (7100, "118 min"), (7200, "2 h"), (864000, "10 d")],
)
def test_age(seconds: float | None, text: str) -> None:
    assert age(seconds) == text


def test_a_terminal_gets_a_drawn_table_with_long_cells_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    output.write_table(Table(("name", "[red]"), [("x" * 80, "1")], right=(1,)))
    assert "x" * 59 + "…" in screen.getvalue()
    assert "x" * 60 not in screen.getvalue()
    assert "[red]" in screen.getvalue()


def test_a_narrow_terminal_never_cuts_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    output.write_table(Table(("a", "n", "m"), [("x" * 50, "12,345,678", "123456789012345678901")], right=(1, 2)))
    assert "12,345,678" in screen.getvalue()
    assert "123456789012345678901" in screen.getvalue()


def test_what_the_stream_cannot_encode_is_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    write("10 €", stream)
    assert raw.getvalue() == b"10 \\u20ac\n"
