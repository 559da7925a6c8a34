"""The data sheet, read back by calamine, and the XML where only the XML can tell."""

from __future__ import annotations

import re
import zipfile
from datetime import date, datetime, time

import pytest
from python_calamine import CalamineWorkbook

from penstock.errors import DataError


def rows(path, sheet=0):
    return CalamineWorkbook.from_path(path).get_sheet_by_index(sheet).to_python()


def part(path, name):
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


def one(bench, sql):
    """The only data cell of a relation `SELECT sql AS x`."""
    bench.relation("t", f"SELECT {sql} AS x")
    path = bench.write("one.xlsx", "t")
    value = rows(path)[1:]
    path.unlink()
    return value[0][0] if value else None


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("42", 42.0),
        ("999999999999999::BIGINT", 999999999999999.0),
        ("1000000000000000::BIGINT", "1000000000000000"),
        ("4111111111111111::BIGINT", "4111111111111111"),
        ("-9007199254740993::BIGINT", "-9007199254740993"),
        ("18446744073709551615::UBIGINT", "18446744073709551615"),
        ("12345678901234567890::HUGEINT", "12345678901234567890"),
        ("'12345678901234567890'", "12345678901234567890"),
        ("1.25::DECIMAL(10,2)", 1.25),
        ("-0.10::DECIMAL(10,2)", -0.1),
        ("1234567890123.45::DECIMAL(18,2)", 1234567890123.45),
        ("123456789012345.00::DECIMAL(18,2)", 123456789012345.0),
        ("1234567890123456.78::DECIMAL(18,2)", "1234567890123456.78"),
        ("0.0000000000000000000012::DECIMAL(38,22)", 1.2e-21),
        ("12345678901234567890123456789012345678::DECIMAL(38,0)", "12345678901234567890123456789012345678"),
        ("0.1::FLOAT", 0.1),
        ("0.1::DOUBLE + 0.2::DOUBLE", 0.1 + 0.2),
        ("1e300::DOUBLE", 1e300),
        ("'nan'::DOUBLE", "nan"),
        ("'inf'::DOUBLE", "inf"),
        ("'-inf'::FLOAT", "-inf"),
        ("true", True),
        ("false", False),
        ("DATE '2024-02-29'", date(2024, 2, 29)),
        ("DATE '1900-03-01'", date(1900, 3, 1)),
        ("DATE '1900-02-28'", "1900-02-28"),
        ("DATE '1850-01-02'", "1850-01-02"),
        ("DATE '0001-01-01'", "0001-01-01"),
        ("DATE '0044-03-15 (BC)'", "0044-03-15 (BC)"),
        ("DATE '9999-12-31'", date(9999, 12, 31)),
        ("DATE '12345-01-01'", "12345-01-01"),
        ("'infinity'::DATE", "infinity"),
        ("TIMESTAMP '2024-01-02 03:04:05'", datetime(2024, 1, 2, 3, 4, 5)),
        ("TIMESTAMP '2024-01-02 03:04:05.678'", datetime(2024, 1, 2, 3, 4, 5, 678000)),
        ("TIMESTAMP '1850-01-02 03:04:05'", "1850-01-02 03:04:05"),
        ("'-infinity'::TIMESTAMP", "-infinity"),
        ("TIMESTAMPTZ '2024-01-02 03:04:05+02'", datetime(2024, 1, 2, 1, 4, 5)),
        ("TIMESTAMPTZ '1850-01-02 03:04:05+00'", "1850-01-02 03:04:05+00"),
        ("'2024-01-02 03:04:05.123456789'::TIMESTAMP_NS", "2024-01-02 03:04:05.123456789"),
        ("TIME '12:34:56'", time(12, 34, 56)),
        ("TIME '24:00:00'", "24:00:00"),
        ("INTERVAL '-1 day'", "-1 day"),
        ("'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::UUID", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("[1, 2]", "[1, 2]"),
        ("{'a': 1}", "{'a': 1}"),
        ("'=e'::ENUM('=e')", "=e"),
        ("'é ü 漢字 😀'", "é ü 漢字 😀"),
        ("'  two spaces  '", "  two spaces  "),
        ("e'a\\r\\nb\\tc'", "a\r\nb\tc"),
        ("e'a\\x01\\x0b\\x1fb'", "a\x01\x0b\x1fb"),
        ("'_x0041_'", "_x0041_"),
        ("'<&>\"'", '<&>"'),
        ("'<r><t>not markup</t></r>'", "<r><t>not markup</t></r>"),
        ("'<r><t>broken</r>'", "<r><t>broken</r>"),
        ("'http://example.org'", "http://example.org"),
        ("'007'", "007"),
        ("'1e5'", "1e5"),
    ],
)
def test_a_value_is_a_cell_that_says_the_same(bench, sql, expected):
    found = one(bench, sql)
    assert (type(found), found) == (type(expected), expected)


def test_null_is_an_empty_cell(bench):
    bench.relation("t", "SELECT * FROM (VALUES (1, NULL::VARCHAR, NULL::INTEGER), (2, '', 3)) AS t(id, s, n)")
    xml = part(bench.write("a.xlsx", "t"), "xl/worksheets/sheet1.xml")
    assert 'r="B2"' not in xml
    assert 'r="C2"' not in xml
    assert '<c r="C3"' in xml


def test_text_is_text(bench, payloads, harmless):
    bench.texts("t", (*payloads, *harmless))
    path = bench.write("a.xlsx", "t", order_by=["id"])
    assert [row[1] for row in rows(path)[1:]] == [*payloads, *harmless]
    with zipfile.ZipFile(path) as archive:
        assert not any(b"<f>" in archive.read(name) for name in archive.namelist())
        assert not any("externalLink" in name or "hyperlink" in name for name in archive.namelist())
    assert 'quotePrefix="1"' in part(path, "xl/styles.xml")


def test_the_sheet_is_made_for_reading(bench):
    bench.relation("report", "SELECT 1 AS id, 1.5::DECIMAL(9,3) AS amount, DATE '2024-01-02' AS day, 'x' AS \"=name\"")
    path = bench.write("a.xlsx", "report", formats={"AMOUNT": "0.0"})
    xml, styles = part(path, "xl/worksheets/sheet1.xml"), part(path, "xl/styles.xml")
    assert rows(path)[0] == ["id", "amount", "day", "=name"]
    assert CalamineWorkbook.from_path(path).sheet_names == ["report"]
    assert re.search(r'<pane ySplit="1" topLeftCell="A2".*state="frozen"/>', xml)
    assert '<autoFilter ref="A1:D2"/>' in xml
    assert xml.count("<col ") == 4
    assert 'formatCode="yyyy\\-mm\\-dd"' in styles or 'formatCode="yyyy-mm-dd"' in styles
    assert 'formatCode="0.0"' in styles


def test_rows_keep_their_order_and_the_same_data_gives_the_same_bytes(bench):
    bench.relation("t", "SELECT i % 7 AS g, i, i * 0.1::DOUBLE AS f FROM range(3000) AS s(i)")
    first = bench.write("a.xlsx", "t", order_by=["g"], totals=["f"])
    found = [(int(g), int(i)) for g, i, _ in rows(first)[1:-1]]
    assert found == sorted((i % 7, i) for i in range(3000))
    bench.relation("t", "SELECT i % 7 AS g, i, i * 0.1::DOUBLE AS f FROM range(3000) AS s(i) ORDER BY hash(i)")
    assert bench.write("b.xlsx", "t", order_by=["g"], totals=["f"]).read_bytes() == first.read_bytes()
    assert [entry.name for entry in bench.folder.iterdir() if entry.suffix != ".xlsx"] == []


def test_totals(bench):
    bench.relation("t", "SELECT i AS id, 0.1::DECIMAL(10,2) AS amount, 'x' AS name FROM range(30) AS s(i)")
    assert rows(bench.write("a.xlsx", "t", totals=["AMOUNT", "id"]))[-1] == [435.0, 3.0, "Total"]
    assert bench.rows == 30
    assert len(rows(bench.write("b.xlsx", "t"))) == 31
    big = "SELECT 999999999999999 AS n FROM range(2)"
    bench.relation("big", big)
    assert rows(bench.write("c.xlsx", "big", totals="n"))[-1] == ["1999999999999998"]


def test_no_rows(bench):
    bench.relation("t", "SELECT 1 AS id WHERE false")
    assert rows(bench.write("a.xlsx", "t")) == [["id"]]
    assert rows(bench.write("b.xlsx", "t", totals=["id"]))[0] == ["id"]


def test_a_text_no_cell_can_hold(bench):
    bench.relation("t", "SELECT repeat('x', 32767) AS fits, repeat('😀', 16384) AS note")
    assert len(rows(bench.write("a.xlsx", "t", columns=["fits"]))[1][0]) == 32767
    with pytest.raises(DataError, match=r"column 'note', row 2 of the sheet.*32,767") as caught:
        bench.write("b.xlsx", "t")
    assert caught.value.code == "EXPORT_TOO_LARGE"
    assert not (bench.folder / "b.xlsx").exists()
    assert bench.session.query("SELECT 1").rows == ((1,),)


def test_more_rows_than_a_sheet_has(bench):
    bench.session.execute("CREATE VIEW serv.long AS SELECT i FROM range(1048576) AS s(i)")
    with pytest.raises(DataError, match=r"at most 1,048,575 rows beside the header, found 1,048,576") as caught:
        bench.write("a.xlsx", "long")
    assert caught.value.code == "EXPORT_TOO_LARGE"
    assert "parquet" in str(caught.value)


@pytest.mark.parametrize(("relation", "expected"), [("a" * 40, "a" * 31), ("History", "History_"), ("a/b:c", "a_b_c")])
def test_a_sheet_name_excel_accepts(bench, relation, expected):
    bench.session.execute(f'CREATE TABLE serv."{relation}" AS SELECT 1 AS x')
    path = bench.write("a.xlsx", relation)
    assert CalamineWorkbook.from_path(path).sheet_names == [expected]
