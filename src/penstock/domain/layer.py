"""Layers: the stages of maturity that data flows through, one way."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

from penstock.record import record

Materialization = Literal["auto", "view", "rebuild", "append", "merge", "time_range", "history"]
LayerMaterialization = Literal["auto", "view", "rebuild", "append"]
"""Those that need nothing a model would have to say."""


@record
class Layer:
    """One schema of the warehouse.

    `reads` names the layers its models may read, itself included. `materialization` is what its models are built as
    when they say nothing. `serving` marks the layer that consumers and exports may read. The first layer of a project
    is where sources are loaded.
    """

    name: str
    reads: tuple[str, ...]
    materialization: Materialization = "auto"
    serving: bool = False
    description: str = ""


def flow(*names: str, views: tuple[str, ...] = ()) -> tuple[Layer, ...]:
    """Layers in order, each reading itself and everything before it; the last one serves."""
    return tuple(
        Layer(
            name=name,
            reads=names[: position + 1],
            materialization="view" if name in views else "auto",
            serving=position == len(names) - 1,
        )
        for position, name in enumerate(names)
    )


PRESETS = MappingProxyType(
    {
        "raw-stg-bus-serv": flow("raw", "stg", "bus", "serv"),
        "source-staging-snapshots-intermediate-marts": flow(
            "source", "staging", "snapshots", "intermediate", "marts", views=("staging",)
        ),
        "raw-curated-serving": flow("raw", "curated", "serving"),
        "bronze-silver-gold": flow("bronze", "silver", "gold"),
    }
)
DEFAULT_PRESET = "raw-stg-bus-serv"
