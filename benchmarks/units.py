"""Unit tests of two hundred models: `penstock test`, whole processes.

A model a test: a quarter are grouped joins, a quarter windows, a quarter filters, a quarter distinct unions. Every test
gives a dozen rows and expects rows. Measured with nothing remembered (cold), with what was parsed remembered (warm),
and after an edit of one model. Then the same tests with steps in every other one: three of them insert, correct and
delete rows, and after each the model is maintained, and compared with what is expected and with a rebuild.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from benchmarks.measure import Cost, Figures, main, middle, penstock

MODELS = 200
SOURCE = """\
root: inbox
tables:
  sales:
    path: sales_*.csv
    extract: full
    key: id
    columns: {id: bigint, shop: bigint, day: date, amount: "decimal(12,2)"}
  shops:
    path: shops_*.csv
    extract: full
    key: shop
    columns: {shop: bigint, name: varchar, open: boolean}
"""
SELECTS = (
    "SELECT s.day, h.name, sum(s.amount) + {n} AS total, count(*) AS sales\n"
    "FROM raw.sales AS s LEFT JOIN raw.shops AS h ON h.shop = s.shop\nGROUP BY ALL\n",
    "SELECT s.id, s.shop, s.amount + {n} AS amount,\n"
    "  row_number() OVER (PARTITION BY s.shop ORDER BY s.day, s.id) AS place\nFROM raw.sales AS s\n",
    "SELECT s.id, s.day, s.amount * {n} AS amount\nFROM raw.sales AS s\nWHERE s.amount > 5 AND s.shop IN "
    "(SELECT shop FROM raw.shops WHERE open)\n",
    "SELECT DISTINCT s.shop, {n} AS n FROM raw.sales AS s UNION SELECT h.shop, {n} FROM raw.shops AS h\n",
)
Sale = dict[str, object]


def sales() -> list[Sale]:
    return [{"id": n, "shop": n % 3, "day": f"2026-11-{n % 5 + 1:02d}", "amount": n} for n in range(1, 11)]


SHOPS: list[Sale] = [{"shop": 0, "name": "north", "open": True}, {"shop": 1, "name": "south", "open": False}]


def expected(kind: int, n: int, rows: list[Sale]) -> list[Sale]:
    """What a model gives, in plain Python."""
    names = {each["shop"]: each["name"] for each in SHOPS}
    if kind == 0:
        groups: dict[tuple[object, object], list[int]] = {}
        for row in rows:
            groups.setdefault((row["day"], names.get(row["shop"])), []).append(int(str(row["amount"])))
        return [{"day": d, "name": s, "total": sum(a) + n, "sales": len(a)} for (d, s), a in groups.items()]
    if kind == 1:
        placed = sorted(rows, key=lambda row: (str(row["shop"]), str(row["day"]), int(str(row["id"]))))
        seen: dict[object, int] = {}
        result: list[Sale] = []
        for row in placed:
            seen[row["shop"]] = seen.get(row["shop"], 0) + 1
            amount = int(str(row["amount"])) + n
            result.append({"id": row["id"], "shop": row["shop"], "amount": amount, "place": seen[row["shop"]]})
        return result
    if kind == 2:
        kept = [row for row in rows if int(str(row["amount"])) > 5 and row["shop"] == 0]
        return [{"id": row["id"], "day": row["day"], "amount": int(str(row["amount"])) * n} for row in kept]
    return [{"shop": shop, "n": n} for shop in {row["shop"] for row in rows} | {0, 1}]


def unit(number: int, *, steps: bool) -> str:
    """A test, as YAML: its values are JSON, which is YAML too."""
    kind, rows = number % 4, sales()
    lines = [f"  gives_what_python_gives:\n    model: stg.m{number:03d}\n    given:"]
    lines += ["      raw.sales:", *(f"        - {json.dumps(row)}" for row in rows)]
    if kind != 1:
        lines += ["      raw.shops:", *(f"        - {json.dumps(row)}" for row in SHOPS)]
    lines += ["    expect:", *(f"      - {json.dumps(row)}" for row in expected(kind, number, rows))]
    if steps and number % 8 >= 4:
        lines.append("    steps:")
        new: Sale = {"id": 50, "shop": 0, "day": "2026-11-09", "amount": 30}
        rows = [*rows, new]
        lines += _step(f"insert: {{raw.sales: [{json.dumps(new)}]}}", kind, number, rows)
        rows = [{**row, "amount": 8} if row["id"] == 3 else row for row in rows]
        lines += _step("update: {raw.sales: [{id: 3, amount: 8}]}", kind, number, rows)
        rows = [row for row in rows if row["id"] != 6]
        lines += _step("delete: {raw.sales: [{id: 6}]}", kind, number, rows)
    return "\n".join(lines) + "\n"


def _step(change: str, kind: int, number: int, rows: list[Sale]) -> list[str]:
    found = [f"          - {json.dumps(row)}" for row in expected(kind, number, rows)]
    return [f"      - {change}", "        expect:", *found]


def project(work: Path, models: int, *, steps: bool = False) -> Path:
    root = work / f"units_{models}{'_steps' * steps}"
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("sources", "models/stg", "tests"):
        (root / folder).mkdir(parents=True)
    (root / "penstock.yml").write_text("name: units\n")
    (root / "sources/shop.yml").write_text(SOURCE)
    for number in range(models):
        _model(root, number).write_text(SELECTS[number % 4].format(n=number))
        (root / f"tests/m{number:03d}.yml").write_text("tests:\n" + unit(number, steps=steps))
    return root


def _model(root: Path, number: int) -> Path:
    return root / f"models/stg/m{number:03d}.sql"


def cold(root: Path) -> Cost:
    shutil.rmtree(root / ".penstock", ignore_errors=True)
    return penstock("test", "--quiet", cwd=root)


def one_changed(root: Path) -> Cost:
    """After an edit that changes the text and not the result."""
    file = _model(root, 0)
    file.write_text(file.read_text().replace("count(*)", "count(s.id)"))
    return penstock("test", "--quiet", cwd=root)


def measure(work: Path, *, models: int = MODELS, times: int = 5) -> Figures:
    root, stepped = project(work, models), project(work, models, steps=True)
    first = [cold(root).cpu for _ in range(max(1, times // 2))]
    warm = [penstock("test", "--quiet", cwd=root).cpu for _ in range(times)]
    return {
        "models": models,
        "tests_cold_cpu_s": middle(first),
        "tests_cpu_s": middle(warm),
        "one_changed_cpu_s": round(one_changed(root).cpu, 3),
        "with_steps_cold_cpu_s": middle([cold(stepped).cpu]),
        "with_steps_cpu_s": middle([penstock("test", "--quiet", cwd=stepped).cpu for _ in range(times)]),
        "target_tests_cpu_s": 10.0,
    }


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", type=int, default=MODELS, help="how many models (default %(default)s)")
    parser.add_argument("--times", type=int, default=5, help="how many rounds (default %(default)s)")


def figures(options: argparse.Namespace, work: Path) -> Figures:
    return measure(work, models=options.models, times=options.times)


if __name__ == "__main__":
    main("units", sys.modules[__name__], __doc__)
