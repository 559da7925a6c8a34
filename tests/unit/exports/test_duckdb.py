"""The exported database, opened by itself."""

from __future__ import annotations

from contextlib import closing

import duckdb
import pytest

from penstock.engines.duckdb.engine import PLUGIN
from penstock.errors import PenstockError
from penstock.ports import WarehouseOptions


def query(path, sql):
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        return connection.execute(sql).fetchall()


def test_all_relations_in_their_schemas(bench):
    bench.relation("sales", "SELECT i AS id, (i / 4)::DECIMAL(10,2) AS amount, '=1+1' AS text FROM range(5000) AS s(i)")
    bench.session.execute('CREATE SCHEMA "Marts ""x"""')
    bench.session.execute('CREATE VIEW "Marts ""x"""."a view" AS SELECT count(*) AS n FROM serv.sales')
    path = bench.write("bi.duckdb", "sales", 'Marts "x".a view')
    assert bench.rows == 5001
    assert query(path, "SELECT * FROM serv.sales ORDER BY id") == [
        *bench.session.query("FROM serv.sales ORDER BY id").rows
    ]
    assert query(path, 'SELECT n FROM "Marts ""x"""."a view"') == [(5000,)]
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in bench.folder.iterdir()] == ["bi.duckdb"]


def test_both_supported_lines_can_read_it(bench):
    bench.relation("t", "SELECT 1 AS x")
    header = bench.write("bi.duckdb", "t").read_bytes()[:64]
    assert header[8:12] == b"DUCK"
    assert 64 <= int.from_bytes(header[12:20], "little") <= 68  # what DuckDB 1.5 reads


def test_it_is_let_go_and_another_can_be_written(bench):
    bench.relation("t", "SELECT 1 AS x")
    for name in ("a", "b"):
        assert query(bench.write(f"{name}.duckdb", "t"), "SELECT x FROM serv.t") == [(1,)]
    assert bench.session.query("SELECT count(*) FROM duckdb_databases() WHERE NOT internal").rows == ((1,),)


def test_a_failure_leaves_nothing_attached(bench):
    bench.relation("t", "SELECT 1 AS x")
    bench.session.execute("CREATE VIEW serv.broken AS SELECT error('no luck') AS x")
    with pytest.raises(PenstockError, match="no luck"):
        bench.write("a.duckdb", "t", "broken")
    assert bench.session.query("SELECT count(*) FROM duckdb_databases() WHERE NOT internal").rows == ((1,),)
    assert bench.session.query("SELECT x FROM serv.t").rows == ((1,),)


def test_a_warehouse_opened_for_reading_can_be_exported(bench, tmp_path):
    from penstock import registry
    from penstock.ports import ExportRequest

    home, folder = tmp_path / "home2", tmp_path / "exports2"
    warehouse = PLUGIN.open(WarehouseOptions(home=home))
    with closing(warehouse):
        warehouse.session().execute("CREATE SCHEMA serv; CREATE TABLE serv.t AS SELECT 1 AS x")
    warehouse = PLUGIN.open(WarehouseOptions(home=home, folders=(folder,), read_only=True))
    with closing(warehouse):
        for kind in registry.kinds("export"):
            export = bench.export(f"x.{kind}", "t")
            request = ExportRequest(export, warehouse.session(), folder / export.path)
            assert registry.export(kind).write(request) == 1
    assert query(folder / "x.duckdb", "SELECT x FROM serv.t") == [(1,)]


def test_order_and_nothing_lost(bench):
    bench.relation("t", "SELECT hash(i) AS h, i FROM range(300000) AS s(i)")
    path = bench.write("a.duckdb", "t", order_by=["i"])
    assert query(path, "SELECT i FROM serv.t") == [(i,) for i in range(300000)]


def test_text_stays_as_it_is(bench, payloads, harmless):
    bench.texts("t", (*payloads, *harmless))
    path = bench.write("a.duckdb", "t")
    assert [row[0] for row in query(path, "SELECT text FROM serv.t ORDER BY id")] == [*payloads, *harmless]
