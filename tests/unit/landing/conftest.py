from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.domain.batch import Extract, Manifest, SourceFile
from penstock.domain.relation import Column, RelationName
from penstock.domain.source import ExtractKind, SourceTable
from penstock.errors import Location
from penstock.landing.local import LocalLanding

NOW = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)


def table(source: str = "shop", name: str = "orders") -> SourceTable:
    return SourceTable(source, name, RelationName("raw", "orders"), ExtractKind.FULL, Location("sources/shop.yml"))


@pytest.fixture
def landing(tmp_path: Path) -> LocalLanding:
    return LocalLanding(tmp_path / "landing")


@pytest.fixture
def land(landing: LocalLanding) -> Callable[..., Manifest]:
    def land(content: bytes = b"PAR1 not really", now: datetime = NOW, name: str = "orders") -> Manifest:
        with landing.lock("test"), landing.staging("run") as staging:
            data = staging / "x.parquet"
            data.write_bytes(content)
            files = (SourceFile("a.csv", 3, 1_700_000_000_123_456_789, "ab" * 32),)
            columns = (Column("id", "VARCHAR"), Column('naïve "x"', "DECIMAL(10,2)"))
            extract = Extract(data, 7, columns, files, "2026-01-01", "2026-02-01")
            return landing.commit(table(name=name), extract, "run", now)

    return land
