"""What is known of the relations a model may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from penstock.domain.relation import RelationName
from penstock.record import record


@record
class Catalog:
    """`tables`: the columns of each stored relation, in order. `views`: the SELECT of each view, `$name` parameters in
    it. `keys`: columns that tell the rows of a stored relation apart, where some are declared."""

    tables: Mapping[RelationName, tuple[str, ...]]
    views: Mapping[RelationName, str] = field(default_factory=dict)
    keys: Mapping[RelationName, tuple[str, ...]] = field(default_factory=dict)
