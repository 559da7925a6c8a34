"""The ledger: schema `_penstock` inside the warehouse, so that it commits with the data it speaks of.

Everything that correctness needs is here and nothing else: what was committed, which commits of its inputs each model
has seen, which batches are loaded, what was held back, and how far back the change log of each relation reaches.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime

from penstock.domain.ledger import Commit, Ledger, RelationKind
from penstock.domain.relation import RelationName
from penstock.errors import InternalError, PenstockError, StateError
from penstock.failpoint import reach
from penstock.materializations import changelog, departures, entries
from penstock.ports import Session, Warehouse
from penstock.quoting import identifier
from penstock.record import record

SCHEMA = "_penstock"
QUARANTINE = entries.ENTRIES
VERSION = "3"
UNKNOWN = "COMMIT_UNKNOWN"
EVERY = 2**63 - 1
"""A commit number that none comes after."""
_TABLES = (
    "meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL)",
    "commits (number BIGINT PRIMARY KEY, relation VARCHAR NOT NULL, run VARCHAR NOT NULL, step VARCHAR NOT NULL, "
    "fingerprint VARCHAR NOT NULL, rows BIGINT, committed_at TIMESTAMP NOT NULL, changes BIGINT, revision VARCHAR)",
    "applied (model VARCHAR NOT NULL, input VARCHAR NOT NULL, number BIGINT NOT NULL)",
    "batches (batch VARCHAR PRIMARY KEY, relation VARCHAR NOT NULL, sha256 VARCHAR NOT NULL, "
    "processing_ts TIMESTAMP NOT NULL, rows_in BIGINT NOT NULL, inserted BIGINT NOT NULL, updated BIGINT NOT NULL, "
    "deleted BIGINT NOT NULL, unchanged BIGINT NOT NULL, duplicates BIGINT NOT NULL, quarantined BIGINT NOT NULL, "
    "run VARCHAR NOT NULL, loaded_at TIMESTAMP NOT NULL)",
    "exports (export VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL, path VARCHAR NOT NULL, rows BIGINT NOT NULL, "
    "run VARCHAR NOT NULL, exported_at TIMESTAMP NOT NULL)",
    f"quarantine ({entries.COLUMNS})",
    f"corrections ({entries.CORRECTION_COLUMNS})",
    f"departures ({departures.COLUMNS})",
    "logs (relation VARCHAR NOT NULL, since BIGINT NOT NULL)",
    "measures (relation VARCHAR NOT NULL, name VARCHAR NOT NULL, figures VARCHAR NOT NULL, run VARCHAR NOT NULL, "
    "measured_at TIMESTAMP NOT NULL)",
    "gates (relation VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL)",
)
_UPGRADES = {
    "1": (
        f"ALTER TABLE {SCHEMA}.commits ADD COLUMN changes BIGINT",
        f"ALTER TABLE {SCHEMA}.commits ADD COLUMN revision VARCHAR",
        f"CREATE TABLE IF NOT EXISTS {SCHEMA}.logs (relation VARCHAR NOT NULL, since BIGINT NOT NULL)",
    ),
    "2": (
        # Rows that were held back had no id: their tables are loaded again from landing.
        f"UPDATE {SCHEMA}.commits SET fingerprint = '' WHERE relation IN (SELECT relation FROM {SCHEMA}.quarantine "
        f"UNION SELECT relation || '_history' FROM {SCHEMA}.quarantine)",
        f"DROP TABLE {SCHEMA}.quarantine",
        *(f"CREATE TABLE IF NOT EXISTS {SCHEMA}.{table}" for table in _TABLES),
    ),
}
"""By the version they start from: additions only, so that each is made in one transaction and loses nothing."""


def prepare(session: Session, environment: str, layers: tuple[str, ...]) -> None:
    """Create what is missing, once, before any parallel work (concurrent CREATE IF NOT EXISTS may fail).

    Raises StateError when the warehouse belongs to another environment or was written by a newer Penstock.
    """
    present = {str(row[0]) for row in session.query("SELECT schema_name FROM information_schema.schemata").rows}
    wanted = [name for name in (SCHEMA, *layers) if name not in present]
    if wanted:
        with either_way(session):
            for name in wanted:
                session.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(name)}")
            for table in _TABLES:
                session.execute(f"CREATE TABLE IF NOT EXISTS {SCHEMA}.{table}")
            if SCHEMA in wanted:
                session.execute(
                    f"INSERT INTO {SCHEMA}.meta VALUES ('version', ?), ('environment', ?)", (VERSION, environment)
                )
    meta = dict(session.query(f"SELECT key, value FROM {SCHEMA}.meta").rows)
    if meta.get("environment") != environment:
        raise StateError(
            f"expected the warehouse of environment {environment!r}, found that of {meta.get('environment')!r}",
            code="WRONG_ENVIRONMENT",
            hint="give each environment a home of its own in penstock.yml",
        )
    version = meta.get("version")
    while version in _UPGRADES:
        version = _upgrade(session, version)
    if version != VERSION:
        raise StateError(
            f"expected a ledger of version {VERSION}, found {version!r}",
            code="LEDGER_VERSION",
            hint="use the version of Penstock that wrote this warehouse, or `penstock rebuild` from landing",
        )


def _upgrade(session: Session, version: str) -> str:
    after = str(int(version) + 1)
    with either_way(session):
        for statement in _UPGRADES[version]:
            session.execute(statement)
        session.execute(f"UPDATE {SCHEMA}.meta SET value = ? WHERE key = 'version'", (after,))
    return after


def read(session: Session) -> Ledger:
    """All of the ledger that planning needs: a handful of rows per relation, never its history."""
    newest = session.query(
        "SELECT number, relation, run, step, fingerprint, rows, committed_at FROM _penstock.commits "
        "WHERE number IN (SELECT max(number) FROM _penstock.commits GROUP BY relation)"
    )
    commits = {
        name: Commit(row[0], name, row[2], row[3], row[4], row[5], row[6])
        for row in newest.rows
        for name in (RelationName.parse(row[1]),)
    }
    applied: dict[RelationName, dict[RelationName, int]] = {}
    for model, source, number in session.query("SELECT model, input, number FROM _penstock.applied").rows:
        applied.setdefault(RelationName.parse(model), {})[RelationName.parse(source)] = number
    loaded = session.query("SELECT batch, sha256 FROM _penstock.batches").rows
    catalog = session.query("SELECT table_schema, table_name, table_type FROM information_schema.tables").rows
    existing: dict[RelationName, RelationKind] = {
        RelationName(schema, name): "view" if kind == "VIEW" else "table" for schema, name, kind in catalog
    }
    last = max((commit.number for commit in commits.values()), default=0)
    exported = dict(session.query("SELECT export, fingerprint FROM _penstock.exports").rows)
    logs: dict[RelationName, int] = {}
    if RelationName(SCHEMA, "logs") in existing:  # or nobody has written here since an older Penstock did
        found = session.query("SELECT relation, since FROM _penstock.logs").rows
        logs = {RelationName.parse(name): since for name, since in found}
    gates: dict[RelationName, str] = {}
    if RelationName(SCHEMA, "gates") in existing:
        asked = session.query("SELECT relation, fingerprint FROM _penstock.gates").rows
        gates = {RelationName.parse(name): stamp for name, stamp in asked}
    return Ledger(commits, applied, dict(loaded), last, existing, exported, logs, gates)


@contextmanager
def either_way(session: Session) -> Iterator[None]:
    """A transaction that may be made again: when its COMMIT fails nobody needs to know whether it happened."""
    try:
        with session.transaction():
            yield
    except PenstockError as error:
        if error.code == UNKNOWN and isinstance(error.__cause__, PenstockError):
            raise error.__cause__ from error
        raise


@record
class Entry:
    """What one step commits beside its data. `changes`: the change rows it has logged; None when the log does not reach
    across this commit. It begins anew after it then, if the relation is `logged` at all."""

    relation: RelationName
    step: str
    fingerprint: str
    rows: int | None
    inputs: Mapping[RelationName, int]
    changes: int | None = None
    logged: bool = True


class Committer:
    """Gives out commit numbers in the order of commits, without gaps: the number is taken, written and committed
    under one lock, as the last thing of a transaction."""

    def __init__(
        self,
        warehouse: Warehouse,
        run: str,
        ledger: Ledger,
        now: Callable[[], datetime],
        revision: str | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._run = run
        self._revision = revision
        self._ledger = ledger
        self._last = ledger.last
        self._known = frozenset(ledger.applied)
        self._logs = frozenset(ledger.logs)
        self._now = now
        self._lock = threading.Lock()
        self.numbers: dict[RelationName, int] = {}

    @property
    def last(self) -> int:
        return self._last

    @property
    def revision(self) -> str | None:
        """The revision of the project's code."""
        return self._revision

    @contextmanager
    def transaction(self, session: Session) -> Iterator[Transaction]:
        """One transaction of one step. The body calls `commit(entry)` when the data has changed, or does not.

        An exception at COMMIT says nothing about what happened, so the ledger is asked, by a session of its own.
        """
        with ExitStack() as stack:
            work = Transaction(self, session, stack)
            try:
                with session.transaction():
                    yield work
            except PenstockError as error:
                if error.code != UNKNOWN or not self._in_ledger(work.number, error):
                    raise
            if work.number is not None and work.entry is not None:
                reach("ledger.committed")
                self._confirm(session, work.number)
                self._last = work.number
                self.numbers[work.entry.relation] = work.number
            work.committed()

    @property
    def settled(self) -> int:
        """The last commit that the ledger tells of, as a step sees it; what comes after it is its own."""
        return EVERY

    def record(self, session: Session, number: int, entry: Entry) -> None:
        self.enter(session, ((number, entry),))
        self.note(session, number, entry)

    def enter(self, session: Session, entries: Sequence[tuple[int, Entry]]) -> None:
        """Write the rows of commits."""
        row = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
        values = [
            value
            for number, entry in entries
            for value in (number, str(entry.relation), self._run, entry.step, entry.fingerprint, entry.rows,
                          self._now(), entry.changes, self._revision)
        ]  # fmt: skip
        session.execute(
            "INSERT INTO _penstock.commits (number, relation, run, step, fingerprint, rows, committed_at, changes, "
            f"revision) VALUES {', '.join([row] * len(entries))}",
            values,
        )

    def note(self, session: Session, number: int, entry: Entry) -> None:
        """Write what goes with a commit: what it has seen of its inputs, and since when its change log tells all."""
        relation = str(entry.relation)
        if entry.inputs:
            applied(session, entry.relation, entry.inputs, first=entry.relation not in self._known)
        logs = entry.relation in self._logs or entry.relation in self.numbers
        if entry.changes is not None and not logs:  # nothing has changed in it since an older Penstock wrote here
            session.execute(
                "INSERT INTO _penstock.logs SELECT ?, coalesce(max(number), 0) FROM _penstock.commits "
                "WHERE relation = ? AND number < ?",
                (relation, relation, number),
            )
        elif entry.changes is None:
            if logs:
                session.execute("DELETE FROM _penstock.logs WHERE relation = ?", (relation,))
                session.execute(changelog.drop(entry.relation))
            if entry.logged:
                session.execute("INSERT INTO _penstock.logs VALUES (?, ?)", (relation, number))

    def adopt(self, session: Session, relation: RelationName, fingerprint: str) -> None:
        """What a relation holds is what another definition gives too: note that, without a commit, for nothing has
        changed."""
        session.execute(
            "UPDATE _penstock.commits SET fingerprint = ? WHERE number = "
            "(SELECT max(number) FROM _penstock.commits WHERE relation = ?)",
            (fingerprint, str(relation)),
        )

    def _confirm(self, session: Session, number: int) -> None:
        """COMMIT after a failed statement can report success and roll back: read the row, do not believe the word."""
        if not session.query("SELECT 1 FROM _penstock.commits WHERE number = ?", (number,)).rows:
            raise InternalError(f"commit {number} was reported and is not in the ledger", code="COMMIT_LOST")

    def _in_ledger(self, number: int | None, unknown: PenstockError) -> bool:
        """Whether a commit happened after all. Raises what went wrong when it surely did not, or when there was nothing
        in it that a next run would miss."""
        if number is not None:
            session = self._warehouse.session()
            try:
                if session.query("SELECT 1 FROM _penstock.commits WHERE number = ?", (number,)).rows:
                    return True
            except PenstockError:  # the engine has given up: it is asked again when the warehouse is opened next
                return False
            finally:
                session.close()
        if isinstance(unknown.__cause__, PenstockError):
            raise unknown.__cause__ from unknown
        return False


class Transaction:
    """An open transaction of a step. Its number is taken when change rows need it, at the latest with the entry; from
    then on the others wait to commit, so nothing long may follow."""

    def __init__(self, committer: Committer, session: Session, resources: ExitStack) -> None:
        self._committer = committer
        self._session = session
        self._resources = resources
        self.number: int | None = None
        self.entry: Entry | None = None
        self._then: list[Callable[[], None]] = []

    def on_commit(self, then: Callable[[], None]) -> None:
        """Have `then` called once the transaction is known to have committed."""
        self._then.append(then)

    def committed(self) -> None:
        for then in self._then:
            then()

    def take(self) -> int:
        """The number this transaction commits as, if it commits anything."""
        if self.number is None:
            self._resources.enter_context(self._committer._lock)
            self.number = self._committer.last + 1
        return self.number

    def commit(self, entry: Entry) -> int:
        """Write the ledger's row. Must be the last thing before the transaction ends."""
        number = self.take()
        self.entry = entry
        self._committer.record(self._session, number, entry)
        reach("ledger.recorded")
        return number


def applied(session: Session, model: RelationName, inputs: Mapping[RelationName, int], *, first: bool = False) -> None:
    """Note which commits of its inputs `model` has now seen. `first`: nothing is noted of it yet."""
    if not first:
        session.execute("DELETE FROM _penstock.applied WHERE model = ?", (str(model),))
    if not inputs:
        return
    marks = ", ".join(["(?, ?, ?)"] * len(inputs))
    values = [value for source, number in inputs.items() for value in (str(model), str(source), number)]
    session.execute(f"INSERT INTO _penstock.applied VALUES {marks}", values)
