from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.domain.check import Tolerance
from penstock.errors import ProjectError
from penstock.project.load import load

Write = Callable[..., Path]
SOURCE = """\
root: inbox
tables:
  orders:
    path: a_*.csv
    extract: full
    key: order_id
    quarantine: {max: %s}
"""
MODEL = "/*---\nquarantine: {max: 5%}\n---*/\nSELECT order_id FROM raw.orders\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("5%", Tolerance(share=0.05)),
        ("100%", Tolerance(share=1.0)),
        ("10", Tolerance(rows=10)),
        ("0", Tolerance()),
    ],
)
def test_a_number_of_rows_or_a_share_of_them_may_be_set_apart(write: Write, text: str, wanted: Tolerance) -> None:
    project = load(write({"sources/shop.yml": SOURCE % text}))
    assert [table.max_quarantined for table in project.tables] == [wanted]


@pytest.mark.parametrize("text", ["101%", "-1", "some", "5.5", "true", "null"])
def test_what_is_neither_is_refused(write: Write, text: str) -> None:
    with pytest.raises(ProjectError) as caught:
        load(write({"sources/shop.yml": SOURCE % text}))
    (problem,) = caught.value.problems
    assert (problem.code, str(problem.location)) == ("BAD_VALUE", "sources/shop.yml:7:23")
    assert "10 or 0.5%" in (problem.hint or "")


def test_a_limit_without_a_check_that_sets_rows_apart_is_refused(write: Write) -> None:
    with pytest.raises(ProjectError) as caught:
        load(write({"models/bus/more.sql": MODEL}))
    (problem,) = caught.value.problems
    assert (problem.code, str(problem.location)) == ("OPTION_MISPLACED", "models/bus/more.sql:2:1")
