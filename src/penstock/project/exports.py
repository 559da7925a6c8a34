"""exports/*.yml → ExportPiece."""

from __future__ import annotations

from pathlib import PurePosixPath

from penstock import registry
from penstock.domain.export import Export
from penstock.domain.relation import RelationName
from penstock.errors import Location
from penstock.project.options import checked, known_kind
from penstock.project.pieces import ExportPiece, Mention
from penstock.project.problems import Problems
from penstock.project.schema import ExportSpec, ExportsSpec
from penstock.project.validation import validate
from penstock.project.yaml import Document, Path, read
from penstock.sql.tokens import fingerprint

_EXPORT_KEYS = tuple(info.alias or name for name, info in ExportSpec.model_fields.items())
_MANY = ("duckdb",)
"""Formats that hold several relations."""


def exports(text: str, path: str, problems: Problems) -> ExportPiece | None:
    """What one file of exports/ declares; None when it cannot be read. What is wrong goes to `problems`."""
    document = read(text, path)
    spec = validate(ExportsSpec, document.value, document, (), problems)
    if spec is None:
        return None
    found: list[Export] = []
    mentions: list[Mention] = []
    places: dict[str, Location] = {}
    for name, raw in spec.exports.items():
        base = ("exports", name)
        each = validate(ExportSpec, raw, document, base, problems)
        if each is None:
            continue
        named = _relations(each, document, base, problems)
        _path(each.path, document, (*base, "path"), problems)
        options = (
            checked(
                "export",
                each.format,
                each.model_extra or {},
                document=document,
                path=base,
                own_keys=_EXPORT_KEYS,
                problems=problems,
            )
            if known_kind("export", each.format, document, (*base, "format"), problems)
            else None
        )
        mentions += named
        places[name] = document.at(*base, "path")
        found.append(
            Export(
                name=name,
                format=each.format,
                relations=tuple(mention.relation for mention in named),
                path=each.path,
                location=document.key(*base),
                columns=tuple(each.columns),
                order_by=tuple(each.order_by),
                options=options or {},
                owner=each.owner,
                tags=tuple(each.tags),
                description=each.description,
                fingerprint=_fingerprint(each, options or {}),
                uses=tuple(dict.fromkeys(registry.export(each.format).columns(options))) if options else (),
            )
        )
    return ExportPiece(tuple(found), tuple(mentions), places)


def _relations(spec: ExportSpec, document: Document, base: Path, problems: Problems) -> list[Mention]:
    if spec.relation is not None and spec.relations is not None:
        problems.add(
            "EXPORT_RELATIONS",
            "expected relation or relations, found both",
            document.key(*base, "relations"),
            "keep one of them",
        )
    if spec.relation is not None:
        return [Mention(RelationName.parse(spec.relation), document.at(*base, "relation"))]
    named = spec.relations or []
    if not named:
        problems.add(
            "MISSING_KEY",
            "an export needs the relation it writes",
            document.key(*base),
            "add `relation: layer.name`",
        )
    elif spec.format not in _MANY and len(named) > 1:
        problems.add(
            "EXPORT_RELATIONS",
            f"a {spec.format} export holds one relation, found {len(named)}",
            document.at(*base, "relations"),
            "write one export for each, or use format: duckdb",
        )
    for what in ("columns", "order_by"):
        if len(named) > 1 and spec.format in _MANY and getattr(spec, what):
            problems.add(
                "EXPORT_RELATIONS",
                f"{what} is for exports of one relation, found {len(named)} relations",
                document.key(*base, what),
                f"remove {what}",
            )
    return [
        Mention(RelationName.parse(relation), document.at(*base, "relations", index))
        for index, relation in enumerate(named)
    ]


def _path(text: str, document: Document, path: Path, problems: Problems) -> None:
    """An export stays below the environment's exports folder."""
    parts = PurePosixPath(text).parts
    wrong = (
        text.startswith("/")
        or "\\" in text
        or ".." in parts
        or (len(text) > 1 and text[1] == ":")
        or any(ord(sign) < 32 for sign in text)
        or any(part.startswith(".") for part in parts)
        or not {"", "."}.isdisjoint(text.split("/"))
        or len(text) > 200
    )
    if wrong:
        problems.add(
            "EXPORT_PATH",
            f"expected a path below the exports folder, found {text!r}",
            document.at(*path),
            "write a file name, or folder/name, without `..`, a `/` at an end or a hidden name",
        )


def _fingerprint(spec: ExportSpec, options: object) -> str:
    """Changes when the file that is written may change; not for owner, tags and description."""
    parts = [spec.format, spec.path, repr(spec.relation), repr(spec.relations), repr(spec.columns)]
    return fingerprint([*parts, repr(spec.order_by), repr(options)])
