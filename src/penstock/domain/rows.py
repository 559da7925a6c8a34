"""A small result set, read to its end."""

from __future__ import annotations

from typing import Any

from penstock.domain.relation import Column
from penstock.record import record


@record
class Rows:
    """Columns and rows, as Python values. `more` is true when the query had more rows than were asked for."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: bool = False
