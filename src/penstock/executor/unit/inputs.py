"""What a test gives, as tables: laid out as a load or a build would have left them, and changed as these would change
them, with the change log that maintained models follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from penstock.domain.ledger import Commit, Ledger, RelationKind
from penstock.domain.relation import Column, RelationName
from penstock.domain.unit_test import Fixture, UnitInput, UnitPlan, UnitStep
from penstock.errors import Location, Problem, ProjectError
from penstock.executor.changelog import TableLog
from penstock.executor.ledger import Entry
from penstock.executor.unit.reading import text
from penstock.executor.unit.values import ROW, Staged, staged, types
from penstock.executor.work import Work
from penstock.materializations.history import APPEND_META, META, META_TYPES, current_view
from penstock.ports import Session
from penstock.quoting import columns, identifier, literal, qualified
from penstock.record import record

STAGE = "_penstock_given"
GONE = "_penstock_given_gone"
CAME = "_penstock_given_came"
PLACE = "_penstock_given_place"
RUN = "given"


@dataclass(slots=True)
class Given:
    """One input in the test's warehouse. `columns`: its own, with ours where these are given too; `meta`: those that a
    load adds."""

    what: UnitInput
    columns: dict[str, str]
    meta: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        return qualified(self.what.stored.layer, self.what.stored.name)

    @property
    def own(self) -> dict[str, str]:
        """Without what a load adds."""
        return {name: kind for name, kind in self.columns.items() if name.lower() not in self.meta}

    @property
    def is_current(self) -> bool:
        """Whether what is given is the current rows of a table that keeps every version."""
        return bool(self.meta) and self.meta == META and not self.what.is_history

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns of the table, all of them."""
        own = tuple(Column(name, kind) for name, kind in self.own.items())
        return (*own, *(Column(name, META_TYPES[name]) for name in self.meta))

    def selected(self, rows: Staged, at: str, batch: str) -> str:
        """The rows as rows of the table, as they are when they come at the time `at`."""
        own = ", ".join(rows.column(name) for name in self.own)
        if not self.meta:
            return f"SELECT {own} FROM {rows.source}"
        given = {name: name if name in rows.names else f"CAST(NULL AS {META_TYPES[name]})" for name in self.meta}
        effective = self.what.table.effective if self.what.table is not None else None
        since = f"CAST({rows.column(effective)} AS TIMESTAMP)" if effective else "processing_ts"
        meta = {"processing_ts": f"coalesce({given['processing_ts']}, {at})", "_batch": literal(batch)}
        if self.what.is_history:
            meta |= {
                "processing_ts": f"coalesce({given['processing_ts']}, {given['valid_from']}, {at})",
                "valid_from": f"coalesce({given['valid_from']}, {given['processing_ts']}, {at})",
                "valid_to": given["valid_to"],
                "is_current": f"coalesce({given['is_current']}, {given['valid_to']} IS NULL)",
                "_batch": f"coalesce({given['_batch']}, {literal(batch)})",
            }
        elif self.is_current:
            stamp = meta["processing_ts"] if since == "processing_ts" else since
            meta |= {"valid_from": stamp, "valid_to": "CAST(NULL AS TIMESTAMP)", "is_current": "true"}
        listed = ", ".join(f"{meta[name]} AS {name}" for name in self.meta)
        return f"SELECT {own}, {listed} FROM {rows.source}"


def laid_out(plan: UnitPlan, session: Session, at: str) -> list[Given]:
    """Make every input. Raises ProjectError with every value that does not fit."""
    found: list[Given] = []
    for what in plan.inputs:
        changes = [
            rows
            for step in plan.test.steps
            for kind in (step.insert, step.update)
            if (rows := kind.get(str(what.relation))) is not None
        ]
        meta = () if what.table is None else META if what.table.key else APPEND_META
        given = Given(what, types(what.shape.columns, [what.fixture, *changes]), meta)
        found.append(given)
        declared = ", ".join(f"{identifier(column.name)} {column.type}" for column in given.stored)
        session.execute(f"CREATE TABLE {given.table} ({declared})")
        if what.fixture.rows:
            new = staged(session, STAGE, what.fixture, given.columns, str(what.relation))
            session.execute(f"INSERT INTO {given.table} {given.selected(new, at, 'given')}", new.values)
            _check_key(given, session, what.fixture.location)
        if what.table is not None and what.table.key:
            session.execute(current_view(what.table, [column.name for column in given.stored]))
    return found


def _check_key(given: Given, session: Session, location: Location) -> None:
    """What a load would set apart and a build would refuse cannot be given."""
    what, key = given.what, given.what.key
    if not key:
        return
    keys, current = columns(key), " WHERE is_current" if given.is_current else ""
    null = " OR ".join(f"{identifier(name)} IS NULL" for name in key) if what.table is not None else "false"
    found = session.query(
        f"SELECT {keys}, count(*), bool_or({null}) FROM {given.table}{current} GROUP BY {keys} "
        f"HAVING count(*) > 1 OR bool_or({null}) LIMIT 5"
    ).rows
    problems = [
        _key(given, ", ".join("NULL" if value is None else str(value) for value in row[:-2]), row[-1], location)
        for row in found
    ]
    if problems:
        raise ProjectError(problems)


def _key(given: Given, value: str, is_null: bool, location: Location) -> Problem:
    what = "is no key: a load sets such rows apart" if is_null else "stands more than once"
    return Problem(
        "TEST_ROWS",
        f"{given.what.relation}: the key ({', '.join(given.what.key)}) {value} {what}",
        location,
        "give one row for each key; to change one that is there, use `update:`",
    )


def noted(inputs: Sequence[Given], session: Session, now: datetime) -> Ledger:
    """Have the ledger know the inputs, so that models can follow what changes in them."""
    relations = [given.what.stored for given in inputs]
    commits = {name: Commit(at, name, RUN, RUN, RUN, None, now) for at, name in enumerate(relations, 1)}
    marks = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(commits))
    values = [(each.number, str(each.relation), RUN, RUN, RUN, now) for each in commits.values()]
    session.execute(
        f"INSERT INTO _penstock.commits (number, relation, run, step, fingerprint, committed_at) VALUES {marks}",
        [value for row in values for value in row],
    )
    session.execute(
        f"INSERT INTO _penstock.logs VALUES {', '.join(['(?, ?)'] * len(commits))}",
        [value for each in commits.values() for value in (str(each.relation), each.number)],
    )
    existing: dict[RelationName, RelationKind] = dict.fromkeys(relations, "table")
    logs = {name: commit.number for name, commit in commits.items()}
    return Ledger(commits=commits, last=len(commits), existing=existing, logs=logs)


# Changes


def change(step: UnitStep, inputs: Sequence[Given], work: Work, session: Session, at: str) -> None:
    """Carry out what a step says, a commit for each input that changes. Raises ProjectError for rows that are not
    there, values that do not fit, keys that stand twice."""
    for given in inputs:
        name = str(given.what.relation)
        own = [kind.get(name) for kind in (step.delete, step.update, step.insert)]
        if any(own):
            _change(given, own, work, session, at)


def _change(given: Given, rows: Sequence[Fixture | None], work: Work, session: Session, at: str) -> None:
    delete, update, insert = rows
    what = str(given.what.relation)
    session.execute(f"CREATE OR REPLACE TEMP TABLE {CAME} AS SELECT * FROM {given.table} LIMIT 0")
    gone = 0
    if delete is not None or update is not None:
        session.execute(f"CREATE OR REPLACE TEMP TABLE {GONE} AS SELECT *, rowid AS {PLACE} FROM {given.table} LIMIT 0")
        for fixture, apply in ((delete, _deleted), (update, _updated)):
            if fixture is not None:
                staging = _Changing(given, fixture, staged(session, STAGE, fixture, given.columns, what), session, at)
                for place in range(len(fixture.rows)):
                    gone += apply(staging, place)
    if given.is_current and gone:
        _closed(given, session, at)
    if insert is not None:
        new = staged(session, STAGE, insert, given.columns, what)
        session.execute(f"INSERT INTO {CAME} {given.selected(new, at, 'step')}", new.values)
    with work.committer.transaction(session) as transaction:
        if gone:
            session.execute(f"DELETE FROM {given.table} WHERE rowid IN (SELECT {PLACE} FROM {GONE})")
        came = session.execute(f"INSERT INTO {given.table} SELECT * FROM {CAME}")
        _check_key(given, session, next(each for each in reversed(rows) if each is not None).location)
        log = TableLog(work, session, transaction, given.what.stored)
        changes = [(-1, GONE)] * bool(gone) + [(1, CAME)] * bool(came)
        if changes:
            log.write([column.name for column in given.stored], changes)
            transaction.commit(Entry(given.what.stored, RUN, RUN, None, {}, log.rows))


@record
class _Changing:
    """Rows of an update or a delete, and what they are about."""

    given: Given
    fixture: Fixture
    rows: Staged
    session: Session
    at: str

    def matching(self, names: Sequence[str], place: int) -> str:
        """FROM the table's rows that are as the row `place` in these columns."""
        same = [f"t.{identifier(name)} IS NOT DISTINCT FROM s.{identifier(name)}" for name in names]
        same += ["t.is_current"] * self.given.is_current
        condition = " AND ".join([f"s.{ROW} = {int(place)}", *same])
        return f"FROM {self.given.table} AS t JOIN {self.rows.source} AS s ON {condition}"

    def gone(self, names: Sequence[str], place: int) -> int:
        """Note the rows that are like row `place` in these columns as gone. Gives how many."""
        fresh = f"WHERE t.rowid NOT IN (SELECT {PLACE} FROM {GONE})"
        found = self.session.execute(
            f"INSERT INTO {GONE} SELECT t.*, t.rowid {self.matching(names, place)} {fresh}", self.rows.values
        )
        if not found:
            shown = ", ".join(f"{name} = {text(self.fixture.rows[place].get(name)) or 'NULL'}" for name in names)
            raise ProjectError(
                [
                    Problem(
                        "TEST_ROWS",
                        f"{self.given.what.relation} has no row with {shown}, or it is changed twice in one step",
                        self.fixture.place(place),
                        "name a row that is there at this step, once",
                    )
                ]
            )
        return found


def _deleted(this: _Changing, place: int) -> int:
    return this.gone(tuple(this.fixture.rows[place]), place)


def _updated(this: _Changing, place: int) -> int:
    given, key = this.given, {name.lower() for name in this.given.what.key}
    names = [name for name in this.fixture.rows[place] if name.lower() not in key]
    gone = this.gone(given.what.key, place)
    matching = this.matching(given.what.key, place)
    differs = " OR ".join(f"t.{identifier(name)} IS DISTINCT FROM s.{identifier(name)}" for name in names) or "false"
    new = [f"s.{identifier(name)} AS {identifier(name)}" for name in names]
    if given.is_current:
        taken = {name.lower() for name in names}
        effective = given.what.table.effective if given.what.table is not None else None
        dated = effective is not None and effective.lower() in taken
        since = f"CAST(s.{identifier(str(effective))} AS TIMESTAMP)" if dated else this.at
        stamped = {"processing_ts": this.at, "valid_from": since, "_batch": "'step'"}
        new += [f"{value} AS {name}" for name, value in stamped.items() if name not in taken]
    replaced = f" REPLACE ({', '.join(new)})" if new else ""
    sql = f"INSERT INTO {CAME} SELECT t.*{replaced} {matching} WHERE {differs}"
    if this.session.execute(sql, this.rows.values):
        return gone
    # As it was: a load makes no version of it, and a build logs no change.
    this.session.execute(f"DELETE FROM {GONE} WHERE {PLACE} IN (SELECT t.rowid {matching})", this.rows.values)
    return 0


def _closed(given: Given, session: Session, at: str) -> None:
    """Versions that end: they stay, with an end."""
    same = " AND ".join(f"n.{identifier(name)} = g.{identifier(name)}" for name in given.what.key)
    ended = f"coalesce(n.valid_from, {at})"
    session.execute(
        f"INSERT INTO {CAME} SELECT g.* EXCLUDE ({PLACE}) REPLACE ({ended} AS valid_to, false AS is_current) "
        f"FROM {GONE} AS g LEFT JOIN {CAME} AS n ON {same}"
    )
