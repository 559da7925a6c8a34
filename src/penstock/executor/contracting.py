"""Contracts at publishing: what breaks one is told before anybody sees it; what held is written into the registry."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.contracts.shape import departures, stops
from penstock.contracts.versions import refused
from penstock.domain.contract import Contract, Held
from penstock.domain.model import Model
from penstock.domain.relation import Column, RelationName
from penstock.domain.source import SourceTable
from penstock.domain.strategy import VALIDITY
from penstock.errors import DataError
from penstock.executor.work import Work
from penstock.materializations.history import APPEND_META, META
from penstock.ports import Session
from penstock.quoting import qualified

_COLUMNS = "SELECT table_schema, table_name, column_name FROM information_schema.columns ORDER BY ordinal_position"


def hold(what: Model | SourceTable, work: Work, session: Session) -> None:
    """Hold what is about to be committed against its contract, and that against the versions before it. Raises
    DataError; the transaction it is called in is taken back then, and what was published stays.

    The shape of a source table is judged batch by batch when it is loaded, and not again.
    """
    contract = what.contract
    if contract is None:
        return
    follows(what, contract, work, session)
    if isinstance(what, SourceTable):
        return

    def readers(names: Sequence[str]) -> Sequence[str]:
        return read_by(work, session, (what.relation,), names)

    found = departures(contract, columns(what, session))
    broken = [each for each in found if stops(contract, each, readers=readers([each.column]))]
    if broken:
        below = [] if all(each.what == "extra" for each in broken) else readers([each.column for each in broken])
        raise DataError(
            f"{what.relation}: what it gives is not what version {contract.version} of its contract says: "
            f"{'; '.join(each.message for each in broken)}{said(below)}",
            code="CONTRACT_BROKEN",
            location=contract.location,
            hint="make the model give what the contract says, or change the contract and raise its version",
        )


def said(below: Sequence[str]) -> str:
    return f"; read by {', '.join(below)}" if below else ""


def read_by(work: Work, session: Session, relations: Sequence[RelationName], names: Sequence[str]) -> list[str]:
    """The models and exports that read columns of these names of the relations, or what is made from them."""
    from penstock.contracts.impact import consumers

    found: dict[RelationName, list[str]] = {}
    for layer, name, column in session.query(_COLUMNS).rows:
        found.setdefault(RelationName(layer, name), []).append(column)
    return [str(each) for each in consumers(work.reach.project, found, relations, names)]


def follows(what: Model | SourceTable, contract: Contract, work: Work, session: Session) -> None:
    """Raises DataError when the contract breaks with what was held under its version."""
    if work.contracts.fingerprint(what.relation) == contract.fingerprint:
        return
    own = (what.relation,) if isinstance(what, Model) else (what.relation, what.stored)
    history = work.contracts.history(what.relation)
    why = refused(history, contract, lambda names: read_by(work, session, own, names))
    if why:
        newest = max(held.contract.version for held in history)
        raise DataError(
            f"{what.relation}: {why}",
            code="CONTRACT_VERSION",
            location=contract.location,
            hint=f"write `version: {newest + 1}`, or leave the columns as they were; "
            f"`penstock contract show {what.relation}` tells what was held",
        )


def columns(what: Model | SourceTable, session: Session) -> tuple[Column, ...]:
    """The columns that are there, without those that Penstock adds."""
    name = what.relation if isinstance(what, Model) else what.stored
    found = session.describe(f"SELECT * FROM {qualified(name.layer, name.name)}")
    if isinstance(what, SourceTable):
        added: Sequence[str] = META if what.key else APPEND_META
    else:
        promised = what.contract and what.contract.column(VALIDITY[0])
        added = VALIDITY if what.materialization == "history" and not promised else ()
    return tuple(column for column in found if column.name not in added)


def is_due(what: Model | SourceTable, work: Work) -> bool:
    """Whether the contract is not the one under which the relation was published last."""
    return what.contract is not None and work.contracts.fingerprint(what.relation) != what.contract.fingerprint


def note(what: Model | SourceTable, work: Work, session: Session) -> None:
    """Write down that the relation is published under its contract."""
    if what.contract is not None:
        shape = tuple((column.name, column.type) for column in columns(what, session))
        at = work.now().replace(tzinfo=None).isoformat(timespec="microseconds")
        work.contracts.note(Held(what.relation, what.contract, shape, at, work.run, work.committer.revision))
