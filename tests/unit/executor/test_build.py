"""How a model's relation is made: views, rebuilt tables and appended ones, from whatever stands in their place."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.domain.run import Status
from penstock.errors import DataError, PenstockError, UserError

ALL = "SELECT id, word FROM raw.t"
ROWS = [(1, "a"), (2, "b"), (None, "n")]


def kind(house: Any) -> str:
    sql = "SELECT table_type FROM information_schema.tables WHERE table_schema = 'stg' AND table_name = 'm'"
    (found,) = house.rows(sql)
    return str(found[0])


@pytest.mark.parametrize(("how", "stands"), [("view", "VIEW"), ("rebuild", "BASE TABLE"), ("append", "BASE TABLE")])
@pytest.mark.parametrize("before", [None, "view", "rebuild", "append"])
def test_from_anything_to_anything(house: Any, before: str | None, how: str, stands: str) -> None:
    if before is not None:
        house.run("SELECT id, word FROM raw.t WHERE id = 1", before, key=("id",))
    outcome = house.run(ALL, how, key=("id",))
    assert outcome.status is Status.SUCCESS
    assert kind(house) == stands
    assert house.rows() == ROWS
    assert house.commits()["stg.m"] == house.runs


def test_a_view_follows_and_a_table_does_not(house: Any) -> None:
    house.run(ALL, "view", name="stg.v")
    house.run(ALL, "rebuild")
    house.session.execute("DELETE FROM raw.t")
    assert house.rows("FROM stg.v") == []
    assert house.rows() == ROWS


def test_what_stands_already_is_left_alone(house: Any) -> None:
    for how in ("view", "rebuild", "append"):
        first = house.run(ALL, how, key=("id",), name=f"stg.{how}_it")
        again = house.run(ALL, how, key=("id",), name=f"stg.{how}_it")
        assert (first.status, again.status) == (Status.SUCCESS, Status.UNCHANGED)
        assert again.commit is None


def test_rows_are_counted(house: Any) -> None:
    assert house.run(ALL, "rebuild").rows == 3
    assert house.run(ALL, "view", name="stg.v").rows is None
    assert house.run("SELECT id, word FROM raw.t WHERE false", "rebuild").rows == 0


def test_made_anew_on_request(house: Any) -> None:
    house.run(ALL, "rebuild")
    house.session.execute("DELETE FROM stg.m")
    assert house.run(ALL, "rebuild").status is Status.UNCHANGED
    assert house.run(ALL, "rebuild", refresh=True).status is Status.SUCCESS
    assert house.rows() == ROWS


# append


def appended(house: Any, sql: str = ALL, **fields: Any) -> Any:
    """Run again although nothing that the ledger knows has changed: the definition bears a new number each time."""
    return house.run(f"{sql} /* {house.runs} */", "append", **{"key": ("id",), **fields})


def test_appending_adds_corrects_and_never_removes(house: Any) -> None:
    appended(house)
    house.session.execute("DELETE FROM raw.t WHERE id = 1")
    house.session.execute("UPDATE raw.t SET word = 'B' WHERE id = 2")
    house.session.execute("INSERT INTO raw.t VALUES (3, 'c')")
    outcome = appended(house)
    assert house.rows() == [(1, "a"), (2, "B"), (3, "c"), (None, "n")]
    assert outcome.status is Status.SUCCESS
    assert outcome.rows == 4


def test_appending_twice_is_appending_once(house: Any) -> None:
    appended(house)
    outcome = appended(house)
    assert outcome.status is Status.UNCHANGED
    assert outcome.commit is None
    assert house.rows() == ROWS


def test_null_in_the_key_is_one_key(house: Any) -> None:
    appended(house)
    house.session.execute("UPDATE raw.t SET word = 'N' WHERE id IS NULL")
    appended(house)
    assert house.rows() == [(1, "a"), (2, "b"), (None, "N")]


def test_a_key_of_several_columns_and_nothing_else(house: Any) -> None:
    appended(house, key=("id", "word"))
    house.session.execute("INSERT INTO raw.t VALUES (1, 'z')")
    appended(house, key=("ID", "word"))
    assert house.rows() == [(1, "a"), (1, "z"), (2, "b"), (None, "n")]


@pytest.mark.parametrize("before", [True, False])
def test_a_key_that_stands_twice_is_refused_and_nothing_changes(house: Any, before: bool) -> None:
    if before:
        appended(house)
    house.session.execute("INSERT INTO raw.t VALUES (1, 'again')")
    with pytest.raises(DataError) as caught:
        appended(house)
    assert caught.value.code == "KEY_NOT_UNIQUE"
    assert "1" in caught.value.problem.message
    assert (house.rows() == ROWS) if before else ("stg.m" not in house.commits())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, word, 1 AS more FROM raw.t",
        "SELECT id FROM raw.t",
        "SELECT word, id FROM raw.t",
        "SELECT id, word AS other FROM raw.t",
    ],
)
def test_an_appended_table_keeps_its_columns(house: Any, sql: str) -> None:
    appended(house)
    with pytest.raises(DataError) as caught:
        appended(house, sql)
    assert caught.value.code == "SCHEMA_CHANGED"
    assert "--full-refresh stg.m" in str(caught.value.problem.hint)
    assert house.rows() == ROWS
    house.run(sql, "append", key=("id",) if "id" in sql else (), refresh=True)
    assert len(house.rows()) == 3


def test_a_failed_append_leaves_nothing_behind_in_its_session(house: Any) -> None:
    appended(house)
    house.session.execute("INSERT INTO raw.t VALUES (1, 'again')")
    for _ in range(2):
        with pytest.raises(DataError):
            appended(house)
    house.session.execute("DELETE FROM raw.t WHERE word = 'again'")
    assert appended(house).status is Status.UNCHANGED


# What goes wrong


@pytest.mark.parametrize("how", ["view", "rebuild", "append"])
@pytest.mark.parametrize(
    ("sql", "code", "line"),
    [
        ("SELECT id, nope FROM raw.t", "SQL_INVALID", 5),
        ("SELECT id,\n  word\nFROM raw.nowhere", "SQL_INVALID", 7),
        ("SELECT id, id FROM raw.t", "DUPLICATE_COLUMN", None),
        ("SELECT id, word AS ID FROM raw.t", "DUPLICATE_COLUMN", None),
    ],
)
def test_a_select_that_does_not_work(house: Any, how: str, sql: str, code: str, line: int | None) -> None:
    house.run(ALL, "rebuild")
    with pytest.raises(UserError) as caught:
        house.run(sql, how, key=("id",))
    assert caught.value.code == code
    place = caught.value.problem.location
    assert place is not None
    assert place.path == "models/stg/m.sql"
    assert line is None or place.line == line
    assert house.rows() == ROWS, "the table is not as it was"
    assert house.commits() == {"stg.m": 1}


@pytest.mark.parametrize("how", ["rebuild", "append"])
def test_a_select_that_fails_on_a_value(house: Any, how: str) -> None:
    house.run(ALL, how, key=("id",))
    with pytest.raises(PenstockError) as caught:
        house.run("SELECT id, CAST(CAST(word AS INTEGER) AS VARCHAR) AS word FROM raw.t", how, key=("id",))
    assert caught.value.code == "SQL_FAILED"
    assert house.rows() == ROWS
    assert house.commits() == {"stg.m": 1}


def test_the_columns_that_were_declared(house: Any) -> None:
    house.run(ALL, columns=("id", "word"))
    with pytest.raises(DataError) as caught:
        house.run("SELECT id, word AS other FROM raw.t", columns=("id", "word"))
    assert caught.value.code == "WRONG_COLUMNS"
    assert house.rows() == ROWS


def test_names_that_need_quotes(house: Any) -> None:
    sql = 'SELECT id AS "a ""b", word AS "select" FROM raw.t'
    for number in range(2):
        house.run(f"{sql} /* {number} */", "append", name='stg.odd "name"', key=('a "b',))
    assert house.rows('FROM stg."odd ""name"""') == ROWS


def test_parameters_are_values(house: Any) -> None:
    house.run("SELECT id, word FROM raw.t WHERE word = $word", parameters=("word",))
    assert house.rows() == [(2, "b")]
