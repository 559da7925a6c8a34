"""How many random cases are tried, and from which seed. By default few, and the same on every machine. In a campaign
(`PENSTOCK_EXAMPLES=1000`, `PENSTOCK_INCREMENTAL_CASES=20000`) as many as asked for, others each time: what it finds
becomes an `@example`. `PENSTOCK_SEED` draws the same again where it is not hypothesis, which says how, that draws."""

from __future__ import annotations

import os
import random

ON = not {"PENSTOCK_EXAMPLES", "PENSTOCK_INCREMENTAL_CASES"}.isdisjoint(os.environ)
SEED = int(os.environ.get("PENSTOCK_SEED", "0")) or (random.SystemRandom().randrange(1, 1 << 32) if ON else 0)


def examples(default: int) -> int:
    return int(os.environ.get("PENSTOCK_EXAMPLES", default))


def seeds(default: int) -> range:
    """As many seeds as examples are asked for."""
    return range(SEED, SEED + examples(default))


def dice() -> random.Random:
    """What a test draws from that draws for itself; a failure shows the line printed here."""
    print(f"\nPENSTOCK_SEED={SEED}")  # noqa: T201 - shown with a failure
    return random.Random(SEED)
