"""Any table of text lands exactly; any cut of a file is either noticed or a shorter file that is itself whole."""

from __future__ import annotations

import csv
import io
import json
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock.errors import PenstockError

TEXT = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | st.sampled_from("\",\n\r \t;'\\#"), max_size=8
)
VALUE = st.none() | TEXT
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.tuples(*[VALUE] * width), min_size=1, max_size=12).map(lambda rows: (width, rows))
)
PROPERTY = settings(max_examples=examples(120), deadline=None, suppress_health_check=list(HealthCheck))


def ordered(rows: list[tuple[str | None, ...]]) -> list[tuple[str | None, ...]]:
    return sorted(rows, key=lambda row: [(value is None, str(value)) for value in row])


def delimited(
    width: int,
    rows: list[tuple[str | None, ...]],
    delimiter: str,
    end: str,
    careful: bool,
    *,
    names: list[str] | None = None,
    quote: str = '"',
) -> str:
    """`careful`: quotes only where they are needed, as most writers do. `names`: the header (none when empty)."""

    def field(value: str | None) -> str:
        if value is None:
            return ""
        plain = value and not value.startswith(" ") and not set(value) & set(f"{quote}\r\n{delimiter}")
        return value if careful and plain else quote + value.replace(quote, quote * 2) + quote

    names = [f"c{number}" for number in range(width)] if names is None else names
    lines = [delimiter.join(map(field, names))] if names else []
    lines += [delimiter.join(field(value) for value in row) for row in rows]
    return "".join(line + end for line in lines)


NO_DELIMITER = "\r\n\0 "
ASCII = st.characters(max_codepoint=127, exclude_characters=NO_DELIMITER)
DIALECTS = st.tuples(st.sampled_from(",;\t|") | ASCII, st.sampled_from("\"'") | ASCII).filter(
    lambda both: len(set(both)) > 1
)
"""Delimiter and quote."""
PLAIN: Any = {
    "table": (1, [("\r",)]), "dialect": (",", '"'), "end": "\n", "careful": False, "encoding": "utf-8", "header": None,
    "skip": [], "cut": False,
}  # fmt: skip


@PROPERTY
@given(
    table=TABLES,
    dialect=DIALECTS,
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    careful=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-be"]),
    header=st.none() | st.lists(TEXT, min_size=4, max_size=4),
    skip=st.lists(st.text(st.sampled_from("a\"', ;"), max_size=5), max_size=2),
    cut=st.booleans(),
)
@example(**PLAIN)
@example(**PLAIN | {"header": ["\r\n"] * 4})
@example(**PLAIN | {"table": (2, [("1", "2")]), "end": "\r", "header": ["\r\n"] * 4})
@example(**PLAIN | {"table": (2, [("\n", None)]), "end": "\r\n", "encoding": "utf-8-sig", "header": ["\n"] * 4})
@example(**PLAIN | {"table": (1, [(None,)]), "end": "\r", "encoding": "utf-8-sig", "header": ["\r"] * 4})
@example(**PLAIN | {"table": (1, [("\n0",)]), "end": "\r", "skip": [""]})
def test_delimited_text_lands_exactly(
    lab: Any,
    *,
    table: Any,
    dialect: tuple[str, str],
    end: str,
    careful: bool,
    encoding: str,
    header: list[str] | None,
    skip: list[str],
    cut: bool,
) -> None:
    """Names and first values that hold quotes, blanks and other line ends among them. `skip`: lines of a preamble;
    `cut`: the last line has no end, and need not have one."""
    width, rows = table
    delimiter, quote = dialect
    names = [f"{name}{number}" for number, name in enumerate((header or [])[:width])]
    assume(header is None or not any(name.lower().startswith(("_batch", "_penstock")) for name in names))
    text = "".join(line + end for line in skip) + delimited(
        width, rows, delimiter, end, careful, names=names, quote=quote
    )
    shorter = text.removesuffix(end)
    if cut and shorter and not shorter.endswith(end):
        text = shorter
    lab.write("o.csv", text.encode(encoding))
    landed = lab.land_anew(
        lab.table(
            path="o.csv",
            delimiter=delimiter,
            quote=quote,
            encoding=encoding,
            header=header is not None,
            skip=len(skip),
            final_newline="optional" if cut else "required",
        )
    )
    assert landed == ordered(rows)


@PROPERTY
@example((1, [("\r",)]), False, False, None)
@given(table=TABLES, array=st.booleans(), ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_json_lands_exactly(lab: Any, table: Any, array: bool, ascii_only: bool, indent: int | None) -> None:
    _, rows = table
    objects = [{f"c{n}": value for n, value in enumerate(row)} for row in rows]
    if array:
        lab.write("o.json", json.dumps(objects, ensure_ascii=ascii_only, indent=indent))
    else:
        lab.write("o.ndjson", "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in objects))
    assert lab.land_anew(lab.table(path="o.json" if array else "o.ndjson")) == ordered(rows)


NUMBER = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@PROPERTY
@given(st.lists(NUMBER, min_size=1, max_size=20))
def test_json_numbers_land_as_written(lab: Any, numbers: list[str]) -> None:
    lab.write("o.ndjson", "".join(f'{{"n":{number},"l":[{number}, {{"x":{number}}}]}}\n' for number in numbers))
    expected = [(number, f'[{number}, {{"x":{number}}}]') for number in numbers]
    assert lab.land_anew(lab.table(path="o.ndjson")) == ordered(expected)


@PROPERTY
@given(text=st.text(st.sampled_from("a1\"',\n\r "), max_size=24), quote=st.sampled_from(['"', '"', "'", ""]))
def test_what_lands_is_what_a_plain_reading_gives(lab: Any, text: str, quote: str) -> None:
    """Any text at all: an error, or the rows another CSV reader finds."""
    lab.write("o.csv", text)
    table = lab.table(path="o.csv", header=["x", "y"], allow_empty=True, quote=quote)
    try:
        landed = lab.land_anew(table)
    except PenstockError:
        return
    # csv cannot tell an empty text from NULL, and makes a blank line an empty row
    kind = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    expected = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), **kind) if row]  # type: ignore[arg-type]
    assert sorted(tuple(value or "" for value in row) for row in landed) == sorted(expected)


@PROPERTY
@given(text=st.text(st.sampled_from("ab1\"',\n\r "), max_size=24), mark=st.sampled_from(["", "\ufeff"]))
@example(text="1\r,", mark="")
@example(text='"a,",b\n1,2\n', mark="\ufeff")
@example(text='"a,""1""",b\n1,2\n', mark="\ufeff")
def test_a_header_is_what_a_plain_reading_gives(lab: Any, text: str, mark: str) -> None:
    """Names twice, blank, quoted or cut: an error, or the columns and rows another CSV reader finds."""
    lab.write("o.csv", mark + text)
    try:
        lab.forget()
        batches = lab.land(lab.table(path="o.csv", allow_empty=True, final_newline="optional"))
    except PenstockError:
        return
    if not batches:
        assert not text
        return
    [batch] = batches
    names, *expected = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))]
    width = len(names)
    assert [column.name for column in batch.columns] == list(names)
    rows = [row or ("",) for row in expected if row or width == 1]
    assert sorted(tuple(value or "" for value in row) for row in lab.rows(batch)) == sorted(rows)


SAMPLES = {
    "o.csv": b'id,v,w\n1,a,x\n2,b,y\n3,"c ""q"" ,\n d",\n4,,"zz"\n5,"e",12.50\n',
    "crlf.csv": b'id,v,w\r\n1,a,x\r\n3,"c\r\nd",\r\n4,,"z,z"\r\n5,"e",12.50\r\n',
    "o.ndjson": b'{"id":1,"v":"a"}\n{"id":22,"v":null}\n{"id":3.5,"v":"c\\n"}\n{"id":44,"v":[1, {"x":2}]}\n',
    "o.json": b'[{"id":1,"v":"a"},\n{"id":22,"v":null},{"id":3.5,"v":"c\\n"},\n{"id":44,"v":[1, {"x":2}]}]\n',
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_cut_file_is_noticed_or_is_whole_rows(lab: Any, name: str) -> None:
    content = SAMPLES[name]
    lab.write(name, content)
    whole = lab.land_anew(lab.table(path=name))
    seen = set()
    for size in range(1, len(content)):
        lab.write(name, content[:size])
        try:
            rows = lab.land_anew(lab.table(path=name))
        except PenstockError as error:
            assert error.exit_code == 3
            continue
        assert all(row in whole for row in rows), (size, rows)
        seen.add(len(rows))
    assert seen <= set(range(len(whole) + 1))


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_an_archive_with_any_bit_flipped_or_cut_never_lands_other_rows(lab: Any, kind: str) -> None:
    import gzip

    import zstandard

    content = SAMPLES["o.csv"] * 3
    packed = gzip.compress(content) if kind == "gz" else zstandard.ZstdCompressor(write_checksum=True).compress(content)
    table = lab.table(path=f"o.csv.{kind}", header=["p", "q", "r"])
    lab.write(f"o.csv.{kind}", packed)
    whole = lab.land_anew(table)
    for position in range(0, len(packed), 2):
        for damaged in (
            packed[:position],
            packed[:position] + bytes([packed[position] ^ (1 << position % 8)]) + packed[position + 1 :],
        ):
            lab.write(f"o.csv.{kind}", damaged)
            try:
                assert lab.land_anew(table) == whole  # a time stamp or a name in the archive's head
            except PenstockError as error:
                assert error.exit_code == 3


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["o.csv", "o.json", "o.ndjson"])
def test_rows_across_the_seams_of_reading(lab: Any, name: str, end: str) -> None:
    """Several megabytes, so that rows, quotes, line ends and characters lie across every chunk."""
    random = Random(7)
    pieces = ["", "x", "ä€𝄞", 'q"q', "a,b", "l\nl", "l\r\nl", " , ", '""', "long " * 2000]
    rows: list[tuple[str | None, ...]] = []
    for number in range(6000):
        values = [random.choice(pieces) * random.randint(1, 3) or None for _ in range(3)]
        rows.append((str(number), *values, random.choice([None, "", "z"])))
    if name == "o.csv":
        content = delimited(5, rows, ",", end, careful=True)
    else:
        objects = [{f"c{n}": value for n, value in enumerate(row)} for row in rows]
        lines = [json.dumps(row, ensure_ascii=number % 2 == 0) for number, row in enumerate(objects)]
        content = "[" + f",{end}".join(lines) + "]" if name == "o.json" else "".join(line + end for line in lines)
    assert len(content) > 5_000_000
    lab.write(name, content)
    assert lab.land_anew(lab.table(path=name)) == ordered(rows)


def test_a_surplus_empty_field_is_found_deep_in_a_file(lab: Any) -> None:
    for quoted in ("", '"q"'):
        lines = [f"{number},{quoted or 'x'}," for number in range(300_000)]
        lines[250_000] += ","
        lab.write("o.csv", "a,b,c\n" + "\n".join(lines) + "\n")
        with pytest.raises(PenstockError) as caught:
            lab.land(lab.table(path="o.csv"))
        assert (caught.value.code, str(caught.value.problem.location)) == ("CSV_RAGGED_ROW", "o.csv:250002")


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize(("end", "skip"), [("\n", 0), ("\r\n", 0), ("\r", 0), ("\n", 3)])
def test_a_fault_deep_in_a_file_is_found_at_its_line(lab: Any, start: str, end: str, skip: int) -> None:
    lines = ["preamble"] * skip + ["a,b"] + [f"{number},x" for number in range(300_000)]
    table = lab.table(path="o.csv", skip=skip)
    for fault, code in (("1,\0", "NUL_BYTE"), ("1,x,", "CSV_RAGGED_ROW")):
        lab.write("o.csv", start + end.join([*lines[:250_000], fault, *lines[250_000:], ""]))
        with pytest.raises(PenstockError) as caught:
            lab.land(table)
        assert (caught.value.code, str(caught.value.problem.location)) == (code, "o.csv:250001")
    lab.write("o.csv", start + end.join(lines))
    with pytest.raises(PenstockError) as caught:
        lab.land(table)
    assert (caught.value.code, str(caught.value.problem.location)) == ("SOURCE_TRUNCATED", f"o.csv:{len(lines)}")
