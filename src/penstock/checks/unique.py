"""unique: no two rows have the same values in all of the columns. Rows with a NULL in one of them are left out, as
SQL's own UNIQUE does; NaN is equal to NaN. Every row of a value that stands twice fails."""

from __future__ import annotations

from penstock.checks.kind import ROWS, SelectKind, Subject, restricted
from penstock.domain.check import Check
from penstock.quoting import identifier


def _failing(check: Check, subject: Subject) -> str:
    names = [subject.quoted(name) for name in check.columns]
    listed = ", ".join(f"t.{name}" for name in names)
    there = " AND ".join(f"t.{name} IS NOT NULL" for name in names)
    rows = restricted(check, subject.table)
    semi = ""
    if subject.rows != subject.table:  # who was unique stays so, unless a row came beside it
        same = " AND ".join(f"c.{name} = t.{name}" for name in names)
        semi = f" SEMI JOIN {subject.rows} AS c ON {same}"
    return (
        f"SELECT {listed}, count(*) AS {identifier(ROWS)} FROM {rows} AS t{semi} WHERE {there} "
        f"GROUP BY {listed} HAVING count(*) > 1"
    )


def _counts(check: Check, subject: Subject) -> str | None:
    """How many values are not the first of theirs; of some of the rows alone it would say nothing."""
    if subject.rows != subject.table:
        return None
    names = [subject.quoted(name) for name in check.columns]
    there = " AND ".join(f"{name} IS NOT NULL" for name in names)
    also = f"({there})" if check.where is None else f"({there} AND (\n{check.where}\n))"
    if len(names) == 1 and check.where is None:
        return f"count({names[0]}) - count(DISTINCT {names[0]})"
    value = names[0] if len(names) == 1 else f"({', '.join(names)})"
    return f"count(*) FILTER {also} - count(DISTINCT {value}) FILTER {also}"


KIND = SelectKind(
    name="unique",
    dimension="uniqueness",
    failing=_failing,
    says=lambda check: f"each {', '.join(check.columns)} once",
    short="columns",
    grouped=True,
    local=True,
    counts=_counts,
)
