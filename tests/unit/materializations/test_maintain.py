"""What leaves and enters a table, against Python's own multisets."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import pytest

from campaign import seeds
from penstock.domain.maintenance import AFFECTED, new_rows, old_rows
from penstock.domain.relation import Column, RelationName
from penstock.materializations import changelog, maintain

T = RelationName("s", "t")
COLUMNS = (Column("k", "BIGINT"), Column("v", "VARCHAR"), Column("made", "BIGINT"))
Rows = list[tuple[Any, ...]]


@pytest.fixture
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA s; CREATE SCHEMA _penstock")
        connection.execute("CREATE TABLE s.t (k BIGINT, v VARCHAR, made BIGINT)")
        yield connection


def fill(db: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)


def counted(db: duckdb.DuckDBPyConnection, sql: str) -> Counter[tuple[Any, ...]]:
    return Counter(db.execute(sql).fetchall())


def correct(db: duckdb.DuckDBPyConnection, new: Rows, stamps: Sequence[str]) -> tuple[int, int]:
    """Bring s.t to `new`; give how many rows left and entered."""
    db.execute(f"CREATE OR REPLACE TEMP TABLE {maintain.NEW} (k BIGINT, v VARCHAR, made BIGINT)")
    fill(db, maintain.NEW, new)
    db.execute(maintain.difference("s.t", COLUMNS, stamps))
    gone, came = db.execute(maintain.DIFFERENT).fetchall()[0]
    db.execute(maintain.gone("s.t", COLUMNS, stamps, "rowid"))
    db.execute(maintain.came(COLUMNS, stamps))
    assert db.execute(maintain.CORRECTED).fetchall() == [(gone, came)]
    assert db.execute(maintain.delete(T)).fetchall() == [(gone,)]
    assert db.execute(maintain.insert(T, [c.name for c in COLUMNS])).fetchall() == [(came,)]
    return gone, came


def rows_of(chance: random.Random, stamp: int) -> Rows:
    return [
        (chance.choice([None, 1, 2]), chance.choice([None, "a", "A", ""]), stamp) for _ in range(chance.randrange(9))
    ]


@pytest.mark.parametrize("seed", seeds(60))
def test_the_difference_of_multisets_is_exact_and_minimal(db: Any, seed: int) -> None:
    chance = random.Random(seed)
    before, after = rows_of(chance, 0), rows_of(chance, 0)
    fill(db, "s.t", before)
    gone, came = correct(db, after, ())
    assert counted(db, "FROM s.t") == Counter(after)
    assert gone == (Counter(before) - Counter(after)).total()
    assert came == (Counter(after) - Counter(before)).total()


@pytest.mark.parametrize("seed", seeds(30))
def test_stamps_move_only_with_rows_that_change(db: Any, seed: int) -> None:
    chance = random.Random(seed)
    before, after = rows_of(chance, 1), rows_of(chance, 2)
    fill(db, "s.t", before)
    correct(db, after, ("MADE",))
    kept = Counter(row[:2] for row in before) & Counter(row[:2] for row in after)
    entered = Counter(row[:2] for row in after) - kept
    assert counted(db, "SELECT k, v FROM s.t WHERE made = 1") == kept
    assert counted(db, "SELECT k, v FROM s.t WHERE made = 2") == entered


def test_a_collation_hides_no_difference(db: Any) -> None:
    db.execute("CREATE OR REPLACE TABLE s.t (k BIGINT, v VARCHAR COLLATE NOCASE, made BIGINT)")
    fill(db, "s.t", [(1, "a", 0), (2, "b", 0)])
    assert correct(db, [(1, "A", 0), (2, "b", 0)], ()) == (1, 1)
    assert counted(db, "SELECT k, v FROM s.t") == Counter([(1, "A"), (2, "b")])


def test_the_rows_of_affected_units_are_found_null_or_not(db: Any) -> None:
    fill(db, "s.t", [(None, "a", 0), (1, "a", 0), (1, None, 0), (2, "b", 0)])
    db.execute(f"CREATE TEMP TABLE {AFFECTED} AS SELECT * FROM (VALUES (NULL, 'a'), (1, NULL)) AS a(u0, u1)")
    assert db.execute(maintain.affected(2, T)).fetchall() == [(2, 2, 4)]
    db.execute(maintain.old(T, ("k", "v")))
    assert counted(db, f"SELECT k, v FROM {maintain.OLD}") == Counter([(None, "a"), (1, None)])


@pytest.mark.parametrize("seed", seeds(30))
def test_an_appended_table_is_corrected_and_never_shortened(db: Any, seed: int) -> None:
    chance = random.Random(seed)
    before = {key: (key, chance.choice([None, "a", "b"]), chance.randrange(2)) for key in chance.sample(range(6), 3)}
    after = {key: (key, chance.choice([None, "a", "b"]), chance.randrange(2)) for key in chance.sample(range(6), 3)}
    fill(db, "s.t", list(before.values()))
    db.execute(f"CREATE OR REPLACE TEMP TABLE {maintain.NEW} AS SELECT * FROM s.t LIMIT 0")
    fill(db, maintain.NEW, list(after.values()))
    for statement in maintain.correction(T, COLUMNS, ("k",)):
        db.execute(statement)
    gone, came = db.execute(maintain.CORRECTED).fetchall()[0]
    db.execute(maintain.delete(T))
    db.execute(maintain.insert(T, [c.name for c in COLUMNS]))
    assert counted(db, "FROM s.t") == Counter({**before, **after}.values())
    differing = [key for key in after if key in before and before[key] != after[key]]
    assert (gone, came) == (len(differing), len(differing) + len(after.keys() - before.keys()))


def test_a_key_that_comes_twice_or_beside_the_one_there_is_found(db: Any) -> None:
    fill(db, "s.t", [(1, "a", 0), (1, "b", 0), (2, "c", 0), (None, "d", 0), (None, "e", 0)])
    came = f"CREATE OR REPLACE TEMP TABLE {maintain.CAME} AS SELECT * FROM s.t WHERE"
    db.execute(f"{came} v = 'c'")
    assert db.execute(maintain.repeated(T, ("k",))).fetchall() == []
    db.execute(f"{came} v = 'b' OR v = 'e'")
    assert set(db.execute(maintain.repeated(T, ("k",))).fetchall()) == {(1, 2), (None, 2)}


# The change log


@pytest.mark.parametrize("seed", seeds(40))
def test_the_net_of_several_commits_is_the_difference_between_the_ends(db: Any, seed: int) -> None:
    chance = random.Random(seed)
    states = [rows_of(chance, 0) for _ in range(5)]
    fill(db, "s.t", states[0])
    db.execute(changelog.create(T))
    names = [column.name for column in COLUMNS]
    for number, rows in enumerate(states[1:], start=10):
        correct(db, rows, ())
        db.execute(changelog.write(T, names, number, ((-1, maintain.GONE), (1, maintain.CAME))))
    for first in range(5):
        for statement in changelog.net(T, COLUMNS, 9 + first, several=first < 3):
            db.execute(statement)
        before, after = Counter(states[first]), Counter(states[-1])
        assert counted(db, f'FROM "{old_rows(T)}"') == before - after
        assert counted(db, f'FROM "{new_rows(T)}"') == after - before
        for statement in changelog.forget(T):
            db.execute(statement)


def test_what_ledger_and_log_say_of_commits(db: Any) -> None:
    db.execute("CREATE TABLE _penstock.commits (number BIGINT, relation VARCHAR, changes BIGINT)")
    db.execute("CREATE TABLE _penstock.logs (relation VARCHAR, since BIGINT)")
    db.execute("INSERT INTO _penstock.commits VALUES (1, 's.t', NULL), (3, 's.t', 2), (4, 's.u', 9), (5, 's.t', 0)")
    db.execute("INSERT INTO _penstock.logs VALUES ('s.u', 4), ('s.t', 1)")
    db.execute(changelog.create(T))
    db.execute(changelog.write(T, ["k"], 3, [(1, "(SELECT unnest([1, 2]) AS k)"), (-1, "(SELECT 3 AS k)")]))
    db.execute(changelog.write(T, ["k"], 7, [(1, "(SELECT 1 AS k)")]))

    def told(seen: int, last: int) -> Counter[tuple[Any, ...]]:
        found = db.execute(changelog.told(T, 4), ("s.t", "s.t", seen, last, seen)).fetchall()
        assert {row[0] for row in found} == {4}
        return Counter(row[1:] for row in found)

    since = ("since", 1, None)
    after_one = [("ledger", 3, 2), ("ledger", 5, 0), ("log", 3, 3), ("log", 7, 1), since]
    assert told(1, 9) == Counter(after_one)
    assert told(0, 9) == Counter([("ledger", 1, None), *after_one])
    assert told(3, 4) == Counter([("log", 7, 1), since])


# Rows told apart by a key


@pytest.mark.parametrize("seed", range(60))
def test_pairs_are_the_difference_where_no_key_stands_twice(db: Any, seed: int) -> None:
    chance = random.Random(seed)

    def some(stamp: int) -> Rows:
        keys = chance.sample([None, *range(6)], chance.randrange(8))
        return [(key, chance.choice([None, "a", "A"]), stamp) for key in keys]

    before, after = some(1), some(2)
    stamps = ("made",) if seed % 2 else ()
    fill(db, "s.t", before)
    db.execute(f"CREATE OR REPLACE TEMP TABLE {maintain.NEW} (k BIGINT, v VARCHAR, made BIGINT)")
    fill(db, maintain.NEW, after)
    db.execute(f"CREATE TEMP TABLE {maintain.OLD} AS SELECT rowid AS {maintain.ROW}, * FROM s.t")
    db.execute(maintain.pairs(maintain.OLD, COLUMNS, stamps, ("K",)))
    images = maintain.paired(COLUMNS)
    width = 3 - len(stamps)
    left = Counter(row[:width] for row in before) - Counter(row[:width] for row in after)
    entered = Counter(row[:width] for row in after) - Counter(row[:width] for row in before)
    assert db.execute(maintain.PAIRED).fetchall() == [(left.total(), entered.total())]
    assert Counter(row[1 : width + 1] for row in db.execute(f"FROM {images.gone}").fetchall()) == left
    assert Counter(row[:width] for row in db.execute(f"FROM {images.came}").fetchall()) == entered
    assert db.execute(maintain.delete(T, images.gone)).fetchall() == [(left.total(),)]
    assert db.execute(maintain.insert(T, ["k", "v", "made"], images.came)).fetchall() == [(entered.total(),)]
    kept = Counter(row[:width] for row in before) & Counter(row[:width] for row in after)
    expected = Counter(row for row in before if row[:width] in kept) + Counter(
        row for row in after if row[:width] in entered
    )
    assert counted(db, "FROM s.t") == expected
