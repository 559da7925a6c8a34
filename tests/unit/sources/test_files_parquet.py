"""Parquet lands typed as it is: one file byte for byte, several only when they agree."""

from __future__ import annotations

import gzip
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.domain.source import Cursor
from penstock.errors import PenstockError


def write(lab: Any, name: str, sql: str) -> bytes:
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({sql}) TO '{lab.root / name}' (FORMAT parquet)")
    return bytes((lab.root / name).read_bytes())


def test_one_file_is_copied_byte_for_byte(lab: Any) -> None:
    content = write(lab, "o.parquet", "SELECT 1::SMALLINT a, 1.50::DECIMAL(38,2) b, DATE '2026-01-01' c, [1, 2] d")
    (batch,) = lab.land(lab.table(path="o.parquet", key=("a",)))
    assert lab.landing.data(batch).read_bytes() == content
    assert batch.sha256 == batch.files[0].sha256
    assert [(c.name, c.type) for c in batch.columns] == [
        ("a", "SMALLINT"), ("b", "DECIMAL(38,2)"), ("c", "DATE"), ("d", "INTEGER[]")
    ]  # fmt: skip
    assert [(c.name, c.type) for c in lab.reader.columns(lab.table(path="o.parquet"), lab.root)] == [
        (c.name, c.type) for c in batch.columns
    ]
    assert lab.landed(lab.table(path="o.parquet")) == []


def test_renamed_columns_keep_their_types(lab: Any) -> None:
    write(lab, "o.parquet", """SELECT 7::UTINYINT AS "Order ID", 'x' AS valid_from""")
    table = lab.table(path="o.parquet", rename={"Order ID": "id", "valid_from": "source_valid_from"})
    (batch,) = lab.land(table)
    assert [(c.name, c.type) for c in batch.columns] == [("Order ID", "UTINYINT"), ("valid_from", "VARCHAR")]
    known = [("id", "UTINYINT"), ("source_valid_from", "VARCHAR")]
    assert [(c.name, c.type) for c in lab.reader.columns(table, lab.root)] == known
    assert lab.rows(batch) == [(7, "x")]


def test_several_files_are_united_by_name(lab: Any) -> None:
    write(lab, "1.parquet", "SELECT 1 a, 'x' b")
    write(lab, "2.parquet", "SELECT 'y' b, 2 a")
    assert lab.landed(lab.table(path="*.parquet")) == [[(1, "x"), (2, "y")]]


@pytest.mark.parametrize(
    "other", ["SELECT 2.5 a, 'x' b", "SELECT 2 a", "SELECT 2 a, 'x' b, 1 c", "SELECT 2::BIGINT a, 'x' b"]
)
def test_files_that_disagree_are_refused(lab: Any, other: str) -> None:
    write(lab, "1.parquet", "SELECT 1 a, 'x' b")
    write(lab, "2.parquet", other)
    with pytest.raises(PenstockError, match=r"2\.parquet.*1\.parquet.*FILES_DIFFER"):
        lab.land(lab.table(path="*.parquet"))
    assert [len(rows) for rows in lab.landed(lab.table(path="*.parquet", files="each"))] == [1, 1]


def test_every_cut_of_the_end_is_noticed(lab: Any) -> None:
    content = write(lab, "o.parquet", "SELECT range a, 'value ' || range b FROM range(50)")
    for size in [*range(0, 64), *range(len(content) - 200, len(content))]:
        lab.write("o.parquet", content[:size])
        with pytest.raises(PenstockError) as caught:
            lab.land(lab.table(path="o.parquet"))
        assert caught.value.code == "PARQUET_INVALID"


def test_formats_are_not_mixed(lab: Any) -> None:
    write(lab, "1.parquet", "SELECT 1 a")
    lab.write("2.csv", "a\n1\n")
    with pytest.raises(PenstockError, match="FILES_DIFFER"):
        lab.land(lab.table(path="*"))


def test_no_rows_are_an_error_unless_allowed(lab: Any) -> None:
    write(lab, "o.parquet", "SELECT 1 a WHERE false")
    with pytest.raises(PenstockError, match="EMPTY_SOURCE"):
        lab.land(lab.table(path="o.parquet"))
    assert lab.landed(lab.table(path="o.parquet", allow_empty=True)) == [[]]


def test_a_cursor_filters_typed_rows(lab: Any) -> None:
    table = lab.table("incremental", path="o.parquet", cursor=Cursor("at", "timestamp", 60))
    write(lab, "o.parquet", "SELECT 1 id, TIMESTAMP '2026-11-01 10:00:00' AS at")
    assert lab.land(table)[0].cursor_to == "2026-11-01 10:00:00"
    write(
        lab,
        "o.parquet",
        "SELECT unnest([2, 3, 4]) id, unnest([TIMESTAMP '2026-11-01 09:59:00', '2026-11-01', NULL]) AS at",
    )
    (batch,) = lab.land(table)
    assert [row[0] for row in lab.rows(batch)] == [2, 4]
    assert batch.columns[1].type == "TIMESTAMP"


def test_names_are_checked(lab: Any) -> None:
    for sql, code in (("SELECT 1 AS _batch_id", "COLUMN_RESERVED"), ("SELECT 1 a", "COLUMN_MISSING")):
        write(lab, "o.parquet", sql)
        with pytest.raises(PenstockError, match=code):
            lab.land(lab.table(path="o.parquet", key=("id",)))
    pq.write_table(pa.table([[1], [2]], names=["a", "A"]), lab.root / "o.parquet")
    with pytest.raises(PenstockError, match="COLUMN_TWICE"):
        lab.land(lab.table(path="o.parquet"))


def test_decimals_wider_than_a_warehouse_holds_are_refused(lab: Any) -> None:
    wide = pa.array([1], pa.decimal256(50, 3))
    pq.write_table(pa.table({"a": wide}), lab.root / "o.parquet")
    with pytest.raises(PenstockError, match="DECIMAL_TOO_WIDE"):
        lab.land(lab.table(path="o.parquet"))


def test_a_packed_parquet_is_unpacked(lab: Any) -> None:
    content = write(lab, "o.parquet", "SELECT 1 a")
    lab.write("p.parquet.gz", gzip.compress(content))
    (batch,) = lab.land(lab.table(path="p.parquet.gz"))
    assert lab.landing.data(batch).read_bytes() == content
