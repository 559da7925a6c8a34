"""run, end to end on real files and a real DuckDB: what is built, what is left alone, what is refused."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.domain.event import RunFinished, StepFinished, StepStarted
from penstock.errors import Locked, ProjectError, StateError, UserError


def test_a_second_run_finds_nothing_to_do(folder: Any) -> None:
    folder.write("models/stg/big.sql", "SELECT * FROM raw.orders WHERE amount > 10")
    assert folder.run()["build:stg.big"] == "success"
    assert folder.run() == {}
    assert folder.rows("SELECT id FROM stg.big") == [(2,), (3,)]


def test_only_what_is_affected_is_built_again(folder: Any) -> None:
    folder.write("inbox/people.csv", "id,name\n1,Ann\n")
    folder.write("sources/hr.yml", "root: inbox\ntables:\n  people: {path: people.csv, extract: full, key: id}\n")
    folder.write("models/stg/totals.sql", "SELECT region, sum(amount) AS total FROM raw.orders GROUP BY ALL")
    folder.write("models/stg/names.sql", "SELECT name FROM raw.people")
    folder.write("models/bus/joined.sql", "SELECT t.total, n.name FROM stg.totals t CROSS JOIN stg.names n")
    folder.run()
    folder.write("inbox/people.csv", "id,name\n1,Anna\n")
    done = folder.run()
    assert done["build:stg.names"] == "success"
    assert done["build:bus.joined"] == "success"
    assert done["build:stg.totals"] == "unchanged"
    assert folder.rows("SELECT DISTINCT name FROM bus.joined") == [("Anna",)]


def test_a_batch_that_changes_no_row_stops_right_there(folder: Any) -> None:
    folder.write("models/stg/big.sql", "SELECT * FROM raw.orders WHERE amount > 10")
    folder.run()
    folder.write("inbox/orders.csv", "id,region,amount\n3,north,30\n2,south,20\n1,north,10\n")
    done = folder.run()
    assert done["land:shop.orders"] == "success"
    assert done["load:shop.orders"] == "unchanged"
    assert done["build:stg.big"] == "unchanged"


def test_comments_and_formatting_change_nothing_and_a_changed_definition_does(folder: Any) -> None:
    folder.write("models/stg/a.sql", "SELECT id FROM raw.orders")
    folder.write("models/bus/b.sql", "SELECT id FROM stg.a")
    folder.run()
    folder.write("models/stg/a.sql", "-- the ids\nSELECT\n  id\nFROM raw.orders")
    assert folder.run()["build:stg.a"] == "unchanged"
    folder.write("models/stg/a.sql", "SELECT id + 1 AS id FROM raw.orders")
    done = folder.run()
    assert done["build:stg.a"] == done["build:bus.b"] == "success"
    assert folder.rows("SELECT id FROM bus.b") == [(2,), (3,), (4,)]


def test_readers_of_a_view_are_built_again_when_the_view_changes(folder: Any) -> None:
    folder.write("models/stg/v.sql", "/*---\nmaterialization: view\n---*/\nSELECT id, amount FROM raw.orders")
    folder.write("models/bus/t.sql", "SELECT sum(amount) AS total FROM stg.v")
    folder.run()
    assert folder.rows("FROM bus.t") == [(60,)]
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,1\n")
    folder.run()
    assert folder.rows("FROM bus.t") == [(1,)]
    folder.write(
        "models/stg/v.sql", "/*---\nmaterialization: view\n---*/\nSELECT id, -amount AS amount FROM raw.orders"
    )
    folder.run()
    assert folder.rows("FROM bus.t") == [(-1,)]


def test_a_view_becomes_a_table_and_back(folder: Any) -> None:
    for kind, expected in (("view", "VIEW"), ("rebuild", "BASE TABLE"), ("view", "VIEW")):
        folder.write("models/stg/m.sql", f"/*---\nmaterialization: {kind}\n---*/\nSELECT id FROM raw.orders")
        folder.run()
        found = folder.rows("SELECT table_type FROM information_schema.tables WHERE table_name = 'm'")
        assert found == [(expected,)]


def test_append_adds_corrects_and_never_removes(folder: Any) -> None:
    folder.write(
        "models/serv/report.sql", "/*---\nmaterialization: append\nkey: id\n---*/\nSELECT id, amount FROM raw.orders"
    )
    folder.run()
    folder.write("inbox/orders.csv", "id,region,amount\n2,south,21\n4,east,40\n")
    folder.run()
    assert folder.rows("FROM serv.report") == [(1, 10), (2, 21), (3, 30), (4, 40)]
    before = folder.rows("SELECT max(number) FROM _penstock.commits WHERE relation = 'serv.report'")
    folder.write("inbox/orders.csv", "id,region,amount\n2,west,21\n4,east,40\n")
    folder.run()
    assert folder.rows("SELECT max(number) FROM _penstock.commits WHERE relation = 'serv.report'") == before


def test_append_keeps_its_schema_until_it_is_made_anew(folder: Any) -> None:
    head = "/*---\nmaterialization: append\nkey: id\n---*/\n"
    folder.write("models/serv/report.sql", f"{head}SELECT id, amount FROM raw.orders")
    folder.run()
    folder.write("models/serv/report.sql", f"{head}SELECT id, amount, region FROM raw.orders")
    report = folder.project.run()
    assert [p.code for step in report.steps for p in step.problems] == ["SCHEMA_CHANGED"]
    assert folder.rows("FROM serv.report") == [(1, 10), (2, 20), (3, 30)]
    assert folder.run(full_refresh=["serv.report"])["build:serv.report"] == "success"
    assert len(folder.rows("SELECT region FROM serv.report")) == 3


@pytest.mark.parametrize("again", [False, True])
def test_append_refuses_a_key_that_is_not_unique(folder: Any, again: bool) -> None:
    head = "/*---\nmaterialization: append\nkey: region\n---*/\n"
    if again:
        folder.write("models/serv/r.sql", f"{head}SELECT region, max(amount) AS amount FROM raw.orders GROUP BY ALL")
        folder.run()
    folder.write("models/serv/r.sql", f"{head}SELECT region, amount FROM raw.orders")
    report = folder.project.run()
    (problem,) = (p for step in report.steps for p in step.problems)
    assert problem.code == "KEY_NOT_UNIQUE"
    assert "north" in problem.message
    assert str(problem.location).startswith("models/serv/r.sql")
    assert report.exit_code == 3


def test_a_failed_model_skips_its_readers_and_nothing_else(folder: Any) -> None:
    folder.write("models/stg/good.sql", "SELECT id FROM raw.orders")
    folder.write("models/stg/bad.sql", "SELECT id,\n  CAST(region AS INTEGER) AS number\nFROM raw.orders")
    folder.write("models/bus/reader.sql", "SELECT number FROM stg.bad")
    report = folder.project.run()
    status = {step.step: str(step.status) for step in report.steps}
    assert status["build:stg.good"] == "success"
    assert status["build:stg.bad"] == "failed"
    assert status["build:bus.reader"] == "skipped"
    assert report.exit_code == 2
    (problem,) = (p for step in report.steps for p in step.problems)
    assert problem.location is not None
    assert problem.location.path == "models/stg/bad.sql"
    folder.write("models/stg/bad.sql", "SELECT id, length(region) AS number FROM raw.orders")
    done = folder.run()
    assert done["build:stg.good"] == "unchanged"
    assert done["build:bus.reader"] == "success"


def test_a_failed_rebuild_leaves_the_table_as_it_was(folder: Any) -> None:
    folder.write("models/stg/m.sql", "SELECT CAST(region AS VARCHAR) AS region FROM raw.orders")
    folder.run()
    folder.write("models/stg/m.sql", "SELECT CAST(CAST(region AS INTEGER) AS VARCHAR) AS region FROM raw.orders")
    assert folder.project.run().exit_code == 2
    assert folder.rows("SELECT DISTINCT region FROM stg.m") == [("north",), ("south",)]


def test_unknown_columns_are_told_before_anything_runs(folder: Any) -> None:
    folder.write("models/stg/one.sql", "SELECT id,\n       nosuch\nFROM raw.orders")
    folder.write("models/stg/two.sql", "/*---\nowner: me\n---*/\nSELECT amount || FROM raw.orders")
    folder.write("models/stg/three.sql", "SELECT sum(region) AS r FROM raw.orders")
    with pytest.raises(ProjectError) as caught:
        folder.project.run()
    places = {str(problem.location).split(":")[0]: problem for problem in caught.value.problems}
    assert set(places) == {"models/stg/one.sql", "models/stg/two.sql", "models/stg/three.sql"}
    line = places["models/stg/one.sql"].location
    assert line is not None
    assert line.line == 2
    assert not (folder.root / "data" / "dev" / "landing").exists()


def test_a_key_must_be_in_the_output(folder: Any) -> None:
    folder.write("models/serv/r.sql", "/*---\nmaterialization: append\nkey: code\n---*/\nSELECT * FROM raw.orders")
    with pytest.raises(ProjectError) as caught:
        folder.project.run()
    assert [problem.code for problem in caught.value.problems] == ["KEY_NOT_IN_OUTPUT"]


def test_duplicate_output_columns_behind_a_star_are_refused(folder: Any) -> None:
    folder.write("models/stg/m.sql", "SELECT * FROM raw.orders a JOIN raw.orders b ON a.id = b.id")
    with pytest.raises(ProjectError) as caught:
        folder.project.run()
    assert [problem.code for problem in caught.value.problems] == ["DUPLICATE_COLUMN"]


def test_parameters_are_bound_and_a_stamp_moves_with_its_row_only(folder: Any) -> None:
    folder.write("penstock.yml", "name: test\nvariables: {least: 20, who: o'neil}\n")
    folder.write(
        "models/stg/m.sql",
        "SELECT id, $who AS who, $environment AS e, $run_date AS d FROM raw.orders WHERE amount >= $least",
    )
    now = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    folder.run(now=now)
    found = folder.rows("SELECT id, who, e, CAST(d AS VARCHAR) FROM stg.m")
    assert found == [(2, "o'neil", "dev", "2026-11-20"), (3, "o'neil", "dev", "2026-11-20")]
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,10\n2,south,21\n3,north,31\n")
    folder.run(now=now + timedelta(hours=1), select=["raw.orders"])
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,10\n2,south,19\n3,north,31\n")
    folder.run(now=now + timedelta(hours=1))
    assert folder.rows("SELECT id, CAST(d AS VARCHAR) FROM stg.m") == [(3, "2026-11-20")]


def test_a_model_of_the_time_follows_the_time(folder: Any) -> None:
    folder.write("models/stg/m.sql", "SELECT id FROM raw.orders WHERE $run_date > DATE '2026-11-20' OR id = 1")
    now = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    folder.run(now=now)
    assert folder.rows("FROM stg.m") == [(1,)]
    assert folder.run(now=now)["build:stg.m"] == "unchanged"
    assert folder.run(now=now + timedelta(hours=1))["build:stg.m"] == "success"
    assert folder.rows("FROM stg.m") == [(1,), (2,), (3,)]
    assert folder.run(now=now + timedelta(days=1, hours=1))["build:stg.m"] == "unchanged"
    commits = folder.rows("SELECT count(*) FROM _penstock.commits WHERE relation = 'stg.m'")
    assert commits == [(2,)], "the same rows again are no commit"


def test_a_declared_type_that_changes_loads_the_table_again(folder: Any) -> None:
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,10\n2,south,x\n")
    folder.run()
    assert folder.rows("SELECT id FROM raw.orders") == [(1,)]
    folder.write("sources/shop.yml", "root: inbox\ntables:\n  orders: {path: orders.csv, extract: full, key: id}\n")
    assert folder.run()["load:shop.orders"] == "success"
    assert folder.rows("SELECT id, amount FROM raw.orders") == [("1", "10"), ("2", "x")]
    assert folder.rows("SELECT * FROM _penstock.quarantine") == []
    history = folder.rows("SELECT id, valid_from, is_current FROM raw.orders_history")
    folder.project.rebuild()
    assert folder.rows("SELECT id, valid_from, is_current FROM raw.orders_history") == history


def test_a_new_column_flows_in_and_a_missing_one_is_refused(folder: Any) -> None:
    folder.run()
    folder.write("inbox/orders.csv", "id,region,amount,note\n1,north,10,hello\n2,south,20,\n3,north,30,\n")
    folder.run()
    assert folder.rows("SELECT id, note FROM raw.orders") == [(1, "hello"), (2, None), (3, None)]
    assert folder.rows("SELECT id FROM raw.orders_history WHERE NOT is_current") == [(1,)]
    folder.write("inbox/orders.csv", "id,region,note\n1,north,hello\n")
    report = folder.project.run()
    assert report.exit_code == 3
    assert len(folder.rows("SELECT id FROM raw.orders")) == 3


def test_python_models_take_and_give_arrow(folder: Any) -> None:
    folder.write("models/stg/a.sql", "SELECT id, amount FROM raw.orders")
    folder.write(
        "models/bus/doubled.py",
        '"""\n---\nreads: [stg.a, raw.orders]\ncolumns: [id, twice, rows]\n---\n"""\n'
        "import pyarrow as pa\nimport pyarrow.compute as pc\n\n"
        "def model(a, orders):\n"
        "    a, orders = pa.table(a), pa.table(orders)\n"
        "    return pa.table({'twice': pc.multiply(a['amount'], 2), 'id': a['id'], 'rows': [orders.num_rows] * 3})\n",
    )
    folder.run()
    assert folder.rows("SELECT id, twice, rows FROM bus.doubled") == [(1, 20, 3), (2, 40, 3), (3, 60, 3)]
    assert folder.run() == {}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("    raise KeyError('gone')", "PYTHON_MODEL_FAILED"),
        ("    return [1, 2]", "PYTHON_MODEL_RESULT"),
        ("    import pyarrow as pa\n    return pa.table({'other': [1]})", "WRONG_COLUMNS"),
        ("    import nosuchmodule", "PYTHON_MODEL_FAILED"),
    ],
)
def test_python_models_that_go_wrong_are_told_and_change_nothing(folder: Any, body: str, code: str) -> None:
    head = '"""\n---\nreads: [raw.orders]\ncolumns: [id]\n---\n"""\n\n\ndef model(orders):\n'
    folder.write("models/stg/p.py", f"{head}    import pyarrow as pa\n    return pa.table({{'id': [7]}})\n")
    folder.run()
    folder.write("models/stg/p.py", f"{head}{body}\n")
    report = folder.project.run()
    (problem,) = (p for step in report.steps for p in step.problems)
    assert problem.code == code
    assert problem.location is not None
    assert problem.location.path == "models/stg/p.py"
    assert folder.rows("FROM stg.p") == [(7,)]


def test_selection_runs_what_is_selected(folder: Any) -> None:
    for name in ("a", "b"):
        folder.write(f"models/stg/{name}.sql", "SELECT id FROM raw.orders")
        folder.write(f"models/bus/{name}.sql", f"SELECT id FROM stg.{name}")
    done = folder.run(select=["+bus.a"])
    assert set(done) == {"land:shop.orders", "load:shop.orders", "build:stg.a", "build:bus.a"}
    with pytest.raises(UserError) as caught:
        folder.project.run(select=["bus.c"])
    assert caught.value.code == "UNKNOWN_SELECTION"


def test_plan_says_what_run_then_does(folder: Any) -> None:
    folder.write("models/stg/a.sql", "SELECT id FROM raw.orders")
    planned = {step.id: step.needed for step in folder.project.plan().steps}
    assert planned == {"land:shop.orders": True, "load:shop.orders": True, "build:stg.a": True}
    assert not (folder.root / "data" / "dev" / "landing").exists()
    folder.run()
    assert not folder.project.plan().needed


def test_land_needs_no_warehouse_and_run_loads_what_it_landed(folder: Any) -> None:
    folder.project.land()
    assert not (folder.root / "data" / "dev" / "warehouse.duckdb").exists()
    (folder.root / "inbox" / "orders.csv").unlink()
    report = folder.project.run()
    assert report.exit_code != 0  # the source is gone, and that is told
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,10\n2,south,20\n3,north,30\n")
    folder.run()
    assert len(folder.rows("SELECT * FROM raw.orders_history")) == 3


def test_rebuild_from_landing_equals_step_by_step(folder: Any) -> None:
    folder.write("models/stg/a.sql", "SELECT region, sum(amount) AS total FROM raw.orders GROUP BY ALL")
    folder.run()
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,11\n3,north,30\n5,west,50\n")
    folder.run()
    history = folder.rows("FROM raw.orders_history")
    totals = folder.rows("FROM stg.a")
    (folder.root / "inbox" / "orders.csv").unlink()
    assert folder.project.rebuild().exit_code == 0
    assert folder.rows("FROM raw.orders_history") == history
    assert folder.rows("FROM stg.a") == totals
    for part in (folder.root / "data" / "dev").glob("warehouse.duckdb*"):
        part.unlink()
    assert folder.project.rebuild().exit_code == 0
    assert folder.rows("FROM raw.orders_history") == history


def test_a_rebuild_that_fails_leaves_the_old_warehouse(folder: Any) -> None:
    folder.write("models/stg/a.sql", "SELECT region FROM raw.orders")
    folder.run()
    folder.write("models/stg/a.sql", "SELECT CAST(CAST(region AS INTEGER) AS VARCHAR) AS region FROM raw.orders")
    assert folder.project.rebuild().exit_code == 2
    assert len(folder.rows("FROM stg.a")) == 3


def test_events_come_in_order_and_on_the_callers_thread(folder: Any) -> None:
    folder.write("models/stg/a.sql", "SELECT id FROM raw.orders")
    seen: list[object] = []
    threads = set()

    def emit(event: object) -> None:
        seen.append(event)
        threads.add(threading.get_ident())

    folder.run(emit=emit)
    assert threads == {threading.get_ident()}
    started = [event.step for event in seen if isinstance(event, StepStarted)]
    finished = [event.result.step for event in seen if isinstance(event, StepFinished)]
    assert started == finished == ["land:shop.orders", "load:shop.orders", "build:stg.a"]
    assert isinstance(seen[-1], RunFinished)


def test_a_relation_dropped_by_hand_is_built_again(folder: Any) -> None:
    from penstock.embedded.connection import connect

    folder.write("models/stg/a.sql", "SELECT id FROM raw.orders")
    folder.run()
    connection = connect(Path(folder.root, "data", "dev", "warehouse.duckdb"))
    connection.execute("DROP TABLE stg.a")
    connection.execute("DROP VIEW raw.orders; DROP TABLE raw.orders_history")
    connection.close()
    folder.run()
    assert folder.rows("FROM stg.a") == [(1,), (2,), (3,)]
    assert len(folder.rows("FROM raw.orders_history")) == 3


def test_query_and_show_read_and_cannot_write(folder: Any) -> None:
    with pytest.raises(StateError) as nothing:
        folder.project.query("SELECT 1")
    assert nothing.value.code == "NOTHING_BUILT"
    folder.run()
    assert folder.project.show("raw.orders", limit=2).more is True
    assert len(folder.project.show("raw.orders", limit=2).rows) == 2
    assert folder.project.show("raw.orders", limit=3).more is False
    assert folder.project.show("raw.orders", limit=2, at=1).more is True
    for sql in ("DROP TABLE raw.orders_history", "COPY (SELECT 1) TO 'x.csv'", "FROM read_csv('/etc/passwd')"):
        with pytest.raises(UserError):
            folder.project.query(sql)
    with pytest.raises(UserError) as several:
        folder.project.query("SELECT 1; SELECT 2")
    assert several.value.code == "SEVERAL_STATEMENTS"
    with pytest.raises(UserError) as unknown:
        folder.project.show("raw.order")
    assert "raw.orders" in str(unknown.value)


def test_one_process_works_in_an_environment_at_a_time(folder: Any) -> None:
    folder.run()
    from penstock.embedded import filelock

    lock = folder.root / "data" / "dev" / "warehouse.lock"
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,11\n")
    with filelock.held(lock, "somebody else"), pytest.raises(Locked) as caught:
        folder.project.run()
    assert "somebody else" in str(caught.value)
    assert caught.value.exit_code == 4
    folder.run()


def test_status_and_history_tell_what_happened(folder: Any) -> None:
    folder.write("models/stg/a.sql", "/*---\nowner: ann\n---*/\nSELECT id FROM raw.orders")
    assert [row.state for row in folder.project.status()] == ["never built", "never built"]
    folder.run()
    folder.run()
    table, model = folder.project.status()
    assert (str(model.relation), model.rows, model.owner, model.state) == ("stg.a", 3, "ann", "success")
    assert table.rows == 3
    assert table.committed_at is not None
    runs = folder.project.history()
    assert [run["status"] for run in runs] == ["unchanged", "success"]
    steps = folder.project.history(run=runs[1]["run"])
    assert [step["step"] for step in steps] == ["land:shop.orders", "load:shop.orders", "build:stg.a"]
    assert steps[1]["accounting"]["rows_in"] == 3
