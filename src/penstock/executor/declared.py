"""Builds by a strategy that a person chose: merged by key, replaced by range of time, kept as versions.

Each looks at the affected units only, as a maintained build does, where the change logs of its inputs tell what changed
and the units fit what it replaces; else at the whole SELECT, which gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from penstock.domain.maintenance import AFFECTED, Program, listed
from penstock.domain.plan import BuildStep
from penstock.domain.quarantine import is_split, table_of
from penstock.domain.relation import Column, RelationName
from penstock.domain.run import Status
from penstock.domain.strategy import VALIDITY, TimeRange, Versioning
from penstock.errors import DataError, UserError
from penstock.executor import delta, quarantine, replay
from penstock.executor.gate import gate
from penstock.executor.keeping import Keeping
from penstock.executor.ledger import Entry, Transaction, applied
from penstock.executor.maintained import CHANGES
from penstock.executor.quarantine import Apart
from penstock.executor.retained import ANEW, Telling
from penstock.executor.work import Outcome, Work
from penstock.failpoint import reach
from penstock.materializations import build as building
from penstock.materializations import maintain, strategy, versions
from penstock.materializations.quarantine import HELD
from penstock.quoting import identifier


def is_declared(step: BuildStep, work: Work, *, anew: bool) -> bool:
    """Whether the model's strategy has a way of its own to go on from what is there."""
    if step.materialization == "history":
        return True
    relation = step.model.relation
    there = work.ledger.existing.get(relation) == "table" and relation in work.ledger.commits and not anew
    merged = step.materialization == "merge" and step.model.strategy.deletes == "ignore"
    apart = is_split(step.model) or table_of(relation) in work.ledger.existing
    appended = step.materialization == "append" and apart
    return there and (merged or appended or step.materialization == "time_range")


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
    makes: dict[str, _Make] = {
        "append": _append,
        "merge": _merge,
        "time_range": _time_range,
        "history": _history,
    }
    reach("build.before_transaction")
    with keeping.work.committer.transaction(keeping.session) as transaction:
        done = makes[keeping.step.materialization](keeping, transaction)
        quarantine.forget(keeping.model, keeping.work, keeping.session)
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
    if keeping.step.materialization == "append":
        building.check_kept(model, keeping.own, before)
        return keeping
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


def _aside(keeping: Keeping, part: Program | str | None) -> tuple[str, Sequence[str], Program | None]:
    """Put the rows as they should be into NEW: those of the affected units where these are enough, else all. Gives how
    in words, the stamps, the program where it was a part."""
    session = keeping.session
    if isinstance(part, Program) and _within_key(keeping, part):
        session.execute(maintain.aside(keeping.bound(part.select)))
        return f"maintained by {listed(part.unit)}", tuple(part.stamps), part
    session.execute(maintain.aside(keeping.select))
    why = part if isinstance(part, str) else "its units cut through its key"
    return f"all of it: {why}", keeping.stamps(), None


def _check_key(keeping: Keeping) -> None:
    found = keeping.session.query(building.duplicates(maintain.NEW, keeping.model.key)).rows
    building.check_unique(keeping.model, found)


def _append(keeping: Keeping, transaction: Transaction) -> Outcome:
    """Where rows are set apart, or were until now."""
    keeping.session.execute(maintain.aside(keeping.select))
    return _by_key(keeping, transaction, Telling(keeping, transaction), "appended", "its rows told apart")


def _merge(keeping: Keeping, transaction: Transaction) -> Outcome:
    telling = Telling(keeping, transaction)
    part = telling.part(keeping.model)
    if part is None:
        return _unmoved(keeping, keeping.inputs)
    how, stamps, _ = _aside(keeping, part)
    return _by_key(keeping, transaction, telling, "merged", how, stamps)


def _by_key(
    keeping: Keeping, transaction: Transaction, telling: Telling, mode: str, how: str, stamps: Sequence[str] = ()
) -> Outcome:
    """NEW into the table, by key."""
    session, key = keeping.session, keeping.model.key
    telling.by_key(stamps)
    _check_key(keeping)
    making = keeping.making(transaction, mode, how, stamps, telling.apart)
    for statement in maintain.correction(keeping.relation, keeping.own, key, stamps):
        session.execute(statement)
    if telling.apart is not None:
        session.execute(strategy.failing_keys(keeping.relation, keeping.own, key))
    gone, came = session.query(maintain.CORRECTED).rows[0]
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
    telling = Telling(keeping, transaction)
    part = telling.part_of_kept(ranged)
    if part is None and not telling.anew:
        return _unmoved(keeping, keeping.inputs)
    if part is None:
        session.execute(maintain.aside(f"SELECT * FROM {maintain.name_of(keeping.relation)} LIMIT 0"))
        session.execute(strategy.old_all(keeping.relation))
        telling.keep("true")
        how, stamps = ANEW, keeping.stamps()
    elif isinstance(part, Program) and part.unit == (strategy.RANGE,):
        rows = f"SELECT * EXCLUDE ({identifier(strategy.RANGE)}) FROM ({keeping.bound(part.select)})"
        session.execute(maintain.aside(rows))
        if telling.anew:
            telling.keep(f"NOT {strategy.in_ranges(span, 'k')}")
            session.execute(strategy.old_all(keeping.relation))
        else:
            session.execute(strategy.old_ranges(keeping.relation, span))
            for held in telling.held:
                telling.hold(strategy.old_ranges(held, span, HELD))
        count = session.query(f"SELECT count(*) FROM {AFFECTED}").rows[0][0]
        how = f"replaced the {span.grain}s of {span.column} that changed ({count})"
        stamps = tuple(name for name in part.stamps if name != strategy.RANGE)
    else:
        why = part if isinstance(part, str) else f"{span.column} does not cut it into parts"
        how, stamps = _since(keeping, span, telling), keeping.stamps()
        how = f"{how}: {why}"
    telling.split(stamps)
    making = keeping.making(transaction, "replaced", how, stamps, telling.apart)
    gone, came = delta.compare(making, maintain.OLD)
    return delta.settle(making, gone, came, maintain.OLD, maintain.ROW)


def _since(keeping: Keeping, span: TimeRange, telling: Telling) -> str:
    """Ranges from the lookback on, when nobody can tell which have changed. Gives that in words."""
    session, relation = keeping.session, keeping.relation
    now = keeping.work.started.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    lowest = session.query(strategy.bound((relation, *telling.held), span, now)).rows[0][0]
    if lowest is None:
        session.execute(maintain.aside(keeping.select))
        session.execute(strategy.old_all(relation))
        return "all of it"
    session.execute(maintain.aside(strategy.since(f"({keeping.select}\n)", span, lowest)))
    if telling.anew:
        telling.keep(strategy.before(span, lowest))
        session.execute(strategy.old_all(relation))
    else:
        session.execute(strategy.old_since(relation, span, lowest))
        for held in telling.held:
            telling.hold(strategy.old_since(held, span, lowest, HELD))
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
    telling = Telling(keeping, transaction)
    part: Program | str | None = "its first versions" if keeping.anew else f"{len(looks)} landings since it looked last"
    if len(looks) == 1 and not keeping.anew:
        part = telling.part(model)
        if part is None:
            return _unmoved(keeping, inputs)
    total, scope = (0, 0), ""
    for look in looks:
        if look.select is None:
            how, stamps, of_part = _aside(keeping, part)
            telling.by_unit(of_part, stamps)
            _check_key(keeping)
            _check_dated(keeping, versioning)
            scope = strategy.concerned(of_part.unit) if of_part is not None else ""
        else:
            session.execute(maintain.aside(keeping.bound(look.select)))
            stamps, how = keeping.stamps(), ""
            telling.split(stamps, of_now=False)
            if _unfit(keeping, versioning):
                continue
        of = _versions(keeping, versioning, look, stamps, judged=telling.anew)
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
        return delta.correct(all_of.making(transaction, "versioned", how, apart=telling.apart), gone, came)
    return _settled(all_of, transaction, total, len(looks), telling.apart)


def _versions(
    keeping: Keeping, versioning: Versioning, look: replay.Look, stamps: Sequence[str], *, judged: bool
) -> versions.Versions:
    """`judged`: other checks are asked than were."""
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
        ended=_ended(keeping) if judged else "",
        reopens=is_split(keeping.model),
    )


def _ended(keeping: Keeping) -> str:
    """Checks that are asked now may be against a version that is current since before: it ends, whatever is done with
    keys that are gone."""
    if not is_split(keeping.model):
        return ""
    return " OR ".join(rule.fails for rule in quarantine.compiled(keeping.model, keeping.own))


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


def _settled(
    keeping: Keeping, transaction: Transaction, total: tuple[int, int], looks: int, apart: Apart | None
) -> Outcome:
    """Commit what several looks have done: a log of it would hold rows that came and went in one commit, so it begins
    after it."""
    work, relation, session = keeping.work, keeping.relation, keeping.session
    rows = delta.size(session, relation)
    reason = f"{keeping.reason}; {looks} landing{'s' if looks != 1 else ''}, one after the other"
    reach("build.replaced")
    commit = work.ledger.commits.get(relation)
    if total == (0, 0) and not keeping.anew and commit is not None:
        judged = apart.judge(rows, 0) if apart is not None else ()
        if apart is not None:
            apart.commit(commit.number)
        applied(session, relation, keeping.inputs)
        moved = apart is not None and bool(apart.gone or apart.came)
        status = Status.SUCCESS if moved else Status.UNCHANGED
        return Outcome(status, reason, rows, mode="versioned", checks=judged)
    checks = gate(keeping.model, work, session)
    if apart is not None:
        checks += apart.judge(rows, rows)
        apart.commit(transaction.take())
    entry = Entry(relation, keeping.step.id, keeping.fingerprint, rows, keeping.inputs, logged=work.is_logged(relation))
    number = transaction.commit(entry)
    counts = {"gone": total[0], "came": total[1], **({"quarantined": apart.total} if apart is not None else {})}
    return Outcome(Status.SUCCESS, reason, rows, number, counts, mode="versioned", checks=checks)
