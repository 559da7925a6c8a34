"""Relations as they were after a commit, laid out in a database beside the warehouse."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from penstock.domain.ledger import Ledger
from penstock.domain.relation import Column, RelationName
from penstock.errors import PenstockError, StateError, UserError
from penstock.executor import changes
from penstock.executor.catalogue import Catalogue
from penstock.materializations import changelog, past
from penstock.ports import Session

_KEEP = "`retention: 30 days` of an environment keeps changes longer"


class Past:
    """What the ledger knows of times gone by. `session` has the warehouse beside a database of its own, and nothing in
    that yet. `histories`: the stored history behind each relation of current rows."""

    def __init__(self, session: Session, ledger: Ledger, histories: Mapping[RelationName, RelationName]) -> None:
        self._session = session
        self._ledger = ledger
        self._histories = histories
        self._catalogue = Catalogue()
        session.execute(past.inside())
        self._catalogue.columns(session, RelationName("_penstock", "commits"))  # before other catalogs hold anything

    def commit_at(self, at: datetime | int, now: datetime) -> int:
        """The last commit that was there at a time (UTC), or a commit's own number. Raises UserError outside of what
        the ledger knows."""
        last = self._ledger.last
        if isinstance(at, int):
            if not 1 <= at <= last:
                raise UserError(
                    f"there is no commit {at}: the last one is {last}",
                    code="AT_UNKNOWN",
                    hint='penstock query "SELECT number, relation, committed_at FROM _penstock.commits" lists them',
                )
            return at
        if at > now:
            raise UserError(
                f"{_said(at)} has not come yet: it is {_said(now)}",
                code="AT_UNKNOWN",
                hint="give a time in the past; a time without a zone is UTC",
            )
        found = self._session.query(
            "SELECT max(number) FILTER (committed_at <= ?), min(committed_at) FROM _penstock.commits",
            (at.astimezone(UTC).replace(tzinfo=None), ),
        ).rows[0]  # fmt: skip
        if found[0] is None:
            since = f"the first one is of {_said(found[1])}" if found[1] else "there is none at all"
            raise UserError(
                f"there was no commit at {_said(at)}: {since}",
                code="BEFORE_LOG",
                hint="give a later time; a rebuilt warehouse begins with its rebuild",
            )
        number: int = found[0]
        return number

    def lay_out(self, relation: RelationName, number: int) -> None:
        """Make `relation` readable by its name, as it was after the commit `number`. Leaves the session in the database
        that holds it."""
        inputs = self._behind(relation)
        for each in inputs:
            self._check(each, number, asked=relation)
        if relation not in inputs:
            self._check_view(relation, number)
        found = {each: self._catalogue.columns(self._session, each) or () for each in inputs}
        views = self._views()
        self._session.execute(past.OUTSIDE)
        for layer in {past.SCHEMA, *(name.layer for name in (*inputs, *views, relation))}:
            self._session.execute(past.schema(layer))
        for each, columns in found.items():
            self._put(each, columns, number)
        if relation not in inputs:
            self._put_views(views, relation)

    def _behind(self, relation: RelationName) -> tuple[RelationName, ...]:
        """The stored relations a relation shows: itself when it is a table."""
        if self._ledger.existing.get(relation) == "table":
            return (relation,)
        if relation in self._histories:
            return (self._histories[relation],)
        return tuple(self._ledger.applied.get(relation, ()))

    def _check(self, relation: RelationName, number: int, *, asked: RelationName) -> None:
        """Raises UserError when nothing tells how the relation was after the commit `number`."""
        told = f"{asked} as of commit {number}" + (f" (it reads {relation})" if relation != asked else "")
        commits = self._commits(relation)
        if not commits or commits[0][0] > number:
            when = f"its first commit is {commits[0][0]}, of {_said(commits[0][2])}" if commits else "it has no commit"
            raise UserError(f"{told}: it was not there yet, {when}", code="BEFORE_LOG", hint="give a later time")
        if commits[-1][0] <= number:
            return
        since = self._ledger.logs.get(relation)
        if since is None:
            raise UserError(
                f"{told}: {relation} keeps no change log, and has changed since (commit {commits[-1][0]})",
                code="BEFORE_LOG",
                hint=f"it can be shown as it has been since {_said(commits[-1][2])}",
            )
        if since > number:
            at = next((_said(when) for each, _, when in commits if each >= since), "then")
            raise UserError(
                f"{told}: what it was then is not kept; its change log begins after commit {since}, of {at}",
                code="BEFORE_LOG",
                hint=f"give a time since {at}. {_KEEP}; "
                "the log begins anew when a table is made anew or its columns change",
            )
        logs = changes.logged(self._session, self._catalogue, {relation: number})
        if isinstance(logs, str):
            raise _altered(logs)

    def _check_view(self, relation: RelationName, number: int) -> None:
        """What a view showed is its definition over what it read. Definitions are not kept."""
        commits = self._commits(relation)
        if relation in self._histories or not commits:
            return
        then = [made for each, made, _ in commits if each <= number]
        if then and then[-1] != commits[-1][1]:
            changed = next(each for each, made, _ in commits if each > number and made != then[-1])
            raise UserError(
                f"{relation} as of commit {number}: its definition has changed since (commit {changed}), and a view "
                "keeps nothing itself",
                code="VIEW_CHANGED",
                hint="show what it reads at that time, or make it a table (`materialization: auto`)",
            )

    def _commits(self, relation: RelationName) -> Sequence[tuple[int, str, datetime]]:
        found: Sequence[tuple[int, str, datetime]] = self._session.query(
            "SELECT number, fingerprint, committed_at FROM _penstock.commits WHERE relation = ? ORDER BY number",
            (str(relation),),
        ).rows
        return found

    def _put(self, relation: RelationName, found: Sequence[Column], number: int) -> None:
        session = self._session
        log = self._catalogue.columns(session, changelog.name_of(relation))
        changed = log is not None and bool(session.execute(past.net(relation, found, number)))
        if changed and session.query(past.absent(relation, found)).rows[0][0]:
            raise _altered(f"{relation} does not hold rows that by its change log have entered it")
        session.execute(past.view(relation, found, number, changed=changed))

    def _views(self) -> dict[RelationName, str]:
        """The statement that made each view of the warehouse."""
        rows = self._session.query(
            "SELECT schema_name, view_name, sql FROM duckdb_views() WHERE database_name = current_database() "
            "AND NOT internal"
        ).rows
        return {RelationName(layer, name): sql for layer, name, sql in rows}

    def _put_views(self, views: Mapping[RelationName, str], wanted: RelationName) -> None:
        """Every view that can be made of what is laid out, until the wanted one is among them."""
        left: Collection[RelationName] = list(views)
        while wanted in left:
            failed: dict[RelationName, PenstockError] = {}
            for name in left:
                try:
                    self._session.execute(views[name])
                except PenstockError as error:
                    failed[name] = error
            if len(failed) == len(left):
                raise failed[wanted]
            left = list(failed)


def _altered(what: str) -> StateError:
    return StateError(
        f"what was cannot be told: {what}",
        code="LOG_ALTERED",
        hint="somebody has written to the warehouse beside Penstock; `penstock verify` names the rows",
    )


def _said(when: datetime) -> str:
    """A time of the ledger's (UTC without a zone) or a person's."""
    told = when.astimezone(UTC) if when.tzinfo else when
    return f"{told:%Y-%m-%dT%H:%M:%SZ}"
