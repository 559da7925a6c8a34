"""From a model to the statements that make its relation, and what its output must look like. Pure.

`view`, `rebuild` and `append` need nothing but the SELECT. `auto` keeps a relation equal to its SELECT and is free to
choose how (see materializations/maintain.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock.domain.model import Model
from penstock.domain.relation import Column
from penstock.errors import DataError, UserError
from penstock.quoting import columns, qualified


def name_of(model: Model) -> str:
    return qualified(model.relation.layer, model.relation.name)


def duplicates(relation: str, key: Sequence[str]) -> str:
    """Keys that stand more than once in `relation`, a few of them, with their count."""
    keys = columns(key)
    return f"SELECT {keys}, count(*) FROM {relation} GROUP BY {keys} HAVING count(*) > 1 LIMIT 5"


def view(model: Model, select: str) -> str:
    return f"CREATE OR REPLACE VIEW {name_of(model)} AS {select}"


def table(model: Model, select: str) -> str:
    return f"CREATE OR REPLACE TABLE {name_of(model)} AS {select}"


def check_output(model: Model, found: Sequence[Column]) -> None:
    """Two columns of one name would be renamed silently; declared columns must be there."""
    names = [column.name for column in found]
    lowered = [name.lower() for name in names]
    double = sorted({name for name in lowered if lowered.count(name) > 1})
    if double:
        raise UserError(
            f"{model.relation}: more than one output column is named {', '.join(double)}",
            code="DUPLICATE_COLUMN",
            hint="give each column a name of its own with AS, or leave one out with SELECT * EXCLUDE (...)",
        )
    if model.columns and names != list(model.columns):
        raise DataError(
            f"{model.relation}: expected the columns {', '.join(model.columns)}, found {', '.join(names)}",
            code="WRONG_COLUMNS",
            hint="make the SELECT and the declared `columns:` agree",
        )


def check_kept(model: Model, found: Sequence[Column], before: Sequence[Column]) -> None:
    """An appended table keeps the columns it has, and their types."""
    names, kept = [column.name for column in found], [column.name for column in before]
    if names == kept:
        names, kept = ([f"{column.name} {column.type}" for column in each] for each in (found, before))
    if names != kept:
        raise DataError(
            f"{model.relation}: expected the columns it has ({', '.join(kept)}), found {', '.join(names)}",
            code="SCHEMA_CHANGED",
            hint=f"an appended table keeps its schema; to change it: penstock run --full-refresh {model.relation}",
        )


def check_unique(model: Model, found: Sequence[Sequence[object]]) -> None:
    """`found`: keys that stand more than once, with their counts."""
    if found:
        keys = "; ".join(", ".join(str(value) for value in row[:-1]) for row in found)
        raise DataError(
            f"{model.relation}: expected one row per key ({', '.join(model.key)}), found several for: {keys}",
            code="KEY_NOT_UNIQUE",
            hint="the SELECT gives several rows for one key: aggregate or deduplicate, or declare the right key",
        )
