"""Looking outside before planning: what sources have, what is landed, what is there. Reads no data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256

from penstock import __version__
from penstock.commands.workspace import Workspace
from penstock.domain.batch import Pending, extracts
from penstock.domain.ledger import Ledger
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.embedded.contracts import ContractFile
from penstock.errors import PenstockError
from penstock.planner.plan import Observed


def observe(space: Workspace, ledger: Ledger, *, sources: bool = True) -> Observed:
    """What a plan needs to know. With `sources=False` the sources are left alone (a rebuild from landing). A table
    whose source or landing does not answer has a plan all the same: its steps say why when they are carried out."""
    pending: dict[str, Pending] = {}
    unreachable: dict[str, str] = {}
    batches = {}
    for table in space.project.tables:
        try:
            batches[table.id] = space.landing.batches(table.source, table.name)
            if not sources:
                continue
            previous = extracts(batches[table.id])
            pending[table.id] = space.reader(table).pending(table, space.roots[table.source], previous)
        except PenstockError as error:
            unreachable[table.id] = error.problem.message
    return Observed(ledger, batches, pending, unreachable, _present(space), _contracts(space))


def _contracts(space: Workspace) -> Mapping[RelationName, str]:
    """Under which contract each relation was published last; asked only where there are any."""
    of = {table.relation: table.contract for table in space.project.tables}
    of |= {model.relation: model.contract for model in space.project.models}
    file = ContractFile(space.home)
    return {name: file.fingerprint(name) for name, contract in of.items() if contract is not None}


def _present(space: Workspace) -> Collection[str]:
    return {export.name for export in space.project.exports if (space.exports / export.path).exists()}


def settled(space: Workspace) -> str | None:
    """A fingerprint of everything a run looks at: project, sources, landing, warehouse, exports, by names, sizes and
    times. Equal to that of a run that ended well and made nothing that depends on the time, there is nothing to do, and
    nobody needs to open anything to know.

    None when that cannot be said: a source does not answer, or the engine cannot tell.
    """
    warehouse = space.engine.stamp(space.options("settled"))
    if warehouse is None:
        return None
    parts = [__version__, space.project.fingerprint, space.environment.name, warehouse, space.landing.stamp()]
    try:
        parts += [_stamp(space, table) for table in space.project.tables]
        parts += [_file(space, export.path) for export in space.project.exports]
    except (PenstockError, OSError):
        return None
    return sha256("\n".join(parts).encode()).hexdigest()


def still(space: Workspace, sources: Mapping[str, str], loaded: Collection[str]) -> bool:
    """Whether nothing came in while a run worked: sources have the stamps they had when it was planned, and it has
    loaded all that is landed. To be asked after the fingerprint was taken: what comes later changes that."""
    try:
        return all(
            _stamp(space, table) == sources.get(table.id)
            and all(batch.id in loaded for batch in space.landing.batches(table.source, table.name))
            for table in space.project.tables
        )
    except PenstockError:
        return False


def _stamp(space: Workspace, table: SourceTable) -> str:
    return space.reader(table).pending(table, space.roots[table.source], ()).stamp


def _file(space: Workspace, path: str) -> str:
    found = (space.exports / path).stat()
    return f"{path}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"
