"""Rows that a person has discarded, or taken back: a file for each decision, beside the batches.

    landing/quarantine.discarded/<layer.name>/000001.json

It is written aside and renamed, and carries a digest of its content. No source can be called so: of its name.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from penstock.domain.quarantined import Discard
from penstock.domain.relation import RelationName
from penstock.embedded import disk
from penstock.errors import StateError
from penstock.failpoint import reach
from penstock.landing import durable

FOLDER = "quarantine.discarded"


def write(root: Path, discard: Discard) -> None:
    """Note a decision, for good. To be called while the landing's lock is held."""
    folder = root / FOLDER / str(discard.relation)
    with durable.reported(f"writing {folder}"):
        durable.make_folder(folder)
        number = max((int(path.stem) for path in _files(folder)), default=0) + 1
        fields: dict[str, Any] = {
            "relation": str(discard.relation),
            "rows": list(discard.rows),
            "by": discard.by,
            "why": discard.why,
            "at": discard.at.astimezone(UTC).isoformat(timespec="microseconds"),
        }
        if discard.restores:
            fields["restores"] = True
        fields["digest"] = _digest(fields)
        aside = folder / f".{number:06d}"
        disk.write(aside, (json.dumps(fields, indent=2) + "\n").encode())
        reach("discard.written")
        aside.replace(folder / f"{number:06d}.json")
        disk.sync(folder)


def read(root: Path, relation: RelationName | None = None) -> tuple[Discard, ...]:
    """The decisions on one relation, or on all, in order. Raises StateError for a file that was edited or damaged."""
    top = root / FOLDER
    with durable.reported(f"reading {top}"):
        if relation is not None:
            folders = [top / str(relation)]
        else:
            folders = sorted(path for path in top.iterdir() if path.is_dir()) if top.is_dir() else []
        return tuple(_read(path) for folder in folders for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.json")) if folder.is_dir() else []


def _read(path: Path) -> Discard:
    try:
        fields = json.loads(path.read_bytes())
        digest = fields.pop("digest")
        if digest != _digest(fields):
            raise ValueError("its content does not match its digest")
        return Discard(
            RelationName.parse(fields["relation"]),
            tuple(map(str, fields["rows"])),
            str(fields["by"]),
            str(fields["why"]),
            datetime.fromisoformat(fields["at"]),
            fields.get("restores") is True,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StateError(
            f"{path}: not a decision as it was written: {error}",
            code="DISCARD_DAMAGED",
            hint="put the file back from a backup; without it the rows it names are shown again",
        ) from None


def _digest(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
