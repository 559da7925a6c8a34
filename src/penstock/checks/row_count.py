"""row_count: how many rows there are: by number, against the last time it was published, against another relation. An
empty table has 0. Against the last time nothing is said the first time, or when there were no rows then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.checks.kind import Judgement, Option, Subject, TableKind, Trouble, filtered
from penstock.checks.range import bounds
from penstock.checks.values import percent, shown
from penstock.domain.check import Check
from penstock.domain.relation import RelationName

_BOUNDS = ("min", "max", "equals")
_OTHERS = ("max_drop", "max_growth", "same_as")


def _elsewhere(check: Check) -> Sequence[tuple[RelationName, Mapping[str, str]]]:
    other = check.options["same_as"]
    return ((RelationName.parse(other), {"other": "count(*)"}),) if other else ()


def _judge(check: Check, subject: Subject, values: Mapping[str, Any]) -> Judgement:
    rows, options = values["rows"], check.options
    wrong, notes = [], []
    if options["min"] is not None and rows < options["min"]:
        wrong.append(f"at least {_rows(options['min'])}")
    if options["max"] is not None and rows > options["max"]:
        wrong.append(f"at most {_rows(options['max'])}")
    if options["equals"] is not None and rows != options["equals"]:
        wrong.append(f"exactly {_rows(options['equals'])}")
    if options["max_drop"] is not None or options["max_growth"] is not None:
        past = subject.past.get(check.name, ())
        before = past[0].get("rows") if past else None
        if before:
            change = (rows - before) / before
            if options["max_drop"] is not None and -change > options["max_drop"]:
                wrong.append(f"at most {percent(options['max_drop'])} fewer rows than the {shown(before)} before")
            if options["max_growth"] is not None and change > options["max_growth"]:
                wrong.append(f"at most {percent(options['max_growth'])} more rows than the {shown(before)} before")
        else:
            notes.append("nothing to compare with yet")
    if options["same_as"] is not None:
        other = values["other"]
        if abs(rows - other) > options["within"] * other:
            about = f" (within {percent(options['within'])})" if options["within"] else ""
            wrong.append(f"as many as {options['same_as']}, which has {_rows(other)}{about}")
    if wrong:
        return Judgement(False, f"expected {' and '.join(wrong)}, found {shown(rows)}")
    return Judgement(True, "; ".join([f"{shown(rows)} rows", *notes]))


def _rows(count: int) -> str:
    return f"{shown(count)} {'row' if count == 1 else 'rows'}"


def _wrong(options: Mapping[str, Any]) -> Sequence[Trouble]:
    if all(options[name] is None for name in (*_BOUNDS, *_OTHERS)):
        return [("min", "nothing is asked of the number of rows", f"give one of {', '.join((*_BOUNDS, *_OTHERS))}")]
    if (options["max_drop"] or 0) >= 1:
        return [("max_drop", "no table loses more than all of its rows: everything would pass", "give less than 100%")]
    if options["equals"] is not None and (options["min"] is not None or options["max"] is not None):
        return [("equals", "equals leaves nothing for min and max to say", "give equals, or min and max")]
    if options["min"] is not None and options["max"] is not None:
        return bounds(options)
    return ()


KIND = TableKind(
    name="row_count",
    dimension="completeness",
    measures=lambda check, subject: {"rows": f"count(*){filtered(check)}"},
    judge=_judge,
    columns="none",
    options={
        "min": Option("count", None, "The fewest."),
        "max": Option("count", None, "The most."),
        "equals": Option("count", None, "Exactly so many."),
        "max_drop": Option("share", None, "How much fewer than last time, as in 50%."),
        "max_growth": Option("share", None, "How many more than last time, as in 200%."),
        "same_as": Option("relation", None, "The relation that has as many: layer.name."),
        "within": Option("share", 0.0, "How far from `same_as`, as in 1%."),
    },
    wrong=_wrong,
    elsewhere=_elsewhere,
    kept=True,
)
