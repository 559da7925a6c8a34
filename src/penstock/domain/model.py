"""Models: relations defined by a SELECT or by a Python function."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from penstock.domain.check import Check, Tolerance
from penstock.domain.contract import Contract
from penstock.domain.layer import Materialization
from penstock.domain.relation import RelationName
from penstock.domain.strategy import Strategy
from penstock.errors import Location
from penstock.record import record


@record
class Model:
    """One relation of the warehouse and how it is made.

    `sql` is the SELECT as it runs, project functions expanded, `$name` parameters still in it; empty for Python
    models. `line` is the line of the file where that SELECT begins, so that an engine's "LINE 3" can be told as
    file:line. `parameters` are the `$names` it uses. `fingerprint` changes when the meaning of the definition may have
    changed: comments and formatting do not count. `columns` is what a Python model promises to return, or what a SQL
    model's output is declared to be. `strategy`: how its rows are kept, as far as that was declared. `checks` must
    hold for its rows; values of its `pii` columns are not shown in what is told of them.
    `max_quarantined`: how many rows may be set apart before a build fails (None: any number). `drives`: the relation
    each row of which gives at most one row of this one; None where rows are joined or put together. `publish_group`:
    models of one become visible together; empty for one that stands alone.
    """

    relation: RelationName
    language: Literal["sql", "python"]
    materialization: Materialization
    location: Location
    fingerprint: str
    sql: str = ""
    line: int = 1
    reads: tuple[RelationName, ...] = ()
    parameters: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    owner: str | None = None
    tags: tuple[str, ...] = ()
    description: str = ""
    strategy: Strategy = field(default_factory=Strategy)
    checks: tuple[Check, ...] = ()
    pii: tuple[str, ...] = ()
    contract: Contract | None = None
    max_quarantined: Tolerance | None = None
    drives: RelationName | None = None
    publish_group: str = ""

    @property
    def refers(self) -> tuple[RelationName, ...]:
        """Other relations that its checks look at: they have to be made before it, and are none of its inputs."""
        found = dict.fromkeys(name for check in self.checks for name in check.refers)
        return tuple(name for name in found if name != self.relation)
