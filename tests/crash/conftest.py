"""A small project that is run by processes of its own, and everything it holds in a form that can be compared."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from penstock.landing.local import LocalLanding

DRIVER = Path(__file__).with_name("driver.py")
DAYS = ("2026-11-17T06:00:00+00:00", "2026-11-18T06:00:00+00:00", "2026-11-19T06:00:00+00:00")

FILES = {
    "penstock.yml": "name: mini\nenvironments: {dev: {threads: 2}}\n",
    "sources/shop.yml": """
source: shop
root: inbox
tables:
  orders:
    path: orders_*.csv
    extract: incremental
    key: order_id
    columns: {order_id: bigint, quantity: {type: bigint, required: true}}
  products: {path: products.csv, extract: full, key: product_id}
""",
    "sources/web.yml": "source: web\nroot: inbox\ntables:\n  visits: {path: visits_*.csv, extract: append}\n",
    "models/stg/sales.sql": "/*---\nchecks: [{not_null: order_id}, {range: {column: quantity, max: 100}}]\n---*/\n"
    "SELECT order_id, product_id, quantity FROM raw.orders\n",
    "models/stg/small.sql": "/*---\nchecks: [{range: {column: quantity, max: 3, on_fail: quarantine}}]\n---*/\n"
    "SELECT order_id, quantity FROM stg.sales\n",
    "models/bus/enriched.sql": """/*---
materialization: view
---*/
SELECT s.order_id, s.quantity, p.product_id, p.name FROM stg.sales AS s LEFT JOIN raw.products AS p USING (product_id)
""",
    "models/serv/report.sql": """/*---
materialization: append
key: product_id
---*/
SELECT product_id, any_value(name) AS name, sum(quantity)::BIGINT AS quantity FROM bus.enriched
WHERE product_id IS NOT NULL GROUP BY ALL
""",
    "models/serv/visits_daily.sql": """/*---
checks: [{positive: visits}]
---*/
SELECT day, count(*) AS visits FROM raw.visits GROUP BY ALL
""",
    "models/serv/both.sql": "SELECT day, visits, products FROM serv.visits_daily "
    "CROSS JOIN (SELECT count(*) AS products FROM serv.report) AS p\n",
    "models/stg/days.sql": "SELECT DISTINCT length(day) AS digits FROM raw.visits\n",
    "models/stg/any.sql": "SELECT count(*) > 0 AS any_visit FROM raw.visits\n",
    "models/stg/made.sql": "/*---\nmaterialization: view\n---*/\nSELECT digits, $run_date AS made FROM stg.days\n",
    "models/stg/asked.sql": "/*---\nmaterialization: view\n---*/\nSELECT any_visit, $run_date AS at FROM stg.any\n",
    "exports/out.yml": """
exports:
  report: {format: csv, relation: serv.report, path: report.csv, order_by: [product_id]}
  visits: {format: parquet, relation: serv.visits_daily, path: visits, partition_by: [day]}
  mart: {format: duckdb, relations: [serv.report, serv.visits_daily], path: mart.duckdb}
""",
}

INBOX = (
    {
        "orders_1.csv": "order_id,product_id,quantity\n1,1,5\n2,2,1\n2,2,1\n,1,9\n3,1,many\n",
        "products.csv": "product_id,name\n1,lamp\n2,desk\n3,sofa\n",
        "visits_1.csv": "day,page\n17,home\n17,lamp\n17,lamp\n",
    },
    {
        "orders_2.csv": "order_id,product_id,quantity\n2,2,4\n4,9,2\n5,1,1\n",
        "products.csv": "product_id,name\n1,lamp with shade\n2,desk\n9,rug\n",
        "visits_2.csv": "day,page\n17,late\n18,home\n",
    },
    {
        "orders_3.csv": "order_id,product_id,quantity\n1,1,6\n6,9,3\n",
        "products.csv": "product_id,name\n1,lamp with shade\n2,desk\n3,sofa again\n9,rug\n",
        "visits_3.csv": "day,page\n19,home\n",
    },
)


@dataclass(frozen=True)
class Done:
    """How a driver's process ended. `report` is None when it was killed."""

    code: int
    report: dict[str, Any] | None
    err: str


@dataclass(frozen=True)
class Mini:
    """The project in `root`."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "data" / "dev"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def arrive(self, day: int) -> None:
        """The files of `day` (from 0) are delivered."""
        self.write({f"inbox/{name}": text for name, text in INBOX[day].items()})

    def copy(self, root: Path) -> Mini:
        shutil.copytree(self.root, root, symlinks=True)
        return Mini(root)

    def start(self, day: int, verb: str = "run", **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(DRIVER), str(self.root), verb, DAYS[day]],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, day: int, verb: str = "run", *, code: int | None = 0, **environment: str) -> Done:
        """Run to the end (or to its death). `code`: the exit code it must have, None for any."""
        process = self.start(day, verb, **environment)
        try:
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
        reports = [line for line in out.splitlines() if line.startswith("{")]
        done = Done(process.returncode, json.loads(reports[-1]) if reports else None, err)
        assert code is None or done.code == code, f"exit {done.code}, not {code}\n{out}\n{err}"
        return done

    def cli(self, *arguments: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command line, in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "penstock", *arguments],
            cwd=self.root,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: exit {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
        return done

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def contents(self) -> dict[str, Any]:
        """All that a user can find here, and the promises of the ledger checked on the way."""
        return {**_relations(self), **_landing(self), **_exports(self)}


class Kept(Mini):
    """A project that stays as it is: looked at once."""

    def contents(self) -> dict[str, Any]:
        return dict(_of_kept(self.root))


@cache
def _of_kept(root: Path) -> dict[str, Any]:
    return Mini(root).contents()


def _sorted(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)


def _relations(mini: Mini) -> dict[str, Any]:
    """Every relation's rows, and of the ledger what does not depend on the order in which steps ended."""
    with duckdb.connect(str(mini.warehouse), read_only=True) as connection:

        def rows(sql: str) -> list[tuple[Any, ...]]:
            return _sorted(connection.execute(sql).fetchall())

        names = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema <> '_penstock'"
        ).fetchall()
        found: dict[str, Any] = {f"{a}.{b}": rows(f'SELECT * FROM "{a}"."{b}"') for a, b in names}
        held = '_penstock."quarantine_stg.small"'
        found["set apart"] = rows(
            f"SELECT * EXCLUDE (_penstock_first_seen, _penstock_run, _penstock_commit) FROM {held}"
        )
        found["batches"] = rows("SELECT * EXCLUDE (run, loaded_at) FROM _penstock.batches")
        found["quarantine"] = rows("SELECT * EXCLUDE (run, quarantined_at) FROM _penstock.quarantine")
        found["commits"] = _commits(connection)
        found["exported"] = rows("SELECT export, path, rows FROM _penstock.exports")
        numbers = [row[0] for row in connection.execute("SELECT number FROM _penstock.commits ORDER BY 1").fetchall()]
        assert numbers == list(range(1, len(numbers) + 1)), "commit numbers have a gap"
        behind = rows(
            "SELECT * FROM _penstock.applied AS a WHERE number <> "
            "(SELECT coalesce(max(number), 0) FROM _penstock.commits AS c WHERE c.relation = a.input)"
        )
        assert not behind, f"models that have not seen the last commit of an input: {behind}"
        found["applied"] = rows("SELECT model, input FROM _penstock.applied")
    state = mini.home / "state.sqlite"
    if state.exists():
        with closing(sqlite3.connect(state)) as store:
            mirrored = store.execute("SELECT value FROM facts WHERE key = 'last_commit'").fetchone()
            assert mirrored == (str(len(numbers)),), "the mirror is not the last commit"
    return found


def _commits(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """What was committed and logged. A commit is told by its place among those of its relation: numbers depend on the
    order in which steps ended."""
    place = "(SELECT count(*) FROM _penstock.commits AS c WHERE c.relation = '{}' AND c.number <= {})"
    found: dict[str, Any] = {
        "made": Counter(
            connection.execute("SELECT relation, step, fingerprint, rows, changes FROM _penstock.commits").fetchall()
        )
    }
    for relation, since in connection.execute("FROM _penstock.logs").fetchall():
        found[f"log of {relation}"] = connection.execute(f"SELECT {place.format(relation, since)}").fetchone()
    names = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE starts_with(table_name, 'changes_')"
    ).fetchall()
    for (name,) in names:
        relation = name.removeprefix("changes_")
        replaced = f"{place.format(relation, '_penstock_commit')} AS _penstock_commit"
        found[name] = _sorted(connection.execute(f'SELECT * REPLACE ({replaced}) FROM _penstock."{name}"').fetchall())
    return found


def _landing(mini: Mini) -> dict[str, Any]:
    """The batches with the rows of their data files; nothing else lies in the landing."""
    root = mini.home / "landing"
    landing, found, named = LocalLanding(root), {}, set()
    with duckdb.connect() as connection:
        for folder in sorted(path for path in root.glob("*/*") if path.is_dir() and not path.match(".staging/*")):
            for batch in landing.batches(folder.parent.name, folder.name):
                data = connection.read_parquet(str(landing.data(batch)), hive_partitioning=False)
                found[batch.id] = (
                    [file.path for file in batch.files], batch.rows, batch.processing_ts, _sorted(data.fetchall()),
                )  # fmt: skip
                named |= {batch.data, str(Path(batch.data).with_suffix(".json"))}
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert files - {".lock"} == named, "the landing holds files that no manifest names"
    return found


def _exports(mini: Mini) -> dict[str, Any]:
    """Each export's content, read back."""
    root, found = mini.home / "exports", {}
    assert not list(root.glob(".*.tmp")), "an unfinished export was left behind"
    report = root / "report.csv"
    if report.exists():
        found["report.csv"] = report.read_text()
    if (root / "visits").exists():
        with duckdb.connect() as connection:
            found["visits"] = _sorted(connection.read_parquet(f"{root}/visits/**/*.parquet").fetchall())
    if (root / "mart.duckdb").exists():
        with duckdb.connect(str(root / "mart.duckdb"), read_only=True) as connection:
            for name in ("serv.report", "serv.visits_daily"):
                found[f"mart {name}"] = _sorted(connection.execute(f"FROM {name}").fetchall())
    return found


@pytest.fixture
def mini(tmp_path: Path) -> Mini:
    """The project with the files of the first day, nothing run yet."""
    made = Mini(tmp_path / "mini")
    made.write(FILES)
    made.arrive(0)
    return made


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mini, ...]:
    """The project after each day of an undisturbed life; to be copied, never changed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    days: list[Mini] = []
    for day in range(len(DAYS)):
        if days:
            now = days[-1].copy(folder / f"day{day}")
        else:
            now = Mini(folder / f"day{day}")
            now.write(FILES)
        now.arrive(day)
        now.run(day)
        days.append(Kept(now.root))
    return tuple(days)
