"""The complement of a model's table: rows of its SELECT that fail a check are kept beside it. Everything is text.

They are told apart once, when the rows as they should be are made; from then on there are two tables that are each
corrected by the differences between what is and what should be.
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock.domain.quarantine import COMMIT, FIRST_SEEN, META, REASONS, RULES, RUN
from penstock.domain.relation import Column
from penstock.materializations.maintain import CAME, ROW, placeless
from penstock.quoting import columns, literal
from penstock.record import record

FAILED = "_penstock_failed"
"""Rows as they should be set apart: a model's columns and the reasons."""
HELD = "_penstock_held"
"""Rows that are set apart and might not be any more, with their places."""
TEMPORARY = (FAILED, HELD)
_REASONS = next(column for column in META if column.name == REASONS)


@record
class Rule:
    """`fails`: a condition on a row, never NULL; `says`: what is wrong with a row that meets it."""

    fails: str
    says: str


def held_columns(found: Sequence[Column]) -> tuple[Column, ...]:
    """The columns of the quarantine of a model with the columns `found`."""
    return (*found, *META)


def compared(found: Sequence[Column]) -> tuple[Column, ...]:
    """The columns of FAILED. The reasons follow from the others."""
    return (*found, _REASONS)


def both(found: Sequence[Column], rows: str, others: str) -> str:
    """A FROM item: the columns `found` of two of them, what passes and what fails."""
    names = columns(column.name for column in found)
    return f"(SELECT {names} FROM {rows} UNION ALL SELECT {names} FROM {others})"


def failed(rows: str, found: Sequence[Column], rules: Sequence[Rule]) -> str:
    """FAILED: those of `rows` (a table) that a rule is against. A rule that is no condition on single rows (an
    aggregate, a window) is refused by the engine, because it stands in WHERE."""
    place = "" if placeless(found) else f"rowid AS {ROW}, "
    names = columns(column.name for column in found)
    return (
        f"CREATE OR REPLACE TEMP TABLE {FAILED} AS SELECT {place}{names}, {_reasons(rules)} AS {REASONS} FROM {rows} "
        f"WHERE {_any(rules)}"
    )


def passing(rows: str, found: Sequence[Column], rules: Sequence[Rule]) -> str:
    """Take the rows in FAILED out of the table they were found in."""
    if placeless(found):
        return f"DELETE FROM {rows} WHERE {_any(rules)}"
    return f"DELETE FROM {rows} WHERE rowid IN (SELECT {ROW} FROM {FAILED})"


def _reasons(rules: Sequence[Rule]) -> str:
    says = ", ".join(literal(rule.says) for rule in rules)
    return f"list_where([{says}]::VARCHAR[], [{', '.join(rule.fails for rule in rules)}]::BOOLEAN[])"


def _any(rules: Sequence[Rule]) -> str:
    return " OR ".join(rule.fails for rule in rules) or "false"


def table(name: str, found: Sequence[Column], *, entered: str) -> str:
    """The quarantine anew, from FAILED. `entered`: what `entering` gave."""
    names = columns(column.name for column in found)
    return f"CREATE OR REPLACE TABLE {name} AS SELECT {names}, {REASONS}, {entered} FROM {FAILED}"


def entering(now: str, run: str, rules: str) -> str:
    """The columns that a row gets when it is set apart; the commit is known last."""
    return (
        f"CAST({literal(now)} AS TIMESTAMP) AS {FIRST_SEEN}, {literal(run)} AS {RUN}, "
        f"CAST(NULL AS BIGINT) AS {COMMIT}, {literal(rules)} AS {RULES}"
    )


def insert(name: str, found: Sequence[Column], *, entered: str) -> str:
    """The rows in CAME into the quarantine."""
    names = columns(column.name for column in found)
    listed = f"{names}, {columns(column.name for column in META)}"
    return f"INSERT INTO {name} ({listed}) SELECT {names}, {REASONS}, {entered} FROM {CAME}"


def judged(name: str, rules: Sequence[Rule]) -> str:
    """Rows that stay, told by the rules of now. Value: their fingerprint, twice."""
    return f"UPDATE {name} SET {REASONS} = {_reasons(rules)}, {RULES} = ? WHERE {RULES} IS DISTINCT FROM ?"


def committed(name: str) -> str:
    """Value: the commit of the relation that the rows which entered do not stand in."""
    return f"UPDATE {name} SET {COMMIT} = ? WHERE {COMMIT} IS NULL"


def counts(name: str, rules: Sequence[Rule]) -> str:
    """One row: how many rows each rule is against."""
    each = [f"count(*) FILTER (list_contains({REASONS}, {literal(rule.says)}))" for rule in rules]
    return f"SELECT {', '.join(each)} FROM {name}"


def sample(name: str, found: Sequence[Column], rule: Rule, most: int) -> str:
    """A few rows that a rule is against."""
    names = columns(column.name for column in found)
    return f"SELECT {names} FROM {name} WHERE list_contains({REASONS}, {literal(rule.says)}) LIMIT {int(most)}"
