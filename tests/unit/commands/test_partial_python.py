"""Python models that are called with what changed only: which rows they see, and that it equals a whole call."""

from __future__ import annotations

import random
from typing import Any

import pytest

SOURCE = """
root: inbox
tables:
  orders: {path: orders.csv, extract: full, key: id, columns: {id: bigint, amount: bigint}}
  rates: {path: rates.csv, extract: full, key: region, columns: {rate: bigint}}
"""
MODEL = '''"""
---
reads: [%(reads)s]
%(matter)s
---
"""


def model(%(arguments)s):
    import pyarrow as pa

    rows = pa.table(orders).to_pylist()
    with open(%(seen)r, "a") as file:
        file.write(",".join(str(row["id"]) for row in sorted(rows, key=lambda row: row["id"])) + "\\n")
%(body)s
'''
MAP = """
    out = [{"id": row["id"], "part": part} for row in rows for part in range(row["amount"])]
    return pa.Table.from_pylist(out, schema=pa.schema([("id", pa.int64()), ("part", pa.int64())]))
"""
GROUP = """
    totals = {}
    for row in rows:
        totals[row["region"]] = totals.get(row["region"], 0) + row["amount"]
    out = [{"region": region, "total": total} for region, total in totals.items()]
    return pa.Table.from_pylist(out, schema=pa.schema([("region", pa.string()), ("total", pa.int64())]))
"""


class Python:
    """A project with one Python model over orders, which notes the ids it is called with."""

    def __init__(
        self, folder: Any, matter: str, body: str, reads: str = "raw.orders", arguments: str = "orders"
    ) -> None:
        self.folder = folder
        self.seen = folder.root / "seen.txt"
        folder.write("sources/shop.yml", SOURCE)
        folder.write("inbox/rates.csv", "region,rate\nnorth,1\n")
        text = MODEL % {"matter": matter, "body": body, "seen": str(self.seen), "reads": reads, "arguments": arguments}
        folder.write("models/bus/m.py", text)

    def run(self, *orders: str) -> Any:
        """Run with these orders; gives the model's step and the ids of each call."""
        self.folder.write("inbox/orders.csv", "id,region,amount\n" + "".join(f"{order}\n" for order in orders))
        self.seen.unlink(missing_ok=True)
        report = self.folder.project.run()
        assert report.exit_code == 0, [problem for step in report.steps for problem in step.problems]
        step = next(step for step in report.steps if step.step == "build:bus.m")
        calls = self.seen.read_text().splitlines() if self.seen.exists() else []
        return step, calls


def test_map_is_called_with_changed_rows_only(folder: Any) -> None:
    python = Python(folder, "map: true\nkey: id\ncolumns: [id, part]", MAP)
    assert python.run("1,north,2", "2,south,1", "3,west,0")[1] == ["1,2,3"]
    step, calls = python.run("1,north,3", "3,west,0", "4,east,1")
    assert calls == ["1,4"]
    assert step.mode == "maintained"
    assert step.accounting.items() >= {"affected": 3, "gone": 1, "came": 2}.items()
    assert folder.rows("FROM bus.m") == [(1, 0), (1, 1), (1, 2), (4, 0)]
    step, calls = python.run("1,north,3", "3,west,0", "4,east,1")
    assert calls == []


def test_group_is_called_with_whole_groups(folder: Any) -> None:
    python = Python(folder, "group: region\ncolumns: [region, total]", GROUP)
    python.run("1,north,2", "2,south,1", "3,north,5", "5,,7")
    step, calls = python.run("1,north,3", "2,south,1", "3,north,5", "5,,8")
    assert calls == ["1,3,5"]
    assert step.mode == "maintained"
    assert folder.rows("FROM bus.m") == [("north", 8), ("south", 1), (None, 8)]


def test_a_changed_function_is_called_with_everything(folder: Any) -> None:
    Python(folder, "group: region\ncolumns: [region, total]", GROUP).run("1,north,2", "2,south,1")
    python = Python(folder, "group: region\ncolumns: [region, total]", GROUP.replace("+ row", "+ 10 * row"))
    step, calls = python.run("1,north,2", "2,south,2")
    assert calls == ["1,2"]
    assert "definition changed" in step.reason
    assert folder.rows("FROM bus.m") == [("north", 20), ("south", 20)]


def test_what_is_given_whole_makes_it_whole_when_it_changes(folder: Any) -> None:
    reads, arguments = "raw.orders, raw.rates", "orders, rates"
    body = "    rate = pa.table(rates).to_pylist()[0]['rate']\n" + GROUP.replace(
        '"total": total}', '"total": total * rate}'
    )
    python = Python(folder, "group: region\ncolumns: [region, total]", body, reads, arguments)
    python.run("1,north,2", "2,south,1")
    assert python.run("1,north,3", "2,south,1")[1] == ["1"]
    folder.write("inbox/rates.csv", "region,rate\nnorth,2\n")
    step, calls = python.run("1,north,3", "2,south,2")
    assert calls == ["1,2"]
    assert "raw.rates_history has changed, which it is given whole" in step.reason
    assert folder.rows("FROM bus.m") == [("north", 6), ("south", 4)]


def test_rows_of_parts_it_was_not_given_are_refused(folder: Any) -> None:
    body = MAP.replace("    return", "    out += [{'id': 99, 'part': 1}] if len(rows) == 1 else []\n    return")
    python = Python(folder, "map: true\nkey: id\ncolumns: [id, part]", body)
    python.run("1,north,2", "2,south,1")
    before = folder.rows("FROM bus.m")
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,5\n2,south,1\n")
    (problem,) = [p for step in folder.project.run().steps for p in step.problems]
    assert problem.code == "PYTHON_MODEL_PARTS"
    assert problem.location.path == "models/bus/m.py"
    assert folder.rows("FROM bus.m") == before


def test_a_function_that_raises_leaves_the_table_as_it_was(folder: Any) -> None:
    python = Python(
        folder, "map: true\nkey: id\ncolumns: [id, part]", MAP.replace("range(", "range(1 // (3 - row['id']) * ")
    )
    python.run("1,north,2", "2,south,1")
    before = folder.rows("FROM bus.m")
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,2\n2,south,1\n3,west,1\n")
    (problem,) = [p for step in folder.project.run().steps for p in step.problems]
    assert problem.code == "PYTHON_MODEL_FAILED"
    assert folder.rows("FROM bus.m") == before
    assert python.run("1,north,2", "2,south,2")[1] == ["2"]


def test_columns_of_another_type_are_refused(folder: Any) -> None:
    body = MAP.replace('("part", pa.int64())', '("part", pa.int64() if len(rows) > 1 else pa.string())').replace(
        '"part": part}', '"part": part if len(rows) > 1 else str(part)}'
    )
    Python(folder, "map: true\nkey: id\ncolumns: [id, part]", body).run("1,north,2", "2,south,1")
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,5\n2,south,1\n")
    (problem,) = [p for step in folder.project.run().steps for p in step.problems]
    assert problem.code == "TYPE_CHANGED"


@pytest.mark.parametrize("seed", range(3))
def test_random_changes_end_in_what_a_whole_call_gives(folder: Any, seed: int) -> None:
    folder.write("models/stg/some.sql", "/*---\nmaterialization: view\n---*/\nFROM raw.orders WHERE amount <> 2")
    mapped = Python(folder, "map: true\nkey: id\ncolumns: [id, part]", MAP, reads="stg.some")
    random.seed(seed)
    rows = {key: (random.choice("abc"), random.randint(0, 3)) for key in range(6)}
    for _ in range(5):
        for key in random.sample(range(8), 2):
            if key in rows and random.random() < 0.4:
                del rows[key]
            else:
                rows[key] = (random.choice("abc"), random.randint(0, 3))
        mapped.run(*(f"{key},{region},{amount}" for key, (region, amount) in rows.items()))
        wanted = [(key, part) for key, (_, amount) in rows.items() if amount != 2 for part in range(amount)]
        assert folder.rows("FROM bus.m") == sorted(wanted)
