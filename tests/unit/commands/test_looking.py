"""query, show and history answer while the project is being changed and does not read."""

from typing import Any

import pytest

from penstock import Project
from penstock.cli.main import run
from penstock.errors import DriverError, ProjectError, UsageError

BROKEN = {
    "a model": ("models/serv/report.sql", "SELEC 1"),
    "a source": ("sources/shop.yml", "tables: ["),
    "an export": ("exports/more.yml", "exports: 7"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_was_built_can_be_looked_at(folder: Any, what: str) -> None:
    folder.write("models/serv/report.sql", "SELECT id FROM raw.orders")
    folder.run()
    folder.write(*BROKEN[what])
    project = folder.project
    with pytest.raises(ProjectError):
        project.validate()
    assert project.query("SELECT count(*) FROM serv.report").rows == ((3,),)
    assert len(project.show("raw.orders").rows) == 3
    assert [run["status"] for run in project.history()] == ["success"]


def test_without_a_readable_penstock_yml_nobody_knows_where_to_look(folder: Any) -> None:
    folder.run()
    folder.write("penstock.yml", "name: test\nhome: here\n")
    with pytest.raises(ProjectError):
        folder.project.query("SELECT 1")


@pytest.mark.parametrize("sql", ["", "  ", "-- nothing yet"])
def test_a_query_without_sql_is_a_mistake_and_no_bug(folder: Any, sql: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder.run()
    assert run(["query", "--project", str(folder.root), "--", sql]) == 2
    assert "SQL_INVALID" in capsys.readouterr().err


def test_now_can_be_asked_for(folder: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder.run()
    assert run(["query", "SELECT TIMESTAMPTZ '2026-11-21 10:00:00+01' AS at", "--project", str(folder.root)]) == 0
    assert "2026-11-21 09:00:00" in capsys.readouterr().out


def test_a_home_that_is_a_file_is_told_and_no_bug(folder: Any) -> None:
    folder.write("penstock.yml", "name: test\nenvironments: {dev: {home: taken}}\n")
    folder.write("taken", "")
    with pytest.raises(DriverError) as told:
        Project(folder.root).run()
    assert told.value.code == "HOME_UNUSABLE"


@pytest.mark.parametrize("chosen", [{"select": ["raw.*"], "exclude": ["raw.*"]}, {"select": ["raw.*,serv.*"]}])
def test_an_empty_selection_is_not_taken_for_a_project_that_is_up_to_date(folder: Any, chosen: Any) -> None:
    folder.write("models/serv/report.sql", "SELECT id FROM raw.orders")
    with pytest.raises(UsageError) as told:
        folder.project.run(**chosen)
    assert told.value.code == "UNKNOWN_SELECTION"
