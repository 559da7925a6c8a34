"""The pivot sheet against the same sums made by hand."""

from __future__ import annotations

import re
import zipfile
from xml.etree import ElementTree

import pytest
from python_calamine import CalamineWorkbook

from penstock.errors import DataError, UserError

SALES = """SELECT * FROM (VALUES
  ('North', 'Toys',  1, 1.25::DECIMAL(10,2), DATE '2024-01-02'),
  ('North', 'Tools', 2, 2.50, DATE '2024-01-03'),
  ('North', 'Toys',  3, 3.00, DATE '2024-01-01'),
  ('South', NULL,    4, 4.00, NULL),
  (NULL,    'Toys',  5, NULL, DATE '2024-01-09')) AS t(region, category, quantity, revenue, day)"""
BY_REGION = {"rows": "region", "columns": "category", "values": {"revenue": "sum", "quantity": "sum"}}


def pivot(bench, given, name="a.xlsx", **more):
    path = bench.write(name, "sales", pivot=given, **more)
    return CalamineWorkbook.from_path(path).get_sheet_by_index(1).to_python()


def test_cross_tab_with_all_totals(bench):
    bench.relation("sales", SALES)
    assert pivot(bench, BY_REGION) == [
        ["category", "Tools", "", "Toys", "", "(empty)", "", "Total", ""],
        ["region", *["revenue", "quantity"] * 4],
        ["North", 2.5, 2, 4.25, 4, "", "", 6.75, 6],
        ["South", "", "", "", "", 4, 4, 4, 4],
        ["(empty)", "", "", "", 5, "", "", "", 5],
        ["Total", 2.5, 2, 4.25, 9, 4, 4, 10.75, 15],
    ]


def test_it_is_laid_out_for_reading(bench):
    bench.relation("sales", SALES)
    path = bench.write("a.xlsx", "sales", pivot={**BY_REGION, "sheet": "By region"})
    assert CalamineWorkbook.from_path(path).sheet_names == ["sales", "By region"]
    with zipfile.ZipFile(path) as archive:
        xml, styles = (archive.read(name).decode() for name in ("xl/worksheets/sheet2.xml", "xl/styles.xml"))
    assert re.search(r'<pane xSplit="1" ySplit="2" topLeftCell="B3".*state="frozen"/>', xml)
    assert '<mergeCell ref="B1:C1"/>' in xml
    assert "<f>" not in xml
    assert "#,##0.00" in styles or 'numFmtId="4"' in styles


def test_the_data_sheet_gets_a_totals_row_unless_refused(bench):
    bench.relation("sales", SALES)
    data = CalamineWorkbook.from_path(bench.write("a.xlsx", "sales", pivot=BY_REGION)).get_sheet_by_index(0).to_python()
    assert data[-1] == ["Total", "", 15, 10.75, ""]
    path = bench.write("b.xlsx", "sales", pivot=BY_REGION, totals=[])
    assert len(CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()) == 6


def test_several_row_columns_and_no_cross_tab(bench):
    bench.relation("sales", SALES)
    assert pivot(bench, {"rows": ["region", "category"], "values": {"quantity": "sum"}}) == [
        ["region", "category", "quantity"],
        ["North", "Tools", 2],
        ["North", "Toys", 4],
        ["South", "(empty)", 4],
        ["(empty)", "Toys", 5],
        ["Total", "", 15],
    ]


@pytest.mark.parametrize(
    ("function", "column", "expected"),
    [
        ("count", "revenue", [3, 1, 0, 4]),
        ("count_distinct", "category", [2, 0, 1, 2]),
        ("max", "quantity", [3, 4, 5, 5]),
    ],
)
def test_functions(bench, function, column, expected):
    bench.relation("sales", SALES)
    found = pivot(bench, {"rows": "region", "values": {column: function}})
    assert found[0] == ["region", f"{function.replace('_', ' ')} of {column}"]
    assert [row[1] for row in found[1:]] == expected


def test_average_and_dates(bench):
    bench.relation("sales", SALES)
    assert [row[1] for row in pivot(bench, {"rows": "region", "values": {"revenue": "avg"}})[1:]] == [
        2.25,
        4,
        "",
        2.6875,
    ]
    found = pivot(bench, {"rows": "day", "columns": "region", "values": {"day": "min"}}, "b.xlsx")
    assert str(found[2][0]) == "2024-01-01"
    assert str(found[-1][-1]) == "2024-01-01"


def test_labels_that_are_formulas_or_strange(bench, payloads):
    bench.texts("sales", payloads)
    found = pivot(bench, {"rows": "text", "columns": "text", "values": {"id": "sum"}} | {"columns": "id"})
    assert sorted(row[0] for row in found[2:-1]) == sorted(payloads)
    found = pivot(bench, {"rows": "id", "columns": "text", "values": {"id": "count"}}, "b.xlsx")
    assert sorted(found[0][1:-1]) == sorted(payloads)


def test_nan_labels_are_one_row(bench):
    bench.relation("sales", "SELECT 'nan'::DOUBLE AS x, i % 2 AS c, 1 AS n FROM range(4) AS s(i)")
    assert pivot(bench, {"rows": "x", "columns": "c", "values": {"n": "sum"}})[2:] == [
        ["NaN", 2, 2, 4],
        ["Total", 2, 2, 4],
    ]


def test_many_columns(bench):
    bench.relation("sales", "SELECT i AS c, 'x' AS r, 1 AS n FROM range(300) AS s(i)")
    given = {"rows": "r", "columns": "c", "values": {"n": "sum"}}
    with pytest.raises(DataError, match="at most 256, found 300") as caught:
        pivot(bench, given)
    assert caught.value.code == "EXPORT_TOO_LARGE"
    assert not (bench.folder / "a.xlsx").exists()
    assert len(pivot(bench, given | {"max_columns": 300}, "b.xlsx")[0]) == 302


def test_no_rows(bench):
    bench.relation("sales", f"SELECT * FROM ({SALES}) WHERE false")
    assert pivot(bench, BY_REGION) == [["category", "Total", ""], ["region", "revenue", "quantity"], ["Total", "", ""]]


def test_the_sheets_never_share_a_name(bench):
    bench.relation("Pivot", SALES)
    path = bench.write("a.xlsx", "Pivot", pivot=BY_REGION)
    assert CalamineWorkbook.from_path(path).sheet_names == ["Pivot data", "Pivot"]


def test_a_live_pivot_table_reads_the_data_sheet(bench):
    bench.relation("sales", SALES.replace("AS t(region,", 'AS t("re<gi>&""on",'))
    given = {**BY_REGION, "rows": 're<gi>&"on', "live": "Explore"}
    path = bench.write("a.xlsx", "sales", pivot=given)
    assert CalamineWorkbook.from_path(path).sheet_names == ["sales", "Pivot", "Explore"]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == len(archive.namelist())
        parts = {name: ElementTree.fromstring(archive.read(name)) for name in archive.namelist() if "xl" in name}  # noqa: S314
    source = parts["xl/pivotCache/pivotCacheDefinition1.xml"]
    assert source.get("refreshOnLoad") == "1"
    assert source.find(".//{*}worksheetSource").attrib == {"ref": "A1:E6", "sheet": "sales"}  # and not the totals row
    assert next(field.get("name") for field in source.iter() if field.tag.endswith("cacheField")) == 're<gi>&"on'
    table = parts["xl/pivotTables/pivotTable1.xml"]
    assert [(f.get("name"), f.get("fld")) for f in table.findall(".//{*}dataField")] == [
        ("sum of revenue", "3"),
        ("sum of quantity", "2"),
    ]
    assert [f.get("x") for f in table.findall(".//{*}rowFields/{*}field")] == ["0"]
    assert [f.get("x") for f in table.findall(".//{*}colFields/{*}field")] == ["1", "-2"]
    assert bench.write("b.xlsx", "sales", pivot=given).read_bytes() == path.read_bytes()


def test_a_live_pivot_table_of_nothing_is_left_out(bench):
    bench.relation("sales", f"SELECT * FROM ({SALES}) WHERE false")
    path = bench.write("a.xlsx", "sales", pivot={**BY_REGION, "live": "Explore"})
    assert CalamineWorkbook.from_path(path).sheet_names == ["sales", "Pivot"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"rows": "region", "values": {"category": "count_distinct"}, "live": "x"}, "cannot count distinct"),
        ({**BY_REGION, "live": "pivot"}, "different names"),
        ({**BY_REGION, "live": "a:b"}, "1 to 31 characters"),
    ],
)
def test_live_options(bench, given, expected):
    bench.relation("sales", SALES)
    with pytest.raises(UserError, match=expected):
        bench.write("a.xlsx", "sales", pivot=given)
