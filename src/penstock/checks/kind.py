"""What a kind of check is, and what it may be compiled against.

Four shapes, by what they ask of the data:

* `RowKind`: a condition on one row. All of a relation are counted in one pass, with those of its other row kinds.
* `TableKind`: aggregates over the table, in the same pass, and a verdict on their values.
* `SelectKind`: a SELECT of its own that gives the rows (or groups of them) that fail.
* `CodeKind`: code in another language.

A condition that comes out NULL counts as holding, as in SQL's own CHECK: only `not_null` is about NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from penstock.domain.check import Check
from penstock.domain.relation import Column, RelationName
from penstock.quoting import identifier
from penstock.record import record

Sort = Literal["scalar", "number", "count", "share", "span", "text", "flag", "values", "columns", "relation", "choice"]
"""scalar: text, a number or true/false; count: a whole number, zero or more; share: `5%`; span: `2 hours`."""
Taken = Literal["anything", "numbers", "times"]
"""What the columns have to hold that a kind is about: `times` are dates and timestamps."""
Cardinality = Literal["none", "one", "each", "together"]
"""How many columns a kind is about. `each`: several declare one check each; `together`: several are one check."""


@record
class Option:
    """One option of a kind. Without a default (`...`) it has to be given."""

    sort: Sort
    default: Any = None
    says: str = ""
    choices: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        return self.default is ...


Trouble = tuple[str, str, str]
"""The option that is wrong, what is wrong with it, how to put it right."""


def _nothing_wrong(options: Mapping[str, Any]) -> Sequence[Trouble]:
    return ()


@record
class Subject:
    """What a check looks at. `rows` is a FROM item with the rows that are judged, `table` one with all rows as they are
    (the same, unless only those that came are judged); `columns` are the relation's. `now`: UTC, without a zone.
    `past[check]`: what the check measured when the relation was published before, the newest first, each with `at`:
    when that was, UTC. `moved`: checks that look at relations which have changed since they were asked of the rows that
    are not judged now."""

    relation: RelationName
    rows: str
    table: str
    columns: Sequence[Column]
    now: datetime
    past: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    moved: Collection[str] = ()

    def column(self, name: str) -> Column:
        """Raises KeyError for a column the relation does not have."""
        lowered = name.lower()
        for column in self.columns:
            if column.name.lower() == lowered:
                return column
        raise KeyError(name)

    def type_of(self, name: str) -> str:
        return self.column(name).type.upper()

    def is_floating(self, name: str) -> bool:
        return self.type_of(name) in {"DOUBLE", "FLOAT", "REAL"}

    def is_text(self, name: str) -> bool:
        return self.type_of(name).startswith(("VARCHAR", "ENUM"))

    def quoted(self, name: str) -> str:
        return identifier(self.column(name).name)


@record
class Judgement:
    """Whether a table kind holds. `severity`: what a failure counts as, at most what the check says."""

    holds: bool
    message: str
    severity: Literal["warn", "fail"] = "fail"


Judge = Callable[[Check, Subject, Mapping[str, Any]], Judgement]
Says = Callable[[Check], str]
Options = Mapping[str, Option]


@record
class RowKind:
    """`passes` gives the condition that a row has to fulfil, `says` that in words. `counts`: an aggregate that gives
    the number of rows that fail, where there is a cheaper one than to count those that do not fulfil it."""

    name: str
    dimension: str
    passes: Callable[[Check, Subject], str]
    says: Says
    columns: Cardinality = "each"
    options: Options = field(default_factory=dict)
    short: str | None = None
    wrong: Callable[[Mapping[str, Any]], Sequence[Trouble]] = _nothing_wrong
    counts: Callable[[Check, Subject], str | None] = lambda check, subject: None


@record
class TableKind:
    """`measures` gives SQL aggregates by name; `judge` gets their values under these names. `elsewhere` gives
    aggregates over other relations. `sample`: a SELECT of what is wrong, where there is something to show. `kept`:
    whether the values are judged against those of earlier times. `bare`: it can do without a column. `tells`: whether
    what it measures are values out of its columns, and no counts or means. `takes`: what these have to hold."""

    name: str
    dimension: str
    measures: Callable[[Check, Subject], Mapping[str, str]]
    judge: Judge
    columns: Cardinality = "one"
    options: Options = field(default_factory=dict)
    short: str | None = None
    wrong: Callable[[Mapping[str, Any]], Sequence[Trouble]] = _nothing_wrong
    elsewhere: Callable[[Check], Sequence[tuple[RelationName, Mapping[str, str]]]] = lambda check: ()
    sample: Callable[[Check, Subject], str | None] = lambda check, subject: None
    kept: bool = False
    bare: bool = False
    tells: Callable[[Check], bool] = lambda check: False
    takes: Callable[[Check], Taken] = lambda check: "anything"


@record
class SelectKind:
    """`failing` gives a SELECT: one row for each row, or group of rows, that fails, of `of_rows` rows each where that
    says so. `grouped`: the SELECT has the column `_penstock_rows`, how many rows a group stands for. `local`: rows that
    came can be judged without the others. `counts`: an aggregate over the rows that are judged, for the pass of the
    other kinds, that is 0 when no row fails; None where there is no such thing. With `counts_exactly` it is the number
    of rows that fail, else only the SELECT knows that."""

    name: str
    dimension: str
    failing: Callable[[Check, Subject], str]
    says: Says
    columns: Cardinality = "together"
    options: Options = field(default_factory=dict)
    short: str | None = None
    wrong: Callable[[Mapping[str, Any]], Sequence[Trouble]] = _nothing_wrong
    grouped: bool = False
    local: bool = False
    counts: Callable[[Check, Subject], str | None] = lambda check, subject: None
    counts_exactly: bool = False


@record
class CodeKind:
    """Code that is no SQL: whoever evaluates checks knows how to call it."""

    name: str
    dimension: str
    says: Says
    columns: Cardinality = "none"
    options: Options = field(default_factory=dict)
    short: str | None = None
    wrong: Callable[[Mapping[str, Any]], Sequence[Trouble]] = _nothing_wrong


Kind = RowKind | TableKind | SelectKind | CodeKind
ROWS = "_penstock_rows"


def filtered(check: Check) -> str:
    """` FILTER (…)` for an aggregate over the rows that a check is about."""
    return f" FILTER (\n{check.where}\n)" if check.where else ""


def restricted(check: Check, rows: str) -> str:
    """`rows`, a FROM item, without those that a check is not about."""
    return f"(SELECT * FROM {rows} WHERE (\n{check.where}\n))" if check.where else rows


def named(check: Check) -> tuple[str, ...]:
    """Every column of its own relation that a check names."""
    own = [name for option in ("from", "to") for name in check.options.get(option) or () if check.kind == "no_overlap"]
    return (*check.columns, *own)
