"""A thousand changed rows in a table with thirty row checks that set rows apart: what the checks cost.

Ours is `penstock run` as a whole process in which one file of changes is landed, loaded and followed by one model, once
with thirty checks with `on_fail: quarantine` and once without any. One row in ten of the table and of the changes fails
a check. What is compared is the same with four times the rows in the table and as many changes: checks that are asked
of what came cost the same, however much is there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.measure import Cost, Figures, least, main, penstock

ROWS = 500_000
CHANGES = 1_000
CHECKS = 30
TIMES = 7
COLUMNS = 10
SOURCE = "root: inbox\ntables:\n  orders: {path: orders_*.parquet, extract: incremental, key: id}\n"


class Project:
    """A project whose table has `rows` rows. Every `change` brings others of them again."""

    def __init__(self, root: Path, rows: int, *, checks: int) -> None:
        self.root, self.rows, self.days = root, rows, 0
        for name in ("inbox", "sources", "models/stg"):
            (root / name).mkdir(parents=True)
        (root / "penstock.yml").write_text("name: quarantine\n")
        (root / "sources/shop.yml").write_text(SOURCE)
        each = (
            f"  - range: {{column: v{at % COLUMNS}, max: {at + 1000}, on_fail: quarantine}}" for at in range(checks)
        )
        matter = "\n".join(["checks:", *each]) if checks else "tags: none"
        names = ", ".join(f"v{at}" for at in range(COLUMNS))
        (root / "models/stg/orders.sql").write_text(
            f"/*---\nkey: id\n{matter}\n---*/\nSELECT id, {names} FROM raw.orders\n"
        )
        self.arrive(f"range({rows})")
        penstock("run", cwd=root)

    def arrive(self, numbers: str) -> None:
        import duckdb

        self.days += 1
        values = ", ".join(
            f"CASE WHEN range % 10 = {at} AND range % 100 < 10 THEN 9999 ELSE (range * {self.days}) % 997 END AS v{at}"
            for at in range(COLUMNS)
        )
        with duckdb.connect() as connection:
            target = self.root / "inbox" / f"orders_{self.days:04}.parquet"
            connection.execute(f"COPY (SELECT range AS id, {values} FROM {numbers}) TO '{target}'")

    def change(self, rows: int) -> Cost:
        step = max(1, self.rows // rows)
        self.arrive(f"range({self.days % step}, {self.rows}, {step})")
        return penstock("run", cwd=self.root)


def measure(
    work: Path, *, rows: int = ROWS, changes: int = CHANGES, checks: int = CHECKS, times: int = TIMES
) -> Figures:
    found: Figures = {"checks": checks, "changed_rows": changes}
    extra = []
    for size in (rows, 4 * rows):
        projects = {
            "with_checks": Project(work / f"with_{size}", size, checks=checks),
            "without": Project(work / f"without_{size}", size, checks=0),
        }
        costs: dict[str, list[float]] = {name: [] for name in projects}
        for turn in range(times + 1):
            for name, project in projects.items() if turn % 2 else reversed(projects.items()):
                cost = project.change(changes).cpu
                if turn:  # the first one compiles what the others find compiled
                    costs[name].append(cost)
        for name, values in costs.items():
            found[f"{size}_rows_{name}_cpu_s"] = least(values)
        extra.append(found[f"{size}_rows_with_checks_cpu_s"] - found[f"{size}_rows_without_cpu_s"])
        found[f"{size}_rows_checks_cost_cpu_s"] = round(extra[-1], 3)
    return {**found, "four_times_the_rows_cost_more_cpu_s": round(extra[1] - extra[0], 3)}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kept", type=int, default=ROWS, help="rows of the smaller table (default %(default)s)")
    parser.add_argument("--changes", type=int, default=CHANGES, help="rows that change (default %(default)s)")
    parser.add_argument("--checks", type=int, default=CHECKS, help="row checks (default %(default)s)")
    parser.add_argument("--times", type=int, default=TIMES, help="how many rounds of each (default %(default)s)")


def figures(options: argparse.Namespace, work: Path) -> Figures:
    return measure(work, rows=options.kept, changes=options.changes, checks=options.checks, times=options.times)


if __name__ == "__main__":
    main("quarantine", sys.modules[__name__], __doc__)
