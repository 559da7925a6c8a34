"""Thirty checks of a table of ten million rows, against one query written by hand.

Ours is `penstock check` as a whole process: the project is read, the checks are compiled and evaluated over the table,
and told. Theirs is one SELECT with the same thirty figures, as a person would write it who knows how (`count_if`,
`count(DISTINCT …)`, a semi join), on the same file. All checks hold, as on any good day.

Beside it what checks cost on an incremental run: `penstock run` that lands, loads and maintains a model after some rows
came, with checks of single rows and without.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from benchmarks.measure import Cost, Figures, cost, in_turns, least, main, middle, penstock, ratio

ROWS = 10_000_000
CAME = 10_000
TIMES = 3

CHECKS = """\
- not_null: [order_id, customer_id, status, amount, quantity, email, placed_at, score]
- unique: order_id
- accepted_values: {column: status, values: [open, paid, sent, lost]}
- accepted_values: {column: quantity, values: [99, 100], not: true}
- range: {column: amount, min: 0, max: 1000}
- range: {column: quantity, min: 0, max: 49}
- range: {column: score, min: 0, max: 100}
- range: {column: placed_at, min: "2026-01-01", max: "2027-12-31"}
- positive: {columns: [amount, quantity], zero: true}
- regex: {column: email, pattern: "user[0-9]+@example[.]org"}
- length: {column: status, equals: 4}
- length: {column: email, min: 10, max: 40}
- expression: amount * quantity < 100000
- expression: status <> 'lost' OR score >= 0
"""
"""About single rows, but for one: 22."""
TABLE = """\
- relationships: {column: customer_id, to: stg.customers, field: id}
- row_count: {min: 10}
- freshness: {column: placed_at, error_after: 100000 days}
- null_rate: {columns: [email, score], max: 1%}
- distinct_count: {column: status, equals: 4}
- mean_drift: {column: amount, max: 50%}
- anomaly: {}
"""
"""About the table: 8."""

BY_HAND = """
SELECT count(*), count_if(order_id IS NULL), count_if(customer_id IS NULL), count_if(status IS NULL),
  count_if(amount IS NULL), count_if(quantity IS NULL), count_if(email IS NULL), count_if(placed_at IS NULL),
  count_if(score IS NULL), count(order_id) - count(DISTINCT order_id),
  count_if(status NOT IN ('open', 'paid', 'sent', 'lost')), count_if(quantity IN (99, 100)),
  count_if(amount < 0 OR amount > 1000), count_if(quantity < 0 OR quantity > 49),
  count_if(score < 0 OR score > 100 OR isnan(score)),
  count_if(placed_at < TIMESTAMP '2026-01-01' OR placed_at > TIMESTAMP '2027-12-31'),
  count_if(amount < 0), count_if(quantity < 0),
  count_if(NOT regexp_full_match(email, 'user[0-9]+@example[.]org')), count_if(length(status) <> 4),
  count_if(length(email) < 10 OR length(email) > 40), count_if(NOT amount * quantity < 100000),
  count_if(NOT (status <> 'lost' OR score >= 0)), max(placed_at), count(email) / count(*), count(score) / count(*),
  count(DISTINCT status), avg(amount),
  count_if(customer_id IS NOT NULL AND customer_id NOT IN (SELECT id FROM stg.customers))
FROM stg.orders
"""
_BY_HAND = """
import duckdb, sys
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    connection.execute("SET enable_progress_bar = false")
    print(connection.execute(open(sys.argv[2]).read()).fetchall())
"""
ORDERS = """\
SELECT i AS order_id, (hash(i) % {customers})::BIGINT AS customer_id,
  ['open', 'paid', 'sent', 'lost'][1 + (hash(i * 7) % 4)::INTEGER] AS status,
  ((hash(i * 3) % 100000) / 100)::DECIMAL(12, 2) AS amount, (hash(i * 5) % 50)::INTEGER AS quantity,
  'user' || (hash(i * 11) % 1000000) || '@example.org' AS email,
  TIMESTAMP '2026-01-01' + to_seconds((i // 4)::BIGINT) AS placed_at, (hash(i * 13) % 1000) / 10.0::DOUBLE AS score
FROM range({rows}) AS t(i)
"""
_PASSES = """
import json, sys
from penstock.commands.check import check
from penstock.engines.duckdb.session import DuckSession
from pathlib import Path
scans, query = [], DuckSession.query

def counted(self, sql, values=(), limit=None):
    if "_penstock" not in sql and '"orders"' in sql:
        plan = query(self, f"EXPLAIN (FORMAT json) {sql}").rows[0][1]
        scans.append(plan.count('stg.orders"'))
    return query(self, sql, values, limit)

DuckSession.query = counted
check(Path(sys.argv[1]))
print(json.dumps(scans))
"""


def declared() -> str:
    return "".join(f"  {line}\n" for line in (CHECKS + TABLE).splitlines())


def project(root: Path, rows: int) -> Path:
    """Made anew and built: the orders with their checks, and the customers they are of."""
    shutil.rmtree(root, ignore_errors=True)
    (root / "models" / "stg").mkdir(parents=True)
    (root / "penstock.yml").write_text("name: checks\n")
    customers = max(10, rows // 10)
    (root / "models/stg/customers.sql").write_text(f"SELECT range AS id FROM range({customers})")
    orders = ORDERS.format(rows=rows, customers=customers)
    (root / "models/stg/orders.sql").write_text(f"/*---\nkey: order_id\nchecks:\n{declared()}---*/\n{orders}")
    penstock("run", "-q", cwd=root)
    return root


def passes(root: Path) -> list[int]:
    """How often each statement of `penstock check` reads the table, by DuckDB's own plan."""
    script = root / "passes.py"
    script.write_text(_PASSES)
    out = root / "passes.json"
    code = f"import runpy, sys; sys.argv[1:] = ['{root}']; sys.stdout = open('{out}', 'w'); runpy.run_path('{script}')"
    cost([sys.executable, "-c", code], root)
    found: list[int] = json.loads(out.read_text())
    return found


def incremental(root: Path, rows: int, came: int, *, checked: bool) -> Cost:
    """A run after `came` rows were added to `rows`."""
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("sources", "inbox", "models/stg"):
        (root / folder).mkdir(parents=True)
    (root / "penstock.yml").write_text("name: checks\n")
    types = "order_id: bigint, customer_id: bigint, quantity: integer, placed_at: timestamp, score: double"
    (root / "sources/shop.yml").write_text(
        f"root: inbox\ntables:\n  orders:\n    path: '*.parquet'\n    extract: append\n    columns: {{{types}}}\n"
    )
    matter = "".join(f"  {line}\n" for line in CHECKS.splitlines() if "unique" not in line)
    head = f"checks:\n{matter}" if checked else "description: the same without\n"
    select = "SELECT * EXCLUDE (_batch, processing_ts) FROM raw.orders"
    (root / "models/stg/orders.sql").write_text(f"/*---\n{head}---*/\n{select}\n")
    for name, begin, end in (("a", 0, rows), ("b", rows, rows + came)):
        sql = ORDERS.format(rows=end, customers=1000).replace(f"range({end})", f"range({begin}, {end})")
        copy = f"import duckdb; duckdb.sql('''COPY ({sql}) TO 'inbox/{name}.parquet' ''')"
        cost([sys.executable, "-c", copy], root)
        found = penstock("run", "-q", cwd=root)
    return found


def measure(work: Path, *, rows: int = ROWS, came: int = CAME, times: int = TIMES) -> Figures:
    root = project(work / "checks", rows)
    query = work / "by_hand.sql"
    query.write_text(BY_HAND)
    file = root / "data" / "dev" / "warehouse.duckdb"
    found = in_turns(
        times,
        {
            "penstock": lambda: penstock("check", cwd=root),
            "by_hand": lambda: cost([sys.executable, "-c", _BY_HAND, file, query], work),
        },
    )
    runs = in_turns(
        times,
        {
            "with": lambda: incremental(work / "with", rows // 10, came, checked=True),
            "without": lambda: incremental(work / "without", rows // 10, came, checked=False),
        },
    )
    scans = passes(root)
    return {
        "rows": rows,
        "checks": 30,
        "passes": sum(scans),
        "target_passes": 2,
        "penstock_cpu_s": middle(found["penstock"]),
        "by_hand_cpu_s": middle(found["by_hand"]),
        "ratio_to_by_hand": ratio(found["penstock"], found["by_hand"]),
        "target_ratio_to_by_hand": 1.3,
        "rows_before": rows // 10,
        "rows_that_came": came,
        "incremental_with_checks_cpu_s": least(runs["with"]),
        "incremental_without_cpu_s": least(runs["without"]),
    }


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the table (default %(default)s)")
    parser.add_argument("--times", type=int, default=TIMES, help="pairs (default %(default)s)")


def figures(options: argparse.Namespace, work: Path) -> Figures:
    return measure(work, rows=options.rows, came=min(CAME, options.rows), times=options.times)


if __name__ == "__main__":
    main("checks", sys.modules[__name__], __doc__)
