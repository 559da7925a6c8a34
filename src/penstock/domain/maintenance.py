"""How a maintained relation follows its inputs: statements that find what is affected and make it anew."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.domain.relation import RelationName
from penstock.record import record

AFFECTED = "_penstock_affected"
"""The temporary table of affected units: one column per unit column, named u0, u1, …"""

BELOW = "_penstock_below"
"""The name by which `Maintenance.above` reads the rows below a LIMIT."""


def new_rows(relation: RelationName) -> str:
    """The temporary table of row images that entered an input since it was last looked at (net, as a multiset)."""
    return f"_penstock_new {relation}"


def old_rows(relation: RelationName) -> str:
    """The temporary table of row images that left an input since it was last looked at (net, as a multiset)."""
    return f"_penstock_old {relation}"


@record
class Program:
    """Statements for one model and one set of changed inputs. `$name` parameters are still in them.

    The tables `new_rows(i)` and `old_rows(i)` of each changed input must exist, with all columns of the input.
    `prepare` ends by making AFFECTED; `temporary` are the temporary tables it leaves behind. `select` gives the rows
    of the affected units as they should be now, in the model's columns; `select_without_nulls` gives the same, faster,
    when no column of AFFECTED holds a NULL. `unit` are the output columns that say which
    unit a row belongs to, in the order of AFFECTED's columns. `stamps` are output columns that hold the time (or
    chance) of their making: they are not compared, and move only with a row that changed. `above` is as in Maintenance:
    where it is set, all the rest is about the rows below the model's LIMIT.
    """

    unit: tuple[str, ...]
    stamps: tuple[str, ...]
    prepare: tuple[str, ...]
    select: str
    temporary: tuple[str, ...] = ()
    select_without_nulls: str = ""
    above: str = ""


@record
class Maintenance:
    """What analysis says of a model: maintained by `unit` (with `stamps`), or, when `reason` is set, rebuilt, and why:
    half a sentence that can stand behind "rebuilt: ". `timed`: the result depends on the time by more than stamps.

    `below` and `above` are there for a model with ORDER BY and LIMIT at its top: `below` is the query without them,
    which is what `unit` and a Program are about; its rows are kept in a table of their own. `above` takes the model's
    rows from that table, which it calls BELOW.
    """

    unit: tuple[str, ...] = ()
    stamps: tuple[str, ...] = ()
    reason: str | None = None
    timed: bool = False
    below: str = ""
    above: str = ""

    def __str__(self) -> str:
        return f"rebuilt: {self.reason}" if self.reason else f"maintained by {listed(self.unit)}"


def listed(unit: Sequence[str], most: int = 4) -> str:
    """`(region, day)`; the first few of many."""
    shown = ", ".join(unit[:most])
    return f"({shown}, …)" if len(unit) > most else f"({shown})"


def counted(affected: int) -> str:
    """`3 units affected`."""
    return f"{affected:,} unit{'s' * (affected != 1)} affected"
