"""Mistakes of somebody who writes the first project: all are told at once, each with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock import Project
from penstock.errors import PenstockError, Problem


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("sources", "models/serv", "exports", "inbox"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "penstock.yml").write_text("name: first\n")
    (tmp_path / "models/serv/report.sql").write_text("SELECT id, region FROM raw.orders")
    (tmp_path / "inbox/orders.csv").write_text("id,region\n1,north\n")
    tables(tmp_path, "orders: {path: orders.csv, extract: full, key: id}")
    return tmp_path


def tables(root: Path, *declared: str) -> None:
    lines = "".join(f"  {each}\n" for each in declared)
    (root / "sources/shop.yml").write_text(f"root: inbox\ntables:\n{lines}")


def problems(root: Path) -> list[Problem]:
    with pytest.raises(PenstockError) as caught:
        Project(root).validate()
    return list(caught.value.problems)


def hint(root: Path, declared: str) -> tuple[str, str | None]:
    tables(root, "orders: {path: orders.csv, extract: full, key: id, " + declared + "}")
    (found,) = problems(root)
    assert found.location is not None
    assert (found.location.path, found.location.line) == ("sources/shop.yml", 3)
    return found.message, found.hint


def test_the_wrong_name_of_a_table_hides_nothing(root: Path) -> None:
    tables(root, "Orders: {path: a.csv, extract: full}", "items: {path: b.csv, extract: ful, key: id}")
    found = [(each.code, each.location.line if each.location else 0) for each in problems(root)]
    assert ("BAD_NAME", 3) in found
    assert ("KEY_REQUIRED", 3) in found
    assert ("BAD_VALUE", 4) in found


@pytest.mark.parametrize(
    ("declared", "message", "fix"),
    [
        ("columns: {at: datetime}", "'datetime' is not a type", "did you mean 'timestamp'?"),
        ("columns: {at: int64}", "'int64' is not a type", "did you mean 'bigint'?"),
        ("skip: -1", "skip: expected 0 or more, found -1", "write 0 or more"),
        ("encoding: klingon", "found 'klingon'", "write an encoding such as utf-8, latin-1, cp1252 or utf-16"),
        ("header: [a, A]", "found 'a' twice", "write a name of its own for each column"),
        ("delimiter: ab", "found 'ab'", "write one ASCII character that is no line end"),
        ("format: parquet, delimiter: ;", "delimiter is an option of csv and tsv, found with parquet", "remove it"),
        ("format: parquet, encoding: latin-1", "encoding is an option of text, found with parquet", "remove it"),
    ],
)
def test_a_value_that_cannot_be_is_told_with_one_that_can(root: Path, declared: str, message: str, fix: str) -> None:
    found = hint(root, declared)
    assert message in found[0]
    assert found[1] == fix


@pytest.mark.parametrize("path", ["a.parquet", "a.parquet.zst", "[a.json, b.JSON]", "[a.jsonl, b.ndjson.gz]"])
def test_options_of_delimited_text_are_refused_for_other_files(root: Path, path: str) -> None:
    tables(root, "orders: {path: " + path + ", extract: full, key: id, header: false}")
    (found,) = problems(root)
    assert found.message.startswith("header is an option of csv and tsv")


@pytest.mark.parametrize("path", ["a.csv", "a.tsv.gz", "a.dat", "[a.csv, b.json]"])
def test_and_taken_where_files_may_be_delimited(root: Path, path: str) -> None:
    tables(root, "orders: {path: " + path + ", extract: full, key: id, header: false}")
    Project(root).validate()


@pytest.mark.parametrize(
    "export",
    [
        "{format: xlsx, path: a.xlsx, pivot: {rows: none, values: {id: count}}}",
        "{format: xlsx, path: a.xlsx, pivot: {rows: id, columns: none, values: {id: count}}}",
        "{format: xlsx, path: a.xlsx, pivot: {rows: id, values: {none: count}}}",
        "{format: xlsx, path: a.xlsx, totals: none}",
        "{format: xlsx, path: a.xlsx, formats: {none: '0.0'}}",
        "{format: parquet, path: a, partition_by: [region, none]}",
    ],
)
def test_columns_named_by_options_of_an_export_are_looked_for(root: Path, export: str) -> None:
    (root / "exports/e.yml").write_text("exports:\n  e: " + export.replace("{", "{relation: serv.report, ", 1) + "\n")
    (found,) = problems(root)
    assert (found.code, str(found.location)) == ("UNKNOWN_COLUMN", "exports/e.yml:2:3")
    assert "'none'" in found.message
    (root / "exports/e.yml").write_text((root / "exports/e.yml").read_text().replace("none", "region"))
    Project(root).validate()


@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx", "duckdb"])
def test_an_export_needs_no_options(root: Path, kind: str) -> None:
    (root / "exports/e.yml").write_text(f"exports:\n  e: {{relation: serv.report, format: {kind}, path: e.{kind}}}\n")
    assert Project(root).run().exit_code == 0


@pytest.mark.parametrize("path", ["data/", "a//b.csv", "/a.csv", "../a.csv", "./a.csv", ""])
def test_the_place_of_an_export_is_looked_at_before_a_run(root: Path, path: str) -> None:
    text = "exports:\n  e: {relation: serv.report, format: csv, path: '" + path + "'}\n"
    (root / "exports/e.yml").write_text(text)
    assert len(problems(root)) == 1


def test_layers_may_be_a_list_of_names(root: Path) -> None:
    (root / "penstock.yml").write_text("name: first\nlayers: [raw, clean, {name: serv, materialization: view}]\n")
    assert Project(root).run().exit_code == 0
    (root / "penstock.yml").write_text("name: first\nlayers: [raw, Clean, raw, serv]\n")
    assert [each.code for each in problems(root)] == ["BAD_NAME"]
    (root / "penstock.yml").write_text("name: first\nlayers: [raw, raw, serv]\n")
    assert [each.code for each in problems(root)] == ["DUPLICATE_LAYER"]
