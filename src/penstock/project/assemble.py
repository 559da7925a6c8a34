"""Files → pieces → a checked Project. Imported only when a file changed: everything heavy hangs from here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from penstock.checks.compile import looks_back
from penstock.domain.check import Check
from penstock.domain.layer import Layer
from penstock.domain.model import Model
from penstock.domain.project import Project, Scalar
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.domain.strategy import Strategy
from penstock.errors import InternalError, Location, PenstockError, ProjectError
from penstock.project.cache import Kept, Stored
from penstock.project.check import Declared, check
from penstock.project.checks import check_file
from penstock.project.codec import decode, encode
from penstock.project.config import config
from penstock.project.contracts import personal, promises
from penstock.project.exports import exports
from penstock.project.files import ProjectFile, fingerprint
from penstock.project.groups import group_of
from penstock.project.incidents import incidents
from penstock.project.models import sql_model
from penstock.project.names import NAME_HINT, is_name
from penstock.project.pieces import (
    CheckPiece,
    ConfigPiece,
    ExportPiece,
    FunctionPiece,
    IncidentsPiece,
    ModelPiece,
    SourcePiece,
)
from penstock.project.problems import Problems, did_you_mean
from penstock.project.python_checks import python_check
from penstock.project.python_models import python_model
from penstock.project.sources import source
from penstock.project.versions import expand, of_file
from penstock.record import record
from penstock.sql.functions import Macro, macros, resolved
from penstock.sql.tokens import fingerprint as digest

PieceType = TypeVar("PieceType")


@record
class Assembled:
    """`stored` is what to keep for the next call. `problems` is None when all is well; only then is there a
    project."""

    stored: Stored
    problems: ProjectError | None
    found: Project | None = None

    @property
    def project(self) -> Project:
        if self.found is None:
            raise InternalError("a project with problems has been asked for", code="BUG")
        return self.found


def assemble(root: Path, files: tuple[ProjectFile, ...], kept: dict[str, Any]) -> Assembled:
    """Read every file (pieces from `kept` where the content is the same), check everything against everything."""
    reader = _Reader(files, Kept(kept))
    declared = reader.read()
    found: Project | None = None
    if declared is not None:
        expand(declared, reader.problems)
        check(declared, reader.problems)
        if not len(reader.problems):
            found = project(root, files, declared)
    present = {file.path for file in files}
    # What was not looked at this time (penstock.yml is broken, say) is still good for the next.
    unseen = {path: piece for path, piece in kept.items() if path in present}
    stored = Stored(pieces=json.dumps(unseen | reader.kept.after))
    if found is not None:
        stored.fingerprint = found.fingerprint
        stored.project = json.dumps(encode(Project, found))
        return Assembled(stored, None, found)
    sound = declared and _sound(root, files, declared, reader.problems)
    return Assembled(stored, ProjectError(reader.problems.sorted(), sound))


def _sound(root: Path, files: tuple[ProjectFile, ...], declared: Declared, problems: Problems) -> Project | None:
    """The project without the files that have problems, and without the checks that have some, for whatever needs a
    whole one. Without its sources nothing else can be checked: then it is what penstock.yml says alone. None when that
    is where the problems are."""
    broken = {problem.location.path for problem in problems.of_files if problem.location}
    if "penstock.yml" in broken:
        return None
    if any(path.startswith("sources/") for path in broken):
        return project(root, files, Declared(declared.config))
    declared.models = [
        replace(piece, checks=_without(piece.checks, problems))
        for piece in declared.models
        if piece.location.path not in broken
    ]
    declared.checks = [piece for piece in declared.checks if piece.check.location.path not in broken]
    declared.sources = [_sound_source(piece, problems) for piece in declared.sources]
    return project(root, files, declared)


def _without(found: Sequence[Check], problems: Problems) -> tuple[Check, ...]:
    """Those of the checks that nothing is wrong with."""
    return tuple(check for check in found if check.location not in problems.checks)


def _sound_source(piece: SourcePiece, problems: Problems) -> SourcePiece:
    tables = (replace(table, checks=_without(table.checks, problems)) for table in piece.source.tables)
    return replace(piece, source=replace(piece.source, tables=tuple(tables)))


class _Reader:
    """Reads files into pieces; each problem is kept and reading goes on."""

    def __init__(self, files: tuple[ProjectFile, ...], kept: Kept) -> None:
        self.files, self.kept = files, kept
        self.problems = Problems()
        self.macros, self.state = self.functions()

    def piece(
        self, file: ProjectFile, kind: type[PieceType], context: str, parse: Callable[[str], PieceType | None]
    ) -> PieceType | None:
        """One file's piece: kept from before when content and `context` are the same, else parsed. A piece with
        problems is parsed again every time, so that they are told every time."""
        wanted = f"{file.sha256} {context}"
        data = self.kept.get(file.path, wanted)
        if data is not None:
            return decode(kind, data)
        before = len(self.problems)
        try:
            found = parse(file.text())
        except PenstockError as error:
            self.problems.take(error)
            return None
        if found is not None and len(self.problems) == before:
            self.kept.put(file.path, wanted, encode(kind, found))
        return found

    def of(self, *kinds: str) -> list[ProjectFile]:
        return [file for file in self.files if file.kind in kinds]

    def read(self) -> Declared | None:
        """Everything the files declare; None when there are no layers to put it in."""
        file = self.of("config")[0]
        settings = self.piece(file, ConfigPiece, "", lambda text: config(text, file.path, self.problems))
        if settings is None or not settings.layers:
            self.alone()
            return None
        declared = Declared(settings)
        first = settings.layers[0].name
        for file in self.of("source"):
            piece = self.source(file, first)
            if piece is None:
                declared.sources_unread = True
            else:
                declared.sources.append(piece)
        self.models(declared)
        for file in self.of("export"):
            if found := self.export(file):
                declared.exports.append(found)
        for file in self.of("check"):
            if own := self.check(file):
                declared.checks.append(own)
        for file in self.of("incidents"):
            if marked := self.incidents(file):
                declared.marked += marked.marked
        return declared

    def alone(self) -> None:
        """Without layers, sources and exports can still be read each for itself."""
        for file in self.of("source"):
            self.source(file, "raw")
        for file in self.of("export"):
            self.export(file)
        for file in self.of("check"):
            self.check(file)
        for file in self.of("incidents"):
            self.incidents(file)

    def incidents(self, file: ProjectFile) -> IncidentsPiece | None:
        return self.piece(file, IncidentsPiece, "", lambda text: incidents(text, file.path, self.problems))

    def source(self, file: ProjectFile, layer: str) -> SourcePiece | None:
        before = len(self.problems.of_files)
        piece = self.piece(
            file,
            SourcePiece,
            f"{layer} {self.state}",
            lambda text: source(text, file.path, layer, self.problems, self.macros),
        )
        return piece if len(self.problems.of_files) == before else None

    def export(self, file: ProjectFile) -> ExportPiece | None:
        return self.piece(file, ExportPiece, "", lambda text: exports(text, file.path, self.problems))

    def check(self, file: ProjectFile) -> CheckPiece | None:
        if file.path.endswith(".py"):
            return self.piece(file, CheckPiece, "", lambda text: python_check(text, file.path, self.problems))
        return self.piece(
            file, CheckPiece, self.state, lambda text: check_file(text, file.path, self.problems, self.macros)
        )

    def functions(self) -> tuple[Mapping[str, Macro], str]:
        """The project's functions, and a fingerprint of the files that define them."""
        files = self.of("function")
        found: list[Macro] = []
        for file in files:
            piece = self.piece(
                file,
                FunctionPiece,
                "",
                lambda text, path=file.path: FunctionPiece(macros(text, path)),  # type: ignore[misc]
            )
            found += piece.macros if piece else ()
        try:
            return resolved(found), digest(file.sha256 for file in files)
        except ProjectError as error:
            self.problems.take(error)
            # Models are read all the same, so that their own problems are told too.
            return {}, "broken"

    def models(self, declared: Declared) -> None:
        layers = [layer.name for layer in declared.config.layers]
        for file in self.of("sql", "python"):
            relation = self.relation(file, layers)
            if relation is None:
                continue
            piece: ModelPiece | None
            # What `piece` is given it calls before the loop goes on, or not at all: B023 has nothing to find here.
            if file.kind == "python":
                piece = self.piece(
                    file,
                    ModelPiece,
                    self.state,
                    lambda text: python_model(text, file.path, relation, self.problems, self.macros),  # noqa: B023
                )
            else:
                piece = self.piece(
                    file,
                    ModelPiece,
                    self.state,
                    lambda text: sql_model(text, file.path, relation, self.macros, self.problems),  # noqa: B023
                )
            if piece is None:
                declared.unread.add(relation)
            else:
                declared.models.append(piece)

    def relation(self, file: ProjectFile, layers: list[str]) -> RelationName | None:
        """models/<layer>/<name>.sql → layer.name; models/<layer>/<name>@2.sql → layer.name_v2"""
        parts = file.path.split("/")
        name = parts[-1].rsplit(".", 1)[0]
        if version := of_file(file.path):
            name = f"{version[0]}_v{version[1]}"
        if len(parts) != 3:
            self.problems.add(
                "MODEL_PLACE",
                f"expected models/<layer>/<name>{file.path[file.path.rindex('.') :]}, found {file.path}",
                Location(file.path),
                f"move it to models/{parts[1] if parts[1] in layers else layers[-1]}/",
            )
            return None
        if parts[1] not in layers:
            self.problems.add(
                "UNKNOWN_LAYER",
                f"the folder {parts[1]!r} is not a layer of the project",
                Location(file.path),
                did_you_mean(parts[1], layers, f"layers: {', '.join(layers)}"),
            )
            return None
        if not is_name(name):
            self.problems.add(
                "BAD_NAME", f"the file's name {name!r} cannot name a relation", Location(file.path), NAME_HINT
            )
            return None
        return RelationName(parts[1], name)


def project(root: Path, files: tuple[ProjectFile, ...], declared: Declared) -> Project:
    """The checked pieces as one project; models in the order of their names."""
    settings = declared.config
    layers = {layer.name: layer for layer in settings.layers}
    return Project(
        name=settings.name,
        root=str(root),
        layers=settings.layers,
        environments={environment.name: environment for environment in settings.environments},
        default_environment=settings.default_environment,
        sources=tuple(
            replace(piece.source, tables=tuple(_checked(table, declared) for table in piece.source.tables))
            for piece in declared.sources
        ),
        models=tuple(
            _checked(model(piece, layers[piece.relation.layer], settings.variables), declared)
            for piece in declared.models
        ),
        exports=tuple(export for piece in declared.exports for export in piece.exports),
        variables=settings.variables,
        fingerprint=fingerprint(files),
    )


Checked = TypeVar("Checked", Model, SourceTable)


def _checked(found: Checked, declared: Declared) -> Checked:
    """With the checks of checks/ too, and the incidents that are marked for those that look back."""
    own: list[Check] = [piece.check for piece in declared.checks if piece.of.relation == found.relation]
    marked = [each for each in declared.marked if each.of.relation == found.relation]
    if not own and not marked:
        return found

    def with_incidents(check: Check) -> Check:
        if not looks_back(check):
            return check
        return replace(check, incidents=tuple(each.incident for each in marked if each.check in (None, check.name)))

    return replace(found, checks=tuple(map(with_incidents, (*found.checks, *own))))


def model(piece: ModelPiece, layer: Layer, variables: Mapping[str, Scalar]) -> Model:
    """The model a piece becomes in its layer. Its fingerprint covers the variables it uses: another value is another
    result."""
    materialization = piece.materialization or layer.materialization
    if piece.language == "python" and materialization == "view":
        # A layer of views says how its SELECTs are kept; Python has no view.
        materialization = "rebuild"
    used = [f"{name}={variables[name]!r}" for name in sorted(piece.parameters) if name in variables]
    key, columns = "\x1f".join(piece.key), "\x1f".join(piece.columns)
    kept = [] if piece.strategy == Strategy() else [repr(piece.strategy)]
    return Model(
        relation=piece.relation,
        language=piece.language,
        materialization=materialization,
        location=piece.location,
        fingerprint=digest([piece.language, piece.definition, materialization, key, columns, *used, *kept]),
        sql=piece.sql,
        line=piece.line,
        reads=tuple(dict.fromkeys(mention.relation for mention in piece.mentions)),
        parameters=tuple(piece.parameters),
        key=piece.key,
        columns=piece.columns,
        owner=piece.owner,
        tags=piece.tags,
        description=piece.description,
        strategy=piece.strategy,
        checks=(*promises(piece.contract, piece.key, history=materialization == "history"), *piece.checks),
        pii=personal(piece.pii, piece.contract),
        contract=piece.contract,
        drives=piece.drives,
        max_quarantined=piece.max_quarantined,
        publish_group=group_of(piece, layer),
    )
