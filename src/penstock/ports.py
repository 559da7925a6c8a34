"""Every seam to the outside world, as a Protocol. Plug-ins implement these and see nothing else of the house."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from penstock.domain.batch import Extract, Manifest, Pending
from penstock.domain.export import Export
from penstock.domain.quarantined import Discard
from penstock.domain.relation import Column, RelationName
from penstock.domain.rows import Rows
from penstock.domain.run import RunReport, StepResult
from penstock.domain.source import SourceTable
from penstock.record import record


class ArrowStream(Protocol):
    """Rows as Arrow, by the PyCapsule interface: what duckdb, pyarrow, polars and pandas all give and take."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


class Session(Protocol):
    """One connection to the warehouse, used by one thread at a time."""

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement. Returns the rows it changed (0 when it changes none)."""

    def query(self, sql: str, values: Sequence[Any] = (), limit: int | None = None) -> Rows:
        """Run one SELECT and read it to the end, or to `limit` rows."""

    def stream(self, sql: str, size: int = 10_000) -> Iterator[Sequence[tuple[Any, ...]]]:
        """Run one SELECT and give its rows in blocks of at most `size`."""

    def arrow(self, sql: str) -> ArrowStream:
        """Run one SELECT and give its rows as an Arrow stream."""

    def describe(self, sql: str) -> tuple[Column, ...]:
        """The output columns of a SELECT, without running it."""

    def register(self, name: str, rows: ArrowStream) -> AbstractContextManager[None]:
        """Make `rows` readable as the unqualified table `name` while the context lasts."""

    def transaction(self) -> AbstractContextManager[None]:
        """BEGIN … COMMIT; any exception rolls back. An exception from COMMIT itself has the code
        COMMIT_UNKNOWN and, as its cause, the PenstockError that says what went wrong."""

    def close(self) -> None: ...


class Warehouse(Protocol):
    """An open warehouse of one environment. `session()` may be called from any thread."""

    def session(self) -> Session: ...

    def interrupt(self) -> None:
        """Stop every running statement of every session; each raises Cancelled in its own thread."""

    def checkpoint(self) -> None: ...

    def close(self) -> None: ...


WAREHOUSE = "_penstock_warehouse"
"""The catalog that holds the warehouse's relations when it was opened `beside` an empty database."""


@record
class WarehouseOptions:
    """Where a warehouse is and what it may use. `home` is the environment's folder; `folders` are those its statements
    may touch (landing, exports). `locked_for` says in a few words who asks, for the message another process sees.
    `wait` is how long, in seconds, to wait for another process to let go. `beside`, for those who only read: statements
    get an empty database of their own, and find the warehouse as the catalog WAREHOUSE."""

    home: Path
    read_only: bool = False
    beside: bool = False
    threads: int | None = None
    memory_limit: str | None = None
    folders: tuple[Path, ...] = ()
    locked_for: str = "penstock"
    wait: float = 0.0


class Engine(Protocol):
    """A kind of warehouse."""

    def exists(self, options: WarehouseOptions) -> bool: ...

    def stamp(self, options: WarehouseOptions) -> str | None:
        """A cheap fingerprint of the stored state, without opening it; None when the engine cannot tell."""

    def open(self, options: WarehouseOptions) -> Warehouse:
        """Open (and create, unless read_only). Raises Locked when another process holds it."""

    def rebuilding(self, options: WarehouseOptions) -> AbstractContextManager[WarehouseOptions]:
        """Hold the warehouse and give options for an empty one beside it. When the block ends well the new one takes
        the old one's place in one step; when it raises, the old one stays as it was."""


@record
class ExtractRequest:
    """`previous`: every batch of this table that the source gave, oldest first. `staging`: an empty folder to write
    to, on the landing's file system. `root`: the folder the source's paths are relative to. `now`: UTC."""

    table: SourceTable
    root: Path
    previous: Sequence[Manifest]
    staging: Path
    now: datetime


class SourceReader(Protocol):
    """A kind of source."""

    def options(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """The table options of this connector, checked and completed. Raises ValueError-like pydantic errors."""

    def options_schema(self) -> Mapping[str, Any]:
        """JSON Schema of those options, for editors."""

    def pending(self, table: SourceTable, root: Path, previous: Sequence[Manifest]) -> Pending:
        """What an extract would land now, found cheaply. Reads no data."""

    def lands_text(self, table: SourceTable) -> bool:
        """Whether every value lands as text, as those of CSV files do. Reads no data."""

    def columns(self, table: SourceTable, root: Path) -> tuple[Column, ...] | None:
        """The columns the source has now, when that is cheap to find; None when it is not."""

    def extract(self, request: ExtractRequest) -> Iterator[Extract]:
        """New data, one Extract per batch, in the order they are to be landed. Gives none when nothing is new."""


class Landing(Protocol):
    """The folder or bucket that holds every batch of an environment."""

    def batches(self, source: str, table: str) -> tuple[Manifest, ...]:
        """The landed batches of a table, oldest first. Raises StateError when they contradict each other."""

    def staging(self, run: str) -> AbstractContextManager[Path]:
        """A folder for a run's unfinished files; removed at the end whatever happens."""

    def commit(self, table: SourceTable, extract: Extract, run: str, now: datetime) -> Manifest:
        """Make an extract a batch: durable data file first, its manifest last."""

    def data(self, manifest: Manifest) -> Path:
        """The batch's data file, its sha256 checked. Raises StateError when it is missing or differs."""

    def lock(self, locked_for: str, wait: float = 0.0) -> AbstractContextManager[None]: ...

    def discard(self, discard: Discard) -> None:
        """Note for good that a person has discarded rows that were set apart, or taken that back."""

    def discards(self, relation: RelationName | None = None) -> tuple[Discard, ...]:
        """What was discarded of one relation, or of all, and taken back, in order."""

    def stamp(self) -> str:
        """A cheap fingerprint of what is landed."""


@record
class ExportRequest:
    """`target`: a file (or folder) that does not exist yet, in a hidden folder beside the final place; the caller
    makes it durable and renames it. `columns` and `order_by` of the export are applied by `select`."""

    export: Export
    session: Session
    target: Path

    def select(self, relation: RelationName) -> str:
        """The SELECT for one relation, with the export's columns and order."""
        from penstock.quoting import columns, qualified

        names = columns(self.export.columns) if self.export.columns else "*"
        order = f" ORDER BY {columns(self.export.order_by)}" if self.export.order_by else ""
        return f"SELECT {names} FROM {qualified(relation.layer, relation.name)}{order}"


class Exporter(Protocol):
    """A kind of export."""

    def options(self, raw: Mapping[str, Any]) -> Mapping[str, Any]: ...

    def options_schema(self) -> Mapping[str, Any]: ...

    def columns(self, options: Mapping[str, Any]) -> Sequence[str]:
        """The columns of the relation that the options (as `options` gives them) speak of."""

    def write(self, request: ExportRequest) -> int:
        """Write the whole export to `request.target`. Returns the rows written."""


class StateStore(Protocol):
    """What people look at: runs and steps. Never needed for correctness."""

    def note_run(self, report: RunReport, command: str, revision: str | None) -> None:
        """A run that found nothing to do and so never started."""

    def start_run(self, run: str, environment: str, command: str, revision: str | None, now: datetime) -> None: ...

    def finish_step(self, run: str, result: StepResult, now: datetime) -> None: ...

    def finish_run(self, report: RunReport) -> None: ...

    def runs(self, limit: int) -> Sequence[Mapping[str, Any]]: ...

    def steps(self, run: str) -> Sequence[Mapping[str, Any]]: ...

    def targets(self) -> Sequence[Mapping[str, Any]]:
        """How things stand: for each target the last step's status, and its rows, commit and accounting."""

    def checks(self, points: int) -> Sequence[Mapping[str, Any]]:
        """What came of each check when it was evaluated last, and under `points` of the last times (at most so many,
        the oldest first). Values are JSON's."""

    def get(self, key: str) -> str | None: ...

    def put(self, key: str, value: str) -> None: ...

    def note(self, key: str, value: str) -> None:
        """Like `put`, written together with the next finished steps."""

    def close(self) -> None: ...


Emit = Callable[[Any], None]
