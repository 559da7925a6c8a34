"""A contract: what a relation promises to those who read it."""

from __future__ import annotations

from dataclasses import field
from hashlib import sha256
from typing import Literal

from penstock.domain.relation import RelationName
from penstock.errors import Location
from penstock.record import record

Mode = Literal["additive", "strict", "evolve"]
"""What a shape other than the contract's does: new columns are let through and all else stops; anything stops; what
nobody below notices is let through."""
Compatibility = Literal["backward", "forward", "full"]
"""Between two versions: whoever reads by the new one can read what was written by the old one; whoever reads by the
old one can read what is written by the new one; both."""


@record
class ContractColumn:
    """`type` is the engine's name of it (`DECIMAL(12,2)`, `STRUCT(a BIGINT)[]`). `default`: what is taken where a batch
    lacks the column, as text; None: there is none."""

    name: str
    type: str
    nullable: bool = True
    pii: bool = False
    default: str | None = None
    description: str = ""


@record
class Contract:
    """`version` counts from 1. `key`: the columns that tell rows apart. `deprecated`: the day (ISO) after which nobody
    should read it. `declared` is false for one that was worked out from SQL, which promises nothing."""

    columns: tuple[ContractColumn, ...]
    version: int = 1
    key: tuple[str, ...] = ()
    mode: Mode = "additive"
    compatibility: Compatibility = "forward"
    owner: str | None = None
    deprecated: str | None = None
    location: Location = field(default_factory=lambda: Location(""))
    declared: bool = True

    @property
    def fingerprint(self) -> str:
        """Changes with whatever it says; where it stands does not count."""
        told = (self.version, self.columns, self.key, self.mode, self.compatibility, self.owner, self.deprecated)
        return sha256(repr(told).encode()).hexdigest()

    @property
    def shape(self) -> tuple[object, ...]:
        """What two contracts of one version must agree in, in every order of the columns."""
        columns = sorted((each.name.lower(), each.type, each.nullable, each.default) for each in self.columns)
        return (*columns, *sorted(name.lower() for name in self.key))

    def column(self, name: str) -> ContractColumn | None:
        lowered = name.lower()
        return next((each for each in self.columns if each.name.lower() == lowered), None)


@record
class Held:
    """That a relation was published under a contract, until the next of these: since when (ISO, UTC), by which run and
    revision of the project. `columns`: what it really had, as (name, type)."""

    relation: RelationName
    contract: Contract
    columns: tuple[tuple[str, str], ...]
    since: str
    run: str
    revision: str | None = None
