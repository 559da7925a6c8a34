"""Relations that are in the warehouse and in the project no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.domain.ledger import Ledger
from penstock.domain.leftover import Leftover
from penstock.domain.project import Project
from penstock.domain.relation import RelationName
from penstock.executor.ledger import either_way
from penstock.materializations import changelog
from penstock.ports import Session
from penstock.quoting import qualified

_BY_RELATION = ("applied", "logs", "measures", "gates", "quarantine", "corrections", "batches")
_COLUMN = {"applied": "model"}
_HISTORY = "_history"


def leftovers(project: Project, ledger: Ledger) -> tuple[Leftover, ...]:
    """What a run has made here once and none would make any more, by name. A history counts with its current rows."""
    declared = {model.relation for model in project.models}
    declared |= {name for table in project.tables for name in (table.relation, table.stored)}
    found: list[Leftover] = []
    for name, commit in ledger.commits.items():
        if name not in ledger.existing:
            continue
        parts = _parts(name, ledger)
        own = tuple(part for part in parts if part not in declared)
        if name not in declared:
            found.append(Leftover(parts[-1], own, ledger.existing[name], commit.rows, commit.committed_at))
    return tuple(sorted(found, key=lambda each: each.relation))


def _parts(name: RelationName, ledger: Ledger) -> tuple[RelationName, ...]:
    """A relation; a history and the view of its current rows, which has no commit of its own."""
    current = RelationName(name.layer, name.name.removesuffix(_HISTORY))
    if current != name and ledger.existing.get(current) == "view" and current not in ledger.commits:
        return (name, current)
    return (name,)


def drop(session: Session, ledger: Ledger, dropped: Sequence[Leftover]) -> None:
    """Take relations out of the warehouse, with their change logs, what is set apart of them, and what the ledger needs
    for the next run; one transaction. Their commits stay in the ledger: numbers are not given twice."""
    kinds: Mapping[RelationName, str] = ledger.existing
    there = {str(name) for name in ledger.existing}
    with either_way(session):
        for each in dropped:
            for name in reversed(each.relations):
                session.execute(f"DROP {kinds[name].upper()} {qualified(name.layer, name.name)}")
                if changelog.name_of(name) in kinds:
                    session.execute(changelog.drop(name))
                for table in _BY_RELATION:
                    if f"_penstock.{table}" in there:
                        column = _COLUMN.get(table, "relation")
                        session.execute(f"DELETE FROM _penstock.{table} WHERE {column} = ?", (str(name),))
