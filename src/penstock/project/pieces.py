"""What one file of a project declares, before it is checked against the others. Pieces are what the cache keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from penstock.domain.check import Check, Incident, Tolerance
from penstock.domain.contract import Contract
from penstock.domain.environment import Environment
from penstock.domain.export import Export
from penstock.domain.layer import Layer, Materialization
from penstock.domain.project import Scalar
from penstock.domain.relation import RelationName
from penstock.domain.source import Source
from penstock.domain.strategy import Strategy
from penstock.errors import Location
from penstock.record import record
from penstock.sql.functions import Macro


@record
class ConfigPiece:
    """penstock.yml. `places` tells where an environment names a source, by source name."""

    name: str
    layers: tuple[Layer, ...]
    environments: tuple[Environment, ...]
    default_environment: str
    variables: Mapping[str, Scalar] = field(default_factory=dict)
    places: Mapping[str, Location] = field(default_factory=dict)


@record
class SourcePiece:
    """One file of sources/. `relation_places` tells where each table's relation gets its name, by table name."""

    source: Source
    relation_places: Mapping[str, Location] = field(default_factory=dict)


@record
class Mention:
    """One place where a file names a relation."""

    relation: RelationName
    location: Location


@record
class ModelPiece:
    """One file of models/. `definition` is a fingerprint of the code alone. `outputs` are the columns the code is
    known to give, None when they depend on its inputs; `drives`: the relation each row of which gives at most one row.
    `places` tells where the front matter says what, by key."""

    relation: RelationName
    language: Literal["sql", "python"]
    location: Location
    definition: str
    sql: str = ""
    line: int = 1
    mentions: tuple[Mention, ...] = ()
    parameters: Mapping[str, Location] = field(default_factory=dict)
    outputs: tuple[str, ...] | None = None
    drives: RelationName | None = None
    materialization: Materialization | None = None
    key: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    owner: str | None = None
    tags: tuple[str, ...] = ()
    description: str = ""
    places: Mapping[str, Location] = field(default_factory=dict)
    strategy: Strategy = field(default_factory=Strategy)
    checks: tuple[Check, ...] = ()
    pii: tuple[str, ...] = ()
    contract: Contract | None = None
    max_quarantined: Tolerance | None = None
    publish_group: str | None = None


@record
class ExportPiece:
    """One file of exports/. `mentions` says where each relation is named, `path_places` where each path is."""

    exports: tuple[Export, ...]
    mentions: tuple[Mention, ...] = ()
    path_places: Mapping[str, Location] = field(default_factory=dict)


@record
class FunctionPiece:
    """One file of functions/."""

    macros: tuple[Macro, ...]


@record
class CheckPiece:
    """One file of checks/. `of` is the relation it is a check of, `mentions` those that its SELECT reads."""

    check: Check
    of: Mention
    mentions: tuple[Mention, ...] = ()
    parameters: Mapping[str, Location] = field(default_factory=dict)


@record
class Marked:
    """An incident of a relation; `check` names the one check that it is of, None: of all that look back."""

    of: Mention
    incident: Incident
    check: str | None = None


@record
class IncidentsPiece:
    """checks/incidents.yml"""

    marked: tuple[Marked, ...]


Piece = ConfigPiece | SourcePiece | ModelPiece | ExportPiece | FunctionPiece | CheckPiece | IncidentsPiece
