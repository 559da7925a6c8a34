"""What came of checks, in the state store: the last result of each as a whole, of those before what a trend needs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from penstock.domain.check_result import CheckResult

REMEMBERED = 400
"""Results of one check that are kept: more than a year of days."""


def write(connection: sqlite3.Connection, run: str, result: CheckResult, evaluated: str) -> None:
    """Put the last result of a check. Of one run there is one: it takes the place of an earlier one of that run."""
    from penstock.domain.encode import plain

    figures = json.dumps(plain(result.values), ensure_ascii=False) if result.values else None
    samples = json.dumps(plain(result.samples), ensure_ascii=False) if result.samples else None
    name = (str(result.relation), result.name)
    connection.execute(
        _LAST,
        (
            *name, result.kind, result.dimension, result.on_fail, result.outcome, result.scope, result.rows,
            result.failing, result.message, str(result.location), figures, samples, run, evaluated,
        ),
    )  # fmt: skip
    (number,) = connection.execute("SELECT id FROM checks WHERE relation = ? AND name = ?", name).fetchone()
    connection.execute(
        "INSERT OR REPLACE INTO check_results VALUES (?, ?, ?, ?, ?, ?, ?)",
        (number, run, evaluated, result.outcome, result.rows, result.failing, figures),
    )
    connection.execute(_FORGET, (number, number, REMEMBERED - 1))


def read(connection: sqlite3.Connection, points: int) -> Sequence[dict[str, Any]]:
    """The last result of each check, in the order of their names; under `points` the last ones, the oldest first."""
    history: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(_POINTS, (points,)):
        number, run, evaluated, outcome, rows, failing = row
        point = {"run": run, "evaluated": evaluated, "outcome": outcome, "rows": rows, "failing": failing}
        history.setdefault(number, []).append(point)
    return [
        {
            **{name: row[name] for name in row.keys() if name != "id"},  # noqa: SIM118 - a Row is no mapping
            "figures": _decoded(row["figures"]) or {},
            "samples": _decoded(row["samples"]) or [],
            "points": history.get(row["id"], []),
        }
        for row in connection.execute("SELECT * FROM checks ORDER BY relation, name")
    ]


def _decoded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


_LAST = f"""
    INSERT INTO checks (relation, name, kind, dimension, on_fail, outcome, scope, rows, failing, message, location,
        figures, samples, run, evaluated) VALUES ({", ".join("?" * 15)})
    ON CONFLICT (relation, name) DO UPDATE SET kind = excluded.kind, dimension = excluded.dimension,
        on_fail = excluded.on_fail, outcome = excluded.outcome, scope = excluded.scope, rows = excluded.rows,
        failing = excluded.failing, message = excluded.message, location = excluded.location,
        figures = excluded.figures, samples = excluded.samples, run = excluded.run, evaluated = excluded.evaluated
"""
_FORGET = """
    DELETE FROM check_results WHERE check_id = ? AND evaluated < (
        SELECT evaluated FROM check_results WHERE check_id = ? ORDER BY evaluated DESC LIMIT 1 OFFSET ?
    )
"""
_POINTS = """
    SELECT check_id, run, evaluated, outcome, rows, failing FROM (
        SELECT *, row_number() OVER (PARTITION BY check_id ORDER BY evaluated DESC, run DESC) AS age FROM check_results
    ) WHERE age <= ? ORDER BY check_id, age DESC
"""
