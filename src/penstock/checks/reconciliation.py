"""reconciliation: as many rows, and the same sums, as another relation. NULLs are left out of sums, and a sum of
nothing is 0 on both sides. A NaN makes its sum NaN, which differs from every sum; decimals are summed exactly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.checks.kind import Judgement, Option, Subject, TableKind, Trouble, filtered
from penstock.checks.values import percent, shown
from penstock.domain.check import Check
from penstock.domain.relation import RelationName
from penstock.quoting import identifier


def _fields(check: Check) -> Sequence[tuple[str, str]]:
    """Each column that is summed, with that of the other relation."""
    return list(zip(check.columns, check.options["field"] or check.columns, strict=True))


def _measures(check: Check, subject: Subject) -> Mapping[str, str]:
    keep = filtered(check)
    found = {"rows": f"count(*){keep}"}
    for place, (own, _) in enumerate(_fields(check)):
        found[f"sum{place}"] = f"coalesce(sum({subject.quoted(own)}){keep}, 0)"
    return found


def _elsewhere(check: Check) -> Sequence[tuple[RelationName, Mapping[str, str]]]:
    condition = check.options["with_where"]
    keep = f" FILTER (\n{condition}\n)" if condition else ""
    found = {"other_rows": f"count(*){keep}"}
    for place, (_, other) in enumerate(_fields(check)):
        found[f"other{place}"] = f"coalesce(sum({identifier(other)}){keep}, 0)"
    return ((RelationName.parse(check.options["with"]), found),)


def _apart(one: Any, other: Any, within: float) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        one, other = float(one), float(other)
        if math.isnan(one) or math.isnan(other):
            return True
        # A sum of doubles depends on the order they are added in.
        return one != other and not abs(one - other) <= max(within, 1e-9) * abs(other)
    difference = abs(one - other)
    return bool(difference) and float(difference) > within * abs(float(other))


def _judge(check: Check, subject: Subject, values: Mapping[str, Any]) -> Judgement:
    within, other = check.options["within"], check.options["with"]
    wrong = []
    if check.options["rows"] and _apart(values["rows"], values["other_rows"], within):
        wrong.append(f"{shown(values['other_rows'])} rows, found {shown(values['rows'])}")
    for place, (own, _) in enumerate(_fields(check)):
        one, two = values[f"sum{place}"], values[f"other{place}"]
        if _apart(one, two, within):
            wrong.append(f"a sum of {own} of {shown(two)}, found {shown(one)}")
    if wrong:
        about = f" (within {percent(within)})" if within else ""
        return Judgement(False, f"expected as in {other}{about}: {'; '.join(wrong)}")
    return Judgement(True, f"as in {other}")


def _wrong(options: Mapping[str, Any]) -> Sequence[Trouble]:
    fields, own = options["field"], options["columns"]
    if not own and not options["rows"]:
        return [("rows", "neither rows nor a sum is compared", "name columns to sum, or leave `rows` true")]
    if fields and len(fields) != len(own):
        return [("field", f"{len(own)} columns are compared with {len(fields)}", "name as many as in `columns`")]
    return ()


KIND = TableKind(
    name="reconciliation",
    dimension="accuracy",
    measures=_measures,
    judge=_judge,
    columns="together",
    options={
        "with": Option("relation", ..., "The relation to agree with: layer.name."),
        "with_where": Option("text", None, "A condition on the rows of that relation."),
        "field": Option("columns", None, "The columns there that are summed. Default: those of the same names."),
        "rows": Option("flag", True, "The number of rows is compared."),
        "within": Option("share", 0.0, "How far apart they may be, as in 0.1%."),
    },
    wrong=_wrong,
    elsewhere=_elsewhere,
    bare=True,
)
