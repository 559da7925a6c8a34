"""One value, one cell: how each type is read from the warehouse and written to a sheet, with nothing rounded.

A spreadsheet knows numbers of 15 digits, booleans, text, and days since 1900 shown as dates. Everything else is
text: numbers it would round, times before its calendar begins, infinities, identifiers, nested values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from penstock.domain.relation import Column
from penstock.errors import DataError
from penstock.exports.selection import ROW
from penstock.quoting import identifier
from penstock.record import record

if TYPE_CHECKING:
    from penstock.exports.workbook import PlainSheet, Styles

Kind = Literal["boolean", "integer", "float", "decimal", "date", "timestamp", "zoned", "time", "text"]

MAX_TEXT = 32_767
_EXACT = 10**15
_CALENDAR = datetime(1899, 12, 30)
_FIRST_DAY = datetime(1900, 3, 1)
"""Before it, Excel counts a 29 February 1900 that never was, and others do not: the same number is two dates."""
_FORMULA = re.compile(r"\s*[=+\-@]")

_KINDS: dict[str, Kind] = {
    "BOOLEAN": "boolean",
    **dict.fromkeys(
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
        "integer",
    ),
    "UHUGEINT": "integer",
    "FLOAT": "float",
    "DOUBLE": "float",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_NS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "zoned",
    "TIME": "time",
}


def kind(type_name: str) -> Kind:
    """What a column of this DuckDB type becomes."""
    if type_name.startswith("DECIMAL(") and type_name.endswith(")"):
        return "decimal"
    return _KINDS.get(type_name, "text")


def is_number(column: Column) -> bool:
    return kind(column.type) in {"integer", "float", "decimal"}


def expression(column: Column) -> str:
    """The SQL that reads a column so that Python gets it exactly: numbers and booleans as they are, the rest as text
    (Python's own dates end in the year 9999 and begin in year 1)."""
    return readable(f"{ROW}.{identifier(column.name)}", column.type)


def readable(sql: str, type_name: str) -> str:
    """`expression` for any SQL text of a known type."""
    if type_name == "FLOAT":
        return f"CAST(CAST({sql} AS VARCHAR) AS DOUBLE)"  # 0.1 as 0.1, not as 0.10000000149011612
    if kind(type_name) in {"boolean", "integer", "float", "decimal"}:
        return sql
    return f"CAST({sql} AS VARCHAR)"


@record
class Look:
    """How a column's cells look. `measure` groups the digits of whole numbers, `pattern` is an Excel number format
    that replaces ours, `total` marks the cells of a totals row or column."""

    measure: bool = False
    pattern: str | None = None
    total: bool = False


Write = Callable[[int, int, Any], None]


def writer(sheet: PlainSheet, styles: Styles, column: Column, look: Look, where: str) -> Write:
    """A function (row, column, value) that writes one cell. NULL leaves a cell empty.

    `where` names the relation in errors. Raises DataError EXPORT_TOO_LARGE for text no cell can hold.
    """
    frame = {"bold": True, "top": 1} if look.total else {}
    plain = styles.get(**frame)
    guarded = styles.get(quote_prefix=True, **frame)  # stays text when a person edits and confirms the cell
    aligned = styles.get(align="right", **frame)
    pattern = look.pattern or _pattern(column.type, look.measure)
    number = styles.get(num_format=pattern, **frame) if pattern else plain
    fine = styles.get(num_format=look.pattern or _pattern(column.type, look.measure, fine=True), **frame)
    of_kind = kind(column.type)

    def text(row: int, place: int, value: Any) -> None:
        shown = value if isinstance(value, str) else str(value)
        fitting(shown, f"{where}, column {column.name!r}, row {row + 1} of the sheet")
        sheet.write_string(row, place, shown, guarded if _FORMULA.match(shown) else plain)

    def amount(row: int, place: int, value: Any) -> None:
        exact = exact_number(value)
        if exact is None:
            sheet.write_string(row, place, _number_text(value), aligned)
        else:
            sheet.write_number(row, place, exact, number)

    def moment(row: int, place: int, value: Any) -> None:
        days = serial(value, of_kind)
        if days is None:
            sheet.write_string(row, place, value, aligned)
        else:
            sheet.write_number(row, place, days, fine if "." in value else number)

    def boolean(row: int, place: int, value: Any) -> None:
        sheet.write_boolean(row, place, value, plain)

    write: Write = text
    if of_kind in {"integer", "float", "decimal"}:
        write = amount
    elif of_kind in {"date", "timestamp", "zoned", "time"}:
        write = moment
    elif of_kind == "boolean":
        write = boolean

    def cell(row: int, place: int, value: Any) -> None:
        if value is not None:
            write(row, place, value)
        elif look.total:
            sheet.write_blank(row, place, None, plain)

    return cell


def fitting(text: str, where: str) -> str:
    """`text`, if a cell can hold it (Excel counts UTF-16 units). Raises DataError EXPORT_TOO_LARGE."""
    if len(text) * 2 > MAX_TEXT and len(text.encode("utf-16-le")) // 2 > MAX_TEXT:
        raise DataError(
            f"{where}: a cell holds at most {MAX_TEXT:,} characters, found {len(text):,}",
            code="EXPORT_TOO_LARGE",
            hint="shorten the text in the model, leave the column out (columns:), or use csv or parquet",
        )
    return text


def exact_number(value: Any) -> int | float | None:
    """`value` as a number that every spreadsheet shows digit for digit, or None: more than 15 digits, not finite."""
    if isinstance(value, int):
        return value if -_EXACT < value < _EXACT else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal) and value.is_finite():
        digits = value.as_tuple().digits
        if len(digits) > 15 and len("".join(map(str, digits)).strip("0")) > 15:
            return None
        return float(value)
    return None


def _number_text(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) and value.is_finite() else str(value)


def serial(text: str, of_kind: Kind) -> float | int | None:
    """Days since 1899-12-30, as spreadsheets count; None when text must stay text. Zoned times are given in UTC."""
    fraction = re.search(r"\.(\d+)", text)
    if fraction and len(fraction[1]) > 6:
        return None  # finer than a microsecond: the number could not hold it
    try:
        if of_kind == "time":
            moment = time.fromisoformat(text)
            return _day_share(datetime.combine(_CALENDAR, moment))
        value = datetime.fromisoformat(text)
    except ValueError:
        return None  # infinity, years before 1 and after 9999, 24:00
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    if value < _FIRST_DAY:
        return None
    days = (value - _CALENDAR).days
    return days if of_kind == "date" else days + _day_share(value)


def _day_share(moment: datetime) -> float:
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    return (seconds * 1_000_000 + moment.microsecond) / 86_400_000_000


def _pattern(type_name: str, measure: bool, fine: bool = False) -> str:
    """The number format of a type; "" for the spreadsheet's own choice."""
    fraction = ".000" if fine else ""
    match kind(type_name):
        case "integer":
            return "#,##0" if measure else "0"
        case "decimal":
            scale = min(int(type_name.rstrip(")").rpartition(",")[2]), 15)
            return f"#,##0.{'0' * scale}" if scale else "#,##0"
        case "float":
            return "#,##0.00" if measure else ""
        case "date":
            return "yyyy-mm-dd"
        case "timestamp":
            return f"yyyy-mm-dd hh:mm:ss{fraction}"
        case "zoned":
            return f'yyyy-mm-dd hh:mm:ss{fraction} "UTC"'
        case "time":
            return f"hh:mm:ss{fraction}"
        case _:
            return ""
