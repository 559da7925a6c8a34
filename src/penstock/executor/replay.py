"""When a history of a model looked at its inputs: once for each landing, so that a rebuild looks at the same times.

A landing is what one run landed; its time is that of its last batch. As long as a model reads nothing but relations of
sources, through views and tables that hold what their SELECT gives, what it gave at each of these times can still be
told from raw history: then its versions depend on the landing alone, and not on when anybody built them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from penstock.domain.model import Model
from penstock.domain.quarantine import is_split
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.executor import quarantine
from penstock.executor.work import Work
from penstock.materializations import asof
from penstock.planner.reach import Reach
from penstock.ports import Session
from penstock.record import record

POSITION = RelationName("_penstock", "time")
"""Stands among a model's applied inputs for the time of its last look, in microseconds since 1970."""
_EPOCH = datetime(1970, 1, 1)
_STEP = timedelta(microseconds=1)
_ITS_SELECT = frozenset({"auto", "rebuild"})
"""A table that is kept so holds the rows of its SELECT, without those that are set apart."""


@record
class Look:
    """At one time (UTC, without a zone). `select` gives the model's rows as they were then, None: as they are now."""

    at: datetime
    select: str | None = None

    @property
    def text(self) -> str:
        return self.at.isoformat(sep=" ", timespec="microseconds")


def looks(model: Model, work: Work, session: Session, *, anew: bool) -> tuple[Look, ...]:
    """The times to look at, in order: each landing since the last look that changed an input, the last of them as
    things are now. Never none, and none of them before the last look; `anew`: there has been none."""
    seen = None if anew else work.ledger.applied.get(model.relation, {}).get(POSITION)
    last = _EPOCH + timedelta(microseconds=seen) if seen is not None else None
    tables = sources(model, work.reach)
    times = _landings(tables, work, session) if tables else []
    waiting = [at for at in times if last is None or at > last]
    if waiting:
        return (*(Look(at, _then(model, tables or {}, at, work, session)) for at in waiting[:-1]), Look(waiting[-1]))
    now = work.started.replace(tzinfo=None)
    return (Look(now if last is None else max(now, last + _STEP)),)


def position(at: datetime) -> int:
    return (at - _EPOCH) // _STEP


def sources(model: Model, reach: Reach) -> dict[RelationName, SourceTable] | None:
    """The source tables that what a model reads is made from, by their stored relations; None when it reads anything
    whose past cannot be told: what a function or an earlier run made, a history dated by a column of the source."""
    found: dict[RelationName, SourceTable] = {}
    for relation in reach.inputs(model):
        table, other = reach.tables.get(relation), reach.models.get(relation)
        if table is not None and table.effective is None:
            found[relation] = table
        elif other is not None and other.language == "sql" and other.materialization in _ITS_SELECT:
            below = sources(other, reach)
            if below is None:
                return None
            found |= below
        else:
            return None
    return found


def _landings(tables: Mapping[RelationName, SourceTable], work: Work, session: Session) -> list[datetime]:
    """When each landing that changed one of the tables was complete."""
    marks = ", ".join("?" * len(tables))
    loaded = session.query(
        "SELECT batch, processing_ts FROM _penstock.batches WHERE inserted + updated + deleted > 0 "
        f"AND relation IN ({marks})",
        [str(table.relation) for table in tables.values()],
    ).rows
    runs = {
        batch.id: batch.run for table in tables.values() for batch in work.landing.batches(table.source, table.name)
    }
    latest: dict[str, datetime] = {}
    for batch, at in loaded:
        run = runs.get(batch, batch)
        latest[run] = max(at, latest.get(run, at))
    return sorted(set(latest.values()))


def _then(model: Model, tables: Mapping[RelationName, SourceTable], at: datetime, work: Work, session: Session) -> str:
    from penstock.sql.substitute import substituted

    text = at.isoformat(sep=" ", timespec="microseconds")
    then: dict[RelationName, str] = {}
    for relation, table in tables.items():
        found = work.catalogue.columns(session, relation) or ()
        then |= asof.relations(table, [column.name for column in found], text)

    def select(of: Model) -> str:
        for read in of.reads:
            if read not in then:
                then[read] = passing(work.reach.models[read])
        return substituted(of.sql, {read: then[read] for read in of.reads})

    def passing(of: Model) -> str:
        """Today's checks are used for all times, as is today's definition."""
        rows = select(of)
        if not is_split(of):
            return rows
        conditions = quarantine.compiled(of, work.catalogue.columns(session, of.relation) or ())
        return f"SELECT * FROM (\n{rows}\n) AS judged WHERE NOT ({' OR '.join(rule.fails for rule in conditions)})"

    return select(model)
