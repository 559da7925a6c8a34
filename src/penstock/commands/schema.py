"""`penstock schema`: the JSON Schemas of a project's YAML files, beside them, for editors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.errors import DriverError
from penstock.record import record

FOLDER = ".schema"


@record
class SchemaReport:
    """`files` are relative to `directory`, the project's folder."""

    directory: Path
    files: tuple[str, ...]


def documents() -> Mapping[str, Any]:
    """The schemas by the name of the file they are written to: penstock, source, export, model, test."""
    from penstock.project.json_schema import schemas

    return schemas()


def texts() -> dict[str, str]:
    """What the schema files hold, by their path in a project."""
    return {f"{FOLDER}/{name}.json": json.dumps(schema, indent=1) + "\n" for name, schema in documents().items()}


def schema(where: Path) -> SchemaReport:
    """Write the schemas to `.schema/` of the project around `where`; older ones are replaced."""
    from penstock.project.load import find_root

    root = find_root(where)
    written = texts()
    try:
        (root / FOLDER).mkdir(exist_ok=True)
        for name, text in written.items():
            (root / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise DriverError(
            f"cannot write {error.filename or root}: {error.strerror}",
            code="WRITE_FAILED",
            hint="check the folder's permissions and the disk's free space",
        ) from error
    return SchemaReport(root, tuple(written))
