"""Two sets of rows compared as multisets: which rows only one of them has. Everything is text.

NULLs are equal, copies count, text is compared byte by byte. DOUBLE and REAL are compared exactly first; of the rows
that are left, those are taken for equal whose other columns are the same and whose floating-point columns differ by no
more than TOLERANCE of the larger: a sum of floating-point numbers depends on the order they are added in.
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock.domain.relation import Column
from penstock.materializations.changelog import exact
from penstock.quoting import columns, identifier

TOLERANCE = 1e-9
FLOATING = frozenset({"DOUBLE", "FLOAT", "REAL"})
APART = "_penstock_apart"
CLOSE = "_penstock_close"
SIDE = "_penstock_side"
"""1: expected and not found, -1: found and not expected."""
COPIES = "_penstock_copies"
_PLACE = "_penstock_place"
_CLASS = "_penstock_class"
_RANK = "_penstock_rank"
_ONE, _SUM = "_penstock_one", "_penstock_sum"


def apart(expected: str, found: str, shape: Sequence[Column]) -> str:
    """A temporary table of the rows that only one side has, one for each copy."""
    listed = ", ".join(f"{exact(column)} AS {identifier(column.name)}" for column in shape)
    names = columns(column.name for column in shape)
    return (
        f"CREATE OR REPLACE TEMP TABLE {APART} AS SELECT *, row_number() OVER () AS {_PLACE} FROM ("
        f"SELECT {names}, CAST(sign({_SUM}) AS TINYINT) AS {SIDE}, unnest(range(CAST(abs({_SUM}) AS BIGINT))) AS "
        f"{_RANK} FROM (SELECT {names}, sum({_ONE}) AS {_SUM} FROM (SELECT {listed}, 1 AS {_ONE} FROM {expected} "
        f"UNION ALL SELECT {listed}, -1 AS {_ONE} FROM {found}) GROUP BY {names} HAVING sum({_ONE}) <> 0))"
    )


def has_floating(shape: Sequence[Column]) -> bool:
    return any(column.type in FLOATING for column in shape)


def close(shape: Sequence[Column]) -> tuple[str, ...]:
    """Statements that take out of APART the rows that are equal within the tolerance, one for one.

    Rows that are close to one another form classes; of each class as many go as the smaller side has.
    """
    same = [f"e.{identifier(c.name)} IS NOT DISTINCT FROM f.{identifier(c.name)}" for c in shape if not _floats(c)]
    near = [_near(column.name) for column in shape if _floats(column)]
    pair = " AND ".join((*same, *near))
    one, other = (f"(SELECT * FROM {APART} WHERE {SIDE} = {side})" for side in (1, -1))
    ranked = f"row_number() OVER (PARTITION BY {_CLASS}, {SIDE} ORDER BY {_PLACE})"
    return (
        f"CREATE OR REPLACE TEMP TABLE {CLOSE} AS WITH pairs AS (SELECT e.{_PLACE} AS e, f.{_PLACE} AS f "
        f"FROM {one} AS e JOIN {other} AS f ON {pair}), found AS (SELECT f AS {_PLACE}, -1 AS {SIDE}, min(e) AS "
        f"{_CLASS} FROM pairs GROUP BY f), expected AS (SELECT p.e AS {_PLACE}, 1 AS {SIDE}, min(f.{_CLASS}) AS "
        f"{_CLASS} FROM pairs AS p JOIN found AS f ON f.{_PLACE} = p.f GROUP BY p.e) "
        f"SELECT *, {ranked} AS {_RANK} FROM (FROM found UNION ALL BY NAME FROM expected)",
        f"DELETE FROM {APART} WHERE {_PLACE} IN (SELECT c.{_PLACE} FROM {CLOSE} AS c SEMI JOIN {CLOSE} AS o "
        f"ON o.{_CLASS} = c.{_CLASS} AND o.{_RANK} = c.{_RANK} AND o.{SIDE} = -c.{SIDE})",
        f"DROP TABLE {CLOSE}",
    )


def _floats(column: Column) -> bool:
    return column.type in FLOATING


def _near(name: str) -> str:
    """Infinities and NaN are near themselves only: their difference is not a number."""
    left, right = f"e.{identifier(name)}", f"f.{identifier(name)}"
    return (
        f"({left} IS NOT DISTINCT FROM {right} OR (isfinite({left}) AND isfinite({right}) AND "
        f"abs({left} - {right}) <= {TOLERANCE!r} * greatest(abs({left}), abs({right}))))"
    )


COUNTS = f"SELECT count(*) FILTER ({SIDE} > 0), count(*) FILTER ({SIDE} < 0) FROM {APART}"
"""One row: rows that are missing, rows that are there and ought not to be."""


def first(shape: Sequence[Column], key: Sequence[str], most: int) -> str:
    """The first rows of APART by their key, equal ones folded: side, copies, then the columns."""
    order = f"{columns(key)}, " if key else ""
    listed = columns(column.name for column in shape)
    return (
        f"SELECT {SIDE}, count(*) AS {COPIES}, {listed} FROM {APART} GROUP BY {SIDE}, {listed} "
        f"ORDER BY {order}{listed}, {SIDE} LIMIT {int(most)}"
    )


DROP = f"DROP TABLE IF EXISTS {APART}"
