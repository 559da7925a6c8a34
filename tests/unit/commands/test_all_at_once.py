"""`validate` tells everything that is wrong in one go, whichever file it is in."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import ProjectError

TESTS = """
tests:
  no_file: {model: stg.m, given: {raw.orders: {file: none.csv}}, expect: []}
  no_parquet: {model: stg.m, given: {raw.orders: {file: some.parquet}}, expect: []}
  no_model: {model: stg.n, given: {}, expect: []}
"""


def test_models_that_do_not_bind_and_tests_that_cannot_be_understood(folder: Any) -> None:
    folder.write("models/stg/m.sql", "SELECT id FROM raw.orders")
    folder.write("models/serv/x.sql", "SELECT nope FROM stg.m")
    folder.write("tests/some.parquet", "no such thing")
    folder.write("tests/a.yml", TESTS)
    with pytest.raises(ProjectError) as error:
        folder.project.validate()
    assert [(str(each.location).partition(":")[0], each.code) for each in error.value.problems] == [
        ("models/serv/x.sql", "SQL_INVALID"),
        ("tests/a.yml", "TEST_FILE"),
        ("tests/a.yml", "TEST_FILE"),
        ("tests/a.yml", "TEST_MODEL"),
    ]
