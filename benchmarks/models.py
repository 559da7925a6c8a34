"""Five hundred small models: what it costs to know what to do, to do nothing, to do all, to do one.

* load and plan: `penstock plan` with files as the last call left them,
* nothing changed: `penstock run` after `penstock run`,
* one model changed: `penstock run` after an edit of one model, on which two others stand,
* everything: `penstock run` into an empty environment, with what was parsed remembered (warm) and with nothing
  remembered (cold), against a bare script in DuckDB that executes the same 500 statements, autocommitted. Ours makes
  each model one transaction with a row in the ledger, reads that row back, and records steps for people.

Whole processes throughout. The models are a window function over 1,000 rows each, in three layers.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from benchmarks.measure import Cost, Figures, in_turns, main, middle, penstock, ratio, script

MODELS = 500
LAYERS = ("stg", "bus", "serv")
SOURCE = """\
root: inbox
tables:
  events:
    path: events.csv
    extract: full
    key: id
    columns: {id: bigint, amount: bigint}
"""
MODEL = """\
/*---
owner: team-{owner}
description: Model number {number}
tags: [t{tag}]
---*/
SELECT e.id, e.kind, e.amount + {number} AS amount, sum(e.amount) OVER (PARTITION BY e.kind) AS total
FROM {reads} AS e
WHERE e.amount > {least}
"""


def project(work: Path, models: int) -> Path:
    """A project of `models` models: a third in each layer, each reading one of the layer before."""
    root = work / f"models_{models}"
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("sources", "inbox", *(f"models/{layer}" for layer in LAYERS)):
        (root / folder).mkdir(parents=True)
    (root / "penstock.yml").write_text("name: many\n")
    (root / "sources/shop.yml").write_text(SOURCE)
    lines = [f"{number},k{number % 7},{number * 3}\n" for number in range(1000)]
    (root / "inbox/events.csv").write_text("id,kind,amount\n" + "".join(lines))
    for number in range(models):
        reads = "raw.events" if number < models // 3 else _relation(number - models // 3, models)
        text = MODEL.format(owner=number % 5, number=number, tag=number % 10, reads=reads, least=number % 50)
        _file(root, number, models).write_text(text)
    return root


def _relation(number: int, models: int) -> str:
    return f"{LAYERS[min(2, number // max(1, models // 3))]}.m{number:04d}"


def _file(root: Path, number: int, models: int) -> Path:
    return root / "models" / f"{_relation(number, models).replace('.', '/')}.sql"


def by_hand(root: Path, models: int) -> str:
    statements = [f"CREATE SCHEMA {layer}" for layer in ("raw", *LAYERS)]
    statements.append(
        "CREATE TABLE raw.events AS SELECT CAST(id AS BIGINT) AS id, kind, CAST(amount AS BIGINT) AS amount "
        f"FROM read_csv('{root / 'inbox/events.csv'}', all_varchar = true)"
    )
    for number in range(models):
        select = _file(root, number, models).read_text().partition("---*/")[2].strip()
        statements.append(f"CREATE TABLE {_relation(number, models)} AS {select}")
    return ";\n".join(statements) + ";\n"


def forgotten(root: Path, *, parsed: bool) -> Cost:
    """A full run; `parsed`: also of a project that was never read before."""
    shutil.rmtree(root / "data", ignore_errors=True)
    if parsed:
        shutil.rmtree(root / ".penstock", ignore_errors=True)
    return penstock("run", cwd=root)


def one_changed(root: Path, models: int) -> Cost:
    """A run after an edit of the first model, which gives it other rows."""
    file = _file(root, 0, models)
    text = file.read_text()
    file.write_text(f"{text}  AND e.id <> {text.count('e.id')}\n")
    return penstock("run", cwd=root)


def measure(work: Path, *, models: int = MODELS, times: int = 5) -> Figures:
    root = project(work, models)
    statements = by_hand(root, models)
    cold = [forgotten(root, parsed=True).cpu for _ in range(max(1, times // 2))]
    full = in_turns(
        times,
        {
            "run": lambda: forgotten(root, parsed=False),
            "by_hand": lambda: script(statements, work, name="bare"),
        },
    )
    small = in_turns(
        times, {"plan": lambda: penstock("plan", cwd=root), "unchanged": lambda: penstock("run", cwd=root)}
    )
    one = [one_changed(root, models).cpu for _ in range(times)]
    return {
        "models": models,
        "plan_cpu_s": middle(small["plan"]),
        "target_plan_cpu_s": 1.0,
        "run_unchanged_cpu_s": middle(small["unchanged"]),
        "target_run_unchanged_cpu_s": 1.0,
        "run_one_changed_cpu_s": middle(one),
        "run_all_warm_cpu_s": middle(full["run"]),
        "run_all_cold_cpu_s": middle(cold),
        "by_hand_cpu_s": middle(full["by_hand"]),
        "ratio_warm": ratio(full["run"], full["by_hand"]),
        "ratio_cold": round(middle(cold) / middle(full["by_hand"]), 2),
        "target_ratio_warm": 2.5,
    }


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", type=int, default=MODELS, help="how many models (default %(default)s)")
    parser.add_argument("--times", type=int, default=5, help="how many rounds (default %(default)s)")


def figures(options: argparse.Namespace, work: Path) -> Figures:
    return measure(work, models=options.models, times=options.times)


if __name__ == "__main__":
    main("models", sys.modules[__name__], __doc__)
