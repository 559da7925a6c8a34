"""What `plan` says of models that follow their inputs: how, why not, and how many of their units are affected."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from penstock.cli.main import run as main

TOTALS = "SELECT region, sum(amount) AS total, count(*) AS n FROM raw.orders GROUP BY ALL"
LARGE = "SELECT region, CASE WHEN total > 30 THEN 'large' ELSE 'small' END AS size FROM stg.totals"


def orders(*rows: tuple[Any, ...]) -> str:
    return "id,region,amount\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)


@pytest.fixture
def two(folder: Any) -> Any:
    """Totals by region and their sizes, built once."""
    folder.write("models/stg/totals.sql", TOTALS)
    folder.write("models/bus/sizes.sql", LARGE)
    folder.run()
    return folder


def built(folder: Any) -> Any:
    """Run, and give the step that made stg.totals."""
    return next(step for step in folder.project.run().steps if step.target == "stg.totals")


def forecast(folder: Any, relation: str, **options: Any) -> tuple[int | None, str | None]:
    """How many units of a relation the plan expects to be affected, and why it would make all of it."""
    found = {step.id: step for step in folder.project.plan(**options).steps}[f"build:{relation}"]
    return found.affected, found.anew


def test_the_plan_counts_the_units_that_what_is_loaded_affects(two: Any) -> None:
    assert forecast(two, "stg.totals") == (None, None), "nothing to do"
    two.write("inbox/orders.csv", orders((1, "north", 11), (2, "south", 20), (3, "east", 30)))
    assert forecast(two, "stg.totals") == (None, None), "nobody has read the file yet"
    before = two.rows("FROM stg.totals")
    two.run(select=["raw.orders"])
    assert forecast(two, "stg.totals") == (2, None)
    assert forecast(two, "bus.sizes") == (None, None), "stg.totals is not made yet"
    assert two.rows("FROM stg.totals") == before
    done = built(two)
    assert done.accounting["affected"] == 2
    assert done.reason.endswith("2 units affected")
    assert forecast(two, "stg.totals") == (None, None)


def test_the_plan_says_why_all_of_a_maintained_model_will_be_made(two: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert forecast(two, "stg.totals", full_refresh=["stg.totals"]) == (None, "asked to be made anew")
    two.write("models/stg/totals.sql", TOTALS.replace("count(*)", "count(amount)"))
    assert forecast(two, "stg.totals") == (None, "definition changed")
    assert main(["plan", "--project", str(two.root)]) == 0
    said = capsys.readouterr().out
    assert "auto, all of it this time, else maintained by (region); definition changed\n" in said
    two.write("models/stg/totals.sql", TOTALS)
    two.write("inbox/orders.csv", orders((1, "north", 11), (2, "south", 20), (3, "north", 30)))
    two.run(select=["raw.orders"])
    assert main(["plan", "--project", str(two.root)]) == 0
    assert "auto, maintained by (region), 1 unit affected; changed: raw.orders\n" in capsys.readouterr().out
    with duckdb.connect(str(two.root / "data/dev/warehouse.duckdb")) as connection:
        connection.execute('DELETE FROM _penstock."changes_raw.orders_history"')
    why = "the change log of raw.orders_history was altered"
    assert forecast(two, "stg.totals") == (None, why)
    assert main(["plan", "--project", str(two.root), "--json"]) == 0
    told = {step["id"]: step for step in json.loads(capsys.readouterr().out)["steps"]}["build:stg.totals"][
        "maintenance"
    ]
    assert told == {"unit": ["region"], "rebuilt": None, "this_time": why, "affected": None}
    assert why in built(two).reason


def test_the_plan_says_whether_a_merge_can_follow(folder: Any) -> None:
    merge = "/*---\nmaterialization: merge\nkey: {}\n---*/\nSELECT region, sum(amount) AS amount, max(id) AS id"
    folder.write("models/stg/by_region.sql", f"{merge.format('region')} FROM raw.orders GROUP BY region")
    folder.write("models/stg/by_id.sql", f"{merge.format('id')} FROM raw.orders GROUP BY region")
    folder.run()
    folder.write("inbox/orders.csv", orders((1, "north", 11), (2, "south", 20), (3, "north", 30)))
    folder.run(select=["raw.orders"])
    told = {step.id: str(step.maintenance) for step in folder.project.plan().steps if step.kind == "build"}
    assert told == {
        "build:stg.by_region": "maintained by (region)",
        "build:stg.by_id": "rebuilt: its units cut through its key",
    }
    assert forecast(folder, "stg.by_region") == (1, None)


def test_the_plan_says_what_a_python_model_is_called_with(folder: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for name, matter in {"rows": "map: true\nkey: id", "groups": "group: [region]", "all": "owner: ann"}.items():
        head = f'"""---\nreads: [raw.orders]\n{matter}\ncolumns: [id, region]\n---"""\n'
        folder.write(f"models/stg/by_{name}.py", f"{head}def model(orders):\n    return orders\n")
    assert main(["plan", "--project", str(folder.root)]) == 0
    said = capsys.readouterr().out
    assert "python, called with the rows that changed; not built yet" in said
    assert "python, called with the groups of (region) that changed; not built yet" in said
    assert "rebuild; not built yet" in said
