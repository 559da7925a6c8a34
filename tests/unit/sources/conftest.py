"""A folder of files, a landing beside it, and what landing them gives."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from penstock.domain.batch import Manifest
from penstock.domain.relation import RelationName
from penstock.domain.source import Cursor, ExtractKind, SourceColumn, SourceTable
from penstock.errors import Location
from penstock.landing.local import LocalLanding
from penstock.ports import ExtractRequest
from penstock.registry import source

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
Row = tuple[Any, ...]


class Lab:
    def __init__(self, folder: Path) -> None:
        self.root = folder / "inbox"
        self.root.mkdir()
        self.landing = LocalLanding(folder / "landing")
        self.reader = source("files")
        self.now = NOW

    def write(self, name: str, content: bytes | str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def table(
        self,
        extract: str = "full",
        *,
        key: tuple[str, ...] = (),
        cursor: Cursor | None = None,
        rename: dict[str, str] | None = None,
        columns: tuple[SourceColumn, ...] = (),
        allow_empty: bool = False,
        order_by: tuple[str, ...] = (),
        **options: Any,
    ) -> SourceTable:
        return SourceTable(
            "shop",
            "orders",
            RelationName("raw", "orders"),
            ExtractKind(extract),
            Location("sources/shop.yml", 3),
            key=key,
            order_by=order_by,
            cursor=cursor,
            rename=rename or {},
            columns=columns,
            allow_empty=allow_empty,
            options=self.reader.options(options),
        )

    def land(self, table: SourceTable, before_commit: Callable[[], None] | None = None) -> list[Manifest]:
        """Extract and commit, as a run would; the batches that were landed. An hour passes."""
        landed = []
        with self.landing.lock("test"), self.landing.staging("run") as staging:
            previous = self.landing.batches("shop", "orders")
            for extract in self.reader.extract(ExtractRequest(table, self.root, previous, staging, self.now)):
                if before_commit is not None:
                    before_commit()
                landed.append(self.landing.commit(table, extract, "run", self.now))
        self.now += timedelta(hours=1)
        return landed

    def rows(self, manifest: Manifest) -> list[Row]:
        """Sorted, NULLs last."""
        with duckdb.connect() as connection:
            found = connection.read_parquet(str(self.landing.data(manifest)), hive_partitioning=False).fetchall()
        assert len(found) == manifest.rows
        return sorted(found, key=lambda row: [(value is None, str(value)) for value in row])

    def landed(self, table: SourceTable) -> list[list[Row]]:
        return [self.rows(batch) for batch in self.land(table)]

    def forget(self) -> None:
        """Nothing was ever landed."""
        shutil.rmtree(self.landing.root, ignore_errors=True)
        self.landing = LocalLanding(self.landing.root)

    def land_anew(self, table: SourceTable) -> list[Row]:
        """Land into an empty landing; the rows of the one batch."""
        self.forget()
        (rows,) = self.landed(table)
        return rows

    def pending(self, table: SourceTable) -> str | None:
        return self.reader.pending(table, self.root, self.landing.batches("shop", "orders")).summary


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)
