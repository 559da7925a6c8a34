"""Rows of a batch that are held back: which rules judge them, what answers them, how many there may be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime

from penstock.domain.batch import Manifest
from penstock.domain.check import Check, Rule
from penstock.domain.check_result import CheckOutcome, CheckResult
from penstock.domain.relation import Column
from penstock.domain.source import SourceColumn, SourceTable
from penstock.errors import DataError, UserError
from penstock.executor import departures
from penstock.materializations import departures as gone
from penstock.materializations import entries
from penstock.materializations import landed as landing
from penstock.materializations.history import BATCH, Incoming
from penstock.materializations.typing import typed
from penstock.planner.plan import load_fingerprint
from penstock.ports import Session
from penstock.quoting import columns, identifier, literal
from penstock.record import record

LIMIT = "QUARANTINE_LIMIT"
SAMPLES = 5
REPLACED = "_penstock_replaced"
_MOMENT = datetime(1970, 1, 1)
"""Checks of single rows know no time."""


@record
class Landed:
    """What is landed of the table that is loaded: all its batches, and where the data file of one is. `discarded` gives
    the ids of rows that a person has discarded. `corrected`: by batch, the rows of it that are corrected later."""

    batches: Sequence[Manifest] = ()
    data: Callable[[Manifest], str] = lambda batch: batch.data
    discarded: Callable[[], Collection[str]] = frozenset
    corrected: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def columns(self, table: SourceTable) -> tuple[Column, ...]:
        """Every column of any batch, as it was landed last, by its name in the relation."""
        batches = (landing.columns(table, batch.columns) for batch in self.batches)
        found = {column.name.lower(): column for columns in batches for column in columns}
        return tuple(found.values())

    @classmethod
    def of(
        cls,
        batches: Sequence[Manifest],
        data: Callable[[Manifest], str],
        discarded: Callable[[], Collection[str]] = frozenset,
    ) -> Landed:
        rows: dict[str, list[str]] = {}
        for each in batches:
            if each.correction is not None:
                rows.setdefault(each.correction.batch, []).append(each.correction.row)
        return cls(batches, data, discarded, rows)


def judged(coming: Incoming, landed: Landed) -> Incoming:
    """The batch with the rules that set rows apart. Raises DataError
    CHECK_INVALID for a check that names a column which no batch has."""
    checks = [check for check in coming.table.checks if check.on_fail == "quarantine"]
    if not checks:
        return coming
    from penstock.checks.kind import Subject
    from penstock.checks.reason import rule

    declared: Mapping[str, SourceColumn] = {column.name.lower(): column for column in coming.table.columns}
    here = {column.name.lower() for column in coming.columns}
    absent = tuple(
        Column(column.name, typed(column, declared.get(column.name.lower())).type)
        for column in landed.columns(coming.table)
        if column.name.lower() not in here
    )
    known = (*(Column(column.name, column.type) for column in coming.columns), *absent)
    subject = Subject(coming.table.relation, "", "", known, _MOMENT)
    rules: list[Rule] = []
    for check in checks:
        try:
            rules.append(rule(check, subject, coming.private))
        except KeyError as error:
            raise DataError(
                f"{coming.table.relation}: the check {check.name} names the column {error.args[0]!r}, "
                "which no batch has",
                code="CHECK_INVALID",
                location=check.location,
                hint=f"columns: {', '.join(column.name for column in known)}",
            ) from None
    return replace(coming, rules=tuple(rules), absent=absent)


def invalid(table: SourceTable, error: UserError | DataError) -> DataError:
    """The engine could not judge the rows. It does not say by which rule: what people write themselves comes first."""
    checks = [check for check in table.checks if check.on_fail == "quarantine"]
    written = [check for check in checks if check.where or "expression" in check.options]
    suspects = written or checks
    names = ", ".join(check.name for check in suspects)
    which = f"the check {names}" if len(suspects) == 1 else f"one of the checks {names}"
    return DataError(
        f"{table.relation}: {which} cannot be evaluated: {error.problem.message}",
        code="CHECK_INVALID",
        location=suspects[0].location,
        hint="write it so that no row makes it fail: TRY_CAST instead of CAST, `where` to leave rows out",
    )


def corrected(coming: Incoming, found: Sequence[Column], session: Session, landed: Landed) -> Incoming:
    """The batch with corrections in the place of rows that are sent again as they were. Corrections end of which the
    batch says something else."""
    if not coming.table.key or coming.corrects is not None:
        return coming
    if not session.query(entries.anything(coming)).rows[0][1]:
        return coming
    session.execute(entries.standing(coming))
    names = [row[0] for row in session.query(f"SELECT DISTINCT batch FROM {entries.CORRECTED}").rows]
    session.execute(entries.lapsed(coming, matched=True))
    if names:
        by_name = {batch.id: batch for batch in landed.batches}
        data = {name: _as_landed(coming.table, by_name[name], landed.data(by_name[name]), found) for name in names}
        rows = entries.replaced(coming, data)
        session.execute(f"CREATE OR REPLACE TEMP TABLE {REPLACED} AS SELECT * FROM {rows}")
        coming = replace(coming, landed=REPLACED)
    session.execute(f"DROP TABLE {entries.CORRECTED}")
    return coming


def _as_landed(table: SourceTable, batch: Manifest, data: str, found: Sequence[Column]) -> str:
    """The row of a correction with the columns `found` of another batch."""
    has = {column.name.lower() for column in landing.columns(table, batch.columns)}
    values = ", ".join(
        f"CAST({identifier(c.name) if c.name.lower() in has else 'NULL'} AS {c.type}) AS {identifier(c.name)}"
        for c in found
    )
    return f"(SELECT {values} FROM {landing.scan(table, data, batch.columns, numbered=False)} LIMIT 1)"


def settle(
    coming: Incoming, session: Session, run: tuple[str, datetime], *, held: bool, received: str, again: bool = False
) -> None:
    """Bring the entries of the table up to date with a batch. `held`: some of its rows were judged and are in BATCH.
    `run`: the run and the time; `received`: SQL of the key of the row that a correction corrects; `again`: the batch
    was loaded before, and what left its quarantine with it was noted then."""
    anything = session.query(entries.anything(coming)).rows[0]
    if not held and not anything[0] and coming.corrects is None:
        return
    answered = session.execute(entries.settled(coming))
    if coming.corrects is not None and coming.table.key:
        for statement in entries.corrected(coming, received):
            session.execute(statement)
    if held:
        answered -= session.execute(entries.given_again())
    if answered:
        if not again and session.query(gone.anyone(coming)).rows:
            departures.note(session, coming.table.relation, gone.of_batch(coming, held, run[0]), run[1])
        session.execute(entries.close(coming))
    session.execute(f"DROP TABLE {entries.SETTLED}")
    if held:
        first, then = entries.hold(coming, rules_of(coming.table))
        for statement in first:
            session.execute(statement)
        session.execute(then, run)
        session.execute("DROP TABLE _penstock_held")


def rules_of(table: SourceTable) -> str:
    """Names the rules that judge rows: types, key, checks."""
    return load_fingerprint(table)[:12]


def limit(coming: Incoming, session: Session, rows: int, quarantined: int, landed: Landed) -> None:
    """Raise DataError when more of a batch is held back than may be. Rows that a person has discarded do not count."""
    most = coming.table.max_quarantined
    if most is None or coming.corrects is not None or most.holds(quarantined, rows):
        return
    discarded = landed.discarded()
    if discarded:
        known = ", ".join(literal(each) for each in sorted(discarded))
        counted = session.query(
            f"SELECT coalesce(sum(_copies), 0)::BIGINT FROM {BATCH} WHERE len(_reasons) > 0 AND _id NOT IN ({known})"
        )
        quarantined = counted.rows[0][0]
        if most.holds(quarantined, rows):
            return
    allowed = f"{most.share:.4%}".rstrip("0%").rstrip(".") + "%" if most.share is not None else f"{most.rows or 0:,}"
    reasons = session.query(
        "SELECT split_part(r, ', found ', 1), sum(_copies) FROM "
        f"(SELECT unnest(_reasons) AS r, _copies FROM {BATCH}) GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT 3"
    ).rows
    raise DataError(
        f"{coming.table.relation}: {quarantined:,} of {rows:,} rows of batch {coming.batch} do not pass, at most "
        f"{allowed} may be set apart; mostly: {'; '.join(f'{reason} ({count:,})' for reason, count in reasons)}",
        code=LIMIT,
        location=coming.table.location,
        hint="nothing of this batch was published, and it stays landed; correct the rules or types and run again, or "
        "raise `quarantine: {max: …}`; or have the data sent again and move this batch, which was never loaded, out "
        "of landing/",
    )


def results(coming: Incoming, session: Session | None, rows: int) -> list[CheckResult]:
    """What came of the checks that set rows apart, for a batch of so many rows. `session`: rows of it are in BATCH,
    None: there is nothing to set apart."""
    if not coming.rules:
        return []
    checks = [check for check in coming.table.checks if check.on_fail == "quarantine"]
    counts: Sequence[int] = [0] * len(checks)
    if session is not None:
        counts = session.query(f"SELECT {', '.join(_count(check) for check in checks)} FROM {BATCH}").rows[0]
    found = []
    for check, failing in zip(checks, counts, strict=True):
        found.append(_result(coming, check, rows, failing, _samples(coming, check, session) if failing else ()))
    return found


def merged(found: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    """One result for each check, of the results of several batches."""
    by_name: dict[str, CheckResult] = {}
    for each in found:
        first = by_name.get(each.name)
        if first is not None:
            failing, rows = (first.failing or 0) + (each.failing or 0), (first.rows or 0) + (each.rows or 0)
            worse = first if first.failing else each
            by_name[each.name] = replace(
                worse,
                rows=rows,
                failing=failing,
                message=_message(worse.message.rpartition(": ")[0], failing, rows),
                samples=(*first.samples, *each.samples)[:SAMPLES],
            )
        else:
            by_name[each.name] = each
    return tuple(by_name.values())


def _fails(check: Check) -> str:
    return f"len(list_filter(_reasons, lambda r: starts_with(r, {literal(check.name + ': ')}))) > 0"


def _count(check: Check) -> str:
    return f"CAST(coalesce(sum(_copies) FILTER ({_fails(check)}), 0) AS BIGINT)"


def _samples(coming: Incoming, check: Check, session: Session | None) -> tuple[Mapping[str, object], ...]:
    from penstock.checks.verdict import masked

    if session is None:
        return ()
    rows = session.query(f"SELECT {columns(coming.names)} FROM {BATCH} WHERE {_fails(check)} LIMIT {SAMPLES}")
    told = [dict(zip((column.name for column in rows.columns), row, strict=True)) for row in rows.rows]
    return masked(told, coming.table.key, check, coming.private)


def _result(
    coming: Incoming, check: Check, rows: int, failing: int, samples: tuple[Mapping[str, object], ...]
) -> CheckResult:
    from penstock.checks.compile import kind_of
    from penstock.checks.kind import RowKind

    kind = kind_of(check)
    says = kind.says(check) if isinstance(kind, RowKind) else check.name
    return CheckResult(
        relation=coming.table.relation,
        name=check.name,
        kind=check.kind,
        dimension=check.dimension,
        on_fail=check.on_fail,
        outcome=CheckOutcome.WARNED if failing else CheckOutcome.PASSED,
        message=_message(f"expected {says}", failing, rows),
        location=check.location,
        scope="came",
        rows=rows,
        failing=failing,
        samples=samples,
    )


def _message(expected: str, failing: int, rows: int) -> str:
    return f"{expected}: {failing:,} of {rows:,} rows set apart" if failing else "no row fails"
