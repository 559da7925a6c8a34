"""Domain objects and warehouse values as JSON, without losing a digit.

Numbers that a JSON reader holding doubles would round (large integers, long decimals) are written as strings, NaN and
infinities too: JSON has none. Times with a zone are UTC and end in `Z`; times without one have no zone to tell.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any

from penstock.domain.relation import RelationName

EXACT = 2**53
"""Integers beyond it have no exact double."""


def document(value: object) -> str:
    """`value` as one indented JSON document."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """`value` as what JSON knows: dict, list, str, int, float, bool, None."""
    if value is None or isinstance(value, (bool, Enum)):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, (int, float, Decimal)):
        return _number(value)
    if isinstance(value, (str, date, time)):
        return value if isinstance(value, str) else moment(value)
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, RelationName):
        return str(value)
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return str(value)


def _number(value: int | float | Decimal) -> int | float | str:
    if isinstance(value, int):
        return value if -EXACT <= value <= EXACT else str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
    near = float(value)
    return near if math.isfinite(near) and Decimal(repr(near)) == value else str(value)


def moment(value: date | time) -> str:
    """ISO 8601; a time with a zone is told in UTC and ends in `Z`."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat()
