"""Text that hardly repeats is stored in another way than other text; nobody may notice but by the time it takes."""

from __future__ import annotations

from pathlib import Path

import duckdb

from penstock import Project

ROWS = 6_000
SOURCE = """
root: inbox
tables:
  events:
    path: events_*.csv
    extract: incremental
    key: id
    columns: {id: bigint, amount: integer}
"""


def test_mostly_unique_text_loads_exactly(tmp_path: Path) -> None:
    for folder in ("sources", "inbox"):
        (tmp_path / folder).mkdir()
    (tmp_path / "penstock.yml").write_text("name: dense\n")
    (tmp_path / "sources/s.yml").write_text(SOURCE)
    good = [(number, f"n° {number * 7919}", "few", number % 5) for number in range(ROWS)]
    lines = "".join(f'{i},"{token}",{kind},{amount}\n' for i, token, kind, amount in good)
    bad = f"{ROWS},broken,few,many\n"
    (tmp_path / "inbox/events_1.csv").write_text(f"id,token,kind,amount\n{lines}{bad}")
    project = Project(tmp_path)
    assert project.run().exit_code == 0
    (tmp_path / "inbox/events_2.csv").write_text("id,token,kind,amount\n3,007,few,\n-1,,rare,4\n")
    assert project.run().exit_code == 0

    expected = [(-1, None, "rare", 4), *good[:3], (3, "007", "few", None), *good[4:]]
    assert list(project.query("SELECT id, token, kind, amount FROM raw.events ORDER BY id").rows) == expected
    assert project.query("SELECT count(*) FROM _penstock.quarantine").rows[0][0] == 1
    described = {row[0]: row[1] for row in project.query("DESCRIBE raw.events_history").rows}
    assert described == {
        "id": "BIGINT", "token": "VARCHAR", "kind": "VARCHAR", "amount": "INTEGER", "processing_ts": "TIMESTAMP",
        "valid_from": "TIMESTAMP", "valid_to": "TIMESTAMP", "is_current": "BOOLEAN", "_batch": "VARCHAR",
    }  # fmt: skip
    assert compressions(tmp_path / "data/dev/warehouse.duckdb") == {"token"}


def compressions(warehouse: Path) -> set[str]:
    """The columns that are stored with zstd."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return {
            row[0]
            for row in connection.execute(
                "SELECT DISTINCT column_name FROM pragma_storage_info('raw.events_history') WHERE compression = 'ZSTD'"
            ).fetchall()
        }
