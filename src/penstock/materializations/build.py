"""From a model and what is in the warehouse to the statements that make it. One function per materialization.

`view`, `rebuild` and `append` need nothing but the SELECT. `auto` keeps a relation equal to its SELECT and is free to
choose how; a rebuild is always right, so a rebuild it is until a cheaper way is proven for the query's shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from penstock.domain.ledger import RelationKind
from penstock.domain.model import Model
from penstock.domain.relation import Column
from penstock.errors import DataError, UserError
from penstock.quoting import columns, identifier, qualified

NEW = "_penstock_new"


@dataclass(frozen=True, slots=True)
class Target:
    """The relation as it stands: what kind it is (None: absent) and its columns (empty: absent)."""

    kind: RelationKind | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Build:
    """Statements in order. `counted` are the positions whose row counts say how many rows changed; with none of them
    the relation is new as a whole. `unique`, asked after `prepare` when there is any and else at the end, is a query
    that must give no row: keys that stand more than once."""

    prepare: tuple[str, ...] = ()
    unique: str | None = None
    statements: tuple[str, ...] = ()
    counted: tuple[int, ...] = ()
    cleanup: tuple[str, ...] = ()
    view: bool = False


def name_of(model: Model) -> str:
    return qualified(model.relation.layer, model.relation.name)


def duplicates(relation: str, key: Sequence[str]) -> str:
    """Keys that stand more than once in `relation`, a few of them, with their count."""
    keys = columns(key)
    return f"SELECT {keys}, count(*) FROM {relation} GROUP BY {keys} HAVING count(*) > 1 LIMIT 5"


def view(model: Model, select: str, target: Target) -> Build:
    drop = (f"DROP TABLE {name_of(model)}",) if target.kind == "table" else ()
    return Build(statements=(*drop, f"CREATE OR REPLACE VIEW {name_of(model)} AS {select}"), view=True)


def rebuild(model: Model, select: str, target: Target) -> Build:
    drop = (f"DROP VIEW {name_of(model)}",) if target.kind == "view" else ()
    return Build(statements=(*drop, f"CREATE OR REPLACE TABLE {name_of(model)} AS {select}"))


def append(model: Model, select: str, target: Target) -> Build:
    """New keys are added, known keys whose row differs are corrected, no row is ever removed. Twice is once."""
    if target.kind != "table":
        return replace(rebuild(model, select, target), unique=duplicates(name_of(model), model.key))
    table = name_of(model)
    same = " AND ".join(f"t.{identifier(k)} IS NOT DISTINCT FROM n.{identifier(k)}" for k in model.key)
    keys = {name.lower() for name in model.key}
    differs = " OR ".join(
        f"t.{identifier(name)} IS DISTINCT FROM n.{identifier(name)}"
        for name in target.columns
        if name.lower() not in keys
    )
    names = columns(target.columns)
    correct = (f"DELETE FROM {table} AS t USING {NEW} AS n WHERE {same} AND ({differs})",) if differs else ()
    return Build(
        prepare=(f"CREATE OR REPLACE TEMP TABLE {NEW} AS {select}",),
        unique=duplicates(NEW, model.key),
        statements=(
            *correct,
            f"INSERT INTO {table} ({names}) SELECT {names} FROM {NEW} AS n "
            f"WHERE NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {same})",
        ),
        counted=tuple(range(len(correct) + 1)),
        cleanup=(f"DROP TABLE {NEW}",),
    )


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


MATERIALIZATIONS: MappingProxyType[str, Callable[[Model, str, Target], Build]] = MappingProxyType(
    {"view": view, "rebuild": rebuild, "append": append}
)
