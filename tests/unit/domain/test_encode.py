import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from penstock.domain.encode import document, plain
from penstock.domain.relation import RelationName
from penstock.domain.run import Status


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (-(2**60), "-1152921504606846976"),
        (Decimal("12.50"), 12.5),
        (Decimal("0.1"), 0.1),
        (Decimal("12345678901234.5678"), "12345678901234.5678"),
        (Decimal("12345678901234567.12"), "12345678901234567.12"),
        (Decimal("1E+400"), "1E+400"),
        (Decimal("NaN"), "NaN"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (1.5, 1.5),
        (datetime(2026, 11, 17, 8, 30, tzinfo=UTC), "2026-11-17T08:30:00Z"),
        (datetime(2026, 11, 17, 8, 30, tzinfo=timezone(timedelta(hours=2))), "2026-11-17T06:30:00Z"),
        (datetime(2026, 11, 17, 8, 30), "2026-11-17T08:30:00"),
        (date(2026, 11, 17), "2026-11-17"),
        (b"\x00\xff", "00ff"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (RelationName("stg", "orders"), "stg.orders"),
        (Status.SUCCESS, "success"),
        (Path("a/b"), "a/b"),
        ({RelationName("stg", "orders"): (1, 2)}, {"stg.orders": [1, 2]}),
    ],
)
def test_plain(value: object, expected: object) -> None:
    assert plain(value) == expected
    json.loads(document(value))


def test_a_dataclass_is_an_object_and_text_stays_readable() -> None:
    @dataclass
    class Thing:
        name: str
        at: RelationName

    assert json.loads(document(Thing("é", RelationName("a", "b")))) == {"name": "é", "at": "a.b"}
    assert "é" in document(Thing("é", RelationName("a", "b")))
