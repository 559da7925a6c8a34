"""format: text that looks like an e-mail address, a UUID … The shape is judged, not whether there is such a thing.
NULL passes, empty text fails."""

from __future__ import annotations

from types import MappingProxyType

from penstock.checks.kind import Option, RowKind, Subject
from penstock.checks.regex import text_of
from penstock.domain.check import Check
from penstock.quoting import literal

_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_DATE = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?"
FORMATS = MappingProxyType(
    {
        "email": r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+",
        "uuid": "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
        "url": r"(?i)https?://[^\s/?#]+([/?#]\S*)?",
        "ipv4": rf"{_BYTE}(\.{_BYTE}){{3}}",
        "iso_date": _DATE,
        "iso_timestamp": rf"{_DATE}[T ]{_TIME}(Z|[+-][0-9]{{2}}:?[0-9]{{2}})?",
        "integer": "[+-]?[0-9]+",
        "decimal": r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)",
        "country": "[A-Z]{2}",
        "currency": "[A-Z]{3}",
    }
)


def _passes(check: Check, subject: Subject) -> str:
    return f"regexp_full_match({text_of(subject, check.columns[0])}, {literal(FORMATS[check.options['is']])})"


KIND = RowKind(
    name="format",
    dimension="validity",
    passes=_passes,
    says=lambda check: f"{check.columns[0]} to look like {check.options['is']}",
    options={"is": Option("choice", ..., "What it looks like.", tuple(FORMATS))},
)
