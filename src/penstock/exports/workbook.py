"""An xlsx file whose cells are exactly what they were written as, and whose bytes depend on nothing but them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError, FileSizeError
from xlsxwriter.worksheet import Worksheet

from penstock.errors import DataError

if TYPE_CHECKING:
    from xlsxwriter.format import Format

MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384
_CREATED = datetime(2000, 1, 1)
"""Excel wants a creation time; a fixed one keeps the file the same when the data is the same."""


class PlainSheet(Worksheet):  # type: ignore[misc]
    """A worksheet that keeps two promises xlsxwriter does not."""

    def _xml_rich_inline_string(self, string: str, attributes: Any = ()) -> None:
        # xlsxwriter takes text that starts with <r> and ends with </r> for markup of its own and writes it unescaped.
        self._xml_inline_string(string, True, attributes)

    def _xml_number_element(self, number: float, attributes: Any = ()) -> None:
        # xlsxwriter rounds to 16 digits; a double needs 17.
        marks = "".join(f' {key}="{value}"' for key, value in attributes)
        self.fh.write(f"<c{marks}><v>{number!r}</v></c>")


class Styles:
    """The formats of one workbook, made when first asked for."""

    def __init__(self, workbook: Workbook) -> None:
        self._workbook = workbook
        self._made: dict[tuple[tuple[str, Any], ...], Format] = {}

    def get(self, **properties: Any) -> Format:
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            self._made[key] = self._workbook.add_format(properties)
        return self._made[key]

    def header(self, align: str = "left") -> Format:
        return self.get(bold=True, bg_color="#E7ECF2", bottom=1, align=align, valign="top")


@contextmanager
def opened(target: Path) -> Iterator[Workbook]:
    """A workbook that is written to `target` when the block ends well. Memory does not grow with the rows: they go
    to temporary files beside `target`. Raises OSError when the disk refuses, DataError when a zip cannot hold it."""
    workbook = Workbook(
        str(target),
        {
            "constant_memory": True,
            "tmpdir": str(target.parent),
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "nan_inf_to_errors": False,
        },
    )
    workbook.set_properties({"created": _CREATED})
    try:
        yield workbook
        _close(workbook)
    finally:
        for sheet in workbook.worksheets():
            if sheet.row_data_fh is not None:
                with suppress(OSError):  # a full disk refuses the last buffer again; the file is already given up
                    sheet.row_data_fh.close()


def _close(workbook: Workbook) -> None:
    try:
        workbook.close()
    except FileCreateError as error:
        cause = error.args[0] if error.args else None
        raise cause if isinstance(cause, OSError) else OSError(str(error)) from error
    except FileSizeError as error:
        raise DataError(
            "the spreadsheet is larger than 4 GB",
            code="EXPORT_TOO_LARGE",
            hint="export fewer rows or columns, or use csv or parquet",
        ) from error


def add_sheet(workbook: Workbook, name: str) -> PlainSheet:
    sheet: PlainSheet = workbook.add_worksheet(name, worksheet_class=PlainSheet)
    return sheet


def safe_sheet_name(name: str) -> str:
    """`name` as Excel allows it: 31 characters, none of []:*?/\\, no ' at the ends."""
    clean = "".join("_" if mark in "[]:*?/\\" or ord(mark) < 32 else mark for mark in name)[:31].strip("'")
    return clean if clean and clean.casefold() != "history" else f"{clean}_"
