"""The first batch of a table is judged while it is stored. It ends as the same batch does behind one without rows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from penstock import Project
from penstock.domain.run import Status

SOURCE = """
root: inbox
tables:
  t:
    path: t_*.csv
    extract: {extract}
    files: each
    allow_empty: true{key}
    columns:
      "the id": {{type: bigint}}
      part: integer
      "CAST(price": {{type: "decimal(10,2)", required: true}}
      day: {{type: date, format: "%d/%m/%Y"}}
      code: varchar(5)
      flag: boolean
      weight: double
"""
HEADER = "the id,part,CAST(price,day,code,flag,weight,note"
KEYS = ["1", "2", "02", "1.9", " 3", "3", "x", "", "9223372036854775808", "-0", "0", "4", "5"]
PARTS = ["1", "1", "1", "2", ""]
PRICES = ["1", "1.50", "1.5", "1.555", "", "many", "-3.00"]
DAYS = ["01/02/2026", "31/02/2026", "", "1/2/26", "infinity"]
CODES = ["abc", "abcdef", "", "007"]
FLAGS = ["true", "yes", "", "FALSE"]
WEIGHTS = ["1e5", "0.1", "inf", "", "1_000"]


def rows(seed: int) -> list[str]:
    """Rows of which six in ten have no fault but a key that may stand twice."""
    draw = random.Random(seed)
    found = []
    for _ in range(60):
        every = (KEYS, PARTS, PRICES, DAYS, CODES, FLAGS, WEIGHTS, ["a", "b", ""])
        good = draw.random() < 0.6
        found.append(
            f"{draw.choice(KEYS)},{draw.choice(PARTS)},2,02/03/2026,abc,true,1,{draw.choice('ab')}"
            if good
            else ",".join(draw.choice(values) for values in every)
        )
    return found


def loaded(root: Path, key: str, batches: Sequence[Sequence[str]]) -> dict[str, list[tuple[object, ...]]]:
    """What is in the tables after the batches, a file each, without what tells when and with which file."""
    for folder in ("sources", "inbox"):
        (root / folder).mkdir(parents=True)
    (root / "penstock.yml").write_text("name: first\n")
    (root / "sources/s.yml").write_text(SOURCE.format(key=key, extract="incremental" if key else "append"))
    project = Project(root)
    for at, batch in enumerate(batches):
        (root / f"inbox/t_{at}.csv").write_text("".join(f"{line}\n" for line in (HEADER, *batch)))
        assert project.run().status in (Status.SUCCESS, Status.UNCHANGED)
    columns = '"the id", part, "CAST(price", day, code, flag, weight, note'
    history = "raw.t_history" if key else "raw.t"
    whole = ", valid_to, is_current" if key else ""
    asked = {
        "rows": f"SELECT {columns}{whole} FROM {history} ORDER BY ALL",
        "current": f"SELECT {columns} FROM raw.t ORDER BY ALL",
        "kept": "SELECT payload, reasons, copies, key, received_key FROM _penstock.quarantine ORDER BY ALL",
        "counted": "SELECT rows_in, inserted, updated, deleted, unchanged, duplicates, quarantined "
        "FROM _penstock.batches WHERE rows_in > 0",
    }
    return {name: list(project.query(sql).rows) for name, sql in asked.items()}


@pytest.mark.parametrize("key", ["", '\n    key: "the id"', '\n    key: ["the id", part]'])
def test_first_batch_equals_a_later_one(tmp_path: Path, key: str) -> None:
    for seed in range(2):
        batch = rows(seed)
        first = loaded(tmp_path / f"first_{seed}", key, [batch])
        later = loaded(tmp_path / f"later_{seed}", key, [[], batch])
        assert first == later, (seed, batch)
