"""verify: right is right, one wrong model is named alone, and what cannot be said is not said."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from penstock.cli.main import run
from penstock.domain.verification import Verdict, Verified
from penstock.errors import PenstockError

MODELS = {
    "models/stg/plain.sql": "SELECT id, region, amount FROM raw.orders",
    "models/stg/seen.sql": "/*---\nmaterialization: view\n---*/ SELECT region, amount FROM stg.plain",
    "models/bus/totals.sql": "SELECT region, sum(amount)::BIGINT AS total FROM stg.seen GROUP BY region",
    "models/serv/report.sql": "/*---\nkey: region\n---*/ SELECT region, total + 1 AS more FROM bus.totals",
}


@pytest.fixture
def life(folder: Any) -> Any:
    for path, text in MODELS.items():
        folder.write(path, text)
    folder.run()
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,11\n3,north,30\n4,,5\n5,,5\n")
    folder.run()
    return folder


def sabotage(folder: Any, *statements: str) -> None:
    with duckdb.connect(str(folder.root / "data" / "dev" / "warehouse.duckdb")) as connection:
        for sql in statements:
            connection.execute(sql)


def verdicts(folder: Any, *select: str, **options: Any) -> dict[str, str]:
    return {str(each.relation): each.verdict.value for each in folder.project.verify(*select, **options).relations}


def one(folder: Any, relation: str, **options: Any) -> Verified:
    [found] = folder.project.verify(relation, **options).relations
    return found


@pytest.mark.parametrize("deep", [False, True])
def test_what_was_built_is_right(life: Any, deep: bool) -> None:
    found = life.project.verify(deep=deep)
    assert found.exit_code == 0
    assert {str(each.relation): (each.verdict, each.rows) for each in found.relations} == {
        "raw.orders_history": (Verdict.RIGHT, 6),
        "stg.plain": (Verdict.RIGHT, 4),
        "bus.totals": (Verdict.RIGHT, 2),
        "serv.report": (Verdict.RIGHT, 2),
    }
    assert all(not each.notes and not each.differences for each in found.relations)


@pytest.mark.parametrize(
    ("sql", "missing", "extra"),
    [
        ("UPDATE {} SET total = total + 1 WHERE region = 'north'", 1, 1),
        ("DELETE FROM {} WHERE region IS NULL", 1, 0),
        ("INSERT INTO {} VALUES ('moon', 1)", 0, 1),
        ("INSERT INTO {0} SELECT * FROM {0} WHERE region IS NULL", 0, 1),
        ("UPDATE {} SET region = 'x' WHERE region IS NULL", 1, 1),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_a_row_changed_by_hand_is_found_and_its_model_named_alone(
    life: Any, sql: str, missing: int, extra: int, deep: bool
) -> None:
    sabotage(life, sql.format("bus.totals"))
    found = life.project.verify(deep=deep)
    assert found.exit_code == 3
    [wrong] = [each for each in found.relations if each.verdict is not Verdict.RIGHT]
    assert (str(wrong.relation), wrong.verdict, wrong.missing, wrong.extra) == (
        "bus.totals", Verdict.WRONG, missing, extra,
    )  # fmt: skip
    assert wrong.differences


def test_a_model_that_was_wrong_before_its_readers_read_it_is_named_alone(life: Any) -> None:
    """As a mistake of ours would be: the readers are what their inputs give."""
    sabotage(
        life,
        "UPDATE bus.totals SET total = 7 WHERE region = 'north'",
        "UPDATE serv.report SET more = 8 WHERE region = 'north'",
    )
    assert {name for name, verdict in verdicts(life).items() if verdict == "wrong"} == {"bus.totals"}
    deep = {name for name, verdict in verdicts(life, deep=True).items() if verdict == "wrong"}
    assert deep == {"bus.totals", "serv.report"}


def test_rows_that_differ_are_shown_with_their_key_and_both_values(life: Any) -> None:
    sabotage(life, "UPDATE bus.totals SET total = 7 WHERE region = 'north'")
    [difference] = one(life, "bus.totals").differences
    assert difference.key == {"region": "north"}
    assert (difference.expected, difference.found, difference.copies) == ({"total": 41}, {"total": 7}, 1)


def test_only_the_first_rows_are_shown(life: Any) -> None:
    sabotage(life, "INSERT INTO stg.plain SELECT range, 'x', 1 FROM range(100, 150)")
    found = one(life, "stg.plain")
    assert (found.extra, len(found.differences)) == (50, 10)
    assert all(difference.expected is None and difference.found for difference in found.differences)


def test_a_model_whose_inputs_or_definition_moved_is_stale_and_not_wrong(life: Any) -> None:
    life.write("inbox/orders.csv", "id,region,amount\n1,north,1\n")
    life.run(select=["raw.orders"])
    found = life.project.verify()
    assert found.exit_code == 0
    assert {str(each.relation): each.verdict for each in found.relations}["stg.plain"] is Verdict.STALE
    life.run()
    life.write("models/bus/totals.sql", "SELECT region, sum(amount)::BIGINT + 1 AS total FROM stg.seen GROUP BY region")
    assert verdicts(life)["bus.totals"] == "stale"
    assert one(life, "bus.totals").notes == ("definition changed",)
    life.write("models/bus/new.sql", "SELECT 1 AS one FROM stg.plain")
    assert verdicts(life)["bus.new"] == "stale"


def test_a_table_that_was_dropped_is_wrong(life: Any) -> None:
    sabotage(life, "DROP TABLE serv.report")
    assert one(life, "serv.report").verdict is Verdict.WRONG


def test_a_column_that_was_added_by_hand_is_wrong(life: Any) -> None:
    sabotage(life, "ALTER TABLE serv.report ADD COLUMN spare INTEGER")
    [note] = one(life, "serv.report").notes
    assert "spare" in note


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("INSERT INTO raw.orders_history SELECT * FROM raw.orders_history WHERE is_current LIMIT 1", "more than one"),
        ("UPDATE raw.orders_history SET is_current = false WHERE id = 3", "current and has an end, or neither"),
        ("UPDATE raw.orders_history SET valid_to = valid_from - INTERVAL 1 DAY WHERE id = 2", "ends before"),
        ("UPDATE raw.orders_history SET valid_to = '2999-01-01' WHERE id = 1 AND NOT is_current", "before the one"),
        ("DELETE FROM raw.orders_history WHERE id = 3", "by the ledger"),
        ("DELETE FROM raw.orders_history WHERE id = 3", "rows were loaded"),
        ("UPDATE raw.orders_history SET id = NULL WHERE id = 3", "NULL in the key"),
    ],
)  # fmt: skip
def test_broken_rules_of_a_history(life: Any, sql: str, says: str) -> None:
    sabotage(life, sql)
    found = one(life, "raw.orders")
    assert found.verdict is Verdict.WRONG
    assert any(says in note for note in found.notes), found.notes


def test_a_gap_is_wrong_where_nothing_can_have_been_deleted(empty: Any) -> None:
    made = empty()
    made.write("sources/shop.yml", "root: inbox\ntables:\n  orders: {path: o*.csv, extract: incremental, key: id}\n")
    for day, text in enumerate(("id,v\n1,a\n2,a\n", "id,v\n1,b\n")):
        made.write(f"inbox/o{day}.csv", text)
        made.run()
    assert one(made, "raw.orders").verdict is Verdict.RIGHT
    sabotage(
        made, "UPDATE raw.orders_history SET valid_to = valid_to - INTERVAL 1 MICROSECOND WHERE v = 'a' AND id = '1'"
    )
    assert any("a gap" in note for note in one(made, "raw.orders").notes)
    sabotage(made, "UPDATE raw.orders_history SET valid_to = '2999-01-01', is_current = false WHERE id = '2'")
    assert any("without a current version" in note for note in one(made, "raw.orders").notes)


def test_an_appended_source_holds_what_was_loaded(empty: Any) -> None:
    made = empty()
    made.write("sources/web.yml", "root: inbox\ntables:\n  visits: {path: v*.csv, extract: append}\n")
    made.write("inbox/v1.csv", "page\nhome\nhome\n")
    made.run()
    assert verdicts(made) == {"raw.visits": "right"}
    sabotage(made, "INSERT INTO raw.visits SELECT * FROM raw.visits LIMIT 1")
    assert verdicts(made) == {"raw.visits": "wrong"}


def test_an_appended_model_is_checked_for_what_its_select_gives(life: Any) -> None:
    life.write(
        "models/serv/kept.sql", "/*---\nmaterialization: append\nkey: id\n---*/ SELECT id, amount FROM stg.plain"
    )
    life.run()
    life.write("inbox/orders.csv", "id,region,amount\n4,,6\n")
    life.run()
    found = one(life, "serv.kept")
    assert (found.verdict, found.rows) == (Verdict.RIGHT, 4)
    assert "earlier runs" in found.checked
    sabotage(life, "UPDATE serv.kept SET amount = 7 WHERE id = 4")
    [difference] = one(life, "serv.kept").differences
    assert (difference.expected, difference.found) == ({"amount": 6}, {"amount": 7})
    life.run(full_refresh=["serv.kept"])
    assert life.rows("FROM serv.kept") == [(4, 6)]
    assert one(life, "serv.kept").verdict is Verdict.RIGHT
    sabotage(life, "INSERT INTO serv.kept VALUES (99, 1)")
    assert one(life, "serv.kept").notes == ("1 rows by the ledger, 2 there",)


def test_floating_point_is_compared_with_a_tolerance_and_nothing_else_is(life: Any) -> None:
    life.write(
        "models/serv/part.sql",
        "SELECT id, amount / 3.0::DOUBLE AS part, amount::DECIMAL(18,10) AS whole FROM stg.plain",
    )
    life.run()
    sabotage(life, "UPDATE serv.part SET part = part * (1 + 1e-12)")
    assert one(life, "serv.part").verdict is Verdict.RIGHT
    sabotage(life, "UPDATE serv.part SET part = part * (1 + 1e-8) WHERE id = 1")
    assert (one(life, "serv.part").missing, one(life, "serv.part").extra) == (1, 1)
    life.run(full_refresh=["serv.part"])
    sabotage(life, "UPDATE serv.part SET whole = whole + 0.0000000001 WHERE id = 1")
    assert one(life, "serv.part").verdict is Verdict.WRONG


def test_stamps_are_not_compared(life: Any) -> None:
    life.write("models/serv/made.sql", "SELECT id, now() AS made_at, amount FROM stg.plain")
    life.run()
    assert one(life, "serv.made").verdict is Verdict.RIGHT
    sabotage(life, "UPDATE serv.made SET made_at = '2000-01-01'")
    assert one(life, "serv.made").verdict is Verdict.RIGHT
    sabotage(life, "UPDATE serv.made SET amount = 0")
    assert one(life, "serv.made").verdict is Verdict.WRONG


def test_a_model_of_a_time_is_made_again_with_the_time_of_its_run(life: Any) -> None:
    life.write("models/serv/days.sql", "/*---\nmaterialization: rebuild\n---*/ SELECT id, $run_ts AS at FROM stg.plain")
    life.write("models/serv/late.sql", "SELECT id FROM stg.plain WHERE $run_ts > TIMESTAMP '2026-01-01'")
    life.run(now=datetime(2026, 11, 20, 6, 0, 0, 123456, tzinfo=UTC))
    later = datetime.now(UTC) + timedelta(days=400)
    assert verdicts(life, "serv.days", "serv.late", now=later) == {"serv.days": "right", "serv.late": "right"}
    for path in (life.root / "data" / "dev").glob("state.sqlite*"):
        path.unlink()
    assert verdicts(life, "serv.late", now=later) == {"serv.late": "open"}


def test_what_now_decides_is_open_when_it_differs(life: Any) -> None:
    life.write("models/serv/old.sql", "SELECT id FROM stg.plain WHERE now() > TIMESTAMPTZ '2026-01-01'")
    life.run()
    assert one(life, "serv.old").verdict is Verdict.RIGHT
    sabotage(life, "UPDATE serv.old SET id = 77 WHERE id = 1")
    found = life.project.verify("serv.old")
    assert ([each.verdict for each in found.relations], found.exit_code) == ([Verdict.OPEN], 0)


def test_a_python_model(life: Any) -> None:
    life.write(
        "models/serv/doubled.py",
        '"""\n---\nreads: [stg.plain]\ncolumns: [id, twice]\nkey: id\n---\n"""\nimport pyarrow as pa\n\n\n'
        "def model(plain):\n    found = pa.table(plain)\n"
        '    return pa.table({"id": found["id"], "twice": [2 * v.as_py() for v in found["amount"]]})\n',
    )
    life.run()
    assert verdicts(life, "serv.doubled") == verdicts(life, "serv.doubled", deep=True) == {"serv.doubled": "right"}
    sabotage(life, "UPDATE serv.doubled SET twice = 1 WHERE id = 3")
    [difference] = one(life, "serv.doubled").differences
    assert (difference.key, difference.expected, difference.found) == ({"id": 3}, {"twice": 60}, {"twice": 1})


def test_a_wrong_source_table_is_seen_in_its_readers_too(life: Any) -> None:
    sabotage(life, "UPDATE raw.orders_history SET amount = 1000 WHERE id = 3 AND is_current")
    assert verdicts(life)["stg.plain"] == "wrong"


def test_selections(life: Any) -> None:
    assert set(verdicts(life, "serv.*", "bus.totals")) == {"serv.report", "bus.totals"}
    assert verdicts(life, "stg.seen") == {}
    assert set(verdicts(life, "serv.report", deep=True)) == {"serv.report"}
    with pytest.raises(PenstockError) as told:
        life.project.verify("serv.nothing")
    assert told.value.code == "UNKNOWN_SELECTION"


def test_nothing_is_changed_by_looking(life: Any) -> None:
    path = life.root / "data" / "dev" / "warehouse.duckdb"
    sabotage(life, "UPDATE bus.totals SET total = 7 WHERE region = 'north'")
    before = path.read_bytes()
    life.project.verify(deep=True)
    life.project.verify()
    assert path.read_bytes() == before


def test_a_column_of_any_name(life: Any) -> None:
    life.write("models/serv/odd.sql", 'SELECT id AS s, region AS n, amount AS "e", 1 AS f, 2 AS copies FROM stg.plain')
    life.run()
    sabotage(life, "UPDATE serv.odd SET n = 'x' WHERE s = 1")
    assert (one(life, "serv.odd").missing, one(life, "serv.odd").extra) == (1, 1)


def test_on_the_command_line(life: Any, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["verify", "--project", str(life.root)]
    assert run(arguments) == 0
    assert "4 right" in capsys.readouterr().out
    sabotage(life, "UPDATE bus.totals SET total = 7 WHERE region = 'north'")
    assert run(arguments) == 3
    assert "region = north: expected total = 41; found total = 7" in capsys.readouterr().out
    assert run([*arguments, "--json", "bus.*"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == 3
    assert document["relations"][0]["differences"] == [
        {"key": {"region": "north"}, "expected": {"total": 41}, "found": {"total": 7}, "copies": 1}
    ]
    assert run([*arguments, "nothing.*"]) == 2


def test_before_anything_was_built(folder: Any) -> None:
    with pytest.raises(PenstockError) as told:
        folder.project.verify()
    assert told.value.code == "NOTHING_BUILT"
