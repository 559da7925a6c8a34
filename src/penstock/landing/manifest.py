"""Manifest ↔ JSON. The file carries a digest of its own content, so that an edited or torn one is noticed.

Standard library only: a run that finds nothing new reads every manifest, and must stay cheap.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from penstock.domain.batch import Correction, Manifest, SourceFile
from penstock.domain.relation import Column
from penstock.domain.source import ExtractKind
from penstock.errors import StateError

VERSION = 1
CORRECTION = 2
"""The version of a correction, which an older Penstock would take for an extract."""
_FIELDS = frozenset(
    {
        "manifest",
        "source",
        "table",
        "seq",
        "extract",
        "processing_ts",
        "ingest_date",
        "data",
        "sha256",
        "bytes",
        "rows",
        "columns",
        "run",
        "files",
        "cursor_from",
        "cursor_to",
        "digest",
    }
)
_OF_CORRECTION = ("row", "batch", "payload", "by", "why", "key")
_HINT = "put the file back as it was landed (from a backup); landed batches are never edited"


def data_path(source: str, table: str, day: date, seq: int) -> str:
    """Where a batch's data file is, relative to the landing."""
    return f"{source}/{table}/ingest_date={day.isoformat()}/{seq:06d}.parquet"


def dump(manifest: Manifest) -> bytes:
    """The manifest as JSON text, one line per top-level key, ending with a digest of all the others."""
    fields: dict[str, Any] = {
        "manifest": VERSION,
        "source": manifest.source,
        "table": manifest.table,
        "seq": manifest.seq,
        "extract": manifest.extract.value,
        "processing_ts": manifest.processing_ts.astimezone(UTC).isoformat(timespec="microseconds"),
        "ingest_date": manifest.ingest_date.isoformat(),
        "data": manifest.data,
        "sha256": manifest.sha256,
        "bytes": manifest.bytes,
        "rows": manifest.rows,
        "columns": [[column.name, column.type] for column in manifest.columns],
        "run": manifest.run,
        "files": [[file.path, file.size, file.modified_ns, file.sha256] for file in manifest.files],
        "cursor_from": manifest.cursor_from,
        "cursor_to": manifest.cursor_to,
    }
    if manifest.correction is not None:
        fields["manifest"] = CORRECTION
        fields["correction"] = {name: getattr(manifest.correction, name) for name in _OF_CORRECTION}
    fields["digest"] = _digest(fields)
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items())
    return f"{{\n{lines}\n}}\n".encode()


def load(text: bytes, path: Path) -> Manifest:
    """Read what `dump` wrote. `path` is for messages. Raises StateError for anything else."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"expected JSON, found something else ({error})") from None
    if not isinstance(fields, dict):
        raise _damaged(path, f"expected a JSON object, found {type(fields).__name__}")
    version = fields.get("manifest")
    if version not in (VERSION, CORRECTION):
        raise StateError(
            f"{path}: expected manifest version {VERSION} or {CORRECTION}, found {version!r}",
            code="MANIFEST_VERSION",
            hint="a newer Penstock wrote this landing: upgrade, or use the landing that belongs to this version",
        )
    expected = _FIELDS | {"correction"} if version == CORRECTION else _FIELDS
    if fields.keys() != expected:
        wrong = ", ".join(sorted(fields.keys() ^ expected))
        raise _damaged(path, f"fields missing or unknown: {wrong}")
    digest = fields.pop("digest")
    if digest != _digest(fields):
        raise _damaged(path, "its content does not match its digest: it was edited or damaged after landing")
    try:
        return _manifest(fields)
    except (TypeError, ValueError, KeyError) as error:
        raise _damaged(path, f"a field has the wrong form ({error})") from None


def _manifest(fields: dict[str, Any]) -> Manifest:
    processing_ts = datetime.fromisoformat(fields["processing_ts"])
    day = date.fromisoformat(fields["ingest_date"])
    source, table, seq = str(fields["source"]), str(fields["table"]), int(fields["seq"])
    if fields["data"] != data_path(source, table, day, seq):
        raise ValueError("the data file's path")
    if processing_ts.tzinfo is None or processing_ts.astimezone(UTC).date() != day:
        raise ValueError("processing_ts")
    return Manifest(
        source=source,
        table=table,
        seq=seq,
        extract=ExtractKind(fields["extract"]),
        processing_ts=processing_ts.astimezone(UTC),
        ingest_date=day,
        data=fields["data"],
        sha256=str(fields["sha256"]),
        bytes=int(fields["bytes"]),
        rows=int(fields["rows"]),
        columns=tuple(Column(name, kind) for name, kind in fields["columns"]),
        run=str(fields["run"]),
        files=tuple(SourceFile(*file) for file in fields["files"]),
        cursor_from=fields["cursor_from"],
        cursor_to=fields["cursor_to"],
        correction=_correction(fields["correction"]) if "correction" in fields else None,
    )


def _correction(fields: dict[str, Any]) -> Correction:
    if fields.keys() != set(_OF_CORRECTION):
        raise ValueError("correction")
    key = tuple(None if value is None else str(value) for value in fields["key"])
    return Correction(**{name: str(fields[name]) for name in _OF_CORRECTION[:-1]}, key=key)


def _digest(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _damaged(path: Path, found: str) -> StateError:
    return StateError(f"{path}: not a manifest as it was landed: {found}", code="MANIFEST_DAMAGED", hint=_HINT)
