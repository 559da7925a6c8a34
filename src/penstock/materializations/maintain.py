"""From rows as they are and rows as they should be to the rows that leave and enter a table, and those into the table.

Both sides are multisets: NULLs are equal, copies count, text is compared byte by byte whatever its collation. Stamps
(columns that hold the time of their making) are not compared; a row that comes out equal keeps the stamp it has.
Everything here is text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from penstock.domain.maintenance import AFFECTED
from penstock.domain.relation import Column, RelationName
from penstock.materializations.changelog import COUNT, SIGN, copied, exact, images
from penstock.quoting import columns, identifier, qualified

NEW = "_penstock_new"
OLD = "_penstock_old"
DIFFERENCE = "_penstock_difference"
GONE = "_penstock_gone"
CAME = "_penstock_came"
PAIRS = "_penstock_pairs"
ROW = "_penstock_row"
ENTERING = "_penstock_entering"
"""What a row of NEW is called in a subquery about a table: `n.id` there would be the field of a column `n`."""
_IS_NEW = "_penstock_is_new"
TEMPORARY = (NEW, OLD, DIFFERENCE, GONE, CAME, PAIRS)
"""Every temporary table that is made here."""


class Images(NamedTuple):
    """FROM items of the rows that leave a table, with their places (ROW), and of those that enter it."""

    gone: str = GONE
    came: str = CAME


ASIDE = Images()
"""Those that have been put into GONE and CAME."""


def name_of(relation: RelationName) -> str:
    return qualified(relation.layer, relation.name)


def placeless(found: Sequence[Column]) -> bool:
    """Whether a column stands before the place of a row in the table, by the name of it: rows cannot be told then."""
    return any(column.name.lower() == "rowid" for column in found)


def aside(select: str) -> str:
    """The rows as they should be, in a temporary table."""
    return f"CREATE OR REPLACE TEMP TABLE {NEW} AS {select}"


def affected(units: int, relation: RelationName) -> str:
    """One row: how many units are affected, how many of these have a NULL in them, how many rows the relation has."""
    nulls = " OR ".join(f"u{place} IS NULL" for place in range(units))
    return (
        f"SELECT count(*), count(*) FILTER ({nulls or 'false'}), (SELECT count(*) FROM {name_of(relation)}) "
        f"FROM {AFFECTED}"
    )


def old(relation: RelationName, unit: Sequence[str], into: str = OLD) -> str:
    """The rows of the affected units as they are, with their places in the table."""
    same = " AND ".join(
        f"a.{identifier(f'u{place}')} IS NOT DISTINCT FROM m.{identifier(name)}" for place, name in enumerate(unit)
    )
    return (
        f"CREATE OR REPLACE TEMP TABLE {into} AS SELECT m.rowid AS {ROW}, m.* FROM {name_of(relation)} AS m "
        f"SEMI JOIN {AFFECTED} AS a ON {same or 'true'}"
    )


def difference(before: str, found: Sequence[Column], stamps: Sequence[str], new: str = NEW) -> str:
    """Each row that `before` and `new` (FROM items) do not hold equally often, with how many more `new` has."""
    listed = images(_compared(found, stamps))
    lead = f"{listed}, " if listed else ""
    return (
        f"CREATE OR REPLACE TEMP TABLE {DIFFERENCE} AS SELECT *, row_number() OVER () AS _penstock_group FROM ("
        f"SELECT * EXCLUDE ({SIGN}), sum({SIGN}) AS {COUNT} FROM (SELECT {lead}-1 AS {SIGN} FROM {before} "
        f"UNION ALL SELECT {lead}1 AS {SIGN} FROM {new}) GROUP BY ALL HAVING sum({SIGN}) <> 0)"
    )


DIFFERENT = (
    f"SELECT CAST(coalesce(-sum({COUNT}) FILTER ({COUNT} < 0), 0) AS BIGINT), "
    f"CAST(coalesce(sum({COUNT}) FILTER ({COUNT} > 0), 0) AS BIGINT) FROM {DIFFERENCE}"
)
"""One row: how many rows leave, how many enter."""


def gone(before: str, found: Sequence[Column], stamps: Sequence[str], row: str) -> str:
    """The rows that leave: their places and images. `before` is what was compared, `row` its column of places."""
    return f"CREATE OR REPLACE TEMP TABLE {GONE} AS {_chosen(before, found, stamps, -1, f'r.{row} AS {ROW}')}"


def came(found: Sequence[Column], stamps: Sequence[str], new: str = NEW) -> str:
    """The rows that enter, with stamps of now. `new` is what was compared."""
    names = [column.name for column in found]
    if stamps:
        return f"CREATE OR REPLACE TEMP TABLE {CAME} AS {_chosen(new, found, stamps, 1, '')}"
    return f"CREATE OR REPLACE TEMP TABLE {CAME} AS {copied(names, DIFFERENCE, 1)}"


def _chosen(rows: str, found: Sequence[Column], stamps: Sequence[str], sign: int, place: str) -> str:
    """As many of the `rows` as DIFFERENCE counts of one sign; which of several equal ones does not matter."""
    same = " AND ".join(
        f"{exact(column, 'r.')} IS NOT DISTINCT FROM {exact(column, 'd.')}" for column in _compared(found, stamps)
    )
    names = columns(column.name for column in found)
    first = f"{place}, " if place else ""
    kept = f"{ROW}, {names}" if place else names
    return (
        f"SELECT {kept} FROM (SELECT {first}{columns((c.name for c in found), 'r')}, "
        f"{sign} * d.{COUNT} AS _penstock_most, "
        f"row_number() OVER (PARTITION BY d._penstock_group) AS _penstock_copy FROM {rows} AS r "
        f"JOIN (SELECT * FROM {DIFFERENCE} WHERE {sign} * {COUNT} > 0) AS d ON {same or 'true'}) "
        "WHERE _penstock_copy <= _penstock_most"
    )


def pairs(before: str, found: Sequence[Column], stamps: Sequence[str], key: Sequence[str]) -> str:
    """What `difference`, `gone` and `came` find out, in one statement: for rows with their places (`before`, a FROM
    item) and NEW, neither of which holds a key twice."""
    keys = {name.lower() for name in key}
    of_key = [column for column in found if column.name.lower() in keys]
    rest = [column for column in _compared(found, stamps) if column.name.lower() not in keys]
    same = " AND ".join(f"{exact(column, 'o.')} IS NOT DISTINCT FROM {exact(column, 'n.')}" for column in of_key)
    differs = "".join(f" OR {exact(column, 'o.')} IS DISTINCT FROM {exact(column, 'n.')}" for column in rest)
    images_of_both = ", ".join(
        f"{side}.{identifier(column.name)} AS {side}{place}" for side in "on" for place, column in enumerate(found)
    )
    return (
        f"CREATE OR REPLACE TEMP TABLE {PAIRS} AS SELECT o.{ROW}, n.{_IS_NEW}, {images_of_both} FROM {before} AS o "
        f"FULL JOIN (SELECT *, true AS {_IS_NEW} FROM {NEW}) AS n ON {same} "
        f"WHERE o.{ROW} IS NULL OR n.{_IS_NEW} IS NULL{differs}"
    )


PAIRED = f"SELECT count({ROW}), count({_IS_NEW}) FROM {PAIRS}"
"""One row: how many rows leave, how many enter."""


def paired(found: Sequence[Column]) -> Images:
    """The rows of PAIRS."""

    def side(of: str) -> str:
        return ", ".join(f"{of}{place} AS {identifier(column.name)}" for place, column in enumerate(found))

    return Images(
        f"(SELECT {ROW}, {side('o')} FROM {PAIRS} WHERE {ROW} IS NOT NULL)",
        f"(SELECT {side('n')} FROM {PAIRS} WHERE {_IS_NEW} IS NOT NULL)",
    )


def _compared(found: Sequence[Column], stamps: Sequence[str]) -> list[Column]:
    ignored = {name.lower() for name in stamps}
    return [column for column in found if column.name.lower() not in ignored]


def correction(
    relation: RelationName, found: Sequence[Column], key: Sequence[str], stamps: Sequence[str] = ()
) -> tuple[str, str]:
    """Statements for GONE and CAME of a table that keeps what its SELECT gives no more: rows of NEW whose key is new
    enter, those whose key is known and that differ take the place of the row that has it."""
    table = name_of(relation)
    aside = {name.lower() for name in (*key, *stamps)}
    same = " AND ".join(f"t.{identifier(name)} IS NOT DISTINCT FROM {ENTERING}.{identifier(name)}" for name in key)
    differs = " OR ".join(
        f"{exact(column, 't.')} IS DISTINCT FROM {exact(column, f'{ENTERING}.')}"
        for column in found
        if column.name.lower() not in aside
    )
    listed = [column.name for column in found]
    return (
        f"CREATE OR REPLACE TEMP TABLE {GONE} AS SELECT t.rowid AS {ROW}, {columns(listed, 't')} FROM {table} AS t "
        f"JOIN {NEW} AS {ENTERING} ON {same} WHERE {differs or 'false'}",
        f"CREATE OR REPLACE TEMP TABLE {CAME} AS SELECT {columns(listed, ENTERING)} FROM {NEW} AS {ENTERING} "
        f"WHERE NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {same} AND NOT ({differs or 'false'}))",
    )


CORRECTED = f"SELECT (SELECT count(*) FROM {GONE}), (SELECT count(*) FROM {CAME})"


def delete(relation: RelationName, gone: str = GONE) -> str:
    return f"DELETE FROM {name_of(relation)} WHERE rowid IN (SELECT {ROW} FROM {gone})"


def delete_by_key(relation: RelationName, key: Sequence[str]) -> str:
    same = " AND ".join(f"t.{identifier(name)} IS NOT DISTINCT FROM g.{identifier(name)}" for name in key)
    return f"DELETE FROM {name_of(relation)} AS t USING {GONE} AS g WHERE {same}"


def insert(relation: RelationName, names: Sequence[str], came: str = CAME) -> str:
    listed = columns(names)
    return f"INSERT INTO {name_of(relation)} ({listed}) SELECT {listed} FROM {came}"


def swap(relation: RelationName, names: Sequence[str]) -> str:
    """The whole table anew from NEW: less work than to delete and insert most of it."""
    return f"CREATE OR REPLACE TABLE {name_of(relation)} AS SELECT {columns(names)} FROM {NEW}"


def repeated(relation: RelationName, key: Sequence[str], came: str = CAME) -> str:
    """Keys among those that came which stand more than once in the table, a few of them, with their count."""
    same = " AND ".join(f"m.{identifier(name)} IS NOT DISTINCT FROM c.{identifier(name)}" for name in key)
    keys = columns(key, "m")
    return (
        f"SELECT {keys}, count(*) FROM {name_of(relation)} AS m SEMI JOIN {came} AS c ON {same} "
        f"GROUP BY {keys} HAVING count(*) > 1 LIMIT 5"
    )
