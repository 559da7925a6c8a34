"""All checks of one relation → few statements: one pass of aggregates, and a SELECT each for those that need grouping.

Equal expressions are computed once. Row kinds are counted over the rows that are judged, table kinds over the table;
where these are the same, all is one statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from penstock import registry
from penstock.checks.kind import ROWS, CodeKind, Kind, RowKind, SelectKind, Subject, TableKind, filtered
from penstock.domain.check import Check
from penstock.quoting import identifier, qualified
from penstock.record import record

SUSPECTS = "suspects"
"""The figure that is 0 when no row fails a check that has a SELECT of its own: it need not be sent then."""


def kind_of(check: Check) -> Kind:
    kind: Kind = registry.check(check.kind)
    return kind


def failing(check: Check, subject: Subject) -> str:
    """A SELECT of the rows that fail a check of rows (or of groups of them)."""
    kind = kind_of(check)
    if isinstance(kind, SelectKind):
        return kind.failing(check, subject)
    if not isinstance(kind, RowKind):
        raise TypeError(f"{kind.name} has no SELECT of rows that fail")
    return f"SELECT * FROM {subject.rows} WHERE {fails(check, subject)}"


def fails(check: Check, subject: Subject) -> str:
    """The condition that a row fails a row check. Never NULL."""
    kind = kind_of(check)
    if not isinstance(kind, RowKind):
        raise TypeError(f"{kind.name} is not about single rows")
    test = f"NOT coalesce(({kind.passes(check, subject)}), true)"
    return f"(coalesce((\n{check.where}\n), false) AND {test})" if check.where else f"({test})"


_NUMBERS = (
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
    *("UHUGEINT", "DECIMAL", "DOUBLE", "FLOAT", "REAL", "BOOLEAN", "BIGNUM", "VARINT"),
)
_OF_TYPES: Mapping[str, tuple[str, ...]] = {"numbers": _NUMBERS, "times": ("DATE", "TIMESTAMP")}


def unfit(check: Check, subject: Subject) -> str | None:
    """What is wrong with the type of a column that a check is about; None when nothing is, or it is not there."""
    kind = kind_of(check)
    takes = kind.takes(check) if isinstance(kind, TableKind) else "anything"
    known = {column.name.lower(): column.type for column in subject.columns}
    for name in check.columns if takes in _OF_TYPES else ():
        found = known.get(name.lower())
        if found is not None and (found.endswith("]") or not found.upper().startswith(_OF_TYPES[takes])):
            return f"it takes {takes}, and {name} is {found}"
    return None


def on_whole(check: Check) -> bool:
    """Whether all rows have to be judged, also when only some came: where a number of them may fail, or rows of one
    moment say nothing of the others."""
    kind = kind_of(check)
    if isinstance(kind, (TableKind, CodeKind)):
        return True
    return not check.tolerance.is_none or (isinstance(kind, SelectKind) and not kind.local)


def looks_back(check: Check) -> bool:
    """Whether a check is judged by what it measured before."""
    kind = kind_of(check)
    return isinstance(kind, TableKind) and kind.kept


def measured(check: Check) -> str:
    """What tells the figures of a check from those of another, or of the same one before it was changed."""
    what = [check.options.get(option) for option in ("measure", "quantile")]
    return sha256(repr([check.kind, check.columns, check.where, *what]).encode()).hexdigest()[:16]


@dataclass(slots=True)
class Pass:
    """One SELECT of aggregates over one FROM item. `expressions` are computed once each, however often asked for."""

    rows: str
    expressions: list[str] = field(default_factory=list)

    def place(self, expression: str) -> int:
        if expression not in self.expressions:
            self.expressions.append(expression)
        return self.expressions.index(expression)

    @property
    def sql(self) -> str:
        return f"SELECT {', '.join(self.expressions)} FROM {self.rows}"


@record
class Wanted:
    """Where the figures of one check are found: by name, the pass and the place in it. `select`: a statement of its
    own, which gives the number of rows that fail."""

    check: Check
    kind: Kind
    subject: Subject
    figures: Mapping[str, tuple[int, int]]
    select: str | None = None


@record
class Compiled:
    passes: tuple[Pass, ...]
    wanted: tuple[Wanted, ...]


def compiled(checks: Sequence[Check], subject: Subject) -> Compiled:
    """`subject.rows` differs from `subject.table` where only rows that came are judged. Raises KeyError for a column
    that the relation does not have."""
    whole = Subject(subject.relation, subject.table, subject.table, subject.columns, subject.now, subject.past)
    passes: dict[str, Pass] = {}

    def figures(rows: str, expressions: Mapping[str, str]) -> dict[str, tuple[int, int]]:
        found = passes.setdefault(rows, Pass(rows))
        number = list(passes).index(rows)
        return {name: (number, found.place(sql)) for name, sql in expressions.items()}

    wanted = []
    for check in checks:
        kind = kind_of(check)
        other = check.name in subject.moved or subject.relation in check.refers  # rows of before may fail now
        seen = whole if other or on_whole(check) else subject
        select, found = None, {}
        if isinstance(kind, CodeKind):
            wanted.append(Wanted(check, kind, whole, {}))
            continue
        if isinstance(kind, RowKind):
            found = figures(seen.rows, {"rows": f"count(*){filtered(check)}", "failing": _count(check, seen, kind)})
        elif isinstance(kind, TableKind):
            found = figures(seen.table, kind.measures(check, seen))
            for relation, expressions in kind.elsewhere(check):
                found |= figures(qualified(relation.layer, relation.name), expressions)
        else:
            counted = f"CAST(coalesce(sum({identifier(ROWS)}), 0) AS BIGINT)" if kind.grouped else "count(*)"
            select = f"SELECT {counted} FROM (\n{kind.failing(check, seen)}\n) AS failing"
            aggregate = kind.counts(check, seen)
            if aggregate is not None:
                found = figures(seen.rows, {"failing" if kind.counts_exactly else SUSPECTS: aggregate})
                select = None if kind.counts_exactly else select
            if not check.sql and not (kind.grouped and seen.rows != seen.table):  # a group has rows of before
                found |= figures(seen.rows, {"rows": f"count(*){filtered(check)}"})
        wanted.append(Wanted(check, kind, seen, found, select))
    return Compiled(tuple(passes.values()), tuple(wanted))


def _count(check: Check, subject: Subject, kind: RowKind) -> str:
    """A condition that comes out NULL is not counted, and needs no coalesce."""
    test = f"NOT ({kind.passes(check, subject)})"
    also = f"(\n{check.where}\n) AND " if check.where else ""
    return kind.counts(check, subject) or f"count(*) FILTER ({also}{test})"


def samples(wanted: Wanted, most: int) -> str | None:
    """A SELECT of a few rows that show why a check does not hold; None where there is nothing to show."""
    if isinstance(wanted.kind, TableKind):
        select = wanted.kind.sample(wanted.check, wanted.subject)
    else:
        select = failing(wanted.check, wanted.subject)
    return None if select is None else f"SELECT * FROM (\n{select}\n) AS failing LIMIT {int(most)}"


def values(wanted: Wanted, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """The figures of one check from the one row that each pass gave."""
    return {name: rows[number][place] for name, (number, place) in wanted.figures.items()}
