"""Files → pieces → a checked Project. Imported only when a file changed: everything heavy hangs from here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from penstock.domain.layer import Layer
from penstock.domain.model import Model
from penstock.domain.project import Project, Scalar
from penstock.domain.relation import RelationName
from penstock.errors import InternalError, PenstockError
from penstock.project.config import config
from penstock.project.exports import exports
from penstock.project.files import ProjectFile, fingerprint
from penstock.project.models import sql_model
from penstock.project.pieces import ConfigPiece, ExportPiece, Macro, ModelPiece, Piece, SourcePiece
from penstock.project.problems import Problems
from penstock.project.python_models import python_model
from penstock.project.sources import source
from penstock.sql.tokens import fingerprint as digest


def assemble(root: Path, files: tuple[ProjectFile, ...]) -> Project:
    problems = Problems()
    pieces: dict[str, Piece] = {}
    settings: ConfigPiece | None = None
    macros: Mapping[str, Macro] = {}
    for file in files:
        piece: Piece | None = None
        try:
            text = file.text()
            if file.kind == "config":
                piece = settings = config(text, file.path, problems)
            elif settings is None or not settings.layers:
                continue
            elif file.kind == "source":
                piece = source(text, file.path, settings.layers[0].name, problems)
            elif file.kind == "export":
                piece = exports(text, file.path, problems)
            elif file.kind in ("sql", "python"):
                parts = file.path.split("/")
                relation = RelationName(parts[1], parts[-1].rsplit(".", 1)[0])
                piece = (
                    sql_model(text, file.path, relation, macros, problems)
                    if file.kind == "sql"
                    else python_model(text, file.path, relation, problems)
                )
        except PenstockError as error:
            problems.take(error)
        if piece is not None:
            pieces[file.path] = piece
    problems.stop()
    if settings is None:
        raise InternalError("a project without settings and without problems", code="INTERNAL")
    return project(root, files, settings, pieces)


def project(root: Path, files: tuple[ProjectFile, ...], settings: ConfigPiece, pieces: Mapping[str, Piece]) -> Project:
    layers = {layer.name: layer for layer in settings.layers}
    return Project(
        name=settings.name,
        root=str(root),
        layers=settings.layers,
        environments={environment.name: environment for environment in settings.environments},
        default_environment=settings.default_environment,
        sources=tuple(piece.source for piece in pieces.values() if isinstance(piece, SourcePiece)),
        models=tuple(
            model(piece, layers[piece.relation.layer], settings.variables)
            for piece in pieces.values()
            if isinstance(piece, ModelPiece)
        ),
        exports=tuple(
            export for piece in pieces.values() if isinstance(piece, ExportPiece) for export in piece.exports
        ),
        variables=settings.variables,
        fingerprint=fingerprint(files),
    )


def model(piece: ModelPiece, layer: Layer, variables: Mapping[str, Scalar]) -> Model:
    """The model a piece becomes in its layer. Its fingerprint covers the variables it uses: another value is another
    result."""
    materialization = piece.materialization or layer.materialization
    if piece.language == "python" and materialization == "view":
        materialization = "rebuild"
    used = [f"{name}={variables[name]!r}" for name in sorted(piece.parameters) if name in variables]
    return Model(
        relation=piece.relation,
        language=piece.language,
        materialization=materialization,
        location=piece.location,
        fingerprint=digest(
            [
                piece.language,
                piece.definition,
                materialization,
                "\x1f".join(piece.key),
                "\x1f".join(piece.columns),
                *used,
            ]
        ),
        sql=piece.sql,
        line=piece.line,
        reads=tuple(dict.fromkeys(mention.relation for mention in piece.mentions)),
        parameters=tuple(piece.parameters),
        key=piece.key,
        columns=piece.columns,
        owner=piece.owner,
        tags=piece.tags,
        description=piece.description,
    )
