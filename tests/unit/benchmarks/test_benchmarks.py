"""Each benchmark runs at a tiny size and gives its figures. How fast is not a test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]
TINY = [
    "--times",
    "1",
    "--orders",
    "300",
    "--rows",
    "300",
    "--models",
    "6",
    "--smallest",
    "50",
    "--smallest-json",
    "9",
    "--kept",
    "200",
]
KEYS = {
    "checks": {"penstock_cpu_s", "by_hand_cpu_s", "ratio_to_by_hand", "passes", "incremental_with_checks_cpu_s"},
    "startup": {"help_cpu_s", "version_cpu_s", "status_cpu_s", "run_unchanged_cpu_s", "python_alone_cpu_s"},
    "models": {"plan_cpu_s", "run_unchanged_cpu_s", "run_one_changed_cpu_s", "run_all_warm_cpu_s", "ratio_warm"},
    "landing": {"penstock_run_cpu_s", "ratio_to_copy", "ratio_to_copy_as_text", "ratio_to_copy_and_load"},
    "layers": {"penstock_cpu_s", "ratio_to_by_hand", "ratio_to_by_hand_unordered", "ratio_to_naive"},
    "units": {"tests_cold_cpu_s", "tests_cpu_s", "one_changed_cpu_s", "with_steps_cpu_s"},
    "memory": {"csv_50_rows_mib", "csv_800_rows_mib", "ndjson_9_rows_mib", "ndjson_growth_for_four_times_the_rows"},
    "quarantine": {"200_rows_with_checks_cpu_s", "800_rows_without_cpu_s", "checks", "changed_rows"},
}


def bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def measured(name: str, folder: Path) -> dict[str, Any]:
    out = folder / "figures.json"
    done = bench(name, *TINY, "--out", out, "--work", folder / "work")
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())[name]
    assert figures["machine"]["cores"] >= 1
    assert all(f"  {key} " in done.stdout for key in KEYS[name])
    return dict(figures)


def test_thirty_checks_take_two_passes_at_most(tmp_path: Path) -> None:
    figures = measured("checks", tmp_path)
    assert 1 <= figures["passes"] <= figures["target_passes"] == 2


@pytest.mark.parametrize("name", sorted(KEYS.keys() - {"checks"}))
def test_a_benchmark_gives_its_figures(name: str, tmp_path: Path) -> None:
    figures = measured(name, tmp_path)
    assert figures.keys() >= KEYS[name]
    assert all(figures[key] > 0 for key in KEYS[name])


def test_the_script_by_hand_ends_with_the_rows_of_penstock(tmp_path: Path) -> None:
    """A ratio to a script that does something else would say nothing."""
    measured("layers", tmp_path)
    (root,) = (tmp_path / "work").glob("shop_*")
    script = (tmp_path / "work/by_hand.sql").read_text()
    check = f"""
import duckdb
from penstock import Project
by_hand = duckdb.connect()
by_hand.execute({script!r})
for relation in ("raw.orders", "raw.customers_history", "stg.orders_hourly", "bus.orders_enriched"):
    columns = "* EXCLUDE (processing_ts, valid_from)" if relation.startswith("raw.c") else "*"
    columns = "order_id, quantity, revenue" if relation == "raw.orders" else columns
    sql = f"SELECT {{columns}} FROM {{relation}} ORDER BY ALL"
    ours, theirs = list(Project({str(root)!r}).query(sql).rows), by_hand.execute(sql).fetchall()
    assert ours == theirs, (relation, set(ours) ^ set(theirs))
    assert len(ours) > 10
by_hand.close()
"""
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_name_that_is_none_is_told() -> None:
    done = bench("nonsense")
    assert done.returncode == 2
    assert "expected some of startup, models, landing, layers, memory" in done.stderr
