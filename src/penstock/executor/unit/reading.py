"""Values that people wrote, read by Python as the engine would read them. Whatever is not surely read so is left to the
engine, which knows more types and tells what does not fit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import Any

TEXT = "VARCHAR"
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
TIME = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?")
_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
_DIGITS = re.compile(r"[+-]?[0-9]{1,39}")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_PLAIN = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def ready(kind: str, values: Sequence[Any]) -> list[Any] | None:
    """The values as Python has them for a column of this type; None when one of them is not surely readable."""
    read = _reader(kind)
    if read is None:
        return None
    try:
        return [None if value is None else read(value) for value in values]
    except (ValueError, TypeError, ArithmeticError):
        return None


def _reader(kind: str) -> Callable[[Any], Any] | None:
    if kind == TEXT:
        return text
    if kind in _BITS:
        limit = 2 ** (_BITS[kind] - 1)
        return lambda value: _integer(value, limit)
    if decimal := _DECIMAL.fullmatch(kind):
        width, scale = int(decimal[1]), int(decimal[2])
        return lambda value: _exact(value, width, scale)
    return _READERS.get(kind)


def _integer(value: Any, limit: int) -> int:
    if isinstance(value, (bool, float)) or not _DIGITS.fullmatch(str(value)):
        raise ValueError
    number = int(value)
    if not -limit <= number < limit:
        raise ValueError
    return number


def _exact(value: Any, width: int, scale: int) -> Decimal:
    if isinstance(value, bool) or not _PLAIN.fullmatch(text(value) or ""):
        raise ValueError
    number = Decimal(text(value) or "")
    with localcontext(prec=80):
        scaled = number.quantize(Decimal(1).scaleb(-scale))
    if scaled != number or len(scaled.as_tuple().digits) > width:
        raise ValueError
    return scaled


def _double(value: Any) -> float:
    if isinstance(value, bool) or not _NUMBER.fullmatch(str(value)):
        raise ValueError
    return float(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value not in ("true", "false"):
        raise ValueError
    return bool(value == "true")


def _date(value: Any) -> date:
    if not isinstance(value, str) or not DATE.fullmatch(value):
        raise ValueError
    return date.fromisoformat(value)


def _time(value: Any) -> datetime:
    if not isinstance(value, str) or not (DATE.fullmatch(value) or TIME.fullmatch(value)):
        raise ValueError
    return datetime.fromisoformat(value)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "DOUBLE": _double,
    "BOOLEAN": _boolean,
    "DATE": _date,
    "TIMESTAMP": _time,
}


def text(value: Any) -> str | None:
    """A value from YAML or JSON as text that its type is read from."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        plain = repr(value)
        return f"{Decimal(plain):f}" if "e" in plain and "inf" not in plain else plain
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
