"""How many rows are in quarantine, relation by relation, and by which check."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from penstock.domain.model import Model
from penstock.domain.project import Project
from penstock.domain.quality import Held
from penstock.domain.quarantine import REASONS
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.executor.ledger import QUARANTINE, SCHEMA
from penstock.materializations.judgement import hashed
from penstock.ports import Session
from penstock.quoting import literal, qualified

OURS = "_penstock_"
OF_MODEL = "quarantine_"
"""What the name of a model's table of held-back rows begins with; its relation follows."""


def rules(project: Project) -> Mapping[str, Sequence[str]]:
    """`layer.name` → the names of its checks that set rows apart."""
    relations: list[Model | SourceTable] = [*project.tables, *project.models]
    return {
        str(each.relation): [check.name for check in each.checks if check.on_fail == "quarantine"] for each in relations
    }


def held(
    session: Session,
    names: Mapping[str, Sequence[str]],
    existing: Collection[RelationName],
    discarded: Mapping[RelationName, Collection[str]],
) -> Mapping[str, Held]:
    """Rows that are held back now, of each relation that has any. `names` as `rules` gives them: a row counts for every
    check that has set it apart, whose name its reasons begin with. `existing`: every table there is.
    `discarded`: ids of rows that a person has discarded, which do not count."""
    found = {}
    for (relation,) in session.query(f"SELECT DISTINCT relation FROM {QUARANTINE}").rows:
        gone = _listed(discarded.get(RelationName.parse(relation), ()))
        rows = f"(FROM {QUARANTINE} WHERE relation = {literal(str(relation))} AND id NOT IN ({gone}))"
        found[str(relation)] = _counted(session, rows, "reasons", "copies", names.get(str(relation), ()))
    for table in existing:
        if table.layer == SCHEMA and table.name.startswith(OF_MODEL):
            relation = table.name.removeprefix(OF_MODEL)
            rows = qualified(SCHEMA, table.name)
            if known := discarded.get(RelationName.parse(relation)):
                own = [c.name for c in session.describe(f"SELECT * FROM {rows}") if not c.name.startswith(OURS)]
                rows = f"(FROM {rows} WHERE {hashed(own)} NOT IN ({_listed(known)}))"
            found[relation] = _counted(session, rows, REASONS, "1", names.get(relation, ()))
    return {relation: counts for relation, counts in sorted(found.items()) if counts.rows}


def _listed(ids: Collection[str]) -> str:
    return ", ".join(literal(each) for each in ids) or "''"


def _counted(session: Session, rows: str, reasons: str, copies: str, names: Sequence[str]) -> Held:
    of_checks = [
        f"coalesce(sum({copies}) FILTER "
        f"(len(list_filter({reasons}, lambda r: starts_with(r, {literal(name + ': ')}))) > 0), 0)"
        for name in names
    ]
    counts = [f"CAST({each} AS BIGINT)" for each in (f"coalesce(sum({copies}), 0)", *of_checks)]
    (total, *by_check) = session.query(f"SELECT {', '.join(counts)} FROM {rows}").rows[0]
    return Held(total, {name: count for name, count in zip(names, by_check, strict=True) if count})
