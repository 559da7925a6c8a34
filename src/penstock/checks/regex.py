"""regex: the whole text fits a pattern (RE2), or a part of it with `part: true`. NULL passes; what is not text is
judged as the text it is written as."""

from __future__ import annotations

from penstock.checks.kind import Option, RowKind, Subject
from penstock.domain.check import Check
from penstock.quoting import literal


def text_of(subject: Subject, column: str) -> str:
    """A column as text."""
    name = subject.quoted(column)
    return name if subject.type_of(column) == "VARCHAR" else f"CAST({name} AS VARCHAR)"


def _passes(check: Check, subject: Subject) -> str:
    function = "regexp_matches" if check.options["part"] else "regexp_full_match"
    test = f"{function}({text_of(subject, check.columns[0])}, {literal(check.options['pattern'])})"
    return f"NOT {test}" if check.options["not"] else test


def _says(check: Check) -> str:
    part = "a part of " if check.options["part"] else ""
    return f"{part}{check.columns[0]} {'not ' if check.options['not'] else ''}like /{check.options['pattern']}/"


KIND = RowKind(
    name="regex",
    dimension="validity",
    passes=_passes,
    says=_says,
    options={
        "pattern": Option("text", ..., "A regular expression (RE2: no look-ahead, no back-references)."),
        "part": Option("flag", False, "It is enough that a part of the text fits."),
        "not": Option("flag", False, "Text that fits fails."),
    },
)
