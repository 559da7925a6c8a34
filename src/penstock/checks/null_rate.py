"""null_rate: the share of rows without a value. NaN and empty text are values. An empty table passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.checks.kind import Judgement, Option, Subject, TableKind, Trouble, filtered
from penstock.checks.values import percent, shown
from penstock.domain.check import Check


def _measures(check: Check, subject: Subject) -> Mapping[str, str]:
    keep = filtered(check)
    return {"rows": f"count(*){keep}", "values": f"count({subject.quoted(check.columns[0])}){keep}"}


def _judge(check: Check, subject: Subject, values: Mapping[str, Any]) -> Judgement:
    rows = values["rows"]
    if not rows:
        return Judgement(True, "no rows")
    rate = (rows - values["values"]) / rows
    column, most = check.columns[0], check.options["max"]
    found = f"{percent(rate)} of {shown(rows)} rows without {column}"
    if rate > most:
        return Judgement(False, f"expected at most {percent(most)} of the rows without {column}, found {found}")
    return Judgement(True, found)


def _wrong(options: Mapping[str, Any]) -> Sequence[Trouble]:
    if options["max"] >= 1:
        return [("max", "no more than all rows can be without a value: everything would pass", "give less than 100%")]
    return ()


KIND = TableKind(
    name="null_rate",
    dimension="completeness",
    measures=_measures,
    judge=_judge,
    columns="each",
    options={"max": Option("share", ..., "The largest share, as in 5%.")},
    wrong=_wrong,
)
