"""Versions of one output beside each other: models/serv/report@2.sql next to report.sql, which is the newest.

In the warehouse version 2 is `serv.report_v2`: a name that needs no quotes anywhere. The newest is
`serv.report`, and has its number as well, as a view, when there are older ones or somebody reads it by number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from penstock.domain.relation import RelationName
from penstock.errors import Location
from penstock.project.names import NAME
from penstock.project.pieces import Mention, ModelPiece
from penstock.project.problems import Problems
from penstock.quoting import qualified
from penstock.sql.tokens import fingerprint

if TYPE_CHECKING:
    from penstock.project.check import Declared

_FILE = re.compile(rf"(?P<name>{NAME.pattern})@(?P<number>[1-9][0-9]{{0,5}})")
_NUMBERED = re.compile(r"(?P<name>.+)_v(?P<number>[1-9][0-9]{0,5})")


def of_file(path: str) -> tuple[str, int] | None:
    """`models/serv/sales_report@2.sql` → ("sales_report", 2); None for a file that is no version of another."""
    match = _FILE.fullmatch(path.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    return (match["name"], int(match["number"])) if match else None


def older(declared: Declared) -> dict[RelationName, tuple[RelationName, int]]:
    """Every model that is a version beside a newer one, with that and its own number."""
    found: dict[RelationName, tuple[RelationName, int]] = {}
    for model in declared.models:
        version = of_file(model.location.path)
        if version is not None:
            found[model.relation] = (RelationName(model.relation.layer, version[0]), version[1])
    return found


def expand(declared: Declared, problems: Problems) -> None:
    """Hold versions against each other, and add a view for each newest one that is to be read by its number."""
    by_name = {model.relation: model for model in declared.models}
    versions = older(declared)
    newest: dict[RelationName, int] = {}
    for relation, (family, number) in versions.items():
        place = Location(by_name[relation].location.path, 1)
        if family in declared.unread:
            continue
        if family not in by_name:
            problems.add(
                "VERSION_INVALID",
                f"version {number} of {family} stands alone: there is no {family}",
                place,
                f"add the newest as models/{family.layer}/{family.name}.sql, or rename this file",
            )
            continue
        newest[family] = max(newest.get(family, 0), number)
    for family, number in newest.items():
        model = by_name[family]
        if model.contract is None or model.contract.version <= number:
            says = f"version {model.contract.version}" if model.contract else "no contract"
            problems.add(
                "VERSION_INVALID",
                f"{family} is to be newer than its version {number}, and has {says}",
                model.contract.location if model.contract else Location(model.location.path, 1),
                f"write `contract: {{version: {number + 1}, columns: …}}` in {model.location.path}",
            )
    named = {mention.relation for mention in _mentions(declared)}
    for family, model in by_name.items():
        if model.contract is None or family in versions:
            continue
        alias = RelationName(family.layer, f"{family.name}_v{model.contract.version}")
        free = alias not in by_name and alias not in declared.unread
        if free and (family in newest or alias in named):
            declared.models.append(_alias(model, alias))


def _mentions(declared: Declared) -> Iterator[Mention]:
    for model in declared.models:
        yield from model.mentions
        yield from (Mention(each, check.location) for check in model.checks for each in check.refers)
    for piece in declared.exports:
        yield from piece.mentions
    for own in declared.checks:
        yield from own.mentions


def _alias(model: ModelPiece, name: RelationName) -> ModelPiece:
    sql = f"SELECT * FROM {qualified(model.relation.layer, model.relation.name)}"
    return ModelPiece(
        relation=name,
        language="sql",
        location=model.location,
        definition=fingerprint([sql]),
        sql=sql,
        line=model.location.line or 1,
        mentions=(Mention(model.relation, model.location),),
        outputs=model.outputs,
        materialization="view",
        owner=model.owner,
        tags=model.tags,
        description=f"Version {model.contract.version if model.contract else 1} of {model.relation}, the newest.",
        pii=model.pii,
        publish_group=model.publish_group,
    )


def absent(mention: Mention, declared: Declared, problems: Problems) -> bool:
    """Whether a relation that is named and not there is a version of one that is: that is told then."""
    match = _NUMBERED.fullmatch(mention.relation.name)
    if match is None:
        return False
    family = RelationName(mention.relation.layer, match["name"])
    model = next((each for each in declared.models if each.relation == family), None)
    if model is None or model.contract is None:
        return False
    numbers = sorted({number for of, number in older(declared).values() if of == family} | {model.contract.version})
    suffix = model.location.path.rsplit(".", 1)[-1]
    problems.add(
        "UNKNOWN_VERSION",
        f"there is no version {match['number']} of {family}; there is {', '.join(map(str, numbers))}",
        mention.location,
        f"read {family}@{numbers[-1]}, or put models/{family.layer}/{family.name}@{match['number']}.{suffix} back",
    )
    return True
