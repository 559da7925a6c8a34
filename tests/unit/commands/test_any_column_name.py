"""Columns of any name with fields of any name: in a subquery `n.id` is a field of the column n, if there is one."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from penstock import Project

LETTERS = "abcefghklmnopqstuv"
DAY = datetime(2026, 11, 20, 6, tzinfo=UTC)
ROWS: list[list[tuple[int, str, str]]] = [
    [(1, "x", "2026-01-01"), (2, "y", "2026-01-01"), (3, "z", "2026-01-01")],
    [(1, "x", "2026-01-01"), (2, "yy", "2026-01-02"), (4, "w", "2026-01-02")],
    [(1, "xx", "2026-01-03"), (2, "yy", "2026-01-02"), (3, "z", "2026-01-03")],
]
FRONT = {
    "kept": "materialization: merge\nkey: id\ndeletes: ignore",
    "merged": "materialization: merge\nkey: id\ndeletes: remove",
    "added": "materialization: append\nkey: id",
    "seen": "materialization: history\nkey: id",
    "dated": "materialization: history\nkey: id\nhistory: {by: updated_at, column: at_}",
    "held": "key: id\nchecks: [{accepted_values: {column: v, values: [x, xx, y, yy], on_fail: quarantine}}]",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for folder in ("sources", "inbox", "models/stg"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "penstock.yml").write_text("name: names\n")
    (tmp_path / "sources/s.yml").write_text(
        "root: inbox\ntables:\n  t: {path: t.parquet, extract: full, key: id}\n"
        "  late: {path: t.parquet, extract: full, key: id, effective: at_}\n"
    )
    for name, front in FRONT.items():
        (tmp_path / f"models/stg/{name}.sql").write_text(
            f"/*---\n{front}\n---*/\nSELECT * EXCLUDE (processing_ts) FROM raw.t\n"
        )
    return Project(tmp_path)


def send(project: Project, day: int) -> None:
    structs = ", ".join(f"{{'id': 99, 'v': 'other'}} AS {letter}" for letter in LETTERS)
    values = ", ".join(f"({key}, '{value}', TIMESTAMP '{at}')" for key, value, at in ROWS[day])
    with closing(duckdb.connect()) as made:
        rows = f"SELECT *, {structs} FROM (VALUES {values}) AS rows(id, v, at_)"
        made.execute(f"COPY ({rows}) TO '{project.where}/inbox/t.parquet'")


def test_columns_may_be_named_as_they_like(project: Project) -> None:
    for day in range(len(ROWS)):
        send(project, day)
        report = project.run(now=DAY + timedelta(days=day))
        assert report.exit_code == 0, [step.problems for step in report.steps if step.problems]

    def rows(sql: str) -> list[tuple[object, ...]]:
        return sorted(tuple(row) for row in project.query(sql).rows)

    last = [(1, "xx"), (2, "yy"), (3, "z")]
    assert rows("SELECT id, v FROM raw.t") == last
    assert rows("SELECT id, v FROM raw.late") == last
    assert rows("SELECT id, v FROM stg.merged") == last
    assert rows("SELECT id, v FROM stg.kept") == [*last, (4, "w")]
    assert rows("SELECT id, v FROM stg.added") == [*last, (4, "w")]
    versions = [(1, "x", False), (1, "xx", True), (2, "y", False), (2, "yy", True), (4, "w", False)]
    assert rows("SELECT id, v, is_current FROM raw.t_history WHERE id <> 3") == versions
    for history in ("seen", "dated"):
        assert rows(f"SELECT id, v, is_current FROM stg.{history} WHERE id <> 3") == versions
        assert rows(f"SELECT v, is_current FROM stg.{history} WHERE id = 3") == [("z", False), ("z", True)]
    assert rows("SELECT id, v FROM stg.held") == [(1, "xx"), (2, "yy")]
    assert [row.payload["id"] for row in project.quarantine_show("stg.held")] == [3]
    assert all(found.verdict == "right" for found in project.verify().relations)
