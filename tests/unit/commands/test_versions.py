"""Several versions of one output beside each other, and who stays on which."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.unit.commands.conftest import Folder

from penstock.commands.plan import plan
from penstock.errors import PenstockError, ProjectError

HEAD = "/*---\ncontract: {%scolumns: {region: varchar, total: hugeint}}\n---*/\n"
OLD = "SELECT region, sum(amount) AS total FROM raw.orders GROUP BY region"
NEW = "SELECT region, sum(amount) AS total, count(*) AS n FROM raw.orders GROUP BY region"
EXPORT = "exports:\n  pinned: {format: csv, relation: serv.report@2, path: pinned.csv}\n"


@pytest.fixture
def project(folder: Folder) -> Folder:
    """Version 2, which an export has pinned while it is the newest."""
    folder.write("models/serv/report.sql", HEAD % "version: 2, " + OLD)
    folder.write("exports/all.yml", EXPORT)
    folder.run()
    return folder


def third(folder: Folder, more: str = "") -> None:
    folder.write("models/serv/report@2.sql", HEAD % more + OLD)
    folder.write("models/serv/report.sql", HEAD % "version: 3, " + NEW)


def pinned(folder: Folder) -> str:
    return (folder.root / "data/dev/exports/pinned.csv").read_text().splitlines()[0]


def codes(folder: Folder) -> list[tuple[str, str]]:
    with pytest.raises(ProjectError) as caught:
        folder.project.validate()
    return [(problem.code, str(problem.location)) for problem in caught.value.problems]


def test_a_consumer_stays_where_it_is(project: Folder) -> None:
    assert pinned(project) == "region,total"
    project.write("models/serv/follows.sql", "SELECT * FROM serv.report")
    third(project)
    project.run()
    assert pinned(project) == "region,total"
    assert len(project.project.show("serv.report").columns) == 3
    assert len(project.project.show("serv.report@2").columns) == 2
    assert project.project.show("serv.report@3").rows == project.project.show("serv.report_v3").rows != ()
    assert len(project.project.show("serv.follows").columns) == 3
    project.write("exports/all.yml", EXPORT.replace("@2", "@3"))
    project.run()
    assert pinned(project) == "region,total,n"
    project.write("inbox/orders.csv", "id,region,amount\n1,north,10\n")
    project.run()
    assert len(project.project.show("serv.report@2").rows) == len(project.project.show("serv.report@3").rows) == 1
    assert {str(each.relation) for each in project.project.contract_list()} == {"serv.report", "serv.report_v2"}
    assert project.run(select=["serv.report@2"]).keys() == {"build:serv.report_v2"}


def test_sql_reads_a_version_by_its_name_in_the_warehouse(project: Folder) -> None:
    project.write("models/serv/own.sql", "SELECT total FROM serv.report_v2")
    project.run()
    assert sorted(project.project.show("serv.own").rows) == [(20,), (40,)]
    third(project)
    project.run()
    assert sorted(project.project.show("serv.own").rows) == [(20,), (40,)]


def test_a_version_that_is_read_cannot_go(project: Folder) -> None:
    third(project)
    project.run()
    (project.root / "models/serv/report@2.sql").unlink()
    project.write("models/serv/own.sql", "SELECT total FROM serv.report_v1")
    assert codes(project) == [
        ("UNKNOWN_VERSION", "exports/all.yml:2:35"),
        ("UNKNOWN_VERSION", "models/serv/own.sql:1:19"),
    ]
    project.write("models/serv/own.sql", "SELECT total FROM serv.report_v3")
    project.write("exports/all.yml", EXPORT.replace("@2", ""))
    project.run()


@pytest.mark.parametrize(
    ("files", "code", "place"),
    [
        ({"report.sql": HEAD % "version: 2, " + OLD}, "VERSION_INVALID", "models/serv/report.sql:2:1"),
        ({"report.sql": NEW}, "VERSION_INVALID", "models/serv/report.sql:1"),
        ({"other@1.sql": OLD}, "VERSION_INVALID", "models/serv/other@1.sql:1"),
        ({"report@2.sql": HEAD % "version: 1, " + OLD}, "CONTRACT_INVALID", "models/serv/report@2.sql:2:12"),
        ({"report_v2.sql": OLD}, "DUPLICATE_RELATION", "models/serv/report_v2.sql:1"),
        ({"report@0.sql": OLD}, "BAD_NAME", "models/serv/report@0.sql"),
        ({"report@two.sql": OLD}, "BAD_NAME", "models/serv/report@two.sql"),
    ],
)
def test_versions_that_make_no_sense(project: Folder, files: dict[str, str], code: str, place: str) -> None:
    third(project)
    for name, text in files.items():
        project.write(f"models/serv/{name}", text)
    assert (code, place) in codes(project)


def test_what_is_deprecated_is_told_with_who_reads_it(project: Folder) -> None:
    third(project, "deprecated: 2026-06-30, ")
    project.run()
    [note] = project.project.validate().notes
    assert note.startswith("serv.report_v2 (version 2) ") and note.endswith("still read by the export pinned")
    for day, words in ((29, "is to be read until"), (30, "is to be read until"), (31, "was to be read until")):
        now = datetime(2026, 6 if day < 31 else 7, min(day, 30), tzinfo=UTC)
        assert words in plan(project.root, now=now).notes[0]


def test_numbers_that_are_none(project: Folder) -> None:
    for name in ("serv.report@", "serv.report@0", "serv.report@x", "serv@2.report"):
        with pytest.raises(PenstockError):
            project.project.show(name)
