"""What a unit test makes of changes must be what runs make of files: the same versions, the same maintained tables."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock import Project
from penstock.domain.encode import plain

EXAMPLES = examples(4)
SOURCE = """
tables:
  orders: {path: orders.csv, extract: full, key: id, columns: {id: bigint, amount: bigint}}
"""
MODELS = {
    "versions": "SELECT id, region, amount, processing_ts, valid_from, valid_to, is_current FROM raw.orders_history",
    "totals": "SELECT region, sum(amount) AS total, count(*) AS n FROM raw.orders GROUP BY ALL",
    "kept": "/*---\nmaterialization: history\nkey: region\n---*/\nSELECT region, max(amount) AS most FROM raw.orders "
    "WHERE region IS NOT NULL GROUP BY ALL",
    "grown": "/*---\nmaterialization: append\nkey: id\n---*/\nSELECT id, amount FROM raw.orders",
}
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
ROW = st.tuples(st.sampled_from(["north", "south", None]), st.one_of(st.none(), st.integers(-2, 2)))
STATE = st.dictionaries(st.integers(1, 4), ROW, max_size=4)


def day(number: int) -> datetime:
    return FIRST + timedelta(days=number)


def shown(rows: Any) -> str:
    """Rows as YAML: JSON is YAML."""
    return json.dumps([plain(row) for row in rows])


def given_rows(state: Mapping[int, tuple[Any, Any]]) -> list[dict[str, Any]]:
    return [{"id": key, "region": region, "amount": amount} for key, (region, amount) in state.items()]


def as_run(root: Path, states: list[dict[int, tuple[Any, Any]]]) -> list[dict[str, list[dict[str, Any]]]]:
    """The rows of every model after each run, one for each state of the file."""
    found = []
    for number, state in enumerate(states):
        lines = [
            f"{key},{region or ''},{'' if amount is None else amount}\n" for key, (region, amount) in state.items()
        ]
        (root / "orders.csv").write_text("id,region,amount\n" + "".join(lines))
        report = Project(root).run(now=day(number))
        assert report.exit_code == 0, report
        rows = {}
        for name in MODELS:
            result = Project(root).query(f"FROM stg.{name}")
            names = [column.name for column in result.columns]
            rows[name] = [dict(zip(names, row, strict=True)) for row in result.rows]
        found.append(rows)
    return found


def as_test(states: list[dict[int, tuple[Any, Any]]], found: list[dict[str, list[dict[str, Any]]]]) -> str:
    """One test of each model: the same states, as changes; what the runs gave, as what is expected."""
    lines = ["tests:"]
    for name in MODELS:
        lines += [f"  {name}:", f"    model: stg.{name}", f"    now: {day(0).isoformat()}"]
        lines += [f"    given: {{raw.orders: {shown(given_rows(states[0]))}}}"]
        lines += [f"    expect: {shown(found[0][name])}", "    steps:"]
        for number in range(1, len(states)):
            before, after = states[number - 1], states[number]
            gone = [{"id": key} for key in before if key not in after]
            changed = given_rows({key: row for key, row in after.items() if key in before and before[key] != row})
            new = given_rows({key: row for key, row in after.items() if key not in before})
            lines += [f"      - now: {day(number).isoformat()}"]
            for what, rows in (("delete", gone), ("update", changed), ("insert", new)):
                lines += [f"        {what}: {{raw.orders: {shown(rows)}}}"] * bool(rows)
            lines += [f"        expect: {shown(found[number][name])}"]
    return "\n".join(lines) + "\n"


@settings(max_examples=EXAMPLES, deadline=None)
@given(states=st.lists(STATE.filter(bool), min_size=3, max_size=3))
def test_steps_do_what_runs_do(states: list[dict[int, tuple[Any, Any]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path in ("sources", "models/stg", "tests"):
            (root / path).mkdir(parents=True)
        (root / "penstock.yml").write_text("name: it\n")
        (root / "sources/s.yml").write_text(SOURCE)
        for name, sql in MODELS.items():
            (root / f"models/stg/{name}.sql").write_text(sql)
        text = as_test(states, as_run(root, states))
        (root / "tests/a.yml").write_text(text)
        report = Project(root).test(threads=1)
        assert report.exit_code == 0, (text, [each for each in report.results if each.mismatches])
        assert len(report.results) == len(MODELS)
