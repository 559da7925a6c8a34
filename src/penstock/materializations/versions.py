"""Versions of rows, dated by when a change was seen or by a column of theirs, wherever in time they belong.

The versions of one key lie on a line of time: each begins somewhere and ends where the next one begins, or where the
key was found gone. Rows that arrive late are put in between and shorten the one before them, so the line is the same
whatever the order they arrived in. Here the part of each line that rows at hand touch is drawn anew, and compared with
what is stored: what comes out is which stored rows leave and which enter. Everything here is text.

    FRESH       rows that are not the current version of their key
    ABSENT      keys that have gone
    KNOWN       stored versions of the keys of both
    PLACED      FRESH, with the time each is valid from
    LINE        how the versions of those keys should be
    GONE, CAME  the difference (see materializations/maintain.py)

Versions dated by when a change was seen come one after the other: for these there is nothing to place, and no line to
draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from penstock.domain.relation import Column
from penstock.materializations.changelog import exact
from penstock.materializations.maintain import CAME, GONE, ROW
from penstock.quoting import columns, identifier, literal
from penstock.record import record

FRESH = "_penstock_fresh"
ABSENT = "_penstock_absent"
KNOWN = "_penstock_known"
PLACED = "_penstock_placed"
LINE = "_penstock_line"
TEMPORARY = (FRESH, ABSENT, KNOWN, PLACED, LINE, GONE, CAME)
_FROM, _OPEN, _INSTEAD = "_penstock_from", "_penstock_open", "_penstock_instead"
_TIME, _IS_VERSION = "_penstock_time", "_penstock_is_version"


@record
class Versions:
    """`table` (quoted) holds versions: `own` columns, `meta`, valid_from, valid_to, is_current. `key` tells whose
    version a row is; a row that differs in `compared` columns is another one. `at` is now: text of a UTC timestamp,
    later than all before. `effective` is the own, compared column that dates versions; None: they are dated by `at`.
    `whole`: a key that is not given has gone, and one that is given is there. `ended`: a condition on a current version
    `h` whose key is not given, which ends it where that alone does not. `reopens`: a key may come back whose last
    version has ended. `meta`: further columns, and SQL of their value in a new version."""

    table: str
    key: tuple[str, ...]
    own: tuple[Column, ...]
    at: str
    compared: tuple[str, ...]
    effective: str | None = None
    whole: bool = True
    ended: str = ""
    reopens: bool = False
    meta: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.own)

    @property
    def stored(self) -> tuple[str, ...]:
        """Every column of the table, in no order that matters."""
        return (*self.names, *self.meta, "valid_from", "valid_to", "is_current")

    @property
    def now(self) -> str:
        return f"CAST({literal(self.at)} AS TIMESTAMP)"

    def when(self, prefix: str) -> str:
        """SQL of what a row says it is valid from."""
        return f"CAST({prefix}.{identifier(self.effective)} AS TIMESTAMP)" if self.effective else self.now

    def same_key(self, left: str, right: str) -> str:
        return " AND ".join(
            f"{left}.{identifier(name)} IS NOT DISTINCT FROM {right}.{identifier(name)}" for name in self.key
        )

    def differs(self, left: str, right: str) -> str:
        """SQL of whether two rows of one key are two versions."""
        wanted = {name.lower() for name in self.compared}
        found = " OR ".join(
            f"{exact(column, f'{left}.')} IS DISTINCT FROM {exact(column, f'{right}.')}"
            for column in self.own
            if column.name.lower() in wanted
        )
        return f"({found})" if found else "false"


def fresh(of: Versions, rows: str) -> str:
    """Of `rows` (a FROM item with the own columns) those that are not the current version of their key."""
    return (
        f"CREATE OR REPLACE TEMP TABLE {FRESH} AS SELECT {columns(of.names, 'b')}, {of.when('b')} AS {_FROM}, "
        f"c.is_current IS NOT NULL AS {_OPEN} FROM {rows} AS b "
        f"LEFT JOIN (SELECT * FROM {of.table} WHERE is_current) AS c ON {of.same_key('b', 'c')} "
        f"WHERE c.is_current IS NULL OR {of.differs('b', 'c')}"
    )


def absent(of: Versions, present: str, scope: str = "") -> str:
    """The keys that have gone: current, and not among the keys of `present` (a FROM item). `scope`: a condition on the
    stored version `h`, where not all keys were looked for."""
    if not of.whole and not of.ended:
        return f"CREATE OR REPLACE TEMP TABLE {ABSENT} AS SELECT {columns(of.key)} FROM {of.table} LIMIT 0"
    within = "" if of.whole else f" AND ({of.ended})"
    within += f" AND {scope}" if scope else ""
    return (
        f"CREATE OR REPLACE TEMP TABLE {ABSENT} AS SELECT {columns(of.key, 'h')} FROM {of.table} AS h "
        f"WHERE h.is_current{within} AND NOT EXISTS "
        f"(SELECT 1 FROM (SELECT {columns(of.key)} FROM {present}) AS p WHERE {of.same_key('p', 'h')})"
    )


def known(of: Versions) -> str:
    """The stored versions of the keys concerned: of those dated by `at` only the current ones can change."""
    keys = columns(of.key)
    current = "" if of.effective else " WHERE h.is_current"
    return (
        f"CREATE OR REPLACE TEMP TABLE {KNOWN} AS SELECT h.rowid AS {ROW}, {columns(of.stored, 'h')} "
        f"FROM {of.table} AS h SEMI JOIN (SELECT {keys} FROM {FRESH} UNION ALL SELECT {keys} FROM {ABSENT}) AS t "
        f"ON {of.same_key('h', 't')}{current}"
    )


def placed(of: Versions) -> str:
    """Where each fresh row begins.

    Dated by a column: where that says, with three exceptions. A row that says the same time as a stored version takes
    its place, the later one wins. A key that was gone and is back is so from what its row says, or, when that lies
    before it was found gone, from now. And one that is newer than a current version which began late for that
    reason begins now.
    """
    own = columns(of.names, "f")
    keys = columns(of.key)
    back = "(l.is_current IS NOT NULL AND NOT l.is_current)" if of.whole or of.reopens else "false"
    newest = f"max(f.{_FROM}) OVER (PARTITION BY {columns(of.key, 'f')})"
    overtakes = f"(l.is_current AND f.{_FROM} > {of.when('l')} AND f.{_FROM} <= l.valid_from AND f.{_FROM} = {newest})"
    return (
        f"CREATE OR REPLACE TEMP TABLE {PLACED} AS SELECT {own}, f.{_OPEN}, "
        f"CASE WHEN {back} THEN CASE WHEN f.{_FROM} >= l.valid_to THEN f.{_FROM} ELSE {of.now} END "
        f"WHEN s.{ROW} IS NOT NULL THEN s.valid_from WHEN {overtakes} THEN {of.now} ELSE f.{_FROM} END AS {_FROM}, "
        f"CASE WHEN NOT {back} THEN s.{ROW} END AS {_INSTEAD} FROM {FRESH} AS f "
        f"LEFT JOIN (SELECT * FROM {KNOWN} QUALIFY row_number() OVER (PARTITION BY {keys}, {of.when(KNOWN)} "
        f"ORDER BY valid_from DESC) = 1) AS s ON {of.same_key('f', 's')} AND {of.when('s')} = f.{_FROM} "
        f"LEFT JOIN (SELECT * FROM {KNOWN} QUALIFY row_number() OVER (PARTITION BY {keys} "
        f"ORDER BY valid_from DESC) = 1) AS l ON {of.same_key('f', 'l')} "
        f"WHERE {back} OR s.{ROW} IS NULL OR {of.differs('f', 's')}"
    )


def line(of: Versions) -> str:
    """The versions of the keys concerned as they should be. A version that was to begin later than its key was found
    gone has never been."""
    meta = "".join(f", {identifier(name)}" for name in of.meta)
    given = "".join(f", {value} AS {identifier(name)}" for name, value in of.meta.items())
    names, keys = columns(of.names), columns(of.key)
    end = f"{keys}, {{}} AS {_TIME}, 0 AS {_IS_VERSION}"
    events = " UNION ALL BY NAME ".join(
        (
            f"SELECT {names}{meta}, valid_from AS {_TIME}, 1 AS {_IS_VERSION} FROM {KNOWN} AS k WHERE {ROW} NOT IN "
            f"(SELECT {_INSTEAD} FROM {PLACED} WHERE {_INSTEAD} IS NOT NULL) AND NOT (k.valid_from >= {of.now} AND "
            f"EXISTS (SELECT 1 FROM {ABSENT} AS a WHERE {of.same_key('a', 'k')}))",
            f"SELECT {names}{given}, {_FROM} AS {_TIME}, 1 AS {_IS_VERSION} FROM {PLACED}",
            f"SELECT {end.format('valid_to')} FROM {KNOWN} QUALIFY valid_to IS NOT NULL AND valid_to IS DISTINCT FROM "
            f"lead(valid_from) OVER (PARTITION BY {keys} ORDER BY valid_from)",
            f"SELECT {end.format(of.now)} FROM {ABSENT}",
        )
    )
    return (
        f"CREATE OR REPLACE TEMP TABLE {LINE} AS SELECT {names}{meta}, {_TIME} AS valid_from, "
        f"lead({_TIME}) OVER w AS valid_to, lead({_TIME}) OVER w IS NULL AS is_current FROM ({events}) "
        f"WINDOW w AS (PARTITION BY {keys} ORDER BY {_TIME}, {_IS_VERSION}) QUALIFY {_IS_VERSION} = 1"
    )


def difference(of: Versions, found: Sequence[Column]) -> tuple[str, str]:
    """Statements for GONE and CAME. `found`: the table's columns, in their order."""
    same = " AND ".join(f"{exact(column, 'k.')} IS NOT DISTINCT FROM {exact(column, 'n.')}" for column in found)
    listed = [column.name for column in found]
    return (
        f"CREATE OR REPLACE TEMP TABLE {GONE} AS SELECT k.{ROW}, {columns(listed, 'k')} FROM {KNOWN} AS k "
        f"ANTI JOIN {LINE} AS n ON {same}",
        f"CREATE OR REPLACE TEMP TABLE {CAME} AS SELECT {columns(listed, 'n')} FROM {LINE} AS n "
        f"ANTI JOIN {KNOWN} AS k ON {same}",
    )


def ended(of: Versions, found: Sequence[Column]) -> tuple[str, str]:
    """Statements for GONE and CAME where versions are dated by when they were seen: nothing belongs in between, so what
    is current ends now and what is fresh begins now. `found`: the table's columns, in their order."""
    listed = [column.name for column in found]
    now = {"valid_to": f"{of.now} AS valid_to", "is_current": "false AS is_current"}
    then = {"valid_from": f"{of.now} AS valid_from", "valid_to": "NULL AS valid_to", "is_current": "true AS is_current"}
    then |= {name: f"{value} AS {identifier(name)}" for name, value in of.meta.items()}
    ending = ", ".join(now.get(name, identifier(name)) for name in listed)
    begun = ", ".join(then.get(name, identifier(name)) for name in listed)
    return (
        f"CREATE OR REPLACE TEMP TABLE {GONE} AS SELECT {ROW}, {columns(listed)} FROM {KNOWN}",
        f"CREATE OR REPLACE TEMP TABLE {CAME} AS SELECT {ending} FROM {KNOWN} UNION ALL SELECT {begun} FROM {FRESH}",
    )


def statements(
    of: Versions, rows: str, found: Sequence[Column], *, present: str | None = None, scope: str = ""
) -> tuple[str, ...]:
    """All of them, in order, ending with GONE and CAME. `present` has the key of every row given, also of rows that
    were held back (None: those of `rows`)."""
    first = (fresh(of, rows), absent(of, present or rows, scope), known(of))
    if of.effective is None:
        return (*first, *ended(of, found))
    return (*first, placed(of), line(of), *difference(of, found))


PLACES = f"SELECT count(*) FILTER (NOT {_OPEN}), count(*) FILTER ({_OPEN}) FROM {PLACED}"
"""One row: how many rows were placed whose key had no current version, and how many whose key had one."""
ENDED = f"SELECT count(*) FROM {ABSENT}"
