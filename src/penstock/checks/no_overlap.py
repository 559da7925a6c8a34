"""no_overlap: the times of one key, each from `from` until before `to`, do not overlap. No `to` means for ever. A row
without `from`, or that ends before it begins, fails; one that begins and ends at the same moment covers nothing.
With `gaps: false` each has to begin where the one before it ended. NULLs in the key are one key."""

from __future__ import annotations

from penstock.checks.kind import Option, SelectKind, Subject, restricted
from penstock.domain.check import Check


def _failing(check: Check, subject: Subject) -> str:
    keys = ", ".join(f"t.{subject.quoted(name)}" for name in check.columns)
    begin, end = (f"t.{subject.quoted(check.options[name][0])}" for name in ("from", "to"))
    rows = restricted(check, subject.table)
    covers = f"({begin} IS NOT NULL AND coalesce({end} > {begin}, true))"
    before = f"FILTER ({covers}) OVER w"
    overlaps = f"_penstock_open OR _penstock_last > {begin}"
    if not check.options["gaps"]:
        overlaps += f" OR _penstock_last < {begin}"
    return (
        f"SELECT t.* EXCLUDE (_penstock_last, _penstock_open) FROM (SELECT t.*, "
        f"max({end}) {before} AS _penstock_last, coalesce(bool_or({end} IS NULL) {before}, false) AS _penstock_open "
        f"FROM {rows} AS t WINDOW w AS (PARTITION BY {keys} ORDER BY {begin}, {end} NULLS LAST "
        f"ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS t "
        f"WHERE {begin} IS NULL OR {end} < {begin} OR ({covers} AND ({overlaps}))"
    )


KIND = SelectKind(
    name="no_overlap",
    dimension="consistency",
    failing=_failing,
    says=lambda check: f"times of one {', '.join(check.columns)} that do not overlap",
    options={
        "from": Option("columns", ("valid_from",), "The column that says since when."),
        "to": Option("columns", ("valid_to",), "The column that says until when."),
        "gaps": Option("flag", True, "There may be times between that no row covers."),
    },
)
