"""models/<layer>/<name>.sql → ModelPiece."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.domain.relation import RelationName
from penstock.errors import Location
from penstock.project.checks import checks
from penstock.project.contracts import of_model as contract_of
from penstock.project.front_matter import of_sql
from penstock.project.pieces import Mention, ModelPiece
from penstock.project.problems import Problems
from penstock.project.schema import SqlFrontMatter
from penstock.project.strategies import of_sql as strategy_of
from penstock.project.tolerances import tolerance
from penstock.project.validation import validate
from penstock.project.yaml import Document
from penstock.sql.functions import Macro, expand


def sql_model(
    text: str, path: str, relation: RelationName, macros: Mapping[str, Macro], problems: Problems
) -> ModelPiece | None:
    """What one SQL file declares; None when it cannot be read. What is wrong goes to `problems`.

    Raises ProjectError for front matter that is not YAML, UserError for SQL that does not parse.
    """
    from penstock.sql.facts import facts
    from penstock.sql.parse import Where, single

    matter = of_sql(text, path)
    spec = validate(SqlFrontMatter, matter.document.value, matter.document, (), problems)
    start = matter.end + len(text[matter.end :]) - len(text[matter.end :].lstrip())
    line = text.count("\n", 0, start) + 1
    sql = single(text[start:], Where(text[start:], path, line))
    expanded = expand(sql, macros, path, line)
    found = facts(expanded.sql, path, line)
    problems.extend(found.problems)
    if spec is None:
        return None
    strategy = strategy_of(spec, matter.document, problems)
    first: dict[str, Location] = {}
    for name, row, column in found.parameters:
        first.setdefault(name, Location(path, row, column))
    return ModelPiece(
        relation=relation,
        language="sql",
        location=Location(path, line),
        definition=expanded.fingerprint,
        sql=expanded.sql,
        line=line,
        mentions=tuple(
            Mention(mention.relation, Location(path, mention.line, mention.column)) for mention in found.mentions
        ),
        parameters=first,
        outputs=found.columns,
        drives=found.drives,
        materialization=spec.materialization,
        key=tuple(spec.key),
        columns=tuple(spec.columns),
        owner=spec.owner,
        tags=tuple(spec.tags),
        description=spec.description,
        places=places(matter.document),
        strategy=strategy,
        checks=checks(spec.checks, matter.document, ("checks",), problems, macros),
        pii=tuple(spec.pii),
        contract=contract_of(spec, matter.document, problems),
        max_quarantined=tolerance(spec.quarantine.max) if spec.quarantine else None,
        publish_group=spec.publish_group,
    )


def places(document: Document) -> dict[str, Location]:
    """The place of each top-level key of a front matter."""
    return {str(path[0]): Location(document.path, *place) for path, place in document.keys.items() if len(path) == 1}
