"""What should not be read any more, and who reads it."""

from __future__ import annotations

from datetime import date

from penstock.domain.project import Project


def deprecations(project: Project, today: date) -> tuple[str, ...]:
    """A line for each relation whose contract says until when it may be read."""
    found: list[str] = []
    of = {table.relation: table.contract for table in project.tables}
    of |= {model.relation: model.contract for model in project.models}
    for name, contract in of.items():
        if contract is None or contract.deprecated is None:
            continue
        readers = [str(model.relation) for model in project.models if name in model.reads]
        readers += [f"the export {export.name}" for export in project.exports if name in export.relations]
        over = "was to be read until" if date.fromisoformat(contract.deprecated) < today else "is to be read until"
        who = f"still read by {', '.join(readers)}" if readers else "read by nothing here"
        found.append(f"{name} (version {contract.version}) {over} {contract.deprecated}: {who}")
    return tuple(found)
