"""Builds by a strategy that a person chose: merged by key, replaced by range of time, kept as versions.

Each looks at the affected units only, as a maintained build does, where the change logs of its inputs tell what changed
and the units fit what it replaces; else at the whole SELECT, which gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from penstock.domain.maintenance import AFFECTED, Program, listed
from penstock.domain.model import Model
from penstock.domain.plan import BuildStep
from penstock.domain.relation import Column, RelationName
from penstock.domain.run import Status
from penstock.domain.strategy import VALIDITY, TimeRange, Versioning
from penstock.errors import DataError, UserError
from penstock.executor import changes, delta, quarantine, replay
from penstock.executor.gate import gate
from penstock.executor.ledger import Entry, Transaction, applied
from penstock.executor.maintained import CHANGES
from penstock.executor.work import Outcome, Work
from penstock.failpoint import reach
from penstock.materializations import build as building
from penstock.materializations import maintain, strategy, versions
from penstock.planner.plan import defined, stale
from penstock.ports import Session
from penstock.quoting import identifier
from penstock.sql.render import bind_parameters


def is_declared(step: BuildStep, work: Work, *, anew: bool) -> bool:
    """Whether the model's strategy has a way of its own to go on from what is there."""
    if step.materialization == "history":
        return True
    relation = step.model.relation
    there = work.ledger.existing.get(relation) == "table" and relation in work.ledger.commits and not anew
    merged = step.materialization == "merge" and step.model.strategy.deletes == "ignore"
    return there and (merged or step.materialization == "time_range")


@dataclass(frozen=True, slots=True)
class Keeping:
    """One build. `select` gives all of the model's rows, `own` are its columns; `anew`: whatever is there counts as
    absent. `follow`: try to look at what changed only. `temporary`: tables to take away in the end."""

    step: BuildStep
    work: Work
    inputs: Mapping[RelationName, int]
    reason: str
    select: str
    own: tuple[Column, ...]
    anew: bool = False
    follow: bool = True
    temporary: list[str] = field(default_factory=list)

    @property
    def model(self) -> Model:
        return self.step.model

    @property
    def relation(self) -> RelationName:
        return self.step.model.relation

    @property
    def session(self) -> Session:
        return self.work.session

    @property
    def since(self) -> dict[RelationName, int]:
        return changes.moved(self.work.ledger.applied.get(self.relation, {}), self.inputs)

    def part(self, model: Model) -> Program | str | None:
        """Statements for the units of `model` that changed, which have been found; why there are none; None when no
        row that it reads has changed."""
        work, session = self.work, self.session
        if not self.follow:
            return "its changes could not be followed"
        why = stale(work.ledger, self.relation, self.step.fingerprint, self.step.moment, {})
        if why is not None or self.anew:
            return why or "made anew"
        missing = changes.incomplete(session, work.catalogue, self.since, work.committer.settled)
        if missing is not None:
            return missing
        changed = changes.gather(session, work.catalogue, self.since)
        if not changed:
            return None
        program = work.compiler.program(model, changed, session)
        if isinstance(program, Program):
            if program.above:
                return "it has a LIMIT"
            self.temporary.extend(program.temporary)
            for statement in program.prepare:
                session.execute(self.bound(statement))
        return program

    @property
    def fingerprint(self) -> str:
        """What the ledger is told the relation was made from: with the moment, where times decide what it gives."""
        timed = bool(self.step.moment) and self.work.compiler.analysis(self.model, self.session).timed
        return defined(self.step.fingerprint, self.step.moment, timed=timed)

    def bound(self, statement: str) -> str:
        return bind_parameters(statement, self.work.parameters) if "$" in statement else statement

    def making(self, transaction: Transaction, mode: str, how: str, stamps: Sequence[str] = ()) -> delta.Making:
        return delta.Making(
            step=self.step,
            work=self.work,
            session=self.session,
            transaction=transaction,
            inputs=self.inputs,
            fingerprint=self.fingerprint,
            found=self.own,
            mode=mode,
            reason=f"{self.reason}; {how}",
            stamps=tuple(stamps),
        )

    def stamps(self) -> tuple[str, ...]:
        return self.work.compiler.analysis(self.model, self.session).stamps

    def forget(self) -> None:
        changes.forget(self.session, self.since)
        for name in (*maintain.TEMPORARY, *versions.TEMPORARY, *self.temporary, AFFECTED):
            self.session.execute(f"DROP TABLE IF EXISTS {identifier(name)}")


def declared(keeping: Keeping) -> Outcome:
    """Bring the relation up to date by its strategy, in one transaction."""
    keeping = _fitted(keeping)
    if keeping.work.given_up(keeping.relation, CHANGES) is not None:
        return _attempt(replace(keeping, follow=False))
    try:
        return _attempt(keeping)
    except UserError as error:
        # What is wrong with a row is told in the model's own SQL.
        keeping.work.give_up(keeping.relation, CHANGES, error.problem.message)
        return _attempt(replace(keeping, follow=False))


_Make = Callable[[Keeping, Transaction], Outcome]


def _attempt(keeping: Keeping) -> Outcome:
    makes: dict[str, _Make] = {"merge": _merge, "time_range": _time_range, "history": _history}
    reach("build.before_transaction")
    with keeping.work.committer.transaction(keeping.session) as transaction:
        quarantine.forget(keeping.model, keeping.work, keeping.session)
        done = makes[keeping.step.materialization](keeping, transaction)
        keeping.forget()
    reach("build.committed")
    return done


def _fitted(keeping: Keeping) -> Keeping:
    """With a table that has the SELECT's columns, if there is one at all: new columns are added, in a commit of their
    own, for whoever follows changes cannot follow that one."""
    work, session, model = keeping.work, keeping.session, keeping.model
    before = _stored(keeping)
    if before is None:
        return replace(keeping, anew=True)
    statement = strategy.widened(model, keeping.own, before)
    if statement is None:
        return keeping
    commit = work.ledger.commits[keeping.relation]
    with work.committer.transaction(session) as transaction:
        rows = session.execute(statement)
        transaction.on_commit(lambda: work.catalogue.changed(keeping.relation))
        seen = work.ledger.applied.get(keeping.relation, {})
        logged = work.is_logged(keeping.relation)
        transaction.commit(Entry(keeping.relation, keeping.step.id, commit.fingerprint, rows, seen, logged=logged))
    return keeping


def _stored(keeping: Keeping) -> tuple[Column, ...] | None:
    """The columns of the table that is there, without those a history adds; None when there is none to go on from."""
    work = keeping.work
    kind = work.ledger.existing.get(keeping.relation)
    if keeping.anew or kind != "table" or keeping.relation not in work.ledger.commits:
        return None
    found = work.catalogue.columns(keeping.session, keeping.relation) or ()
    if keeping.step.materialization != "history":
        return found
    own = tuple(column for column in found if column.name not in VALIDITY)
    return own if (*own, *strategy.VALID) == found else None


def _unmoved(keeping: Keeping, inputs: Mapping[RelationName, int]) -> Outcome:
    applied(keeping.session, keeping.relation, inputs)
    rows = keeping.work.ledger.commits[keeping.relation].rows
    return Outcome(Status.UNCHANGED, "no row it reads has changed", rows)


def _within_key(keeping: Keeping, program: Program) -> bool:
    """Whether all rows of a key are in one unit: a part then tells all there is of a key."""
    key = {name.lower() for name in keeping.model.key}
    return {name.lower() for name in program.unit} <= key


def _aside(keeping: Keeping, part: Program | str | None, *, key: bool = True) -> tuple[str, Sequence[str], bool]:
    """Put the rows as they should be into NEW: those of the affected units where these are enough, else all. Gives how
    in words, the stamps, whether it was a part."""
    session = keeping.session
    if isinstance(part, Program) and _within_key(keeping, part):
        session.execute(maintain.aside(keeping.bound(part.select)))
        how, stamps, partly = f"maintained by {listed(part.unit)}", tuple(part.stamps), True
    else:
        session.execute(maintain.aside(keeping.select))
        why = part if isinstance(part, str) else "its units cut through its key"
        how, stamps, partly = f"all of it: {why}", keeping.stamps(), False
    if key:
        building.check_unique(keeping.model, session.query(building.duplicates(maintain.NEW, keeping.model.key)).rows)
    return how, stamps, partly


def _merge(keeping: Keeping, transaction: Transaction) -> Outcome:
    part = keeping.part(keeping.model)
    if part is None:
        return _unmoved(keeping, keeping.inputs)
    how, stamps, _ = _aside(keeping, part)
    making = keeping.making(transaction, "merged", how, stamps)
    for statement in strategy.merging(keeping.relation, keeping.own, keeping.model.key, stamps):
        keeping.session.execute(statement)
    gone, came = keeping.session.query(maintain.CORRECTED).rows[0]
    return delta.correct(making, gone, came)


def _time_range(keeping: Keeping, transaction: Transaction) -> Outcome:
    span = keeping.model.strategy.time_range
    if span is None:
        raise UserError(
            f"{keeping.relation}: materialization: time_range needs `time_range: {{column, grain}}`",
            code="MISSING_KEY",
            hint="add it to the front matter",
        )
    session = keeping.session
    ranged = replace(keeping.model, sql=strategy.ranged(keeping.model.sql, span), key=(strategy.RANGE,))
    part = keeping.part(ranged)
    if part is None:
        return _unmoved(keeping, keeping.inputs)
    if isinstance(part, Program) and part.unit == (strategy.RANGE,):
        session.execute(strategy.old_ranges(keeping.relation, span))
        rows = f"SELECT * EXCLUDE ({identifier(strategy.RANGE)}) FROM ({keeping.bound(part.select)})"
        session.execute(maintain.aside(rows))
        count = session.query(f"SELECT count(*) FROM {AFFECTED}").rows[0][0]
        how, stamps = f"replaced the {span.grain}s of {span.column} that changed ({count})", part.stamps
        stamps = tuple(name for name in stamps if name != strategy.RANGE)
    else:
        why = part if isinstance(part, str) else f"{span.column} does not cut it into parts"
        how, stamps = _since(keeping, span), keeping.stamps()
        how = f"{how}: {why}"
    making = keeping.making(transaction, "replaced", how, stamps)
    gone, came = delta.compare(making, maintain.OLD)
    return delta.settle(making, gone, came, maintain.OLD, maintain.ROW)


def _since(keeping: Keeping, span: TimeRange) -> str:
    """Ranges from the lookback on, when nobody can tell which have changed. Gives that in words."""
    session = keeping.session
    now = keeping.work.started.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    lowest = session.query(strategy.bound(keeping.relation, span, now)).rows[0][0]
    if lowest is None:
        session.execute(maintain.aside(keeping.select))
        session.execute(strategy.old_since(keeping.relation, span, "0001-01-01"))
        return "all of it"
    session.execute(maintain.aside(strategy.since(f"({keeping.select}\n)", span, lowest)))
    session.execute(strategy.old_since(keeping.relation, span, lowest))
    return f"replaced the {span.grain}s of {span.column} since {lowest}"


# history


def _history(keeping: Keeping, transaction: Transaction) -> Outcome:
    work, session, model = keeping.work, keeping.session, keeping.model
    looks = replay.looks(model, work, session, anew=keeping.anew)
    inputs = {**keeping.inputs, replay.POSITION: replay.position(looks[-1].at)}
    versioning = model.strategy.history or Versioning()
    if keeping.anew:
        if work.ledger.existing.get(keeping.relation) == "view":
            session.execute(f"DROP VIEW {maintain.name_of(keeping.relation)}")
        session.execute(strategy.empty_history(keeping.relation, keeping.own))
        transaction.on_commit(lambda: work.catalogue.changed(keeping.relation))
    part: Program | str | None = "its first versions" if keeping.anew else f"{len(looks)} landings since it looked last"
    if len(looks) == 1 and not keeping.anew:
        part = keeping.part(model)
        if part is None:
            return _unmoved(keeping, inputs)
    total, scope = (0, 0), ""
    for look in looks:
        if look.select is None:
            how, stamps, partly = _aside(keeping, part)
            _check_dated(keeping, versioning)
            scope = strategy.concerned(part.unit) if partly and isinstance(part, Program) else ""
        else:
            session.execute(maintain.aside(keeping.bound(look.select)))
            stamps, how = keeping.stamps(), ""
            if _unfit(keeping, versioning):
                continue
        of = _versions(keeping, versioning, look, stamps)
        for statement in versions.statements(of, maintain.NEW, (*keeping.own, *strategy.VALID), scope=scope):
            session.execute(statement)
        gone, came = session.query(maintain.CORRECTED).rows[0]
        if len(looks) == 1 and not keeping.anew:
            break
        total = (total[0] + gone, total[1] + came)
        session.execute(maintain.delete(keeping.relation))
        session.execute(maintain.insert(keeping.relation, [*of.names, *VALIDITY]))
    # Several versions of a key are what it is for: nothing below is to ask for one.
    step = replace(keeping.step, model=replace(model, key=()))
    all_of = replace(keeping, step=step, inputs=inputs, own=(*keeping.own, *strategy.VALID))
    if len(looks) == 1 and not keeping.anew:
        return delta.correct(all_of.making(transaction, "versioned", how), gone, came)
    return _settled(all_of, transaction, total, len(looks))


def _versions(keeping: Keeping, versioning: Versioning, look: replay.Look, stamps: Sequence[str]) -> versions.Versions:
    key, ignored = keeping.model.key, {name.lower() for name in (*keeping.model.key, *stamps)}
    names = tuple(column.name for column in keeping.own if column.name.lower() not in ignored)
    return versions.Versions(
        table=maintain.name_of(keeping.relation),
        key=key,
        own=keeping.own,
        at=look.text,
        compared=versioning.columns or names,
        effective=versioning.column if versioning.by == "updated_at" else None,
        whole=versioning.deletes == "close",
    )


def _check_dated(keeping: Keeping, versioning: Versioning) -> None:
    if versioning.column is None:
        return
    count = keeping.session.query(strategy.undated(versioning.column)).rows[0][0]
    if count:
        raise DataError(
            f"{keeping.relation}: expected {versioning.column} in every row, found {count} without",
            code="HISTORY_UNDATED",
            hint=f"leave such rows out, or give them a time: coalesce({versioning.column}, TIMESTAMP '1970-01-01')",
        )


def _unfit(keeping: Keeping, versioning: Versioning) -> bool:
    """Whether what the SELECT gave at a time gone by can make no versions: it is passed over, as it was then."""
    session = keeping.session
    if session.query(building.duplicates(maintain.NEW, keeping.model.key)).rows:
        return True
    return versioning.column is not None and bool(session.query(strategy.undated(versioning.column)).rows[0][0])


def _settled(keeping: Keeping, transaction: Transaction, total: tuple[int, int], looks: int) -> Outcome:
    """Commit what several looks have done: a log of it would hold rows that came and went in one commit, so it begins
    after it."""
    work, relation = keeping.work, keeping.relation
    rows = delta.size(keeping.session, relation)
    reason = f"{keeping.reason}; {looks} landing{'s' if looks != 1 else ''}, one after the other"
    reach("build.replaced")
    if total == (0, 0) and not keeping.anew:
        applied(keeping.session, relation, keeping.inputs)
        return Outcome(Status.UNCHANGED, reason, rows, mode="versioned")
    checks = gate(keeping.model, work, keeping.session)
    entry = Entry(relation, keeping.step.id, keeping.fingerprint, rows, keeping.inputs, logged=work.is_logged(relation))
    number = transaction.commit(entry)
    counts = {"gone": total[0], "came": total[1]}
    return Outcome(Status.SUCCESS, reason, rows, number, counts, mode="versioned", checks=checks)
