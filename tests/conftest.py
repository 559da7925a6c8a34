"""How random tests are run, see campaign, and where tests write, see scratch."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

import campaign
import scratch

settings.register_profile(
    "penstock",
    max_examples=campaign.examples(100),
    deadline=None,
    derandomize=not campaign.ON,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("penstock")
scratch.in_memory()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Campaigns take as long as they take."""
    for item in items if campaign.ON else ():
        item.add_marker(pytest.mark.timeout(0))
