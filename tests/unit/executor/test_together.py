"""Several steps in one transaction: numbers that follow each other whatever others do meanwhile, and nothing of it
when one fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from penstock import registry
from penstock.domain.relation import Column, RelationName
from penstock.errors import InternalError
from penstock.executor import ledger as ledgers
from penstock.executor.catalogue import Catalogue
from penstock.executor.ledger import Committer, Entry
from penstock.executor.together import GroupCommitter, together
from penstock.ports import WarehouseOptions

NOW = datetime(2026, 11, 21, tzinfo=UTC)
A, B, C, OTHER = (RelationName("serv", name) for name in ("a", "b", "c", "other"))
TABLES = {"changes": A, "quarantine": B}


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Any]:
    with closing(registry.engine("duckdb").open(WarehouseOptions(home=tmp_path))) as opened:
        session = opened.session()
        ledgers.prepare(session, "dev", ("serv",))
        for kind, relation in TABLES.items():
            session.execute(f'CREATE TABLE _penstock."{kind}_{relation}" (x BIGINT, _penstock_commit BIGINT)')
        session.execute(f'CREATE TABLE _penstock."changes_x_{A}" (x BIGINT, _penstock_commit BIGINT)')
        yield opened


def begin(warehouse: Any) -> Committer:
    return Committer(warehouse, "run", ledgers.read(warehouse.session()), lambda: NOW, "abc")


def commit(session: Any, committer: Committer, relation: RelationName, **inputs: int) -> int:
    with committer.transaction(session) as transaction:
        for kind, each in TABLES.items():
            if each == relation:
                session.execute(f'INSERT INTO _penstock."{kind}_{relation}" VALUES (1, ?)', (transaction.take(),))
        seen = {RelationName("serv", name): number for name, number in inputs.items()}
        return transaction.commit(Entry(relation, f"build:{relation}", "f", 1, seen))


def numbers(warehouse: Any) -> dict[str, Any]:
    """Everything in the ledger that is a commit's number, by relation."""
    session = warehouse.session()

    def rows(sql: str) -> list[tuple[Any, ...]]:
        return sorted(session.query(sql).rows)

    return {
        "commits": rows("SELECT number, relation FROM _penstock.commits"),
        "applied": rows("SELECT model, input, number FROM _penstock.applied"),
        "logs": rows("SELECT relation, since FROM _penstock.logs"),
        "changes": rows('SELECT _penstock_commit FROM _penstock."changes_serv.a"'),
        "quarantine": rows('SELECT _penstock_commit FROM _penstock."quarantine_serv.b"'),
    }


def three(warehouse: Any, committer: Committer, between: Any = lambda: None) -> GroupCommitter:
    """A, B that has seen A, C that has seen both; `between` happens while the transaction is open."""
    session = warehouse.session()
    with together(committer, session) as inner:
        a = commit(session, inner, A)
        between()
        b = commit(session, inner, B, a=a)
        commit(session, inner, C, a=a, b=b)
        assert committer.numbers.keys().isdisjoint({A, B, C}), "others see what is not committed"
    return inner


def test_each_has_a_number_and_they_are_known_when_all_are_committed(warehouse: Any) -> None:
    committer = begin(warehouse)
    commit(warehouse.session(), committer, OTHER)
    inner = three(warehouse, committer)
    assert (inner.moved, committer.last) == (0, 4)
    assert committer.numbers == {OTHER: 1, A: 2, B: 3, C: 4}
    found = numbers(warehouse)
    assert found["commits"] == [(1, "serv.other"), (2, "serv.a"), (3, "serv.b"), (4, "serv.c")]
    assert found["applied"] == [("serv.b", "serv.a", 2), ("serv.c", "serv.a", 2), ("serv.c", "serv.b", 3)]


@pytest.mark.parametrize("others", [1, 5])
def test_others_that_commit_meanwhile_come_first(warehouse: Any, others: int) -> None:
    """Wherever a number was written, it is moved on; numbers of others are not touched."""
    committer = begin(warehouse)
    session = warehouse.session()
    warehouse.session().execute(f'INSERT INTO _penstock."changes_x_{A}" VALUES (1, 99)')

    def between() -> None:
        for _ in range(others):
            commit(session, committer, OTHER, c=12)

    inner = three(warehouse, committer, between)
    assert inner.moved == others
    assert committer.numbers == {OTHER: others, A: others + 1, B: others + 2, C: others + 3}
    assert committer.last == others + 3
    found = numbers(warehouse)
    assert [number for number, _ in found["commits"]] == list(range(1, others + 4))
    assert found["commits"][-3:] == [(others + 1, "serv.a"), (others + 2, "serv.b"), (others + 3, "serv.c")]
    assert sorted(set(found["applied"])) == [
        ("serv.b", "serv.a", others + 1), ("serv.c", "serv.a", others + 1), ("serv.c", "serv.b", others + 2),
        ("serv.other", "serv.c", 12),
    ]  # fmt: skip
    assert dict(found["logs"]) == {
        "serv.a": others + 1, "serv.b": others + 2, "serv.c": others + 3, "serv.other": others,
    }  # fmt: skip
    assert found["quarantine"] == [(others + 2,)]
    assert warehouse.session().query(f'SELECT _penstock_commit FROM _penstock."changes_x_{A}"').rows == ((99,),)


def test_a_failure_leaves_nothing_and_no_gap(warehouse: Any) -> None:
    committer = begin(warehouse)
    before = numbers(warehouse)
    session = warehouse.session()
    with pytest.raises(ValueError, match="no"), together(committer, session) as inner:
        commit(session, inner, A)
        raise ValueError("no")
    assert numbers(warehouse) == before
    assert (committer.last, committer.numbers) == (0, {})
    assert commit(session, committer, A) == 1


def test_nobody_goes_on_in_a_transaction_that_failed(warehouse: Any) -> None:
    session = warehouse.session()
    with pytest.raises(InternalError), together(begin(warehouse), session) as inner:
        with pytest.raises(ValueError, match="no"), inner.transaction(session):
            raise ValueError("no")
        commit(session, inner, A)


def test_one_that_commits_nothing_takes_no_number(warehouse: Any) -> None:
    committer = begin(warehouse)
    session = warehouse.session()
    with together(committer, session) as inner, inner.transaction(session):
        ledgers.applied(session, A, {B: 7})
    assert committer.last == 0
    assert numbers(warehouse)["applied"] == [("serv.a", "serv.b", 7)]


def test_a_definition_is_taken_over_by_the_commit_that_is_not_written_yet(warehouse: Any) -> None:
    committer = begin(warehouse)
    session = warehouse.session()
    commit(session, committer, A)
    with together(committer, session) as inner:
        commit(session, inner, B)
        inner.adopt(session, B, "new of b")
        inner.adopt(session, A, "new of a")
    found = session.query("SELECT relation, fingerprint FROM _penstock.commits ORDER BY number").rows
    assert found == (("serv.a", "new of a"), ("serv.b", "new of b"))


def test_what_is_seen_inside_is_known_outside_when_it_has_committed(warehouse: Any) -> None:
    session, known = warehouse.session(), Catalogue()
    session.execute("CREATE TABLE serv.a AS SELECT 1 AS x")
    assert known.columns(session, A) == (Column("x", "INTEGER"),)
    inner = known.beside()
    with session.transaction():
        session.execute("CREATE OR REPLACE TABLE serv.a AS SELECT 1 AS x, 2 AS y")
        inner.changed(A)
        assert [column.name for column in inner.columns(session, A) or ()] == ["x", "y"]
        assert [column.name for column in known.columns(session, A) or ()] == ["x"]
    known.join(inner)
    assert [column.name for column in known.columns(session, A) or ()] == ["x", "y"]
