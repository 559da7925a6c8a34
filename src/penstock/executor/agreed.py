"""A step that ended well, under the contract and the checks of its relation."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

from penstock.domain.model import Model
from penstock.domain.source import SourceTable
from penstock.executor.contracting import is_due, note
from penstock.executor.gate import gate, referred
from penstock.executor.ledger import either_way
from penstock.executor.work import Outcome, Work
from penstock.planner import gates

CHANGED = "its contract changed, and what is there keeps it"
HOLD = "and what is there was asked again"


def agreed(what: Model | SourceTable, work: Work, done: Outcome) -> Outcome:
    """The outcome of a step, once it is written down under which contract the relation is published. Where no row
    changed, and the contract, the checks or what these look at did, what is there is held against them first: raises
    DataError when it does not keep them. It stays published then, as it was."""
    if done.commit is None and (why := _due(what, work, done)) is not None:
        with nullcontext() if work.is_inside else either_way(work.session):
            checks = gate(what, work, work.session)
        done = replace(done, reason=why, checks=(*done.checks, *checks))
    elif done.commit is None or what.contract is None:
        return done
    if what.contract is not None:
        work.once_committed(lambda: note(what, work, work.session))
    return done


def _due(what: Model | SourceTable, work: Work, done: Outcome) -> str | None:
    """Why what is there has to be asked, although no row changed; None when it need not be, or nothing is there."""
    if not what.checks and what.contract is None:
        return None
    name = what.relation if isinstance(what, Model) else what.stored
    if not (name in work.ledger.existing or name in work.committer.numbers):
        return None
    if is_due(what, work):
        return CHANGED
    why = gates.due(what, work.ledger, referred(what, work)) if what.checks and not done.checks else None
    return f"{why}, {HOLD}" if why else None
