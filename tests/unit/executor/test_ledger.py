"""The ledger: older ones are taken over, and logs begin where they say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from penstock import registry
from penstock.domain.relation import RelationName
from penstock.errors import StateError
from penstock.executor import ledger as ledgers
from penstock.executor.ledger import Committer, Entry
from penstock.executor.prune import prune
from penstock.ports import WarehouseOptions

NOW = datetime(2026, 11, 21, tzinfo=UTC)
A, B, M = RelationName("raw", "a"), RelationName("raw", "b"), RelationName("stg", "m")
FIRST = """
CREATE SCHEMA _penstock; CREATE SCHEMA raw;
CREATE TABLE _penstock.meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL);
INSERT INTO _penstock.meta VALUES ('version', '1'), ('environment', 'dev');
CREATE TABLE _penstock.commits (number BIGINT PRIMARY KEY, relation VARCHAR NOT NULL, run VARCHAR NOT NULL,
  step VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL, rows BIGINT, committed_at TIMESTAMP NOT NULL);
INSERT INTO _penstock.commits VALUES (1, 'raw.a', 'r', 's', 'f', 3, TIMESTAMP '2026-11-01');
CREATE TABLE _penstock.applied (model VARCHAR NOT NULL, input VARCHAR NOT NULL, number BIGINT NOT NULL);
CREATE TABLE _penstock.batches (batch VARCHAR PRIMARY KEY, relation VARCHAR NOT NULL, sha256 VARCHAR NOT NULL);
CREATE TABLE _penstock.exports (export VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL);
CREATE TABLE _penstock.quarantine (relation VARCHAR NOT NULL);
CREATE TABLE raw.a AS SELECT 1 AS x;
"""


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Any]:
    with closing(registry.engine("duckdb").open(WarehouseOptions(home=tmp_path))) as opened:
        yield opened


def commit(warehouse: Any, committer: Committer, relation: RelationName, changes: int | None, **more: Any) -> int:
    session = warehouse.session()
    with committer.transaction(session) as transaction:
        for place in range(changes or 0):
            session.execute(
                f'CREATE TABLE IF NOT EXISTS _penstock."changes_{relation}" '
                "(x INTEGER, _penstock_commit BIGINT, _penstock_sign TINYINT)"
            )
            values = (place, transaction.take(), 1)
            session.execute(f'INSERT INTO _penstock."changes_{relation}" VALUES (?, ?, ?)', values)
        return transaction.commit(Entry(relation, "step", "f", 1, more.pop("inputs", {}), changes, **more))


def begin(warehouse: Any, now: datetime = NOW) -> Committer:
    session = warehouse.session()
    ledgers.prepare(session, "dev", ("raw", "stg"))
    return Committer(warehouse, "run", ledgers.read(session), lambda: now, "abc")


def test_a_ledger_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute(FIRST)
    engine = registry.engine("duckdb")
    with closing(engine.open(WarehouseOptions(home=tmp_path, read_only=True))) as reading:
        ledger = ledgers.read(reading.session())
        assert (ledger.last, ledger.logs) == (1, {})
    with closing(engine.open(WarehouseOptions(home=tmp_path))) as opened:
        committer = begin(opened)
        commit(opened, committer, A, 2)
        session = opened.session()
        found = session.query("SELECT number, changes, revision FROM _penstock.commits ORDER BY 1").rows
        assert found == ((1, None, None), (2, 2, "abc"))
        assert ledgers.read(session).logs == {A: 1}, "what changed after the commit that was there is all in the log"
    with closing(engine.open(WarehouseOptions(home=tmp_path))) as again:
        assert ledgers.read(begin(again)._warehouse.session()).last == 2


def test_a_newer_ledger_is_refused(warehouse: Any) -> None:
    begin(warehouse)
    warehouse.session().execute("UPDATE _penstock.meta SET value = '99' WHERE key = 'version'")
    with pytest.raises(StateError) as caught:
        begin(warehouse)
    assert caught.value.code == "LEDGER_VERSION"


def test_a_log_begins_anew_where_it_does_not_reach_across_a_commit(warehouse: Any) -> None:
    committer = begin(warehouse)
    session = warehouse.session()
    assert commit(warehouse, committer, A, None) == 1
    assert commit(warehouse, committer, A, 2) == 2
    assert ledgers.read(session).logs == {A: 1}
    assert commit(warehouse, committer, A, None) == 3
    assert ledgers.read(session).logs == {A: 3}
    assert session.query("SELECT 1 FROM information_schema.tables WHERE table_name LIKE 'changes_%'").rows == ()
    commit(warehouse, committer, A, None, logged=False)
    assert ledgers.read(session).logs == {}


def test_a_transaction_that_takes_a_number_and_fails_gives_it_back(warehouse: Any) -> None:
    committer = begin(warehouse)
    with pytest.raises(ValueError, match="no"), committer.transaction(warehouse.session()) as transaction:
        assert transaction.take() == 1
        raise ValueError("no")
    assert commit(warehouse, committer, A, None) == 1


def test_changes_are_pruned_when_they_are_old_and_every_reader_has_applied_them(warehouse: Any) -> None:
    old = begin(warehouse, NOW - timedelta(days=9))
    commit(warehouse, old, A, None)
    commit(warehouse, old, B, None)
    commit(warehouse, old, A, 2)
    commit(warehouse, old, B, 1)
    warehouse.session().execute("CREATE TABLE stg.m AS SELECT 1 AS x")
    commit(warehouse, old, M, None, inputs={A: 3, B: 2})
    commit(warehouse, old, A, 3)
    new = begin(warehouse)
    commit(warehouse, new, A, 4)
    session = warehouse.session()
    week = NOW - timedelta(days=7)
    found = prune(session, ledgers.read(session), {A: [M], B: [M]}, week)
    assert found == {A: 3}, "the reader has not seen the second change of either"
    assert ledgers.read(session).logs == {A: 3, B: 2, M: 5}
    rows = 'SELECT _penstock_commit, count(*) FROM _penstock."changes_raw.a" GROUP BY 1 ORDER BY 1'
    assert session.query(rows).rows == ((6, 3), (7, 4))
    assert prune(session, ledgers.read(session), {}, week) == {A: 6, B: 4}, "nobody follows them"
    assert session.query(rows).rows == ((7, 4),)
    assert prune(session, ledgers.read(session), {}, week) == {}
