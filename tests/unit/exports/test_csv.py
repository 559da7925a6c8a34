"""CSV files read back, by Python's own reader and by DuckDB."""

from __future__ import annotations

import csv
import gzip
import io

TYPES = """SELECT * FROM (VALUES
  (1, 12345678901234567890::HUGEINT, 0.1::DOUBLE, -1.50::DECIMAL(10,2), DATE '0044-03-15',
   TIMESTAMPTZ '2024-01-02 03:04:05.678901+02', 'ünï'),
  (2, -5, 'nan', NULL, DATE '1850-01-02', NULL, ''),
  (3, NULL, '-inf', 0, 'infinity', TIMESTAMPTZ '1969-12-31 23:59:59+00', NULL)) AS t(id, big, f, d, day, ts, name)"""


def read(path, **given):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, **given))


def test_values_are_written_in_full(bench):
    bench.relation("t", TYPES)
    assert read(bench.write("t.csv", "t", order_by=["id"])) == [
        ["id", "big", "f", "d", "day", "ts", "name"],
        ["1", "12345678901234567890", "0.1", "-1.50", "0044-03-15", "2024-01-02 01:04:05.678901+00", "ünï"],
        ["2", "-5", "nan", "", "1850-01-02", "", ""],
        ["3", "", "-inf", "0.00", "infinity", "1969-12-31 23:59:59+00", ""],
    ]
    assert bench.rows == 3


def test_null_and_empty_text_differ(bench):
    bench.relation("t", "SELECT * FROM (VALUES (1, NULL), (2, ''), (3, 'NA')) AS t(id, x)")
    assert bench.write("a.csv", "t", order_by=["id"]).read_text() == 'id,x\n1,\n2,""\n3,NA\n'
    assert bench.write("b.csv", "t", order_by=["id"], null="NA").read_text() == 'id,x\n1,NA\n2,\n3,"NA"\n'
    assert bench.write("c.csv", "t", order_by=["id"], quote="all").read_text() == '"id","x"\n"1",\n"2",""\n"3","NA"\n'


def test_delimiter_and_header(bench):
    bench.relation("t", "SELECT 'a;b' AS x, 'c\"d' AS y, e'e\\nf' AS z, e'g\\rh' AS w")
    path = bench.write("a.csv", "t", delimiter=";", header=False)
    assert read(path, delimiter=";") == [["a;b", 'c"d', "e\nf", "g\rh"]]
    assert read(bench.write("b.csv", "t", delimiter="\t"), delimiter="\t")[0] == ["x", "y", "z", "w"]


def test_gzip_by_extension_or_option(bench):
    bench.relation("t", "SELECT 1 AS x")
    for path, given in (("a.csv.gz", {}), ("b.csv", {"compression": "gzip"})):
        assert gzip.decompress(bench.write(path, "t", **given).read_bytes()) == b"x\n1\n"
    assert bench.write("c.csv.gz", "t", compression="none").read_bytes() == b"x\n1\n"


def test_order_columns_and_ties(bench):
    bench.relation("t", "SELECT i % 3 AS g, i AS \"I d\", 'x' AS rest FROM range(100000) AS s(i)")
    path = bench.write("a.csv", "t", columns=["I d", "G"], order_by=["g"])
    rows = read(path)
    assert rows[0] == ["I d", "g"]
    assert [(int(g), int(i)) for i, g in rows[1:]] == sorted((i % 3, i) for i in range(100000))
    assert bench.write("b.csv", "t", columns=["I d", "G"], order_by=["g"]).read_bytes() == path.read_bytes()


def test_text_a_spreadsheet_would_run_is_escaped(bench, payloads, harmless):
    bench.texts("t", (*payloads, *harmless))
    found = [row[1] for row in read(bench.write("a.csv", "t", order_by=["id"]))[1:]]
    assert found == ["'" + text for text in payloads] + list(harmless)


def test_the_escape_can_be_switched_off(bench, payloads):
    bench.texts("t", payloads)
    path = bench.write("a.csv", "t", order_by=["id"], escape_formulas=False)
    assert [row[1] for row in read(path)[1:]] == list(payloads)


def test_text_in_other_clothes_and_names_are_escaped_and_numbers_are_not(bench):
    bench.relation(
        "t",
        """SELECT -1 AS "=n", -1.5 AS d, '-inf'::DOUBLE AS f, '=1'::BLOB AS b, '=e'::ENUM('=e') AS e,
        '-1'::JSON AS j, union_value(t := '=u') AS u, INTERVAL '-1 day' AS i, ['=1'] AS l""",
    )
    assert read(bench.write("a.csv", "t")) == [
        ["'=n", "d", "f", "b", "e", "j", "u", "i", "l"],
        ["-1", "-1.5", "-inf", "'=1", "'=e", "'-1", "'=u", "-1 day", "['=1']"],
    ]


def test_duckdb_reads_back_what_was_written(bench):
    bench.relation("t", TYPES)
    path = bench.write("a.csv", "t", escape_formulas=False)
    back = bench.session.query(
        f"SELECT * FROM read_csv('{path}', header = true, auto_detect = false, quote = '\"', escape = '\"', "
        "columns = {id: 'INTEGER', big: 'HUGEINT', f: 'DOUBLE', d: 'DECIMAL(10,2)', day: 'DATE', "
        "ts: 'TIMESTAMPTZ', name: 'VARCHAR'}) EXCEPT SELECT * FROM serv.t"
    )
    assert [row[0] for row in back.rows] == [2]  # only the empty text, which this reader takes for NULL


def test_no_rows(bench):
    bench.relation("t", "SELECT 1 AS x WHERE false")
    assert bench.write("a.csv", "t").read_text() == "x\n"
    assert bench.rows == 0


def test_dialects_survive_hostile_names(bench):
    name = 'a"; DROP TABLE serv.t; --,\n'
    quoted = name.replace('"', '""')
    bench.relation("t", f'SELECT 1 AS "{quoted}"')
    assert read(bench.write("it's.csv", "t", order_by=[name])) == [[name], ["1"]]
    text = io.StringIO(bench.write("b.csv", "t", columns=[name]).read_text())
    assert next(csv.reader(text)) == [name]
