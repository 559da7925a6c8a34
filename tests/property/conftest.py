"""Long campaigns take as long as they take: who asks for more cases than the default has no limit of time per test."""

from __future__ import annotations

import os

import pytest

ASKED = any(name in os.environ for name in ("PENSTOCK_EXAMPLES", "PENSTOCK_INCREMENTAL_CASES"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items if ASKED else ():
        item.add_marker(pytest.mark.timeout(0))
