"""Odd and broken files, each with the exact rows it must give or the code of the error: never a silent change."""

# ruff: noqa: E501 - one case, one line

from __future__ import annotations

import gzip
from typing import Any

import pytest
import zstandard

from penstock.errors import PenstockError

N = None
ROWS = [("1", "2"), ("3", "4")]
GOOD = b"a,b\n1,2\n3,4\n"
ZST = zstandard.ZstdCompressor(write_checksum=True).compress(GOOD)
FLIPPED = bytearray(gzip.compress(GOOD * 50))
FLIPPED[-6] ^= 1  # in the CRC: DuckDB would not look

CORPUS: list[tuple[str, str, bytes, dict[str, Any], Any]] = [
    ("plain", "o.csv", GOOD, {}, ROWS),
    ("leading zeros", "o.csv", b"a,b\n007,00\n", {}, [("007", "00")]),
    ("numbers as text", "o.csv", b"a,b\n1e5,1.10\n-0.0,+7\n", {}, [("-0.0", "+7"), ("1e5", "1.10")]),
    ("long integers", "o.csv", b"a,b\n12345678901234567890,9\n", {}, [("12345678901234567890", "9")]),
    ("words for null", "o.csv", b"a,b\nNULL,null\n\\N,NA\n", {}, [("NULL", "null"), ("\\N", "NA")]),
    ("spaces kept", "o.csv", b"a,b\n  x, y \n", {}, [("  x", " y ")]),
    ("spaces in quotes kept", "o.csv", b'a,b\n"  x "," "\n', {}, [("  x ", " ")]),
    ("NULL and empty text", "o.csv", b'a,b\n,""\n"",\n', {}, [("", N), (N, "")]),
    ("only delimiters", "o.csv", b"a,b\n,\n", {}, [(N, N)]),
    ("hash is no comment", "o.csv", b"a,b\n#1,2\n", {}, [("#1", "2")]),
    ("quotes doubled", "o.csv", b'a,b\n"x""y","""z"""\n', {}, [('x"y', '"z"')]),
    ("delimiter in quotes", "o.csv", b'a,b\n"x,y",2\n', {}, [("x,y", "2")]),
    ("line ends in quotes", "o.csv", b'a,b\n"x\ny","p\r\nq"\n', {}, [("x\ny", "p\r\nq")]),
    ("backslash is text", "o.csv", b'a,b\n"x\\",\\n\n', {}, [("x\\", "\\n")]),
    ("quote inside a plain field", "o.csv", b'a,b\n5"x,y"\n', {}, [('5"x', 'y"')]),
    ("unicode line separators", "o.csv", "a,b\nx\u2028y,\x85\x0b\x1c\n".encode(), {}, [("x\u2028y", "\x85\x0b\x1c")]),
    ("emoji and combining", "o.csv", "ä,b\n👍🏽,e\u0301\n".encode(), {}, [("👍🏽", "e\u0301")]),
    ("CRLF", "o.csv", b"a,b\r\n1,2\r\n3,4\r\n", {}, ROWS),
    ("CR only", "o.csv", b"a,b\r1,2\r3,4\r", {}, ROWS),
    ("mixed line ends", "o.csv", b"a,b\r\n1,2\n3,4\r\n", {}, "CSV_MIXED_LINE_ENDS"),
    ("mixed line ends, LF first", "o.csv", b"a,b\n1,2\r\n3,4\n", {}, "CSV_MIXED_LINE_ENDS"),
    ("byte order mark", "o.csv", b"\xef\xbb\xbfa,b\n1,2\n3,4\n", {}, ROWS),
    ("byte order mark and quotes", "o.csv", b'\xef\xbb\xbf"a","b"\n"1",2\n3,4\n', {}, ROWS),
    ("byte order mark, no header", "o.csv", b"\xef\xbb\xbf1,2\n3,4\n", {"header": ["a", "b"]}, ROWS),
    ("blank lines", "o.csv", b"a,b\n1,2\n\n3,4\n\n", {}, ROWS),
    ("blank line in one column is NULL", "o.csv", b"a\n1\n\n2\n", {}, [("1",), ("2",), (N,)]),
    ("empty text in one column", "o.csv", b'a\n""\n1\n', {}, [("",), ("1",)]),
    ("quoted header with a line end", "o.csv", b'"a\nx",b\n1,2\n3,4\n', {}, ROWS),
    ("no header, counted names", "o.csv", b"1,2\n3,4\n", {"header": False}, ROWS),
    ("no header, given names", "o.csv", b"1,2\n3,4\n", {"header": ["a", "b"]}, ROWS),
    ("given names that are there", "o.csv", GOOD, {"header": ["a", "b"]}, "HEADER_FOUND"),
    ("given names, wrong count", "o.csv", GOOD, {"header": ["x", "y", "z"]}, "CSV_RAGGED_ROW"),
    ("preamble skipped", "o.csv", b'Report "x\nmore\na,b\n1,2\n3,4\n', {"skip": 2}, ROWS),
    ("header replaced", "o.csv", b"a,a\n1,2\n3,4\n", {"skip": 1, "header": ["a", "b"]}, ROWS),
    ("semicolons", "o.csv", b"a;b\n1;2\n3;4\n", {"delimiter": ";"}, ROWS),
    ("single quotes", "o.csv", b"a,b\n'x,''y',\"2\n", {"quote": "'"}, [("x,'y", '"2')]),
    ("no quotes at all", "o.csv", b'a,b\n"1,2"\n', {"quote": ""}, [('"1', '2"')]),
    ("TSV", "o.tsv", b"a\tb\n1\t2\n3\t4\n", {}, ROWS),
    ("TSV with an empty end", "o.tsv", b"a\tb\n1\t\n", {}, [("1", N)]),
    ("latin-1", "o.csv", "a,b\nä,ß\n".encode("latin-1"), {"encoding": "latin-1"}, [("ä", "ß")]),
    ("cp1252", "o.csv", "a,b\n€,“\n".encode("cp1252"), {"encoding": "cp1252"}, [("€", "“")]),
    ("utf-16", "o.csv", "a,b\n€,𝄞\n".encode("utf-16"), {"encoding": "utf-16"}, [("€", "𝄞")]),
    ("utf-16-le with a mark", "o.csv", "\ufeffa,b\n1,2\n3,4\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, ROWS),
    ("utf-16, not declared", "o.csv", "a,b\n1,2\n".encode("utf-16"), {}, "BAD_ENCODING"),
    ("utf-16 without a mark, not declared", "o.csv", "a,b\n1,2\n".encode("utf-16-le"), {}, "NUL_BYTE"),
    ("latin-1, not declared", "o.csv", "a,b\nä,2\n".encode("latin-1"), {}, "BAD_ENCODING"),
    ("latin-1 header, not declared", "o.csv", "ä,b\n1,2\n".encode("latin-1"), {}, "BAD_ENCODING"),
    ("utf-8 declared as ascii", "o.csv", "a,b\nä,2\n".encode(), {"encoding": "ascii"}, "BAD_ENCODING"),
    ("utf-16 cut in a character", "o.csv", "a,b\n1,2\n".encode("utf-16")[:-1], {"encoding": "utf-16"}, "BAD_ENCODING"),
    ("surrogate in utf-8", "o.csv", b"a,b\n\xed\xa0\x80,2\n", {}, "BAD_ENCODING"),
    ("NUL", "o.csv", b"a,b\n1,x\0y\n", {}, "NUL_BYTE"),
    ("empty", "o.csv", b"", {}, "EMPTY_SOURCE"),
    ("mark only", "o.csv", b"\xef\xbb\xbf", {}, "EMPTY_SOURCE"),
    ("header only", "o.csv", b"a,b\n", {}, "EMPTY_SOURCE"),
    ("header only, allowed", "o.csv", b"a,b\n", {"allow_empty": True}, []),
    ("empty, allowed, columns unknown", "o.csv", b"", {"allow_empty": True}, "EMPTY_SOURCE"),
    ("empty, allowed, columns known", "o.csv", b"", {"allow_empty": True, "header": ["a", "b"]}, []),
    ("header without a line end", "o.csv", b"a,b", {}, "SOURCE_TRUNCATED"),
    ("last line cut", "o.csv", b"a,b\n1,2\n3,4", {}, "SOURCE_TRUNCATED"),
    ("no last line end, allowed", "o.csv", b"a,b\n1,2\n3,4", {"final_newline": "optional"}, ROWS),
    ("cut in CRLF", "o.csv", b"a,b\r\n1,2\r\n3,4\r", {}, "SOURCE_TRUNCATED"),
    ("short row", "o.csv", b"a,b\n1,2\n3\n", {}, "CSV_RAGGED_ROW"),
    ("long row", "o.csv", b"a,b\n1,2\n3,4,5\n", {}, "CSV_RAGGED_ROW"),
    ("row too long by an empty field", "o.csv", b"a,b\n1,2,\n3,4\n", {}, "CSV_RAGGED_ROW"),
    ("row too long by empty fields", "o.csv", b"a,b\n1,2\n3,4,,\n", {}, "CSV_RAGGED_ROW"),
    ("row too long by an empty field, quotes", "o.csv", b'a,b\n"1",2,\n', {}, "CSV_RAGGED_ROW"),
    ("row too long by an empty field, CRLF", "o.csv", b"a,b\r\n1,2,\r\n", {}, "CSV_RAGGED_ROW"),
    ("row too long in one column", "o.csv", b"a\n1,\n2\n", {}, "CSV_RAGGED_ROW"),
    ("shifted by an unquoted delimiter", "o.csv", b"a,b,c\nx,y,1,\n", {}, "CSV_RAGGED_ROW"),
    ("short row made up by a long one", "o.csv", b"a,b\n1\n2,3,\n", {}, "CSV_RAGGED_ROW"),
    ("last column empty is right", "o.csv", b'a,b\n1,\n"2",\n', {}, [("1", N), ("2", N)]),
    ("last column empty, quoted line ends", "o.csv", b'a,b\n"x,\ny",\n1,"z,\n"\n', {}, [("1", "z,\n"), ("x,\ny", N)]),
    ("line of a space", "o.csv", b"a,b\n1,2\n \n3,4\n", {}, "CSV_RAGGED_ROW"),
    ("unclosed quote", "o.csv", b'a,b\n1,2\n3,"4\n', {}, "CSV_UNCLOSED_QUOTE"),
    ("unclosed quote, line ends follow", "o.csv", b'a,b\n1,"2\n3,4\n5,6\n', {}, "CSV_UNCLOSED_QUOTE"),
    ("text behind a quote", "o.csv", b'a,b\n1,"x"y\n', {}, "CSV_UNCLOSED_QUOTE"),
    ("space before a quote", "o.csv", b'a,b\n1, "x"\n', {}, "CSV_QUOTE_MISPLACED"),
    ("space behind a quote", "o.csv", b'a,b\n1,"x" \n', {}, "CSV_QUOTE_MISPLACED"),
    ("spaces behind a quote", "o.csv", b'a,b\n"1"  ,x\n', {}, "CSV_QUOTE_MISPLACED"),
    ("space before the first quote", "o.csv", b'a,b\n "1",x\n', {}, "CSV_QUOTE_MISPLACED"),
    ("quotes and spaces within quotes", "o.csv", b'a,b\n"say ""hi"" , now","x, ""y"" "\n', {}, [('say "hi" , now', 'x, "y" ')]),
    ("space beside a quoted name", "o.csv", b'a, "b"\n1,2\n', {}, "CSV_HEADER_INVALID"),
    ("unclosed name", "o.csv", b'a,"b\n1,2\n', {}, "CSV_HEADER_INVALID"),
    ("duplicate names", "o.csv", b"a,a\n1,2\n", {}, "COLUMN_TWICE"),
    ("names that differ in case", "o.csv", b"a,A\n1,2\n", {}, "COLUMN_TWICE"),
    ("names that differ in case, renamed", "o.csv", b"a,A\n1,2\n3,4\n", {"rename": {"A": "b"}}, ROWS),
    ("unnamed column", "o.csv", b"a,\n1,2\n", {}, "COLUMN_UNNAMED"),
    ("blank first line", "o.csv", b"\na,b\n1,2\n", {}, "COLUMN_UNNAMED"),
    ("reserved name", "o.csv", b"a,valid_from\n1,2\n", {}, "COLUMN_RESERVED"),
    ("reserved prefix", "o.csv", b"a,_BATCH_no\n1,2\n", {}, "COLUMN_RESERVED"),
    ("reserved name, renamed", "o.csv", b"a,is_current\n1,2\n3,4\n", {"rename": {"is_current": "b"}}, ROWS),
    ("key not there", "o.csv", GOOD, {"key": ("id",)}, "COLUMN_MISSING"),
    ("renamed column not there", "o.csv", GOOD, {"rename": {"x": "y"}}, "COLUMN_MISSING"),
    ("line too long", "o.csv", b"a,b\n1," + b"x" * 3_000_000 + b"\n", {}, "CSV_LINE_TOO_LONG"),
    ("long line, allowed", "o.csv", b"a,b\n1," + b"x" * 3_000_000 + b"\n", {"max_line": "8MB"}, [("1", "x" * 3_000_000)]),
    ("HTML", "o.csv", b"<html>\n<p>Not found, sorry</p>\n</html>\n", {}, "CSV_RAGGED_ROW"),
    ("one column too few in the header", "o.csv", b"a\n1,2\n3,4\n", {}, "CSV_RAGGED_ROW"),
    ("no known extension", "o.dat", GOOD, {}, "FORMAT_UNKNOWN"),
    ("format declared", "o.dat", GOOD, {"format": "csv"}, ROWS),
    ("glob characters in the name", "o[1]*.csv", GOOD, {"path": "o*.csv"}, ROWS),
    ("quote in the name", "o'1\".csv", GOOD, {}, ROWS),
    ("hive folder", "a=9/o.csv", GOOD, {}, ROWS),
    ("gzip", "o.csv.gz", gzip.compress(GOOD), {}, ROWS),
    ("gzip, two members", "o.csv.gz", gzip.compress(GOOD[:8]) + gzip.compress(GOOD[8:]), {}, ROWS),
    ("gzip with padding", "o.csv.gz", gzip.compress(GOOD) + b"\0" * 512, {}, ROWS),
    ("gzip declared", "o.bin", gzip.compress(GOOD), {"format": "csv", "compression": "gzip"}, ROWS),
    ("gzip cut", "o.csv.gz", gzip.compress(GOOD)[:-1], {}, "SOURCE_TRUNCATED"),
    ("gzip with a wrong checksum", "o.csv.gz", bytes(FLIPPED), {}, "ARCHIVE_DAMAGED"),
    ("gzip that is none", "o.csv.gz", GOOD, {}, "ARCHIVE_DAMAGED"),
    ("gzip with text behind", "o.csv.gz", gzip.compress(GOOD) + b"5,6\n", {}, "ARCHIVE_DAMAGED"),
    ("gzip of nothing", "o.csv.gz", gzip.compress(b""), {}, "EMPTY_SOURCE"),
    ("gzip bomb", "o.csv.gz", gzip.compress(b"a\n" + b"1\n" * 1_000_000), {"max_uncompressed": "1MB"}, "ARCHIVE_TOO_LARGE"),
    ("zstd", "o.csv.zst", ZST, {}, ROWS),
    ("zstd, two frames", "o.csv.zst", ZST + zstandard.compress(b"5,6\n"), {}, [*ROWS, ("5", "6")]),
    ("zstd cut", "o.csv.zst", ZST[:-1], {}, "SOURCE_TRUNCATED"),
    ("zstd with a wrong checksum", "o.csv.zst", ZST[:-1] + bytes([ZST[-1] ^ 1]), {}, "ARCHIVE_DAMAGED"),
    ("zstd bomb", "o.csv.zst", zstandard.compress(b"a\n" + b"1\n" * 9_000_000), {"max_uncompressed": "1MB"}, "ARCHIVE_TOO_LARGE"),
    ("NDJSON", "o.ndjson", b'{"a": "1", "b": 2}\n\n{"b":4,"a":3}', {}, ROWS),
    ("NDJSON values as written", "o.jsonl", b'{"a":1.10,"b":1E5}\n{"a":12345678901234567890123,"b":-0}\n', {},
     [("1.10", "1E5"), ("12345678901234567890123", "-0")]),
    ("NDJSON words", "o.ndjson", b'{"a":true,"b":null}\n{"a":"null","b":""}\n', {}, [("null", ""), ("true", N)]),
    ("NDJSON nested as written", "o.ndjson", b'{"a":{"x": [1.0,  2e1]},"b":[ ]}\n', {}, [('{"x": [1.0,  2e1]}', "[ ]")]),
    ("NDJSON missing and late keys", "o.ndjson", b'{"a":1}\n{"b":2}\n{}\n', {}, [("1", N), (N, "2"), (N, N)]),
    ("NDJSON strings decoded", "o.ndjson", rb'{"a":"\u00e4\n\"","b":"\ud834\udd1e"}' + b"\n", {}, [('ä\n"', "𝄞")]),
    ("NDJSON one column of NULL", "o.ndjson", b'{"a":null}\n{"a":1}\n', {}, [("1",), (N,)]),
    ("NDJSON with CRLF", "o.ndjson", b'{"a":1,"b":2}\r\n{"a":3,"b":4}\r\n', {}, ROWS),
    ("NDJSON with a mark", "o.ndjson", b'\xef\xbb\xbf{"a":1,"b":2}\n{"a":3,"b":4}\n', {}, ROWS),
    ("NDJSON in latin-1", "o.ndjson", '{"a":"ä"}\n'.encode("latin-1"), {"encoding": "latin-1"}, [("ä",)]),
    ("NDJSON in latin-1, not declared", "o.ndjson", '{"a":"ä"}\n'.encode("latin-1"), {}, "BAD_ENCODING"),
    ("NDJSON cut", "o.ndjson", b'{"a":1}\n{"a":2', {}, "SOURCE_TRUNCATED"),
    ("NDJSON broken", "o.ndjson", b'{"a":1}\n{"a":}\n', {}, "JSON_INVALID"),
    ("NDJSON number with zeros", "o.ndjson", b'{"a":007}\n', {}, "JSON_INVALID"),
    ("NDJSON NaN", "o.ndjson", b'{"a":NaN}\n', {}, "JSON_INVALID"),
    ("NDJSON nested NaN", "o.ndjson", b'{"a":[NaN]}\n', {}, "JSON_INVALID"),
    ("NDJSON two on a line", "o.ndjson", b'{"a":1} {"a":2}\n', {}, "JSON_INVALID"),
    ("NDJSON of numbers", "o.ndjson", b"1\n2\n", {}, "JSON_NOT_ROWS"),
    ("NDJSON that is an array", "o.ndjson", b'[{"a":1}]\n', {}, "JSON_NOT_ROWS"),
    ("NDJSON key twice", "o.ndjson", b'{"a":1,"a":2}\n', {}, "JSON_KEY_TWICE"),
    ("NDJSON keys that differ in case", "o.ndjson", b'{"a":1}\n{"A":2}\n', {}, "COLUMN_TWICE"),
    ("NDJSON half a surrogate pair", "o.ndjson", rb'{"a":"\ud800"}' + b"\n", {}, "BAD_ENCODING"),
    ("NDJSON NUL", "o.ndjson", rb'{"a":"\u0000"}' + b"\n", {}, "NUL_BYTE"),
    ("NDJSON too deep", "o.ndjson", b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", {}, "JSON_INVALID"),
    ("NDJSON empty objects only", "o.ndjson", b"{}\n", {}, "JSON_NOT_ROWS"),
    ("NDJSON empty", "o.ndjson", b"\n", {}, "EMPTY_SOURCE"),
    ("NDJSON many columns, one by one", "o.ndjson", b"".join(b'{"c%d":%d}\n' % (i, i) for i in range(60)), {},
     sorted([tuple(str(i) if i == j else N for j in range(60)) for i in range(60)], key=lambda row: [(v is N, str(v)) for v in row])),
    ("JSON array", "o.json", b'[{"a":1,"b":2},\n {"a":3,"b":4}]\n', {}, ROWS),
    ("JSON array with spaces", "o.json", b' [ { "a" : 1 , "b" : 2 } , { "b" : 4 , "a" : 3 } ] ', {}, ROWS),
    ("JSON long value", "o.json", b'[{"a":"' + b"x" * 5_000_000 + b'","b":2}]', {}, [("x" * 5_000_000, "2")]),
    ("JSON empty array", "o.json", b"[]", {}, "EMPTY_SOURCE"),
    ("JSON one object", "o.json", b'{"a":1}', {}, "JSON_NOT_ROWS"),
    ("JSON of numbers", "o.json", b"[1,2]", {}, "JSON_NOT_ROWS"),
    ("JSON cut in an object", "o.json", b'[{"a":1},{"a":', {}, "SOURCE_TRUNCATED"),
    ("JSON cut behind a comma", "o.json", b'[{"a":1},', {}, "SOURCE_TRUNCATED"),
    ("JSON cut before the end", "o.json", b'[{"a":1}', {}, "SOURCE_TRUNCATED"),
    ("JSON with text behind", "o.json", b'[{"a":1}] x', {}, "JSON_INVALID"),
    ("JSON trailing comma", "o.json", b'[{"a":1},]', {}, "JSON_NOT_ROWS"),
    ("JSON key twice", "o.json", b'[{"a":1,"a":1}]', {}, "JSON_KEY_TWICE"),
    ("JSON gzip", "o.json.gz", gzip.compress(b'[{"a":1,"b":2},{"a":3,"b":4}]'), {}, ROWS),
    ("JSON utf-16", "o.json", '[{"a":"€","b":2}]'.encode("utf-16"), {"encoding": "utf-16"}, [("€", "2")]),
    ("Parquet that is none", "o.parquet", GOOD, {}, "PARQUET_INVALID"),
    ("Parquet empty", "o.parquet", b"", {}, "PARQUET_INVALID"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "options", "expected"), [c[1:] for c in CORPUS], ids=[c[0] for c in CORPUS]
)
def test_lands_exactly_or_says_why(lab: Any, name: str, content: bytes, options: dict[str, Any], expected: Any) -> None:
    lab.write(name, content)
    table = lab.table(**{"path": name, **options})
    if isinstance(expected, str):
        with pytest.raises(PenstockError) as caught:
            lab.landed(table)
        assert caught.value.code == expected
        assert caught.value.exit_code in (2, 3)
        assert lab.landing.batches("shop", "orders") == ()
        assert not list(lab.landing.root.rglob("*.parquet"))
        return
    assert lab.landed(table) == [expected]
    assert lab.landed(table) == []
    assert lab.pending(table) is None
