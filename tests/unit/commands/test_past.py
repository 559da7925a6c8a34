"""show --at: relations as they were, and what is said when nobody knows any more."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from penstock.cli.main import run
from penstock.errors import PenstockError

DAYS = (
    "id,region,amount\n1,north,10\n2,south,20\n3,north,30\n",
    "id,region,amount\n1,north,11\n3,north,30\n4,,5\n",
    "id,region,amount\n1,north,10\n3,north,30\n4,,5\n5,,5\n",
)
RELATIONS = ("raw.orders", "raw.orders_history", "stg.plain", "stg.seen", "serv.totals")


@pytest.fixture
def life(folder: Any) -> Any:
    """Three days, and what every relation held after each: `folder.past` by commit number."""
    folder.write("models/stg/plain.sql", "SELECT region, amount FROM raw.orders")
    folder.write("models/stg/seen.sql", "/*---\nmaterialization: view\n---*/ SELECT region FROM stg.plain")
    folder.write("models/serv/totals.sql", "SELECT region, sum(amount)::BIGINT AS total FROM stg.plain GROUP BY region")
    folder.past = {}
    for day in DAYS:
        folder.write("inbox/orders.csv", day)
        folder.run()
        number = folder.rows("SELECT max(number) FROM _penstock.commits")[0][0]
        folder.past[number] = {name: Counter(folder.rows(f"FROM {name}")) for name in RELATIONS}
    return folder


def at(folder: Any, relation: str, moment: Any) -> Counter[Any]:
    return Counter(folder.project.show(relation, at=moment, limit=None).rows)


def code(folder: Any, relation: str, moment: Any) -> str:
    with pytest.raises(PenstockError) as told:
        folder.project.show(relation, at=moment)
    assert told.value.problem.hint
    return told.value.code


def sabotage(folder: Any, sql: str) -> None:
    with duckdb.connect(str(folder.root / "data" / "dev" / "warehouse.duckdb")) as connection:
        connection.execute(sql)


@pytest.mark.parametrize("relation", RELATIONS)
def test_every_relation_is_shown_as_it_was(life: Any, relation: str) -> None:
    assert len({repr(sorted(held[relation].items(), key=repr)) for held in life.past.values()}) > 1
    for number, held in life.past.items():
        assert at(life, relation, number) == held[relation], (relation, number)


def test_a_time_is_that_of_the_last_commit_before_it(life: Any) -> None:
    for number, held in life.past.items():
        [(when,)] = life.rows(f"SELECT committed_at FROM _penstock.commits WHERE number = {number}")
        for moment in (when, when.isoformat(), f"{when.isoformat()}Z", when.replace(tzinfo=UTC)):
            assert at(life, "serv.totals", moment) == held["serv.totals"]
        east = (when + timedelta(hours=1)).isoformat() + "+01:00"
        assert at(life, "serv.totals", east) == held["serv.totals"]


def test_a_column_that_came_later_is_null_before(life: Any) -> None:
    first = next(iter(life.past))
    life.write("inbox/orders.csv", "id,region,amount,colour\n1,north,10,red\n")
    life.run()
    rows = life.project.show("raw.orders", at=first, limit=None)
    assert "colour" in [column.name for column in rows.columns]
    assert Counter((r[0], r[1], r[2]) for r in rows.rows) == Counter(
        (r[0], r[1], r[2]) for r in life.past[first]["raw.orders"]
    )


def test_before_a_relation_was_there(life: Any) -> None:
    assert code(life, "serv.totals", 1) == "BEFORE_LOG"
    assert code(life, "serv.totals", datetime(2020, 1, 1)) == "BEFORE_LOG"


@pytest.mark.parametrize("moment", ["soon", "", "2026-13-01", "1e3", "²"])
def test_what_is_neither_a_time_nor_a_commit(life: Any, moment: str) -> None:
    assert code(life, "serv.totals", moment) == "TIME_INVALID"


@pytest.mark.parametrize("moment", [0, 999, "999", datetime(2999, 1, 1, tzinfo=UTC)])
def test_what_has_not_come_yet(life: Any, moment: Any) -> None:
    assert code(life, "serv.totals", moment) == "AT_UNKNOWN"


def test_a_relation_that_is_not_there(life: Any) -> None:
    assert code(life, "serv.total", 3) == "UNKNOWN_RELATION"
    assert code(life, "_penstock.commits", 3) == "UNKNOWN_RELATION"


def test_a_full_refresh_begins_the_log_anew_and_its_readers_follow(life: Any) -> None:
    first, *_, last = life.past
    life.run(full_refresh=["stg.plain"])
    assert code(life, "stg.plain", first) == "BEFORE_LOG"
    assert code(life, "stg.seen", first) == "BEFORE_LOG"
    assert at(life, "serv.totals", first) == life.past[first]["serv.totals"]
    [(since, made)] = life.rows(
        "SELECT l.since, max(c.number) FROM _penstock.logs AS l JOIN _penstock.commits AS c USING (relation) "
        "WHERE relation = 'stg.plain' GROUP BY ALL"
    )
    assert since == made > last
    life.write("inbox/orders.csv", "id,region,amount\n1,south,1\n")
    life.run()
    assert life.rows("FROM serv.totals") == [("south", 1)]
    assert at(life, "stg.plain", since) == life.past[last]["stg.plain"]
    assert life.project.verify().exit_code == 0


def test_a_view_whose_definition_has_changed(life: Any) -> None:
    first = next(iter(life.past))
    life.write("models/stg/seen.sql", "/*---\nmaterialization: view\n---*/ SELECT amount FROM stg.plain")
    life.run()
    assert code(life, "stg.seen", first) == "VIEW_CHANGED"
    number = life.rows("SELECT max(number) FROM _penstock.commits")[0][0]
    assert at(life, "stg.seen", number) == Counter(life.rows("FROM stg.seen"))


@pytest.mark.parametrize(
    "sql",
    [
        'DELETE FROM _penstock."changes_serv.totals"',
        'DROP TABLE _penstock."changes_serv.totals"',
        "DELETE FROM serv.totals WHERE region IS NULL",
    ],
)
def test_a_log_that_was_altered_is_told(life: Any, sql: str) -> None:
    first = next(iter(life.past))
    sabotage(life, sql)
    assert code(life, "serv.totals", first) == "LOG_ALTERED"


def test_a_relation_without_a_log_is_shown_since_it_last_changed(life: Any) -> None:
    first, *_, last = life.past
    sabotage(life, "DELETE FROM _penstock.logs WHERE relation = 'serv.totals'")
    assert code(life, "serv.totals", first) == "BEFORE_LOG"
    assert at(life, "serv.totals", last) == life.past[last]["serv.totals"]


def test_nothing_is_changed_by_looking(life: Any) -> None:
    before = (life.root / "data" / "dev" / "warehouse.duckdb").read_bytes()
    for number in life.past:
        at(life, "stg.seen", number)
    assert (life.root / "data" / "dev" / "warehouse.duckdb").read_bytes() == before


def test_on_the_command_line(life: Any, capsys: pytest.CaptureFixture[str]) -> None:
    first = next(iter(life.past))
    arguments = ["show", "serv.totals", "--project", str(life.root), "--csv", "--at"]
    assert run([*arguments, str(first)]) == 0
    assert sorted(capsys.readouterr().out.split()) == ["north,40", "region,total", "south,20"]
    assert run([*arguments, "yesterday"]) == 2
    assert "TIME_INVALID" in capsys.readouterr().err
    assert run([*arguments, "1"]) == 2
    assert "BEFORE_LOG" in capsys.readouterr().err
    life.write("models/serv/bad.sql", "SELEC")
    assert run([*arguments, str(first)]) == 0
