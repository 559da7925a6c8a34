"""Spans of time as people write them."""

from __future__ import annotations

import re

_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?) *(second|minute|hour|day|week)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


def seconds(text: str) -> float | None:
    """`2 hours` → 7200.0; None for what is not a span of time."""
    match = _SPAN.fullmatch(text.strip())
    return float(match[1]) * _SECONDS[match[2]] if match else None


_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%")


def percent(text: str) -> float | None:
    """`5%` → 0.05; None for what is not a percentage."""
    match = _PERCENT.fullmatch(text.strip())
    return float(match[1]) / 100 if match else None
