"""relationships: the values stand in another relation. A row with a NULL among them passes, NaN equals NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.checks.kind import Option, SelectKind, Subject, Trouble, restricted
from penstock.domain.check import Check
from penstock.domain.relation import RelationName
from penstock.quoting import identifier, qualified


def _counts(check: Check, subject: Subject) -> str:
    other, fields = RelationName.parse(check.options["to"]), check.options["field"] or check.columns
    names = [subject.quoted(name) for name in check.columns]
    tests = [f"{name} IS NOT NULL" for name in names]
    there = " AND ".join(f"o.{identifier(field)} IS NOT NULL" for field in fields)
    known = f"SELECT {', '.join(f'o.{identifier(field)}' for field in fields)}"
    tests.append(f"({', '.join(names)}) NOT IN ({known} FROM {qualified(other.layer, other.name)} AS o WHERE {there})")
    tests += [] if check.where is None else [f"(\n{check.where}\n)"]
    return f"count(*) FILTER ({' AND '.join(tests)})"


def _failing(check: Check, subject: Subject) -> str:
    other = RelationName.parse(check.options["to"])
    fields = check.options["field"] or check.columns
    names = [subject.quoted(name) for name in check.columns]
    same = " AND ".join(f"o.{identifier(field)} = t.{name}" for name, field in zip(names, fields, strict=True))
    there = " AND ".join(f"t.{name} IS NOT NULL" for name in names)
    return (
        f"SELECT t.* FROM {restricted(check, subject.rows)} AS t "
        f"ANTI JOIN {qualified(other.layer, other.name)} AS o ON {same} WHERE {there}"
    )


def _wrong(options: Mapping[str, Any]) -> Sequence[Trouble]:
    fields, own = options["field"], options["columns"]
    if fields and len(fields) != len(own):
        return [("field", f"{len(own)} columns are compared with {len(fields)}", "name as many as in `column`")]
    return ()


KIND = SelectKind(
    name="relationships",
    dimension="consistency",
    failing=_failing,
    says=lambda check: f"every {', '.join(check.columns)} in {check.options['to']}",
    options={
        "to": Option("relation", ..., "The relation that has the values: layer.name."),
        "field": Option("columns", None, "The columns there. Default: those of the same names."),
    },
    wrong=_wrong,
    local=True,
    counts=_counts,
    counts_exactly=True,
)
