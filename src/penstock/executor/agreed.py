"""A step that ended well, under the contract of its relation."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

from penstock.domain.model import Model
from penstock.domain.source import SourceTable
from penstock.executor.contracting import is_due, note
from penstock.executor.gate import gate
from penstock.executor.ledger import either_way
from penstock.executor.work import Outcome, Work

CHANGED = "its contract changed, and what is there keeps it"


def agreed(what: Model | SourceTable, work: Work, done: Outcome) -> Outcome:
    """The outcome of a step, once it is written down under which contract the relation is published. Where no row
    changed and the contract did, what is there is held against it first: raises DataError when it does not keep it."""
    if what.contract is None:
        return done
    session = work.session
    if done.commit is None:
        name = what.relation if isinstance(what, Model) else what.stored
        if not is_due(what, work) or not (name in work.ledger.existing or name in work.committer.numbers):
            return done
        with nullcontext() if work.is_inside else either_way(session):
            checks = gate(what, work, session)
        done = replace(done, reason=CHANGED, checks=(*done.checks, *checks))
    work.once_committed(lambda: note(what, work, session))
    return done
