"""A live pivot table: a sheet that a spreadsheet program fills from the data sheet, and that people rearrange.

xlsxwriter knows no pivot tables, so the two parts that make one (the definition of its source and of its layout) are
added to the finished file. They hold no data: the program reads the data sheet when it opens the file.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from xml.sax.saxutils import quoteattr

from xlsxwriter.utility import xl_rowcol_to_cell

from penstock.domain.relation import Column
from penstock.exports.pivot import Function, Pivot

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_CACHE = "pivotCache/pivotCacheDefinition1.xml"
_TABLE = "pivotTables/pivotTable1.xml"
_LINK = "rIdPivotCache1"

SUBTOTALS: Mapping[Function, str] = MappingProxyType(
    {"sum": "sum", "count": "count", "avg": "average", "min": "min", "max": "max"}
)
"""What pivot tables can compute, by our names."""


def add_live_pivot(path: Path, pivot: Pivot, columns: Sequence[Column], data: str, rows: int, sheet: int) -> None:
    """Add a pivot table to the workbook at `path`, on its empty sheet number `sheet` (from 1).

    Its source are the header and `rows` rows of the sheet called `data`. `rows` is at least 1.
    """
    added = {
        f"xl/{_CACHE}": _source(columns, data, rows),
        f"xl/{_TABLE}": _layout(pivot, columns),
        f"xl/pivotTables/_rels/{Path(_TABLE).name}.rels": _relations("rId1", "pivotCacheDefinition", f"../{_CACHE}"),
        f"xl/worksheets/_rels/sheet{sheet}.xml.rels": _relations("rId1", "pivotTable", f"../{_TABLE}"),
    }
    changed = {
        "[Content_Types].xml": (
            "</Types>",
            f'<Override PartName="/xl/{_CACHE}" ContentType="{_TYPE}.pivotCacheDefinition+xml"/>'
            f'<Override PartName="/xl/{_TABLE}" ContentType="{_TYPE}.pivotTable+xml"/>',
        ),
        "xl/workbook.xml": ("</workbook>", f'<pivotCaches><pivotCache cacheId="1" r:id="{_LINK}"/></pivotCaches>'),
        "xl/_rels/workbook.xml.rels": ("</Relationships>", _relation(_LINK, "pivotCacheDefinition", _CACHE)),
    }
    bare = path.with_name(f"{path.name}.bare")
    path.rename(bare)
    with zipfile.ZipFile(bare) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            if part.filename in changed:
                end, more = changed[part.filename]
                new.writestr(part, old.read(part).decode().replace(end, more + end))
            else:
                with old.open(part) as source, new.open(part, "w") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
        for name, text in added.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 31, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, _HEAD + text)
    bare.unlink()


def _relation(name: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{name}" Type="{_REL}/{kind}" Target="{target}"/>'


def _relations(name: str, kind: str, target: str) -> str:
    return f'<Relationships xmlns="{_PACKAGE}">{_relation(name, kind, target)}</Relationships>'


def _attribute(text: str) -> str:
    """Text as a quoted attribute; characters XML has no place for are written as Excel does."""
    return quoteattr(re.sub(r"[\x00-\x1f\ufffe\uffff]", lambda mark: f"_x{ord(mark[0]):04X}_", text))


def _source(columns: Sequence[Column], data: str, rows: int) -> str:
    area = f"A1:{xl_rowcol_to_cell(rows, len(columns) - 1)}"
    fields = "".join(
        f'<cacheField name={_attribute(column.name)} numFmtId="0"><sharedItems/></cacheField>' for column in columns
    )
    return (
        f'<pivotCacheDefinition xmlns="{_MAIN}" xmlns:r="{_REL}" saveData="0" refreshOnLoad="1" createdVersion="3" '
        f'refreshedVersion="3" minRefreshableVersion="3" recordCount="0"><cacheSource type="worksheet">'
        f'<worksheetSource ref="{area}" sheet={_attribute(data)}/></cacheSource>'
        f'<cacheFields count="{len(columns)}">{fields}</cacheFields></pivotCacheDefinition>'
    )


def _layout(pivot: Pivot, columns: Sequence[Column]) -> str:
    place = {column.name: number for number, column in enumerate(columns)}
    rows = [place[column.name] for column in pivot.rows]
    across = [place[pivot.across.name]] if pivot.across else []
    values = [(place[column.name], column.name, function) for column, function in pivot.values]
    if len(values) > 1:
        across.append(-2)  # the values themselves, side by side
    fields = "".join(_field(number, rows, across, {value[0] for value in values}) for number in range(len(columns)))
    taken = {column.name.casefold() for column in columns}
    shown = "".join(
        f"<dataField name={_attribute(_caption(name, function, taken))} "
        f'fld="{number}" subtotal="{SUBTOTALS[function]}" baseField="0" baseItem="0"/>'
        for number, name, function in values
    )
    return (
        f'<pivotTableDefinition xmlns="{_MAIN}" name="Pivot" cacheId="1" applyNumberFormats="0" applyBorderFormats="0" '
        'applyFontFormats="0" applyPatternFormats="0" applyAlignmentFormats="0" applyWidthHeightFormats="1" '
        'dataCaption="Values" updatedVersion="3" minRefreshableVersion="3" createdVersion="3" useAutoFormatting="1" '
        'itemPrintTitles="1" indent="0" outline="1" outlineData="1" multipleFieldFilters="0">'
        '<location ref="A1:C3" firstHeaderRow="1" firstDataRow="2" firstDataCol="1"/>'
        f'<pivotFields count="{len(columns)}">{fields}</pivotFields>'
        f"{_axis('rowFields', rows)}{_axis('colFields', across)}"
        f'<dataFields count="{len(values)}">{shown}</dataFields>'
        '<pivotTableStyleInfo name="PivotStyleLight16" showRowHeaders="1" showColHeaders="1" showRowStripes="0" '
        'showColStripes="0" showLastColumn="1"/></pivotTableDefinition>'
    )


def _field(number: int, rows: Sequence[int], across: Sequence[int], values: set[int]) -> str:
    data = ' dataField="1"' if number in values else ""
    if number not in rows and number not in across:
        return f'<pivotField{data} showAll="0"/>'
    axis = "axisRow" if number in rows else "axisCol"
    return f'<pivotField axis="{axis}"{data} showAll="0"><items count="1"><item t="default"/></items></pivotField>'


def _axis(tag: str, fields: Sequence[int]) -> str:
    inner = "".join(f'<field x="{number}"/>' for number in fields)
    return f'<{tag} count="{len(fields)}">{inner}</{tag}>' if fields else ""


def _caption(name: str, function: Function, taken: set[str]) -> str:
    """A caption that is no column's name: a pivot table refuses two of a name."""
    caption = f"{function} of {name}"
    while caption.casefold() in taken:
        caption += " "
    return caption
