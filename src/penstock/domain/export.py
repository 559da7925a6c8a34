"""Exports: relations of the serving layer delivered as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from penstock.domain.relation import RelationName
from penstock.errors import Location
from penstock.record import record


@record
class Export:
    """`relations` written as `format` to `path`, which is relative to the environment's export folder.

    All formats but `duckdb` take exactly one relation. `columns` picks and orders columns (empty: all of them),
    `order_by` sorts rows. `options` belong to the format's plug-in, `uses` are the columns they speak of.
    """

    name: str
    format: str
    relations: tuple[RelationName, ...]
    path: str
    location: Location
    columns: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    owner: str | None = None
    tags: tuple[str, ...] = ()
    description: str = ""
    fingerprint: str = ""
    uses: tuple[str, ...] = ()
