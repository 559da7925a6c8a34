"""Rows of unit tests: mappings in YAML, CSV text, or a file below tests/ → Fixture, each row with its line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from penstock.domain.unit_test import FOLDER, Fixture
from penstock.errors import Location
from penstock.project.problems import Problems
from penstock.project.validation import shown
from penstock.project.yaml import Document
from penstock.project.yaml import Path as Place

SUFFIXES = (".csv", ".json", ".ndjson", ".jsonl", ".parquet")
_HINT = "write rows as `- {column: value, …}`, or `csv:` with a header line, or `file:` below tests/"
LARGEST = 10_000_000
"""Bytes of a fixture file: more is no unit test."""


def inline(rows: Any, document: Document, place: Place, problems: Problems) -> Fixture | None:
    """A list of mappings. None after telling what is wrong."""
    location = document.key(*place)
    if not isinstance(rows, list):
        problems.add("TEST_ROWS", f"expected a list of rows, found {shown(rows)}", location, _HINT)
        return None
    before = len(problems)
    found: list[Mapping[str, Any]] = []
    lines: list[int] = []
    for index, row in enumerate(rows):
        where = document.at(*place, index)
        if not isinstance(row, dict):
            problems.add("TEST_ROWS", f"expected a row `{{column: value}}`, found {shown(row)}", where, _HINT)
            continue
        lowered: dict[str, str] = {}
        for name in row:
            if name.lower() in lowered:
                problems.add(
                    "TEST_ROWS",
                    f"the row has {lowered[name.lower()]!r} and {name!r}, which are one column",
                    document.key(*place, index, name),
                    "letter case does not tell columns apart: keep one of them",
                )
            lowered[name.lower()] = name
        found.append(row)
        lines.append(where.line or 1)
    if len(problems) > before:
        return None
    return Fixture(location, tuple(found), tuple(lines), _names(found))


def _names(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for row in rows:
        for name in row:
            found.setdefault(name.lower(), name)
    return tuple(found.values())


# CSV


def from_csv(text: str, location: Location, first: int, problems: Problems) -> Fixture | None:
    """CSV with a header line. An empty field is NULL, `""` is empty text. `first`: the line the text begins on."""
    before = len(problems)
    records = [each for each in _records(text) if each[1] != [None]]
    if not records:
        problems.add("TEST_ROWS", "expected CSV with a header line, found nothing", location, _HINT)
        return None
    header = [str(name or "").strip() for name in records[0][1]]
    lowered = [name.lower() for name in header]
    if "" in header or len(set(lowered)) < len(header):
        problems.add(
            "TEST_ROWS",
            f"expected names of columns, each once, found {', '.join(map(repr, header))}",
            Location(location.path, first + records[0][0]),
            "the first line of the CSV names its columns",
        )
        return None
    rows: list[Mapping[str, Any]] = []
    lines: list[int] = []
    for line, fields in records[1:]:
        if len(fields) != len(header):
            problems.add(
                "TEST_ROWS",
                f"expected {len(header)} fields ({', '.join(header)}), found {len(fields)}",
                Location(location.path, first + line),
                "an empty field is NULL; a field with a comma in it stands in double quotes",
            )
            continue
        rows.append(dict(zip(header, fields, strict=True)))
        lines.append(first + line)
    if len(problems) > before:
        return None
    return Fixture(location, tuple(rows), tuple(lines), tuple(header), is_text=True)


def _records(text: str) -> Iterator[tuple[int, list[str | None]]]:
    """Records with the number of their first line, from 0. Python's own reader cannot tell NULL from empty text."""
    fields: list[str | None] = []
    field: list[str] = []
    quoted = is_quoted = False
    line = start = 0
    size, at = len(text), 0
    while at < size:
        sign = text[at]
        if quoted:
            if sign == '"' and text[at + 1 : at + 2] == '"':
                field.append('"')
                at += 1
            elif sign == '"':
                quoted = False
            else:
                field.append(sign)
        elif sign == '"' and not "".join(field).strip():
            quoted = is_quoted = True
            field = []
        elif sign in ",\n":
            fields.append(_field(field, is_quoted))
            field, is_quoted = [], False
            if sign == "\n":
                yield start, fields
                fields, start = [], line + 1
        elif sign != "\r":
            field.append(sign)
        line += sign == "\n"
        at += 1
    if field or fields or is_quoted:
        fields.append(_field(field, is_quoted))
        yield start, fields


def _field(signs: list[str], is_quoted: bool) -> str | None:
    text = "".join(signs)
    return text if is_quoted else text.strip() or None


# Files


def check_path(text: str, location: Location, problems: Problems) -> str | None:
    """A path below tests/, by its parts; None after telling what is wrong."""
    path = PurePosixPath(text)
    hidden = any(part.startswith(".") for part in path.parts)
    if path.is_absolute() or hidden or "\\" in text or not text.isprintable():
        problems.add(
            "TEST_ROWS",
            f"expected a file below {FOLDER}/, found {text!r}",
            location,
            f"write its path from {FOLDER}/ on, as in fixtures/orders.csv",
        )
        return None
    if path.suffix.lower() not in SUFFIXES:
        problems.add(
            "TEST_ROWS",
            f"expected a file ending in {', '.join(SUFFIXES)}, found {text!r}",
            location,
            "save the rows in one of these formats",
        )
        return None
    return str(path)


def from_file(root: Path, fixture: Fixture, problems: Problems) -> Fixture | None:
    """The rows of a CSV or JSON file. Parquet is read by who has an engine. None after telling what is wrong."""
    name = f"{FOLDER}/{fixture.file}"
    place = root / FOLDER / str(fixture.file)
    told = Location(name)
    try:
        if not place.resolve().is_relative_to((root / FOLDER).resolve()):
            raise FileNotFoundError(2, "it is not below tests/")
        if place.stat().st_size > LARGEST:
            problems.add(
                "TEST_FILE", f"{name} has more than {LARGEST:,} bytes", fixture.location, "a few rows are enough"
            )
            return None
        if place.suffix.lower() == ".parquet":
            return fixture
        text = place.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        problems.add(
            "TEST_FILE", f"cannot read {name}: {error.strerror}", fixture.location, f"paths begin in {FOLDER}/"
        )
        return None
    except UnicodeDecodeError:
        problems.add("TEST_FILE", f"{name} is not UTF-8 text", fixture.location, "save it as UTF-8")
        return None
    found = from_csv(text, told, 1, problems) if place.suffix.lower() == ".csv" else _json(text, told, problems)
    if found is None:
        return None
    return Fixture(
        found.location, found.rows, found.lines, found.names,
        columns=fixture.columns, is_text=found.is_text, key=fixture.key,
    )  # fmt: skip


def _json(text: str, location: Location, problems: Problems) -> Fixture | None:
    """A list of objects, or one object a line."""
    try:
        if text.lstrip().startswith("["):
            found = json.loads(text)
            lines = [1] * len(found)
        else:
            numbered = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
            found = [json.loads(line) for _, line in numbered]
            lines = [number for number, _ in numbered]
    except (ValueError, RecursionError) as error:
        problems.add("TEST_FILE", f"{location.path} is not JSON: {error}", location, "write a list of objects")
        return None
    if not all(isinstance(row, dict) for row in found):
        problems.add("TEST_FILE", f"{location.path}: expected objects only", location, "write a list of objects")
        return None
    return Fixture(location, tuple(found), tuple(lines), _names(found))
