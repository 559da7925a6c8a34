"""The rules between the files of a project. Each adds its problems; none stops at the first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from penstock.domain.layer import Layer
from penstock.domain.relation import RelationName
from penstock.domain.strategy import VALIDITY
from penstock.errors import Location
from penstock.graph.order import cycles
from penstock.project import check_rules, groups, strategies, versions
from penstock.project.names import BUILT_IN_PARAMETERS
from penstock.project.pieces import CheckPiece, ConfigPiece, ExportPiece, Marked, Mention, ModelPiece, SourcePiece
from penstock.project.problems import Problems, closest, did_you_mean


@dataclass(slots=True)
class Declared:
    """Everything a project declares. `unread` are relations whose files could not be read: they exist, and what they
    are is not known; `sources_unread` says that a file of sources could not be read, so any relation may exist."""

    config: ConfigPiece
    sources: list[SourcePiece] = field(default_factory=list)
    models: list[ModelPiece] = field(default_factory=list)
    exports: list[ExportPiece] = field(default_factory=list)
    checks: list[CheckPiece] = field(default_factory=list)
    marked: list[Marked] = field(default_factory=list)
    unread: set[RelationName] = field(default_factory=set)
    sources_unread: bool = False

    def relations(self) -> Iterator[tuple[RelationName, Location, str]]:
        """Every relation, where it is declared, and what it is in words."""
        for piece in self.sources:
            for table in piece.source.tables:
                place = piece.relation_places.get(table.name, table.location)
                yield table.relation, place, f"the source table {table.id}"
                if table.key:
                    yield table.history, place, f"the history of the source table {table.id}"
        for model in self.models:
            yield model.relation, Location(model.location.path, 1), f"the model {model.relation}"


def check(declared: Declared, problems: Problems) -> None:
    """Add everything that is wrong between the pieces."""
    _duplicates(declared, problems)
    _reads(declared, problems)
    _cycles(declared.models, problems)
    _models(declared, problems)
    _exports(declared, problems)
    known = {relation for relation, _, _ in declared.relations()} | declared.unread
    check_rules.check(declared, problems, lambda mention: _exists(mention, known, declared, problems))
    groups.check(declared, problems)
    _environments(declared, problems)


def _duplicates(declared: Declared, problems: Problems) -> None:
    seen: dict[RelationName, tuple[Location, str]] = {}
    for relation, place, what in declared.relations():
        if first := seen.get(relation):
            history = "history" in what or "history" in first[1]
            problems.add(
                "RESERVED_NAME" if history else "DUPLICATE_RELATION",
                f"{what} is called {relation}, and so is {first[1]} ({first[0]})",
                place,
                "a source table can be renamed with `as:`, a model by renaming its file",
            )
        else:
            seen[relation] = (place, what)
    named: dict[str, Location] = {}
    for piece in declared.sources:
        name, place = piece.source.name, piece.source.location
        if other := named.get(name):
            problems.add(
                "DUPLICATE_SOURCE",
                f"there are two sources named {name!r} (the other: {other})",
                place,
                "rename one with `source: …`, or put their tables into one file",
            )
        named.setdefault(name, place)


def _reads(declared: Declared, problems: Problems) -> None:
    """Every relation that is read exists, in a layer that may be read from there."""
    layers = {layer.name: layer for layer in declared.config.layers}
    known = {relation for relation, _, _ in declared.relations()} | declared.unread
    order = [layer.name for layer in declared.config.layers]
    for model in declared.models:
        layer = layers[model.relation.layer]
        for mention in model.mentions:
            target = mention.relation
            if not _exists(mention, known, declared, problems) or target.layer in layer.reads:
                continue
            later = order.index(target.layer) > order.index(layer.name)
            why = "which comes later" if later else "which this layer does not read"
            problems.add(
                "LAYER_RULE",
                f"the model {model.relation} reads {target} of the layer {target.layer!r}, {why}",
                mention.location,
                f"models in {layer.name!r} may read: {', '.join(layer.reads)}; move the model, or what it reads",
            )
    serving = [layer.name for layer in declared.config.layers if layer.serving]
    for piece in declared.exports:
        for mention in piece.mentions:
            if _exists(mention, known, declared, problems) and mention.relation.layer not in serving:
                problems.add(
                    "EXPORT_NOT_SERVING",
                    f"an export reads {mention.relation}, and the layer {mention.relation.layer!r} does not serve",
                    mention.location,
                    f"export a relation of {', '.join(serving)}, or mark the layer with `serving: true`",
                )


def _exists(mention: Mention, known: set[RelationName], declared: Declared, problems: Problems) -> bool:
    target = mention.relation
    if target in known:
        return True
    layers = [layer.name for layer in declared.config.layers]
    if target.layer not in layers:
        same = sorted(str(relation) for relation in known if relation.name == target.name)
        near = closest(target.layer, layers)
        guess = same[0] if same else f"{near}.{target.name}" if near else None
        problems.add(
            "UNKNOWN_RELATION",
            f"there is no relation {target}: {target.layer!r} is not a layer",
            mention.location,
            f"did you mean {guess!r}?" if guess else f"layers: {', '.join(layers)}",
        )
        return False
    if declared.sources_unread and target.layer == layers[0]:
        return False
    if versions.absent(mention, declared, problems):
        return False
    names = [str(relation) for relation in sorted(known)]
    same_name = [name for name in names if name.endswith(f".{target.name}")]
    hint = (
        f"did you mean {same_name[0]!r}?"
        if same_name
        else did_you_mean(str(target), names, f"add models/{target.layer}/{target.name}.sql, or a source table")
    )
    problems.add("UNKNOWN_RELATION", f"there is no relation {target}", mention.location, hint)
    return False


def _cycles(models: Iterable[ModelPiece], problems: Problems) -> None:
    by_name = {model.relation: model for model in models}
    reads: Mapping[RelationName, list[RelationName]] = {
        name: [mention.relation for mention in model.mentions] for name, model in by_name.items()
    }
    for circle in cycles(sorted(by_name), reads):
        first, second = circle[0], circle[1]
        place = next(mention.location for mention in by_name[first].mentions if mention.relation == second)
        path = " → ".join(str(name) for name in circle)
        files = ", ".join(by_name[name].location.path for name in circle[:-1])
        problems.add("CYCLE", f"models read each other in a circle: {path}", place, f"break it in one of: {files}")


def _models(declared: Declared, problems: Problems) -> None:
    layers = {layer.name: layer for layer in declared.config.layers}
    known = [*declared.config.variables, *BUILT_IN_PARAMETERS]
    for model in declared.models:
        materialization = model.materialization or layers[model.relation.layer].materialization
        strategies.check(model, materialization, problems)
        for name, place in model.parameters.items():
            if name not in known:
                otherwise = (
                    f"declare it under variables: in penstock.yml; there is {', '.join(map('${}'.format, known))}"
                )
                match = closest(name, known)
                problems.add(
                    "UNKNOWN_PARAMETER",
                    f"the parameter ${name} is not declared",
                    place,
                    f"did you mean ${match}?" if match else otherwise,
                )
        _columns(model, problems)


def _named(model: ModelPiece) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The keys of the front matter that name output columns, with those."""
    yield "key", model.key
    yield "columns", model.columns
    yield "group", model.strategy.group
    yield "pii", model.pii
    if span := model.strategy.time_range:
        yield "time_range", (span.column,)
    if versions := model.strategy.history:
        yield "history", (*((versions.column,) if versions.column else ()), *versions.columns)


def _columns(model: ModelPiece, problems: Problems) -> None:
    """What the front matter says of columns fits what the code is known to give."""
    if model.outputs is None:
        return
    given = {name.lower(): name for name in model.outputs}
    top = Location(model.location.path, 1)
    for what, names in _named(model):
        for name in names:
            if name.lower() not in given:
                problems.add(
                    "UNKNOWN_COLUMN",
                    f"{what} of {model.relation} names the column {name!r}, which the model does not give",
                    model.places.get(what, top),
                    did_you_mean(name, model.outputs, f"it gives: {', '.join(model.outputs)}"),
                )
    extra = [name for name in model.outputs if model.columns and name.lower() not in map(str.lower, model.columns)]
    if extra:
        problems.add(
            "UNKNOWN_COLUMN",
            f"the model {model.relation} gives columns that its front matter does not list: {', '.join(extra)}",
            model.places.get("columns", top),
            "add them to columns, or leave them out of the SELECT",
        )


def _given(model: ModelPiece, layer: Layer) -> tuple[str, ...] | None:
    """The columns of the relation, as far as they are known."""
    history = (model.materialization or layer.materialization) == "history"
    return (*model.outputs, *VALIDITY) if history and model.outputs is not None else model.outputs


def _exports(declared: Declared, problems: Problems) -> None:
    names: dict[str, Location] = {}
    paths: dict[str, tuple[str, Location]] = {}
    layers = {layer.name: layer for layer in declared.config.layers}
    outputs = {model.relation: _given(model, layers[model.relation.layer]) for model in declared.models}
    for piece in declared.exports:
        for export in piece.exports:
            if other := names.get(export.name):
                problems.add(
                    "DUPLICATE_EXPORT",
                    f"there are two exports named {export.name!r} (the other: {other})",
                    export.location,
                    "rename one of them",
                )
            names.setdefault(export.name, export.location)
            place = piece.path_places.get(export.name, export.location)
            path = export.path.strip("/").lower()
            for taken, (name, other) in paths.items():
                if path == taken or path.startswith(f"{taken}/") or taken.startswith(f"{path}/"):
                    problems.add(
                        "EXPORT_PATH",
                        f"the exports {name!r} and {export.name!r} write to the same place: {export.path} ({other})",
                        place,
                        "give each a path of its own",
                    )
                    break
            paths.setdefault(path, (export.name, place))
            given = outputs.get(export.relations[0]) if len(export.relations) == 1 else None
            for column in dict.fromkeys((*export.columns, *export.order_by, *export.uses)) if given else ():
                if column.lower() not in map(str.lower, given or ()):
                    problems.add(
                        "UNKNOWN_COLUMN",
                        f"the export {export.name!r} names the column {column!r}, "
                        f"which {export.relations[0]} does not give",
                        export.location,
                        did_you_mean(column, given or (), f"it gives: {', '.join(given or ())}"),
                    )


def _environments(declared: Declared, problems: Problems) -> None:
    known = [piece.source.name for piece in declared.sources]
    for name, place in declared.config.places.items():
        if name not in known and not declared.sources_unread:
            problems.add(
                "UNKNOWN_SOURCE",
                f"an environment sets the root of {name!r}, which is not a source",
                place,
                did_you_mean(name, known, f"sources: {', '.join(known) or 'none'}"),
            )
