"""What stands round the verbs of quarantine: locks, kills, models, typed sources, older warehouses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from penstock import Project
from penstock.embedded.filelock import held
from penstock.errors import PenstockError

Make = Callable[..., Any]


def refused(code: str, act: Callable[[], object]) -> str:
    with pytest.raises(PenstockError) as caught:
        act()
    assert caught.value.code == code, str(caught.value)
    return str(caught.value)


def test_while_somebody_works_in_the_environment_nothing_happens(shop: Make) -> None:
    made = shop()
    made.run("1,-5,ada")
    row, project = made.id(), made.project
    lock = next(iter(made.root.glob("data/dev/*.lock")))
    with held(lock, "penstock run"):
        refused("LOCKED", lambda: project.quarantine_fix("raw.t", row, {"amount": "5"}, why="x"))
        refused("LOCKED", lambda: project.quarantine_discard("raw.t", row, why="x"))
        refused("LOCKED", lambda: project.quarantine_replay("raw.t"))
    with held(made.root / "data/dev/landing/.lock", "penstock land"):
        refused("LOCKED", lambda: project.quarantine_fix("raw.t", row, {"amount": "5"}, why="x"))
        refused("LOCKED", lambda: project.quarantine_discard("raw.t", row, why="x"))
    assert (made.batches(), made.project.quarantine_log(), made.id()) == (1, (), row)


POINTS = ["fix.staged", "land.staged", "land.data_renamed", "land.manifest_written", "land.committed"]


@pytest.mark.parametrize("point", POINTS)
def test_killed_in_the_middle_of_a_fix(shop: Make, point: str) -> None:
    made = shop()
    made.run("1,5,ada", "2,-3,bob")
    row = made.id()
    command = [
        sys.executable, "-m", "penstock", "quarantine", "fix", "raw.t", row, "--set", "amount=3", "--why", "typo",
        "--project", str(made.root),
    ]  # fmt: skip
    environment = {**os.environ, "PENSTOCK_FAILPOINT": point}
    assert subprocess.run(command, env=environment, check=False, capture_output=True).returncode == -9
    if point == "land.committed":
        assert len(made.project.quarantine_log()) == 1
    else:
        assert (made.project.quarantine_log(), made.id()) == ((), row)
        assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    made.run("1,5,ada", "2,-3,bob", "3,3,cy")
    assert (made.rows(), made.held()) == ([(1, 5, "ada"), (2, 3, "bob"), (3, 3, "cy")], {})
    assert sorted(each.what for each in made.project.quarantine_log()) == ["fix", "left"]


def test_killed_in_the_middle_of_a_discard(shop: Make) -> None:
    made = shop()
    made.run("1,5,ada", "2,-3,bob")
    row = made.id()
    command = [
        sys.executable, "-m", "penstock", "quarantine", "discard", "raw.t", row, "--why", "a test",
        "--project", str(made.root),
    ]  # fmt: skip
    environment = {**os.environ, "PENSTOCK_FAILPOINT": "discard.written"}
    assert subprocess.run(command, env=environment, check=False, capture_output=True).returncode == -9
    assert (made.project.quarantine_log(), made.id()) == ((), row)
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert (len(made.project.quarantine_log()), made.held()) == (1, {})


def test_a_warehouse_of_an_older_penstock_is_judged_again(shop: Make) -> None:
    made = shop()
    made.run("1,-5,ada", "2,2,bob")
    with closing(duckdb.connect(str(made.root / "data/dev/warehouse.duckdb"))) as old:
        new = "id, first_seen, last_seen, rules, key, received_key"
        old.execute(f"CREATE TABLE _penstock.q AS SELECT * EXCLUDE ({new}) FROM _penstock.quarantine")
        old.execute("DROP TABLE _penstock.quarantine")
        old.execute("ALTER TABLE _penstock.q RENAME TO quarantine")
        old.execute("DROP TABLE _penstock.corrections")
        old.execute("UPDATE _penstock.meta SET value = '2' WHERE key = 'version'")
    refused("LEDGER_VERSION", made.project.quarantine_list)
    made.run()
    assert (made.rows(), made.held()) == ([(2, 2, "bob")], {"1,-5,ada": ["positive(amount)"]})


MODEL = """/*---
key: id
checks:
  - range: {column: amount, max: 100, on_fail: quarantine}
---*/
SELECT t.id, t.amount, upper(t.who) AS who FROM raw.t AS t
"""


def test_rows_of_models_are_looked_at_alike_and_led_back_to_their_source(shop: Make) -> None:
    made = shop(more=", pii: [who]")
    (made.root / "models/stg/m.sql").write_text(MODEL)
    made.run("1,5,ada", "2,500,bob", "3,700,cy", "4,-4,di")
    assert [(str(each.relation), each.rows) for each in made.project.quarantine_list()] == [("raw.t", 1), ("stg.m", 2)]
    assert [str(each.relation) for each in made.project.quarantine_list("stg.*")] == ["stg.m"]
    by_amount = {row.payload["amount"]: row for row in made.project.quarantine_show("stg.m")}
    two, three = by_amount[500], by_amount[700]
    message = refused("FIX_ELSEWHERE", lambda: made.project.quarantine_fix("stg.m", two.id, {"who": "x"}, why="x"))
    assert "who is computed" in message
    assert "raw.t" in message
    fixed = made.project.quarantine_fix("stg.m", two.id, {"amount": "50"}, why="comma")
    assert (str(fixed.relation), fixed.changed) == ("raw.t", {"amount": "50"})
    made.project.quarantine_discard("stg.m", three.id, why="closed")
    made.run()
    assert made.rows("FROM stg.m") == [(1, 5, "ADA"), (2, 50, "BOB")]
    assert [(each.rows, each.discarded) for each in made.project.quarantine_list("stg.m")] == [(0, 1)]
    made.run("1,5,ada", "2,500,bob", "3,700,cy", "6,6,fay")
    assert made.rows("FROM stg.m") == [(1, 5, "ADA"), (2, 50, "BOB"), (6, 6, "FAY")]


def test_a_typed_source_takes_values_of_its_types(tmp_path: Path) -> None:
    for folder in ("sources", "inbox"):
        (tmp_path / folder).mkdir()
    (tmp_path / "penstock.yml").write_text("name: typed\n")
    (tmp_path / "sources/s.yml").write_text(
        "root: inbox\ntables:\n  t: {path: t.parquet, extract: full, key: id,"
        " checks: [{positive: {column: n, on_fail: quarantine}}]}\n"
    )
    with closing(duckdb.connect()) as made:
        select = "SELECT 1 AS id, -1.5::DOUBLE AS n, DATE '2026-01-02' AS d, [1, 2] AS l, {'a': 1} AS s"
        made.execute(f"COPY ({select}) TO '{tmp_path}/inbox/t.parquet'")
    project = Project(tmp_path)
    assert project.run().exit_code == 0
    (row,) = project.quarantine_show("raw.t")
    refused("FIX_VALUE", lambda: project.quarantine_fix("raw.t", row.id, {"n": "many"}, why="x"))
    project.quarantine_fix("raw.t", row.id, {"n": "1.5"}, why="sign")
    assert project.run().exit_code == 0
    found = project.query("SELECT id, n, CAST(d AS VARCHAR), l, s FROM raw.t").rows
    assert found == ((1, 1.5, "2026-01-02", [1, 2], {"a": 1}),)


def test_an_event_with_a_field_it_may_not_have_is_fixed_by_leaving_it_out(tmp_path: Path) -> None:
    for folder in ("sources", "inbox"):
        (tmp_path / folder).mkdir()
    (tmp_path / "penstock.yml").write_text("name: events\n")
    (tmp_path / "sources/s.yml").write_text(
        "root: inbox\ntables:\n  t:\n    path: t_*.ndjson\n    extract: append\n"
        "    contract: {version: 1, mode: strict, columns: {id: bigint, kind: {type: varchar, default: web}}}\n"
    )
    (tmp_path / "inbox/t_1.ndjson").write_text('{"id": 1}\n{"id": 2, "colour": "red"}\n')
    project = Project(tmp_path)
    assert project.run().exit_code == 0
    (row,) = project.quarantine_show("raw.t")
    assert dict(row.payload) == {"id": "2", "colour": "red"}, "as it was received: nothing is filled in"
    refused("FIX_STILL_BAD", lambda: project.quarantine_fix("raw.t", row.id, {"id": "3"}, why="x"))
    project.quarantine_fix("raw.t", row.id, {"colour": None}, why="never meant")
    assert project.run().exit_code == 0
    assert sorted(project.query("SELECT id, kind FROM raw.t").rows) == [(1, "web"), (2, "web")]
    assert project.quarantine_list() == ()
