"""The same random cases on every machine: a change fails for what it changed. A campaign (`PENSTOCK_EXAMPLES=1000`,
`PENSTOCK_INCREMENTAL_CASES=20000`) draws others each time; what it finds becomes an `@example`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

CAMPAIGN = not {"PENSTOCK_EXAMPLES", "PENSTOCK_INCREMENTAL_CASES"}.isdisjoint(os.environ)

settings.register_profile(
    "penstock",
    deadline=None,
    derandomize=not CAMPAIGN,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("penstock")
