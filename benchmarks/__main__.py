"""Every benchmark, one after another: `python -m benchmarks` or `make bench`. About twenty minutes and 10 GB of disk.

    python -m benchmarks [NAME …] [--rows N] [--orders N] [--models N] [--times N] [--out FILE] [--work FOLDER]

`daily` (two hundred runs) and `peers` (needs uv and a package index) are made when they are named.

Prints the figures and writes them, with the machine they were made on, to a JSON file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks import (
    banking,
    checks,
    daily,
    history,
    landing,
    layers,
    measure,
    memory,
    models,
    peers,
    quarantine,
    startup,
    statements,
    units,
)

ALL = {
    "startup": startup,
    "models": models,
    "landing": landing,
    "layers": layers,
    "memory": memory,
    "banking": banking,
    "statements": statements,
    "units": units,
    "history": history,
    "quarantine": quarantine,
    "checks": checks,
}
NAMED = {"daily": daily, "peers": peers}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join((*ALL, *NAMED))}")
    parser.add_argument("--orders", type=int, default=layers.ORDERS, help="layers: orders (default %(default)s)")
    parser.add_argument("--rows", type=int, default=landing.ROWS, help="landing: rows (default %(default)s)")
    parser.add_argument("--models", type=int, default=models.MODELS, help="models: how many (default %(default)s)")
    parser.add_argument("--smallest", type=int, default=memory.ROWS, help="memory: smallest CSV (default %(default)s)")
    parser.add_argument(
        "--smallest-json", type=int, default=memory.JSON_ROWS, help="memory: smallest NDJSON (default %(default)s)"
    )
    parser.add_argument("--people", type=int, default=history.ROWS, help="history: rows (default %(default)s)")
    parser.add_argument("--kept", type=int, default=quarantine.ROWS, help="quarantine: rows (default %(default)s)")
    parser.add_argument("--times", type=int, default=3, help="how many rounds of each (default %(default)s)")
    measure.common(parser)
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in ALL | NAMED]:
        parser.error(f"expected some of {', '.join((*ALL, *NAMED))}, found {', '.join(unknown)}")
    for name in given.names or ALL:
        own = argparse.Namespace(**vars(given))
        if name == "memory":
            own.rows, own.json_rows = given.smallest, given.smallest_json
        if name == "history":
            own.rows = given.people
        benchmark = (ALL | NAMED)[name]
        defaults = argparse.ArgumentParser()
        benchmark.arguments(defaults)  # what cannot be given here is as it is in the benchmark's own command
        for option, value in vars(defaults.parse_args([])).items():
            if option not in own:
                setattr(own, option, value)
        measure.run(name, benchmark, own)
    print(f"written to {given.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
