"""However many checks there are, the table is read once; and where only some rows came, these alone are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from penstock.checks.kind import Subject
from penstock.domain.check_result import CheckOutcome
from penstock.domain.relation import RelationName
from penstock.domain.rows import Rows
from penstock.engines.duckdb.engine import PLUGIN
from penstock.executor.checking import Checkable, evaluate
from penstock.ports import Session, WarehouseOptions
from penstock.project.checks import checks
from penstock.project.problems import Problems
from penstock.project.yaml import read

OF_ROWS = [
    "not_null: [id, code, amount, at]",
    "accepted_values: {column: code, values: [a, b, c]}",
    "range: {column: amount, min: 0, max: 100}",
    "positive: {columns: [id, amount], zero: true}",
    "regex: {column: code, pattern: '[a-c]'}",
    "length: {column: code, equals: 1}",
    "type: {column: code, is: varchar}",
    "format: {column: id, is: integer}",
    "expression: amount <= id",
]
TOGETHER = [
    "unique: id",
    "unique: [id, code]",
    "relationships: {column: code, to: stg.codes}",
    "relationships: {columns: [id, code], to: stg.other}",
]
OF_THE_TABLE = [
    "row_count: {min: 1, same_as: stg.other}",
    "freshness: {column: at, error_after: 10000 days}",
    "recency: {column: at, within: 10000 days}",
    "completeness: {column: at}",
    "reconciliation: {column: amount, with: stg.other}",
    "null_rate: {columns: [id, code], max: 1%}",
    "distinct_count: {column: code, equals: 3}",
    "mean_drift: {column: amount, max: 5%}",
    "quantile_drift: {column: amount, max: 5%}",
    "anomaly: {}",
    "anomaly: {column: amount, measure: sum}",
]


class Watched:
    """A session that notes which tables each statement reads, by the engine's own plan."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.scans: list[list[str]] = []

    def query(self, sql: str, values: Sequence[Any] = (), limit: int | None = None) -> Rows:
        plan = json.loads(self.session.query(f"EXPLAIN (FORMAT json) {sql}").rows[0][1])
        self.scans.append(sorted(scans(plan)))
        return self.session.query(sql, values, limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)


def scans(plan: Any) -> Iterator[str]:
    for node in plan:
        if "SCAN" in node["name"] and "Table" in node["extra_info"]:
            yield str(node["extra_info"]["Table"]).rpartition(".")[2]
        yield from scans(node["children"])


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with closing(PLUGIN.open(WarehouseOptions(home=tmp_path_factory.mktemp("home")))) as warehouse:
        made = warehouse.session()
        made.execute("CREATE SCHEMA stg")
        made.execute(
            "CREATE TABLE stg.t AS SELECT i AS id, ['a', 'b', 'c'][1 + i % 3] AS code, "
            "(i / 10)::DECIMAL(12, 2) AS amount, DATE '2026-01-01' + (i // 100)::INTEGER AS at FROM range(1000) AS r(i)"
        )
        made.execute("CREATE TABLE stg.other AS SELECT * FROM stg.t")
        made.execute("CREATE TABLE stg.came AS SELECT * FROM stg.t WHERE id >= 990")
        made.execute("CREATE TABLE stg.codes AS SELECT DISTINCT code FROM stg.t")
        yield made


def evaluated(session: Session, entries: Sequence[str], rows: str = "stg.t") -> Watched:
    document = read("checks:\n" + "".join(f"- {entry}\n" for entry in entries), "m.yml")
    problems = Problems()
    declared = checks(document.value["checks"], document, ("checks",), problems)
    assert not len(problems), list(problems.sorted())
    columns = session.describe("FROM stg.t")
    subject = Subject(RelationName("stg", "t"), rows, "stg.t", columns, datetime(2026, 11, 21))
    watched = Watched(session)
    results = evaluate(watched, Checkable(subject.relation, declared, ("id",), ()), subject, {}, Path())
    assert [each for each in results if each.outcome is not CheckOutcome.PASSED] == []
    return watched


def test_thirty_checks_read_the_table_once(session: Session) -> None:
    watched = evaluated(session, [*OF_ROWS, *TOGETHER, *OF_THE_TABLE])
    assert [each.count("t") for each in watched.scans if "t" in each] == [1]
    assert len(watched.scans) == 2, "and one statement for each other relation that is counted"


def test_of_rows_that_came_only_these_are_read(session: Session) -> None:
    watched = evaluated(session, [*OF_ROWS, *TOGETHER[2:]], rows="stg.came")
    assert [each.count("came") for each in watched.scans] == [1]
    assert all("t" not in each for each in watched.scans)


def test_rows_that_came_are_unique_among_all(session: Session) -> None:
    watched = evaluated(session, [*OF_ROWS, "unique: id"], rows="stg.came")
    assert [(each.count("came"), each.count("t")) for each in watched.scans] == [(1, 0), (1, 1)]
