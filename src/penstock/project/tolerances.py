"""How many rows may fail, as people write it: a number of rows, or a share of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from penstock.domain.check import Tolerance
from penstock.project.spans import percent

PERCENT = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?%$"}


def _rows_or_share(value: Any) -> Any:
    """An int is rows, a float a share: 0 … 1."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    found = percent(value) if isinstance(value, str) else None
    if found is None or found > 1:
        raise PydanticCustomError(
            "BAD_VALUE",
            "expected a number of rows or a percentage up to 100%, found {found}",
            {"found": repr(value), "hint": "write 10 or 0.5%"},
        )
    return found


Tolerated = Annotated[
    int | float,
    BeforeValidator(_rows_or_share),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, PERCENT]}),
]


def tolerance(given: int | float) -> Tolerance:
    return Tolerance(share=given) if isinstance(given, float) else Tolerance(rows=given or None)
