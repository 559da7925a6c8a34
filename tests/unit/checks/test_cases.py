"""Hundreds of small cases: a check, a table, and how many of its rows fail (or pass, warn, fail with some words).

In `cases/*.yml` each group has a check, the table's columns with their types, and the rows as SQL values: of one column
`1, NULL`, of several `(1, 'x'), (2, NULL)`. It is 06:00 on 21 November 2026, UTC, a Saturday.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.checks.compile import failing
from penstock.checks.kind import Subject, TableKind
from penstock.domain.check_result import CheckOutcome
from penstock.domain.relation import RelationName
from penstock.engines.duckdb.engine import PLUGIN
from penstock.executor.checking import Checkable, evaluate
from penstock.ports import Session, WarehouseOptions
from penstock.project.checks import checks
from penstock.project.problems import Problems
from penstock.project.yaml import read

NOW = datetime(2026, 11, 21, 6)
FOLDER = Path(__file__).parent / "cases"
OTHERS = (
    "CREATE TABLE stg.ids (id BIGINT, code VARCHAR, amount DECIMAL(18,2), ratio DOUBLE)",
    "INSERT INTO stg.ids VALUES (1, 'a', 10.50, 0.1), (2, 'b', 0.25, 0.2), (2, 'B', NULL, NULL), "
    "(NULL, 'ä', -0.75, 0.3)",
    "CREATE TABLE stg.nothing (id BIGINT, amount DOUBLE)",
    "CREATE TABLE stg.floats (x DOUBLE, f FLOAT)",
    "INSERT INTO stg.floats VALUES ('nan'::DOUBLE, 'nan'::FLOAT), (0.0, 1.5), ('inf'::DOUBLE, '-inf'::FLOAT)",
)


def cases() -> Iterator[Any]:
    for path in sorted(FOLDER.glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8")):
            for number, (rows, wanted) in enumerate(group["cases"].items()):
                name = f"{path.stem}: {group['check']} of {group['of']}: {rows}"[:150]
                yield pytest.param(group, rows or "", wanted, id=f"{name} #{number}")


CASES = list(cases())


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with closing(PLUGIN.open(WarehouseOptions(home=tmp_path_factory.mktemp("home")))) as warehouse:
        made = warehouse.session()
        made.execute("CREATE SCHEMA stg")
        for sql in OTHERS:
            made.execute(sql)
        yield made


def table(of: str, rows: str) -> str:
    """A FROM item of the columns `a INTEGER, b VARCHAR`."""
    columns = [part.strip().split(" ", 1) for part in of.split("; ")]
    named = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in columns)
    names = ", ".join(name for name, _ in columns)
    if not rows:
        nulls = ", ".join(["NULL"] * len(columns))
        return f"(SELECT {named} FROM (VALUES ({nulls})) AS v({names}) WHERE false)"
    values = rows if len(columns) > 1 else ", ".join(f"(CAST({value} AS {columns[0][1]}))" for value in split(rows))
    return f"(SELECT {named} FROM (VALUES {values}) AS v({names}))"


def split(rows: str) -> list[str]:
    """At the commas that are in no quotes and no brackets."""
    parts, depth, quoted = [""], 0, False
    for char in rows:
        quoted ^= char == "'"
        depth += (char in "([{") - (char in ")]}") if not quoted else 0
        if char == "," and not quoted and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts


@pytest.mark.parametrize(("group", "rows", "wanted"), CASES)
def test_a_case(session: Session, group: dict[str, Any], rows: str, wanted: int | str) -> None:
    problems = Problems()
    document = read(f"checks:\n- {group['check']}\n", "case.yml")
    [check] = checks(document.value["checks"], document, ("checks",), problems)
    assert not len(problems), list(problems.sorted())
    of = table(group["of"], rows)
    past = [{**figures, "at": NOW} for figures in group.get("past", ())]
    columns = session.describe(f"SELECT * FROM {of}")
    subject = Subject(RelationName("stg", "t"), of, of, columns, NOW, {check.name: past})
    [result] = evaluate(session, Checkable(subject.relation, (check,), (), ()), subject, {}, Path())
    if isinstance(wanted, int):
        assert result.failing == wanted, result
        assert (result.outcome is CheckOutcome.PASSED) is (wanted == 0 or not check.tolerance.is_none)
        assert bool(result.samples) is (result.outcome is not CheckOutcome.PASSED)
        found = session.query(f"SELECT count(*) FROM ({failing(check, subject)})").rows[0][0]
        assert found == wanted or check.kind == "unique", "the rows that are shown are those that are counted"
    else:
        verdict, _, words = wanted.partition(": ")
        assert str(result.outcome).startswith(verdict), result
        assert words in result.message


def test_there_are_hundreds_of_every_sort() -> None:
    assert len(CASES) > 500
    from penstock.project.check_schema import kinds

    groups = [case.values[0]["check"] for case in CASES]
    for name, kind in kinds().items():
        least = 5 if isinstance(kind, TableKind) else 8
        assert sum(str(each).startswith(name) for each in groups) >= least, name
