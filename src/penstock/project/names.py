"""Which names a project may use."""

from __future__ import annotations

import re

NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
NAME_HINT = "use lower-case letters, digits and _, beginning with a letter, at most 63 characters"

RESERVED_LAYERS = frozenset({"main", "temp", "system", "information_schema", "pg_catalog"})
"""Schemas that DuckDB has already."""

BUILT_IN_PARAMETERS = ("run_ts", "run_date", "environment")
"""The `$name` parameters every model may use without declaring them."""

BOOKKEEPING = ("processing_ts", "_batch")
"""Columns that loading adds to every source table."""
HISTORY = ("valid_from", "valid_to", "is_current")
"""Columns that loading adds to the history of a keyed source table."""


def is_name(text: str) -> bool:
    return NAME.fullmatch(text) is not None


def is_reserved_layer(name: str) -> bool:
    return name in RESERVED_LAYERS or name.startswith("_penstock") or name.startswith("pg_")
