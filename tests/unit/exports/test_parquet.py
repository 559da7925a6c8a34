"""Parquet files read back by pyarrow, which did not write them."""

from __future__ import annotations

import pyarrow.parquet as pq

TYPES = """SELECT i AS id, (i * 1.25)::DECIMAL(12,2) AS amount, 'x' || (i % 3) AS g,
  DATE '1850-01-01' + i::INTEGER AS day,
  CASE WHEN i % 2 = 0 THEN 'nan'::DOUBLE END AS f, TIMESTAMPTZ '2024-01-02 03:04:05+00' AS ts
  FROM range(10000) AS s(i)"""


def test_round_trip_in_order(bench):
    bench.relation("t", TYPES)
    path = bench.write("a.parquet", "t", order_by=["g", "id"], row_group_size=2048)
    file = pq.ParquetFile(path)
    assert bench.rows == file.metadata.num_rows == 10000
    assert file.metadata.row_group(0).num_rows == 2048
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    table = file.read()
    rows = list(zip(table["g"].to_pylist(), table["id"].to_pylist(), strict=True))
    assert rows == sorted(rows)
    assert bench.session.query(f"SELECT * FROM '{path}' EXCEPT ALL SELECT * FROM serv.t").rows == ()
    assert bench.session.describe(f"SELECT * FROM '{path}'") == bench.session.describe("SELECT * FROM serv.t")


def test_the_same_data_gives_the_same_bytes(bench):
    bench.relation("t", TYPES)
    files = [bench.write(f"{name}.parquet", "t", order_by=["g"]).read_bytes() for name in "ab"]
    assert files[0] == files[1]


def test_compression(bench):
    bench.relation("t", TYPES)
    for name in ("snappy", "gzip", "uncompressed"):
        file = pq.ParquetFile(bench.write(f"{name}.parquet", "t", compression=name))
        assert file.metadata.row_group(0).column(0).compression == name.upper()


def test_partitions(bench):
    bench.relation("t", "SELECT * FROM (VALUES (1, 'a/../b'), (2, NULL), (3, ''), (4, 'é')) AS t(id, region)")
    path = bench.write("sales.d", "t", format="parquet", partition_by="REGION")
    assert bench.rows == 4
    assert len([entry for entry in path.iterdir() if entry.is_dir()]) == len(list(path.iterdir()))
    back = bench.session.query(
        f"SELECT id FROM read_parquet('{path}/**/*.parquet', hive_partitioning = true) ORDER BY id"
    )
    assert back.rows == ((1,), (2,), (3,), (4,))
    assert not (bench.folder / "b").exists()


def test_no_rows(bench):
    bench.relation("t", "SELECT 1 AS id, 'x' AS region WHERE false")
    assert pq.ParquetFile(bench.write("a.parquet", "t")).metadata.num_rows == 0
    assert list(bench.write("b.d", "t", format="parquet", partition_by=["region"]).iterdir()) == []


def test_text_stays_as_it_is(bench, payloads, harmless):
    bench.texts("t", (*payloads, *harmless))
    path = bench.write("a.parquet", "t", order_by=["id"])
    assert pq.read_table(path)["text"].to_pylist() == [*payloads, *harmless]
