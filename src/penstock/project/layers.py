"""Layers: a preset by name, or a project's own list."""

from __future__ import annotations

from penstock.domain.layer import PRESETS, Layer
from penstock.project.names import is_reserved_layer
from penstock.project.problems import Problems, did_you_mean
from penstock.project.schema import LayerSpec
from penstock.project.yaml import Document


def layers(spec: str | list[LayerSpec], document: Document, problems: Problems) -> tuple[Layer, ...]:
    """The layers in order; what is wrong with them goes to `problems`. Empty when none can be told."""
    if isinstance(spec, str):
        if spec in PRESETS:
            return PRESETS[spec]
        known = ", ".join(PRESETS)
        hint = did_you_mean(spec, PRESETS, f"use one of: {known}; or write a list of layers")
        problems.add("UNKNOWN_PRESET", f"there is no layer preset {spec!r}", document.at("layers"), hint)
        return ()
    if not spec:
        problems.add(
            "BAD_VALUE", "layers: expected at least one layer", document.at("layers"), "name a preset or list layers"
        )
    found: dict[str, Layer] = {}
    serving = any(layer.serving for layer in spec)
    for position, layer in enumerate(spec):
        place = document.at("layers", position, "name")
        if layer.name in found:
            problems.add("DUPLICATE_LAYER", f"the layer {layer.name!r} is listed twice", place, "remove one of them")
            continue
        if is_reserved_layer(layer.name):
            problems.add(
                "RESERVED_NAME", f"{layer.name!r} is a schema of the warehouse itself", place, "choose another name"
            )
        last = position == len(spec) - 1
        found[layer.name] = Layer(
            name=layer.name,
            reads=_reads(
                layer,
                position=position,
                earlier=tuple(found),
                known={other.name for other in spec},
                document=document,
                problems=problems,
            ),
            materialization=layer.materialization,
            serving=layer.serving or (last and not serving),
            description=layer.description,
        )
    return tuple(found.values())


def _reads(
    layer: LayerSpec,
    *,
    position: int,
    earlier: tuple[str, ...],
    known: set[str],
    document: Document,
    problems: Problems,
) -> tuple[str, ...]:
    """What a layer may read: itself always, and what it lists or everything before it."""
    if layer.reads is None:
        return (*earlier, layer.name)
    for index, name in enumerate(layer.reads):
        place = document.at("layers", position, "reads", index)
        if name not in known:
            problems.add(
                "UNKNOWN_LAYER",
                f"the layer {layer.name!r} reads {name!r}, which is not a layer",
                place,
                did_you_mean(name, known, f"layers: {', '.join(sorted(known))}"),
            )
        elif name not in earlier and name != layer.name:
            problems.add(
                "LAYER_RULE",
                f"the layer {layer.name!r} reads {name!r}, which comes later",
                place,
                "data flows one way: list the layers in the order data flows",
            )
    return tuple(name for name in (*earlier, layer.name) if name in layer.reads or name == layer.name)
