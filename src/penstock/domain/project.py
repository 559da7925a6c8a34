"""A project: everything a user declared, read and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import date, datetime

from penstock.domain.environment import Environment
from penstock.domain.export import Export
from penstock.domain.layer import Layer
from penstock.domain.model import Model
from penstock.domain.relation import RelationName
from penstock.domain.source import Source, SourceTable
from penstock.record import record

Scalar = str | int | float | bool
Parameter = Scalar | date | datetime
"""The value behind a `$name` in a model: a project variable, or a built-in time."""


@record
class Project:
    """The declared pipeline. `root` is the absolute path of its folder; `fingerprint` changes when any file does."""

    name: str
    root: str
    layers: tuple[Layer, ...]
    environments: Mapping[str, Environment]
    default_environment: str
    sources: tuple[Source, ...] = ()
    models: tuple[Model, ...] = ()
    exports: tuple[Export, ...] = ()
    variables: Mapping[str, Scalar] = field(default_factory=dict)
    fingerprint: str = ""

    @property
    def tables(self) -> Iterator[SourceTable]:
        return (table for source in self.sources for table in source.tables)

    def layer(self, name: str) -> Layer | None:
        return next((layer for layer in self.layers if layer.name == name), None)

    def model(self, relation: RelationName) -> Model | None:
        return next((model for model in self.models if model.relation == relation), None)
