"""Publish groups: which models become visible together, and that nothing stands between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from penstock.domain.layer import Layer
from penstock.domain.relation import RelationName
from penstock.errors import Location
from penstock.graph.order import cycles
from penstock.project.pieces import ModelPiece
from penstock.project.problems import Problems

if TYPE_CHECKING:
    from penstock.project.check import Declared

SERVING = "serving"
"""The group of models in serving layers that name none."""
ALONE = "none"


def group_of(model: ModelPiece, layer: Layer) -> str:
    """The publish group of a model, empty when it stands alone."""
    named = model.publish_group or (SERVING if layer.serving else ALONE)
    return "" if named == ALONE else named


def check(declared: Declared, problems: Problems) -> None:
    """A model outside of a group that reads one of its members and is read by another could be made neither before nor
    after it."""
    layers = {layer.name: layer for layer in declared.config.layers}
    models = {model.relation: model for model in declared.models}
    needs = {name: dict(_needs(declared, model)) for name, model in models.items()}
    if cycles(sorted(models), needs):
        return  # told already
    groups = {name: group_of(model, layers[name.layer]) for name, model in models.items()}
    own = {name: f"group {group}" if group else str(name) for name, group in groups.items()}
    between: dict[str, set[str]] = {}
    for name, found in needs.items():
        others = between.setdefault(own[name], set())
        others |= {own[other] for other in found if other in own} - {own[name]}
    for circle in cycles(sorted(between), {unit: sorted(others) for unit, others in between.items()}):
        _tell(circle, own, needs, models, problems)


def _needs(declared: Declared, model: ModelPiece) -> Iterator[tuple[RelationName, Location]]:
    """What has to be made before a model, by its SELECT or by a check, and where that is said."""
    files = [piece.check for piece in declared.checks if piece.of.relation == model.relation]
    for each in (*model.checks, *files):
        yield from ((other, each.location) for other in each.refers if other != model.relation)
    yield from ((mention.relation, mention.location) for mention in model.mentions)


def _tell(
    circle: Sequence[str],
    own: dict[RelationName, str],
    needs: dict[RelationName, dict[RelationName, Location]],
    models: dict[RelationName, ModelPiece],
    problems: Problems,
) -> None:
    """`circle`: groups and models that stand alone, each needing the next; the first stands at both ends."""
    start = next(at for at, unit in enumerate(circle) if unit.startswith("group "))
    turned = [*circle[start:-1], *circle[: start + 1]]
    edges: list[tuple[RelationName, RelationName, Location]] = []
    for one, two in pairwise(turned):
        reader = next(name for name in sorted(own) if own[name] == one and any(own.get(r) == two for r in needs[name]))
        read = next(name for name in needs[reader] if own.get(name) == two)
        edges.append((reader, read, needs[reader][read]))
    last, first = edges[0][0], edges[-1][1]
    group = turned[0].removeprefix("group ")
    names = list(dict.fromkeys(read for _, read, _ in edges[:-1]))
    outside = ", ".join(map(str, names))
    problems.add(
        "PUBLISH_GROUP_SPLIT",
        f"{last} and {first} are of the publish group {group!r}, and {outside} is made after {first} and before {last}",
        edges[0][2],
        f"write `publish_group: {group}` in the front matter of {models[names[0]].location.path}, "
        f"or `publish_group: {ALONE}` in that of {models[last].location.path}",
    )
