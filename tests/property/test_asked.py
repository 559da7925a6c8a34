"""Whatever changes, on either side of a check that compares two relations: a run fails exactly when what the inputs say
now does not hold, and what is published is never what a gate refuses."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

import campaign
from penstock import Project

FILES = {
    "penstock.yml": "name: asked\n",
    "sources/s.yml": "root: inbox\ntables:\n"
    "  orders: {path: orders.csv, extract: full, key: id, allow_empty: true, columns: {id: bigint}}\n"
    "  regions: {path: regions.csv, extract: full, key: region, allow_empty: true, columns: {most: bigint}}\n",
    "models/stg/orders.sql": "/*---\nchecks:\n  - relationships: {column: region, to: raw.regions}\n---*/\n"
    "SELECT id, region FROM raw.orders\n",
    "checks/most.sql": "/*---\nrelation: stg.orders\n---*/\nSELECT region, count(*) AS n FROM stg.orders "
    "JOIN raw.regions USING (region) GROUP BY region, most HAVING count(*) > most\n",
}
ORDERS = {1: "n", 2: "s", 3: "n", 4: "w"}
REGIONS = {"n": 3, "s": 2, "w": 1}
DAYS = st.lists(
    st.tuples(
        st.dictionaries(st.integers(1, 6), st.sampled_from(["n", "s", "w", "", None]), max_size=2),
        st.dictionaries(st.sampled_from(["n", "s", "w"]), st.sampled_from([1, 2, 3, 3, None]), max_size=1),
    ),
    min_size=4,
    max_size=6,
)
"""Changes of orders and regions, day by day; None takes one away."""


def holds(orders: dict[int, str], regions: dict[str, int]) -> bool:
    """What the checks say, in plain Python; no region is NULL, which passes."""
    named = [region for region in orders.values() if region]
    return all(region in regions and named.count(region) <= regions[region] for region in named)


def changed(rows: dict[Any, Any], changes: dict[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in {**rows, **changes}.items() if value is not None}


def write(root: Path, name: str, header: str, rows: dict[Any, Any]) -> None:
    lines = "".join(f"{key},{value}\n" for key, value in rows.items())
    (root / f"inbox/{name}.csv").write_text(f"{header}\n{lines}")


@settings(max_examples=campaign.examples(6))
@given(DAYS)
@example([({}, {"s": None}), ({}, {"s": 1})])  # what others refer to goes, and comes back
@example([({5: "n"}, {"s": None})])  # it goes while other rows come
@example([({2: "w"}, {"s": None}), ({2: "s"}, {}), ({2: ""}, {"w": 1})])
def test_a_run_fails_exactly_when_the_inputs_do_not_hold(days: list[tuple[dict[int, Any], dict[str, Any]]]) -> None:
    orders, regions, published = ORDERS, REGIONS, None
    with tempfile.TemporaryDirectory(prefix="penstock-asked-") as name:
        root = Path(name)
        for path, text in FILES.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        (root / "inbox").mkdir()
        project = Project(root)
        for some, others in [({}, {}), *days]:
            orders, regions = changed(orders, some), changed(regions, others)
            write(root, "orders", "id,region", orders)
            write(root, "regions", "region,most", regions)
            good = holds(orders, regions)
            assert project.run().exit_code == (0 if good else 3)
            if good:
                published = sorted((id_, region or None) for id_, region in orders.items())
            assert sorted(project.query("SELECT id, region FROM stg.orders").rows) == published
        assert project.run().exit_code == (0 if good else 3)  # nothing has changed, nor has the verdict
