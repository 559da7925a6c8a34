"""Peak memory of `penstock land` as the file grows.

Files of 1, 4 and 16 times the rows are landed by processes of their own; the figure is the most memory each ever held,
as the operating system counted it. A small file does not fill the readers' and writers' buffers, so what is compared
is the largest file with one of a quarter of its rows.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from benchmarks.landing import fresh, project
from benchmarks.measure import Figures, main

ROWS = 500_000
JSON_ROWS = 200_000
STEPS = (1, 4, 16)


def measure(work: Path, *, rows: int = ROWS, json_rows: int = JSON_ROWS) -> Figures:
    found: Figures = {}
    for kind, smallest in (("csv", rows), ("ndjson", json_rows)):
        peaks = []
        for step in STEPS:
            root = project(work, smallest * step, kind=kind)
            peaks.append(fresh(root, "land").peak)
            found[f"{kind}_{smallest * step}_rows_mib"] = round(peaks[-1])
            shutil.rmtree(root)
        found[f"{kind}_growth_for_four_times_the_rows"] = round(peaks[-1] / peaks[-2], 2)
    return {**found, "target_growth": 1.1}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the smallest CSV (default %(default)s)")
    parser.add_argument(
        "--json-rows", type=int, default=JSON_ROWS, help="rows of the smallest NDJSON (default %(default)s)"
    )


def figures(options: argparse.Namespace, work: Path) -> Figures:
    return measure(work, rows=options.rows, json_rows=options.json_rows)


if __name__ == "__main__":
    main("memory", sys.modules[__name__], __doc__)
