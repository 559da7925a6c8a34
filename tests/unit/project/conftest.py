from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

GOOD: Mapping[str, str] = {
    "penstock.yml": """\
name: shop
layers: raw-stg-bus-serv
environments:
  dev: {}
  prod: {home: /srv/penstock/prod, memory_limit: 8GB, threads: 4, sources: {shop: {root: /mnt/drop}}}
variables: {minimum_revenue: 0}
""",
    "sources/shop.yml": """\
owner: shop-platform
root: inbox
tables:
  orders:
    path: orders_*.csv
    extract: incremental
    key: order_id
    cursor: {column: updated_at, type: timestamp, lag: 2 hours}
    columns:
      order_id: bigint
      order_date: {type: timestamp, format: "%d/%m/%Y %H:%M", required: true}
    rename: {"Order ID": order_id}
    tags: hourly
  events:
    path: [events/*.ndjson.gz]
    extract: append
    as: shop_events
""",
    "functions/money.sql": "CREATE MACRO net(price, tax) AS (price / (1 + tax));\n",
    "models/stg/orders.sql": """\
/*---
owner: sales
description: Orders that count
tags: [hourly, core]
key: order_id
---*/
-- orders with revenue
SELECT order_id, order_date, net(revenue, 0.2) AS net
FROM raw.orders
WHERE revenue > $minimum_revenue
""",
    "models/bus/features.py": '''\
"""Features of customers.

---
owner: science
reads: [stg.orders]
columns: [order_id, score]
key: order_id
---

Written by hand.
"""

import does_not_exist


def model(orders):
    return does_not_exist.score(orders)
''',
    "models/serv/report.sql": """\
/*---
materialization: append
key: [day]
columns: [day, orders]
---*/
SELECT $run_date AS day, count(*) AS orders FROM stg.orders JOIN raw.orders_history USING (order_id)
""",
    "exports/report.yml": """\
exports:
  report:
    format: csv
    relation: serv.report
    path: report.csv
    order_by: day
""",
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write the good project with some files changed (None: left out); gives its folder."""

    def make(changes: Mapping[str, str | bytes | None] | None = None) -> Path:
        root = tmp_path / "shop"
        for name, content in {**GOOD, **(changes or {})}.items():
            path = root / name
            if content is None:
                path.unlink(missing_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    return make
