"""A landing in which nothing has ever landed, for what is made without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from penstock.domain.batch import Extract, Manifest
from penstock.domain.quarantined import Discard
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.errors import InternalError


class EmptyLanding:
    """Implements ports.Landing."""

    def batches(self, source: str, table: str) -> tuple[Manifest, ...]:
        return ()

    @contextmanager
    def staging(self, run: str) -> Iterator[Path]:
        raise _refused()
        yield  # a generator, for the protocol's sake

    def commit(self, table: SourceTable, extract: Extract, run: str, now: datetime) -> Manifest:
        raise _refused()

    def data(self, manifest: Manifest) -> Path:
        raise _refused()

    @contextmanager
    def lock(self, locked_for: str, wait: float = 0.0) -> Iterator[None]:
        yield

    def discard(self, discard: Discard) -> None:
        raise _refused()

    def discards(self, relation: RelationName | None = None) -> tuple[Discard, ...]:
        return ()

    def stamp(self) -> str:
        return ""


def _refused() -> InternalError:
    return InternalError("something was to be landed where nothing ever is", code="BUG")
