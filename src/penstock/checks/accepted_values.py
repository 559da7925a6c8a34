"""accepted_values: one of a list. NULL passes; text is compared byte by byte, letter case counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.checks.kind import Option, RowKind, Subject, Trouble
from penstock.checks.values import shown, value
from penstock.domain.check import Check


def _passes(check: Check, subject: Subject) -> str:
    column = check.columns[0]
    listed = ", ".join(value(each, subject, column) for each in check.options["values"])
    return f"{subject.quoted(column)} {'NOT ' if check.options['not'] else ''}IN ({listed})"


def _says(check: Check) -> str:
    listed = ", ".join(map(shown, check.options["values"][:10]))
    more = "" if len(check.options["values"]) <= 10 else ", …"
    return f"{check.columns[0]} {'none' if check.options['not'] else 'one'} of {listed}{more}"


def _wrong(options: Mapping[str, Any]) -> Sequence[Trouble]:
    return () if options["values"] else [("values", "the list is empty: nothing could pass", "list the values")]


KIND = RowKind(
    name="accepted_values",
    dimension="validity",
    passes=_passes,
    says=_says,
    columns="one",
    options={
        "values": Option("values", ..., "The values that may stand in the column."),
        "not": Option("flag", False, "The values that may not."),
    },
    wrong=_wrong,
)
