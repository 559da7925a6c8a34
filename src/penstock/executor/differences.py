"""What differs between the rows a relation should have and those it has, and the first of these rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isnan
from typing import Any

from penstock.domain.maintenance import Maintenance
from penstock.domain.model import Model
from penstock.domain.relation import Column
from penstock.domain.strategy import Versioning
from penstock.domain.verification import Difference, Verdict, Verified
from penstock.materializations import audit, comparison
from penstock.ports import Session
from penstock.quoting import columns, identifier, literal
from penstock.record import record

MOST = 10
"""Rows that are shown of those that differ."""
_Side = tuple[int, int, dict[str, Any]]
ALL = "every row, against its definition"
GIVEN = "every row its SELECT gives is in it; rows that earlier runs left there were not looked at"
RANGES = "every range from {} on, against its definition; earlier ones are kept as they are"
HISTORY = "its current versions, against its SELECT; its line of versions"


@record
class Comparison:
    """`stored` and `expected` are FROM items with the columns `shape`; `how` has the columns that tell rows apart and
    those that are not compared. Where rows are set apart, `given` and `kept` have all rows of the SELECT and all that
    are stored, whether they pass or not."""

    model: Model
    shape: Sequence[Column]
    stored: str
    expected: str
    how: Maintenance
    given: str = ""
    kept: str = ""

    @property
    def compared(self) -> list[Column]:
        ignored = {name.lower() for name in self.how.stamps}
        return [column for column in self.shape if column.name.lower() not in ignored]

    @property
    def key(self) -> list[str]:
        """The columns that tell rows apart, as far as they are compared; empty when that is all of them."""
        names = {column.name.lower(): column.name for column in self.compared}
        found = [names[name.lower()] for name in self.how.unit if name.lower() in names]
        return found if len(found) < len(names) else []


def of_model(session: Session, this: Comparison) -> Verified:
    """Compare by what the model's materialization promises."""
    match this.model.materialization:
        case "append":
            return _compared(session, _known(this), GIVEN)
        case "merge" if this.model.strategy.deletes == "ignore":
            return _compared(session, _known(this), GIVEN)
        case "time_range":
            return _of_ranges(session, this)
        case "history":
            return _of_history(session, this)
        case _:
            return _compared(session, this, ALL)


def of_apart(session: Session, this: Comparison) -> Verified:
    """Compare what is set apart, as far as what is published is compared. There are no versions in it."""
    if this.model.materialization == "history":
        return _compared(session, this, ALL)
    return of_model(session, this)


def _compared(session: Session, this: Comparison, checked: str) -> Verified:
    if not this.compared:
        return Verified(this.model.relation, Verdict.RIGHT, "nothing: every column holds the time it was made")
    session.execute(comparison.apart(this.expected, this.stored, this.compared))
    if comparison.has_floating(this.compared):
        for statement in comparison.close(this.compared):
            session.execute(statement)
    missing, extra = session.query(comparison.COUNTS).rows[0]
    samples = _first(session, this) if missing or extra else ()
    session.execute(comparison.DROP)
    verdict = Verdict.WRONG if missing or extra else Verdict.RIGHT
    return Verified(this.model.relation, verdict, checked, missing=missing, extra=extra, differences=samples)


def _known(this: Comparison, names: Sequence[str] = ()) -> Comparison:
    """Only those stored rows whose key is expected."""
    same = " AND ".join(
        f"s.{identifier(name)} IS NOT DISTINCT FROM e.{identifier(name)}" for name in names or this.model.key
    )
    given = this.given or this.expected
    return replace(this, stored=f"(SELECT s.* FROM {this.stored} AS s SEMI JOIN {given} AS e ON {same})")


def _of_ranges(session: Session, this: Comparison) -> Verified:
    """Ranges that are made anew, whatever is known of changes: those from the latest time less the lookback."""
    ranges = this.model.strategy.time_range
    if ranges is None:
        return _compared(session, this, ALL)
    column = identifier(ranges.column)
    since = session.query(
        f"SELECT date_trunc('{ranges.grain}', CAST(max({column}) AS TIMESTAMP) - to_microseconds(?)) "
        f"FROM {this.kept or this.stored} WHERE isfinite({column})",
        (round(ranges.lookback * 1_000_000),),
    ).rows[0][0]
    if since is None:
        return _compared(session, this, ALL)
    when = f"CAST({column} AS TIMESTAMP) >= CAST({literal(str(since))} AS TIMESTAMP)"
    part = replace(
        this,
        stored=f"(SELECT * FROM {this.stored} WHERE {when})",
        expected=f"(SELECT * FROM {this.expected} WHERE {when})",
    )
    return _compared(session, part, RANGES.format(since))


def _of_history(session: Session, this: Comparison) -> Verified:
    model, kept = this.model, this.model.strategy.history or Versioning()
    this = replace(this, given="")  # a key whose row is set apart may have the version it had before
    table = this.stored
    if kept.by == "updated_at" and kept.column is not None:
        own = columns(column.name for column in this.shape)  # a row that was gone and is back has two versions
        versions = _known(replace(this, stored=f"(SELECT DISTINCT {own} FROM {table})"), (*model.key, kept.column))
    else:
        wanted = {name.lower() for name in (*model.key, *kept.columns)} if kept.columns else set()
        shape = [column for column in this.shape if not wanted or column.name.lower() in wanted]
        current = replace(this, shape=shape, stored=f"(SELECT * FROM {table} WHERE is_current)")
        versions = _known(current) if kept.deletes == "ignore" else current
    found = _compared(session, versions, HISTORY)
    # Also where deletions are ignored a version may have ended: by a check, or while they were not ignored.
    broken, samples = of_versions(session, table, model.key, deletions=True)
    verdict = Verdict.WRONG if broken else found.verdict
    return replace(found, verdict=verdict, notes=tuple(broken), differences=(*found.differences, *samples)[:MOST])


def of_versions(
    session: Session, table: str, key: Sequence[str], *, deletions: bool
) -> tuple[list[str], Sequence[Difference]]:
    """The rules of a line of versions that are broken in `table` (quoted), in words, and versions that break them."""
    session.execute(audit.broken(table, key, deletions=deletions))
    counts = session.query(audit.COUNTS).rows
    rows = session.query(audit.first(key, MOST)).rows if counts else ()
    session.execute(audit.DROP)
    samples = [
        Difference(
            dict(zip(key, row[: len(key)], strict=True)), None, dict(zip(audit.FIELDS, row[len(key) :], strict=True))
        )
        for row in rows
    ]
    return [f"{audit.RULES[rule]}: {count:,} of its versions" for rule, count in counts], samples


def _first(session: Session, this: Comparison) -> tuple[Difference, ...]:
    """The first rows that differ; one that is expected and one that is found with the same key are one difference."""
    names = [column.name for column in this.compared]
    rows = session.query(comparison.first(this.compared, this.key, 2 * MOST + 1)).rows
    sides = [(side, copies, dict(zip(names, values, strict=True))) for side, copies, *values in rows]
    found: list[Difference] = []
    while sides and len(found) < MOST:
        side, copies, row = sides.pop(0)
        key = {name: row[name] for name in this.key}
        twin = next((other for other in sides if _is_twin(this.key, other, side, copies, row)), None) if key else None
        if twin is None:
            whole = {name: value for name, value in row.items() if name not in key}
            found.append(Difference(key, whole if side > 0 else None, None if side > 0 else whole, copies))
            continue
        sides.remove(twin)
        expected, stored = (row, twin[2]) if side > 0 else (twin[2], row)
        differing = [name for name in names if not _alike(expected[name], stored[name])]
        found.append(
            Difference(key, {n: expected[n] for n in differing}, {n: stored[n] for n in differing}, copies=copies)
        )
    return tuple(found)


def _is_twin(key: Sequence[str], other: _Side, side: int, copies: int, row: dict[str, Any]) -> bool:
    return other[0] == -side and other[1] == copies and all(_alike(other[2][name], row[name]) for name in key)


def _alike(left: Any, right: Any) -> bool:
    """NaN is like itself."""
    return bool(left == right) or (
        isinstance(left, float) and isinstance(right, float) and isnan(left) and isnan(right)
    )
