"""The ledger: what commits with the data, or not at all."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from penstock.domain.relation import RelationName
from penstock.engines.duckdb.engine import PLUGIN
from penstock.errors import DriverError, PenstockError, StateError
from penstock.executor import ledger as ledgers
from penstock.executor.ledger import Committer, Entry
from penstock.ports import WarehouseOptions

A, B = RelationName("stg", "a"), RelationName("stg", "b")


def entry(relation: RelationName = A, **more: Any) -> Entry:
    return Entry(**{"relation": relation, "step": "build", "fingerprint": "f", "rows": 1, "inputs": {}, **more})


def committer(house: Any) -> Committer:
    return house.work("run").committer  # type: ignore[no-any-return]


def test_data_and_row_commit_together(house: Any) -> None:
    one = committer(house)
    with one.transaction(house.session) as transaction:
        house.session.execute("CREATE TABLE stg.a AS SELECT 1 AS n")
        assert transaction.commit(entry(inputs={B: 7})) == 1
    found = ledgers.read(house.session)
    assert found.commits[A].number == found.last == one.last == one.numbers[A] == 1
    assert (found.commits[A].run, found.commits[A].fingerprint, found.commits[A].rows) == ("run", "f", 1)
    assert found.applied == {A: {B: 7}}
    assert found.existing[A] == "table"


def test_what_raises_commits_neither(house: Any) -> None:
    one = committer(house)
    with pytest.raises(ZeroDivisionError), one.transaction(house.session) as transaction:
        house.session.execute("CREATE TABLE stg.a AS SELECT 1 AS n")
        transaction.commit(entry())
        raise ZeroDivisionError
    found = ledgers.read(house.session)
    assert found.commits == {}
    assert A not in found.existing
    assert one.last == 0
    with one.transaction(house.session) as transaction:
        assert transaction.commit(entry()) == 1, "the number has been used up"


def test_a_transaction_that_changed_nothing_has_no_number(house: Any) -> None:
    one = committer(house)
    with one.transaction(house.session):
        pass
    assert one.last == 0
    assert ledgers.read(house.session).commits == {}


def test_only_the_last_commit_of_each_relation_is_read(house: Any) -> None:
    one = committer(house)
    for relation, inputs in ((A, {B: 1}), (B, {}), (A, {B: 2})):
        with one.transaction(house.session) as transaction:
            transaction.commit(entry(relation, inputs=inputs, rows=one.last))
        one = committer(house)
    found = ledgers.read(house.session)
    assert {str(name): commit.number for name, commit in found.commits.items()} == {"stg.a": 3, "stg.b": 2}
    assert found.applied == {A: {B: 2}}, "an older position has stayed"


def test_numbers_have_no_gaps_whatever_commits_at_once(house: Any) -> None:
    one, errors = committer(house), []
    start = threading.Barrier(6, timeout=60)

    def work(thread: int) -> None:
        session = house.warehouse.session()
        session.execute(f"CREATE TABLE stg.t{thread} (n INTEGER)")
        start.wait()
        for number in range(8):
            try:
                with one.transaction(session) as transaction:
                    session.execute(f"INSERT INTO stg.t{thread} VALUES ({number})")
                    if number % 4 == 3:
                        raise ZeroDivisionError
                    transaction.commit(entry(RelationName("stg", f"t{thread}")))
            except ZeroDivisionError:
                pass
            except PenstockError as error:
                errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    numbers = [row[0] for row in house.rows("SELECT number FROM _penstock.commits")]
    assert sorted(numbers) == list(range(1, 37))
    assert one.last == 36
    for thread in range(6):
        assert house.rows(f"SELECT count(*) FROM stg.t{thread}") == [(6,)]


class Unsure:
    """A session whose COMMIT goes through, or not, and then says that nobody knows."""

    def __init__(self, session: Any, happened: bool, cause: PenstockError | None = None) -> None:
        self._session, self._happened, self._cause = session, happened, cause

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def transaction(self) -> Any:
        @contextmanager
        def unsure() -> Any:
            try:
                with self._session.transaction():
                    yield
                    if not self._happened:
                        raise InterruptedError
            except InterruptedError:
                pass
            raise DriverError("nobody knows", code="COMMIT_UNKNOWN", transient=True) from self._cause

        return unsure()


def test_a_commit_that_failed_and_happened_has_happened(house: Any) -> None:
    one = committer(house)
    with one.transaction(Unsure(house.session, happened=True)) as transaction:  # type: ignore[arg-type]
        house.session.execute("CREATE TABLE stg.a AS SELECT 1 AS n")
        transaction.commit(entry())
    assert one.last == 1
    assert ledgers.read(house.session).commits[A].number == 1


def test_a_commit_that_failed_and_did_not_happen_is_told_by_its_cause(house: Any) -> None:
    one = committer(house)
    full = DriverError("the disk is full", code="DISK_FULL", transient=True)
    session: Any = Unsure(house.session, happened=False, cause=full)
    with pytest.raises(DriverError) as caught, one.transaction(session) as transaction:
        house.session.execute("CREATE TABLE stg.a AS SELECT 1 AS n")
        transaction.commit(entry())
    assert caught.value is full
    assert one.last == 0
    assert A not in ledgers.read(house.session).existing
    with pytest.raises(DriverError) as caught, one.transaction(Unsure(house.session, happened=False)) as transaction:  # type: ignore[arg-type]
        transaction.commit(entry())
    assert caught.value.code == "COMMIT_UNKNOWN"


def test_a_warehouse_of_another_environment(house: Any) -> None:
    with pytest.raises(StateError) as caught:
        ledgers.prepare(house.session, "prod", ("raw",))
    assert caught.value.code == "WRONG_ENVIRONMENT"
    assert "'prod'" in str(caught.value)
    assert "'dev'" in str(caught.value)


def test_a_ledger_of_a_newer_version(house: Any) -> None:
    house.session.execute("UPDATE _penstock.meta SET value = '999' WHERE key = 'version'")
    with pytest.raises(StateError) as caught:
        ledgers.prepare(house.session, "dev", ("raw",))
    assert caught.value.code == "LEDGER_VERSION"


def test_preparing_again_keeps_everything_and_adds_layers(house: Any) -> None:
    one = committer(house)
    with one.transaction(house.session) as transaction:
        transaction.commit(entry())
    ledgers.prepare(house.session, "dev", ("raw", "stg", "serv", "new"))
    house.session.execute("CREATE TABLE new.t AS SELECT 1 AS n")
    assert ledgers.read(house.session).commits[A].number == 1


def test_an_empty_ledger_can_be_read(options: WarehouseOptions) -> None:
    fresh = replace(options, home=options.home / "fresh")
    with closing(PLUGIN.open(fresh)) as warehouse:
        session = warehouse.session()
        ledgers.prepare(session, "dev", ("raw",))
        found = ledgers.read(session)
    assert (found.commits, found.applied, found.loaded, found.last, found.exported) == ({}, {}, {}, 0, {})
