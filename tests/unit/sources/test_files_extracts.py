"""What each kind of extract takes, when files come, change, are touched and go."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.domain.source import Cursor, SourceColumn
from penstock.errors import PenstockError

A, B, C = b"id,v\n1,a\n", b"id,v\n2,b\n", b"id,v\n3,c\n"
RA, RB, RC = ("1", "a"), ("2", "b"), ("3", "c")


def code(lab: Any, table: Any) -> str:
    before = lab.landing.batches("shop", "orders")
    with pytest.raises(PenstockError) as caught:
        lab.land(table)
    assert lab.landing.batches("shop", "orders") == before
    return caught.value.code


def touch(lab: Any, name: str) -> None:
    os.utime(lab.root / name, ns=(1, (lab.root / name).stat().st_mtime_ns + 1_000_000_000))


def test_full_takes_all_files_as_one_table(lab: Any) -> None:
    table = lab.table(path="o_*.csv", key=("id",))
    lab.write("o_1.csv", A)
    lab.write("o_2.csv", B)
    assert lab.pending(table) == "2 new files"
    (batch,) = lab.land(table)
    assert lab.rows(batch) == [RA, RB]
    assert [file.path for file in batch.files] == ["o_1.csv", "o_2.csv"]
    assert lab.pending(table) is None
    assert lab.landed(table) == []
    touch(lab, "o_1.csv")
    assert lab.pending(table) == "1 changed file"
    assert lab.landed(table) == []
    lab.write("o_3.csv", C)
    assert lab.landed(table) == [[RA, RB, RC]]
    (lab.root / "o_2.csv").unlink()
    assert lab.pending(table) == "1 removed file"
    assert lab.landed(table) == [[RA, RC]]
    lab.write("o_2.csv", B)
    assert lab.landed(table) == [[RA, RB, RC]]
    lab.write("o_2.csv", b"id,v\n2,B\n")
    assert lab.landed(table) == [[RA, ("2", "B"), RC]]
    lab.write("o_2.csv", B)
    assert lab.landed(table) == [[RA, RB, RC]]
    (lab.root / "o_2.csv").rename(lab.root / "o_4.csv")
    assert lab.pending(table) == "1 new file, 1 removed file"
    assert lab.landed(table) == [[RA, RB, RC]]


def test_full_needs_each_of_its_files(lab: Any) -> None:
    table = lab.table(path=["a.csv", "b*.csv"])
    assert lab.pending(table) == "no file matches"
    assert code(lab, table) == "SOURCE_MISSING"
    lab.write("a.csv", A)
    assert code(lab, table) == "SOURCE_MISSING"
    lab.write("b1.csv", B)
    assert lab.landed(table) == [[RA, RB]]
    (lab.root / "b1.csv").unlink()
    with pytest.raises(PenstockError, match=r"matches b\*\.csv in .*inbox"):
        lab.land(table)


def test_a_missing_folder_is_said_to_be_missing(lab: Any) -> None:
    lab.root.rmdir()
    with pytest.raises(PenstockError, match="that folder does not exist"):
        lab.land(lab.table(path="a.csv"))


def test_full_each_takes_every_file_as_a_snapshot(lab: Any) -> None:
    table = lab.table(path="o_*.csv", files="each")
    lab.write("o_2.csv", B)
    lab.write("o_1.csv", A)
    assert lab.landed(table) == [[RA], [RB]]
    assert lab.landed(table) == []
    lab.write("o_3.csv", C)
    touch(lab, "o_1.csv")
    assert lab.landed(table) == [[RC]]
    assert lab.pending(table) == "1 changed file"
    lab.write("o_3.csv", A)
    assert lab.landed(table) == [[RA]]
    (lab.root / "o_1.csv").unlink()
    assert lab.pending(table) is None


def test_incremental_takes_new_and_changed_files(lab: Any) -> None:
    table = lab.table("incremental", path="o_*.csv", key=("id",))
    assert code(lab, table) == "SOURCE_MISSING"
    lab.write("o_b.csv", B)
    lab.write("o_a.csv", A)
    assert lab.landed(table) == [[RA], [RB]]
    assert lab.landed(table) == []
    lab.write("o_a.csv", C)
    assert lab.landed(table) == [[RC]]
    lab.write("o_a.csv", A)  # put back: what was landed last of this file is another content
    assert lab.landed(table) == [[RA]]
    for path in lab.root.iterdir():
        path.unlink()
    assert lab.pending(table) is None
    assert lab.landed(table) == []


def test_append_takes_each_file_once(lab: Any) -> None:
    table = lab.table("append", path="e_*.csv")
    lab.write("e_1.csv", A)
    assert lab.landed(table) == [[RA]]
    lab.write("e_2.csv", B)
    touch(lab, "e_1.csv")
    assert lab.landed(table) == [[RB]]
    lab.write("e_1.csv", C)
    lab.write("e_3.csv", C)
    assert code(lab, table) == "FILE_CHANGED_AFTER_LANDING"
    lab.write("e_1.csv", A)
    assert lab.landed(table) == [[RC]]


def test_one_bad_file_stops_at_that_file(lab: Any) -> None:
    table = lab.table("append", path="e_*.csv")
    lab.write("e_1.csv", A)
    lab.write("e_2.csv", b"id,v\n1\n")
    lab.write("e_3.csv", C)
    with pytest.raises(PenstockError) as caught:
        lab.land(table)
    assert str(caught.value.problem.location) == "e_2.csv:2"
    assert [lab.rows(batch) for batch in lab.landing.batches("shop", "orders")] == [[RA]]
    lab.write("e_2.csv", B)
    assert lab.landed(table) == [[RB], [RC]]


CURSOR = Cursor("at", "timestamp", 3600)


def rows(*values: tuple[str, str]) -> bytes:
    return b"id,at\n" + b"".join(f"{key},{at}\n".encode() for key, at in values)


def test_a_cursor_takes_rows_from_the_last_value_less_the_lag(lab: Any) -> None:
    table = lab.table("incremental", path="o.csv", key=("id",), cursor=CURSOR)
    lab.write("o.csv", rows(("1", "2026-11-01 10:00:00"), ("2", "2026-11-01 12:00:00")))
    (first,) = lab.land(table)
    assert (first.rows, first.cursor_from, first.cursor_to) == (2, None, "2026-11-01 12:00:00")
    late = [("3", "2026-11-01 11:00:00"), ("4", "2026-11-01 10:59:59"), ("5", "2026-11-02 00:00:00")]
    lab.write("o.csv", rows(("1", "2026-11-01 10:00:00"), ("2", "2026-11-01 12:00:00"), *late))
    (second,) = lab.land(table)
    assert [row[0] for row in lab.rows(second)] == ["2", "3", "5"]
    assert (second.cursor_from, second.cursor_to) == ("2026-11-01 11:00:00", "2026-11-02 00:00:00")
    lab.write("o.csv", rows(("1", "2026-11-01 10:00:00")))
    assert lab.landed(table) == []
    touch(lab, "o.csv")
    assert lab.landed(table) == []


def test_rows_without_a_readable_cursor_are_never_lost(lab: Any) -> None:
    table = lab.table("incremental", path="o.csv", key=("id",), cursor=CURSOR)
    lab.write("o.csv", rows(("1", "2026-11-01 10:00:00")))
    lab.land(table)
    lab.write("o.csv", rows(("2", ""), ("3", "yesterday"), ("4", "2020-01-01 00:00:00"), ("5", '""')))
    (batch,) = lab.land(table)
    assert [row[0] for row in lab.rows(batch)] == ["2", "3", "5"]
    assert batch.cursor_to == "2026-11-01 10:00:00"


@pytest.mark.parametrize("far", ["2099-01-01 00:00:00", "infinity", "9999-12-31 23:59:59"])
def test_a_far_future_value_does_not_poison_the_cursor(lab: Any, far: str) -> None:
    table = lab.table("incremental", path="o.csv", key=("id",), cursor=CURSOR)
    lab.write("o.csv", rows(("1", "2026-11-01 10:00:00"), ("2", far)))
    (batch,) = lab.land(table)
    assert (batch.rows, batch.cursor_to) == (2, "2026-11-01 10:00:00")
    lab.write("o.csv", rows(("3", "2026-11-01 11:00:00")))
    (batch,) = lab.land(table)
    assert lab.rows(batch) == [("3", "2026-11-01 11:00:00")]


def test_a_cursor_may_be_a_little_ahead(lab: Any) -> None:
    lab.now = datetime(2026, 11, 1, 12, tzinfo=UTC)
    table = lab.table("incremental", path="o.csv", key=("id",), cursor=CURSOR)
    lab.write("o.csv", rows(("1", "2026-11-02 11:59:59"), ("2", "2026-11-02 12:00:01")))
    assert lab.land(table)[0].cursor_to == "2026-11-02 11:59:59"


@pytest.mark.parametrize(
    ("kind", "lag", "first", "low", "high"),
    [
        ("bigint", 2, "10", "7", "8"),
        ("bigint", 0, "99", "98", "100"),
        ("date", 86400, "2026-11-10", "2026-11-08", "2026-11-09"),
        ("date", 1, "2026-11-10", "2026-11-08", "2026-11-09"),
        ("varchar", 0, "b", "a", "ba"),
        ("timestamp", 0.5, "2026-11-10 00:00:01", "2026-11-10 00:00:00.4", "2026-11-10T00:00:00.5"),
    ],
)
def test_cursors_of_each_type(lab: Any, kind: str, lag: float, first: str, low: str, high: str) -> None:
    table = lab.table("incremental", path="o.csv", key=("id",), cursor=Cursor("at", kind, lag))
    lab.write("o.csv", rows(("1", first)))
    assert lab.land(table)[0].cursor_to == first
    lab.write("o.csv", rows(("2", low), ("3", high)))
    assert [row[0] for batch in lab.land(table) for row in lab.rows(batch)] == ["3"]


def test_a_cursor_is_read_by_the_declared_format(lab: Any) -> None:
    columns = (SourceColumn("at", "timestamp", "%d/%m/%Y %H:%M"),)
    table = lab.table("incremental", path="o.csv", key=("id",), cursor=Cursor("at", "timestamp"), columns=columns)
    lab.write("o.csv", rows(("1", "02/11/2026 10:00")))
    assert lab.land(table)[0].cursor_to == "2026-11-02 10:00:00"
    lab.write("o.csv", rows(("2", "01/12/2025 10:00"), ("3", "03/11/2026 10:00")))
    assert [row[0] for batch in lab.land(table) for row in lab.rows(batch)] == ["3"]


def test_a_cursor_of_an_unknown_type_is_refused(lab: Any) -> None:
    table = lab.table("incremental", path="o.csv", key=("id",), cursor=Cursor("at", "interval"))
    lab.write("o.csv", rows(("1", "1")))
    assert code(lab, table) == "CURSOR_TYPE"


@pytest.mark.parametrize("change", ["grown", "replaced", "gone"])
@pytest.mark.parametrize("name", ["o.csv", "o.ndjson", "o.csv.gz"])
def test_a_file_changed_while_it_is_read_lands_nothing(
    lab: Any, monkeypatch: pytest.MonkeyPatch, change: str, name: str
) -> None:
    """The change happens at a real place of the reading: when its text has been seen and DuckDB is to read it."""
    import gzip

    from penstock.sources.files import extraction

    content = {"o.csv": A, "o.ndjson": b'{"id":1,"v":"a"}\n', "o.csv.gz": gzip.compress(A)}[name]
    path = lab.write(name, content)
    original = extraction.sheets_of

    def and_then_it_changes(*values: Any) -> Any:
        if change == "grown":
            path.write_bytes(content + content)
        elif change == "replaced":
            lab.write("other", content).replace(path)
        else:
            path.unlink()
        return original(*values)

    monkeypatch.setattr(extraction, "sheets_of", and_then_it_changes)
    with pytest.raises(PenstockError) as caught:
        lab.land(lab.table(path=name))
    assert (caught.value.code, caught.value.transient) == ("SOURCE_CHANGED_WHILE_READ", True)
    assert lab.landing.batches("shop", "orders") == ()


def test_files_with_other_columns_are_refused_by_name(lab: Any) -> None:
    table = lab.table(path="*.csv")
    lab.write("1.csv", b"a,b\n1,2\n")
    lab.write("2.csv", b"b,a\n4,3\n")
    assert lab.landed(table) == [[("1", "2"), ("3", "4")]]
    lab.write("3.csv", b"a,b,c\n5,6,7\n")
    with pytest.raises(PenstockError, match=r"3\.csv:1.* with c \[FILES_DIFFER\]"):
        lab.land(table)


def test_declared_columns_must_be_there(lab: Any) -> None:
    lab.write("1.csv", b"Order ID,v\n1,2\n")
    good = lab.table(path="1.csv", rename={"Order ID": "id"}, key=("id",), columns=(SourceColumn("v", "bigint"),))
    assert [column.name for column in lab.land(good)[0].columns] == ["Order ID", "v"]
    for wrong in (
        lab.table(path="1.csv", key=("id",)),
        lab.table(path="1.csv", order_by=("x",)),
        lab.table("incremental", path="1.csv", cursor=Cursor("x", "date")),
        lab.table(path="1.csv", columns=(SourceColumn("x", "bigint"),)),
    ):
        with pytest.raises(PenstockError, match="found: Order ID, v") as caught:
            lab.write("1.csv", b"Order ID,v\n1,%d\n" % id(wrong))
            lab.land(wrong)
        assert caught.value.code == "COLUMN_MISSING"


def test_paths_stay_below_the_root(lab: Any, tmp_path: Any) -> None:
    (tmp_path / "secret.csv").write_bytes(A)
    (lab.root / "link.csv").symlink_to(tmp_path / "secret.csv")
    assert code(lab, lab.table(path="*.csv")) == "PATH_OUTSIDE_ROOT"
    (lab.root / "link.csv").unlink()
    lab.write("real/a.csv", A)
    (lab.root / "link.csv").symlink_to(lab.root / "real/a.csv")
    assert lab.landed(lab.table(path="*.csv")) == [[RA]]
    for path in ("/etc/passwd", "../secret.csv", "a/../../secret.csv", "", []):
        with pytest.raises(ValueError, match="path"):
            lab.table(path=path)


def test_folders_hidden_files_and_dangling_links_are_not_files(lab: Any) -> None:
    lab.write("a.csv", A)
    lab.write(".b.csv", B)
    (lab.root / "folder.csv").mkdir()
    (lab.root / "dangling.csv").symlink_to(lab.root / "nothing")
    assert lab.landed(lab.table(path="*.csv")) == [[RA]]


def test_globs_reach_into_folders(lab: Any) -> None:
    lab.write("2026/01/a.csv", A)
    lab.write("2026/02/b.csv", B)
    assert lab.landed(lab.table(path="**/*.csv")) == [[RA, RB]]


def test_columns_are_read_from_the_header_alone(lab: Any) -> None:
    def names(**options: Any) -> Any:
        columns = lab.reader.columns(lab.table(**options), lab.root)
        return None if columns is None else [(column.name, column.type) for column in columns]

    assert names(path="a.csv") is None
    lab.write("a.csv", b'"id",na me\n1,2,ragged\n')
    assert names(path="a.csv", rename={"na me": "name"}) == [("id", "VARCHAR"), ("name", "VARCHAR")]
    assert names(path="a.csv", header=False) == [("column_1", "VARCHAR"), ("column_2", "VARCHAR")]
    lab.write("a.ndjson", b'{"a":1}\n')
    assert names(path="a.ndjson") is None


def test_options_are_strict(lab: Any) -> None:
    with pytest.raises(ValueError, match="did you mean 'delimiter'"):
        lab.table(path="a.csv", delimeter=";")
    for wrong in ({"delimiter": ";;"}, {"delimiter": '"'}, {"encoding": "klingon"}, {"format": "xls"}, {"skip": -1},
                  {"header": []}, {"header": "yes"}, {"max_line": "big"}, {"files": "all"}, {"quote": "\n"},
                  {"encoding": "zip"}):  # fmt: skip
        with pytest.raises(ValueError):
            lab.table(path="a.csv", **wrong)
    schema = lab.reader.options_schema()
    assert schema["additionalProperties"] is False
    assert "delimiter" in schema["properties"]
