"""Rows of source tables that are set apart, and what people decide about them."""

from __future__ import annotations

import json
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
CHECKS = "[{positive: {column: amount, on_fail: quarantine}}, {not_null: {columns: [who], on_fail: quarantine}}]"


class Shop:
    """One source table whose files are extracts in the order of their names."""

    def __init__(self, root: Path, extract: str = "full", checks: str = CHECKS, more: str = "") -> None:
        self.root, self.extract, self.more, self.days = root, extract, more, 0
        for folder in ("sources", "inbox", "models/stg"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "penstock.yml").write_text("name: shop\nlayers: raw-stg-bus-serv\n")
        self.declare(checks)

    def declare(self, checks: str = CHECKS, more: str | None = None) -> None:
        kind = f"extract: {self.extract}" + (", files: each" if self.extract == "full" else "")
        key = "" if self.extract == "append" else ", key: id"
        self.more = self.more if more is None else more
        (self.root / "sources/s.yml").write_text(
            f"root: inbox\ntables:\n  t: {{path: t_*.csv, {kind}{key}, columns: {{id: bigint, amount: integer}},\n"
            f"    checks: {checks}{self.more}}}\n"
        )

    def send(self, *rows: str, header: str = "id,amount,who") -> None:
        self.days += 1
        (self.root / f"inbox/t_{self.days:03}.csv").write_text("".join(f"{line}\n" for line in (header, *rows)))

    @property
    def project(self) -> Project:
        return Project(self.root)

    def run(self, *rows: str) -> Any:
        if rows:
            self.send(*rows)
        report = self.project.run()
        assert report.exit_code == 0, [problem for step in report.steps for problem in step.problems]
        return report

    def rows(self, sql: str = "SELECT id, amount, who FROM raw.t") -> list[tuple[Any, ...]]:
        return sorted(self.project.query(sql).rows, key=repr)

    def held(self, relation: str = "raw.t") -> dict[str, list[str]]:
        """By the row as text, the names of what is wrong with it."""
        found = self.project.quarantine_show(relation)
        return {
            ",".join(map(str, row.payload.values())): [reason.partition(":")[0] for reason in row.reasons]
            for row in found
        }

    def id(self, number: int = 0, relation: str = "raw.t") -> str:
        return self.project.quarantine_show(relation)[number].id

    def batches(self) -> int:
        return len(list((self.root / "data/dev/landing").glob("s/t/*/*.json")))

    def everything(self) -> Any:
        versions = "raw.t_history" if self.extract != "append" else "raw.t"
        held = "SELECT * EXCLUDE (run, quarantined_at) FROM _penstock.quarantine"
        return [self.rows(f"FROM {versions}"), self.rows(held), self.rows("FROM _penstock.corrections")]


@pytest.fixture
def shop(tmp_path: Path) -> Make:
    return lambda *args, **more: Shop(tmp_path, *args, **more)


def refused(code: str, act: Callable[[], object]) -> str:
    with pytest.raises(PenstockError) as caught:
        act()
    assert caught.value.code == code, str(caught.value)
    return str(caught.value)


def test_every_reason_is_told_and_nothing_private(shop: Make) -> None:
    made = shop(more=", pii: [who, id]")
    made.run("1,5,ada", "2,-3,", "x,y,eve", ",1,bob")
    assert made.rows() == [(1, 5, "ada")]
    reasons = sorted(row.reasons for row in made.project.quarantine_show("raw.t"))
    assert reasons == [
        ("id: expected BIGINT, found '***'", "amount: expected INTEGER, found 'y'"),
        ("key id is NULL",),
        (
            "positive(amount): expected amount above zero, found '-3'",
            "not_null(who): expected a value in who, found NULL",
        ),
    ]
    payloads = [dict(row.payload) for row in made.project.quarantine_show("raw.t", reason="POSITIVE")]
    assert payloads == [{"id": "***", "amount": "-3", "who": None}]
    (listed,) = made.project.quarantine_list()
    assert (listed.rows, listed.discarded) == (3, 0)
    assert {each.reason: each.rows for each in listed.reasons}["id: expected BIGINT"] == 1
    assert "eve" not in repr(made.project.quarantine_show("raw.t", limit=None))
    (step,) = [step for step in made.project.history(run="2") if step["step"] == "load:s.t"]
    assert json.loads(json.dumps(step["accounting"]))["quarantined"] == 3


@pytest.mark.parametrize("extract", ["full", "incremental"])
def test_a_row_corrected_at_the_source_moves_out_by_itself(shop: Make, extract: str) -> None:
    made = shop(extract)
    made.run("1,5,ada", "2,5,bob")
    made.run("1,-5,ada", "2,5,bob")
    assert made.rows() == [(1, 5, "ada"), (2, 5, "bob")], "a bad row is no reason to forget the good one before"
    assert made.held() == {"1,-5,ada": ["positive(amount)"]}
    made.run("1,-6,ada", "2,5,bob")
    assert made.held() == {"1,-6,ada": ["positive(amount)"]}
    made.run("1,7,ada", "2,5,bob")
    assert (made.rows(), made.held()) == ([(1, 7, "ada"), (2, 5, "bob")], {})
    versions = made.rows("SELECT amount, valid_to IS NULL FROM raw.t_history WHERE id = 1")
    assert versions == [(5, False), (7, True)]


def test_a_bad_row_that_is_gone_from_a_full_extract_leaves(shop: Make) -> None:
    made = shop()
    made.run("1,5,ada", "x,1,eve")
    made.run("1,5,ada", "x,1,eve", "2,2,bob")
    assert made.held() == {"x,1,eve": ["id"]}
    seen = made.project.quarantine_show("raw.t")[0]
    assert seen.last_seen is not None
    assert seen.first_seen < seen.last_seen
    made.run("1,5,ada")
    assert made.held() == {}


def test_a_fix_holds_until_the_source_says_something_newer(shop: Make) -> None:
    made = shop()
    made.run("1,5,ada", "2,-3,bob", ",4,cy")
    for reason, changes in (("positive", {"amount": "3"}), ("key id", {"ID": "42"})):
        (row,) = made.project.quarantine_show("raw.t", reason=reason)
        fixed = made.project.quarantine_fix("raw.t", row.id[:8], changes, why="asked", by="Ada")
        assert fixed.row == row.id
    assert made.batches() == 3
    made.run()
    good = [(1, 5, "ada"), (2, 3, "bob"), (42, 4, "cy")]
    assert (made.rows(), made.held()) == (good, {})
    made.run("1,5,ada", "2,-3,bob", ",4,cy", "6,6,fay")
    assert (made.rows(), made.held()) == (sorted([*good, (6, 6, "fay")], key=repr), {})
    assert len(made.rows("FROM raw.t_history")) == 4, "what is read in its place is no new version"
    made.run("1,5,ada", "2,9,bob", ",4,cy")
    assert made.rows() == [(1, 5, "ada"), (2, 9, "bob"), (42, 4, "cy")]
    made.run("1,5,ada", "2,-3,bob")
    assert made.rows() == [(1, 5, "ada"), (2, 9, "bob")], "42 was there by its correction alone"
    assert made.held() == {"2,-3,bob": ["positive(amount)"]}
    log = made.project.quarantine_log()
    assert [(each.what, each.by, each.why) for each in log] == [("fix", "Ada", "asked")] * 2
    before = made.everything()
    assert made.project.rebuild().exit_code == 0
    assert made.everything() == before


def test_in_an_incremental_table_a_row_sent_again_stays_corrected(shop: Make) -> None:
    made = shop("incremental")
    made.run("1,5,ada", "2,-3,bob")
    made.project.quarantine_fix("raw.t", made.id(), {"amount": "3"}, why="typo")
    made.run("2,-3,bob")
    made.run("7,7,gus")
    made.run("2,-3,bob")
    assert (made.rows(), made.held()) == ([(1, 5, "ada"), (2, 3, "bob"), (7, 7, "gus")], {})
    made.run("2,4,bob")
    made.run("2,-3,bob")
    assert (made.rows()[1], made.held()) == ((2, 4, "bob"), {"2,-3,bob": ["positive(amount)"]})


def test_a_correction_that_a_new_rule_refuses_can_be_corrected(shop: Make) -> None:
    made = shop()
    made.run("1,-3,ada", "2,5,bob")
    made.project.quarantine_fix("raw.t", made.id(), {"amount": "3"}, why="typo")
    made.run()
    assert made.rows() == [(1, 3, "ada"), (2, 5, "bob")]
    made.declare("[{range: {column: amount, min: 4, on_fail: quarantine}}]")
    made.run()
    assert (made.rows(), made.held()) == ([(2, 5, "bob")], {"1,3,ada": ["range(amount)"]})
    made.project.quarantine_fix("raw.t", made.id(), {"amount": "8"}, why="really")
    made.run()
    made.run("1,-3,ada", "2,5,bob", "3,9,cy")
    assert (made.rows(), made.held()) == ([(1, 8, "ada"), (2, 5, "bob"), (3, 9, "cy")], {})
    made.declare("[]")
    made.run()
    assert made.rows() == [(1, 8, "ada"), (2, 5, "bob"), (3, 9, "cy")], "said by a person, whatever the rules are"
    assert made.rows("SELECT amount FROM raw.t_history WHERE id = 1") == [(-3,), (3,), (8,)]


def test_of_rows_with_one_key_a_person_says_which_it_is(shop: Make) -> None:
    made = shop(checks="[]")
    made.run("1,5,ada", "1,6,ada")
    (one,) = [row for row in made.project.quarantine_show("raw.t") if row.payload["amount"] == "6"]
    made.project.quarantine_fix("raw.t", one.id, {}, why="the shop says so")
    made.run()
    assert (made.rows(), made.held()) == ([(1, 6, "ada")], {})
    made.run("1,5,ada", "1,6,ada", "2,2,bob")
    assert (made.rows(), made.held()) == ([(1, 6, "ada"), (2, 2, "bob")], {})


def test_a_fix_in_an_append_table_replaces_the_event(shop: Make) -> None:
    made = shop("append")
    made.run("1,5,ada", "2,-3,bob", "2,-3,bob")
    assert made.project.quarantine_show("raw.t")[0].copies == 2
    made.project.quarantine_fix("raw.t", made.id(), {"amount": "3"}, why="typo")
    made.run("2,-3,bob")
    assert made.rows() == [(1, 5, "ada"), (2, 3, "bob"), (2, 3, "bob")]
    assert made.held() == {"2,-3,bob": ["positive(amount)"]}, "an event that comes later is another one"
    made.declare("[]")
    made.run()
    assert made.rows() == [(1, 5, "ada"), (2, -3, "bob"), (2, 3, "bob"), (2, 3, "bob")], "never both"


def test_columns_that_only_some_batches_have(shop: Make) -> None:
    made = shop(more=", on_missing_column: 'null'")
    made.run("1,-5,ada")
    made.send("1,-5,ada,", "2,2,bob,red", header="id,amount,who,colour")
    made.run()
    assert made.held() == {"1,-5,ada,None": ["positive(amount)"]}
    made.project.quarantine_fix("raw.t", made.id(), {"amount": "5", "colour": "blue"}, why="typo")
    made.run("1,-5,ada", "2,2,bob")
    assert made.rows("SELECT id, amount, colour FROM raw.t") == [(1, 5, "blue"), (2, 2, None)]


def test_what_cannot_be_fixed_says_why_and_lands_nothing(shop: Make) -> None:
    made = shop()
    refused("NOT_IN_QUARANTINE", lambda: made.project.quarantine_fix("raw.t", "abc", {}, why="x"))
    made.run("1,-5,ada", "2,-6,bob")
    fix, row = made.project.quarantine_fix, made.id()
    assert "id, amount, who" in refused("UNKNOWN_COLUMN", lambda: fix("raw.t", row, {"zzz": "1"}, why="x"))
    assert "positive(amount)" in refused("FIX_STILL_BAD", lambda: fix("raw.t", row, {"who": "eve"}, why="x"))
    refused("FIX_STILL_BAD", lambda: fix("raw.t", row, {}, why="x"))
    refused("WHY_MISSING", lambda: fix("raw.t", row, {"amount": "5"}, why="  "))
    refused("NOT_IN_QUARANTINE", lambda: fix("raw.t", "", {"amount": "5"}, why="x"))
    refused("UNKNOWN_RELATION", lambda: fix("raw.zzz", row, {"amount": "5"}, why="x"))
    made.send("1,5,ada", "2,6,bob")
    assert made.project.land().exit_code == 0
    refused("FIX_TOO_EARLY", lambda: fix("raw.t", row, {"amount": "5"}, why="x"))
    made.run()
    refused("NOT_IN_QUARANTINE", lambda: fix("raw.t", row, {"amount": "5"}, why="x"))
    assert made.batches() == 2


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


def test_discarded_rows_stay_discarded(shop: Make) -> None:
    made = shop(more=", quarantine: {max: 1}")
    made.run("1,-5,ada", "2,2,bob")
    row = made.id()
    refused("NOT_IN_QUARANTINE", lambda: made.project.quarantine_discard("raw.t", row, "ffff", why="test data"))
    assert made.project.quarantine_log() == ()
    made.project.quarantine_discard("raw.t", row[:6], why="test data", by="Ada")
    assert made.held() == {}
    assert [(each.rows, each.discarded) for each in made.project.quarantine_list()] == [(0, 1)]
    (shown,) = made.project.quarantine_show("raw.t", discarded_too=True)
    assert shown.discarded is not None
    assert (shown.discarded.by, shown.discarded.why) == ("Ada", "test data")
    made.run("1,-5,ada", "2,-2,bob", "3,3,cy")
    assert made.held() == {"2,-2,bob": ["positive(amount)"]}, "of two bad rows one counts, and one is allowed"
    made.declare("[{range: {column: amount, min: 0, on_fail: quarantine}}]")
    made.run()
    assert made.held() == {"2,-2,bob": ["range(amount)"]}
    assert made.project.rebuild().exit_code == 0
    assert made.held() == {"2,-2,bob": ["range(amount)"]}
    made.run("1,-6,ada")
    assert made.held() == {"1,-6,ada": ["range(amount)"]}, "with another value it is another row"
    path = next(made.root.glob("data/dev/landing/quarantine.discarded/raw.t/*.json"))
    path.write_text(path.read_text().replace("Ada", "Eve"))
    refused("DISCARD_DAMAGED", made.project.quarantine_list)


def test_too_many_halt_the_load_before_anything_is_seen(shop: Make) -> None:
    made = shop(more=", quarantine: {max: 20%}")
    made.run("1,5,ada", "2,5,bob", "3,5,cy", "4,5,di", "5,-5,eve")
    made.send("1,6,ada", "2,-6,bob", "3,6,cy", "4,-6,di", "5,-5,eve")
    report = made.project.run()
    (failed,) = [step for step in report.steps if step.status == "failed"]
    assert (report.exit_code, [each.code for each in failed.problems]) == (3, ["QUARANTINE_LIMIT"])
    assert "3 of 5 rows" in failed.problems[0].message
    assert made.rows("SELECT amount FROM raw.t") == [(5,)] * 4
    assert (made.held(), made.batches()) == ({"5,-5,eve": ["positive(amount)"]}, 2)
    made.declare(more=", quarantine: {max: 60%}")
    made.run()
    assert len(made.held()) == 3


def test_a_looser_rule_lets_rows_through_and_replay_does_not_ask_the_source(shop: Make) -> None:
    made = shop()
    made.run("1,-5,ada", "2,2,bob")
    made.declare("[]")
    made.send("3,3,cy")
    report = made.project.quarantine_replay("raw.t")
    assert (report.exit_code, [step.step for step in report.steps]) == (0, ["load:s.t"])
    assert (made.rows(), made.held(), made.batches()) == ([(1, -5, "ada"), (2, 2, "bob")], {}, 1)
    assert [step.status for step in made.project.quarantine_replay().steps] == ["unchanged"]
    made.declare(CHECKS)
    assert made.project.quarantine_replay("s.t").exit_code == 0
    assert (made.rows(), made.held()) == ([(2, 2, "bob")], {"1,-5,ada": ["positive(amount)"]})


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
    assert len(made.project.quarantine_log()) == 1


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


def test_a_rule_about_a_column_that_no_batch_has_is_told(shop: Make) -> None:
    made = shop(checks="[{not_null: {column: colour, on_fail: quarantine}}]")
    made.send("1,5,ada")
    report = made.project.run()
    (failed,) = [step for step in report.steps if step.status == "failed"]
    assert [each.code for each in failed.problems] == ["CHECK_INVALID"]
    assert "'colour'" in failed.problems[0].message
    made.send("1,5,ada,red", header="id,amount,who,colour")
    made.run()
    assert made.held() == {}, "the first batch has NULL there, and the second one says something newer"
