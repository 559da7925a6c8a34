"""Options are strict, and what is wrong with them is said in full."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from penstock import registry
from penstock.errors import UserError

FORMATS = registry.kinds("export")


@pytest.mark.parametrize("kind", FORMATS)
def test_defaults_are_complete_and_can_be_given_back(kind):
    plugin = registry.export(kind)
    assert plugin.options(plugin.options({})) == plugin.options({})


@pytest.mark.parametrize("kind", FORMATS)
def test_every_option_is_described_for_editors(kind):
    schema = registry.export(kind).options_schema()
    assert schema["additionalProperties"] is False
    groups = [schema, *schema.get("$defs", {}).values()]
    assert all("description" in option for group in groups for option in group["properties"].values())


@pytest.mark.parametrize("kind", FORMATS)
def test_an_unknown_option_is_refused(kind):
    with pytest.raises(ValidationError, match="not permitted"):
        registry.export(kind).options({"colour": "red"})


@pytest.mark.parametrize(
    ("path", "options", "expected"),
    [
        ("a.csv", {"delimeter": ";"}, ("no option 'delimeter'", "did you mean 'delimiter'?")),
        ("a.csv", {"delimiter": "ab"}, ("expected one ASCII character", "found 'ab'")),
        ("a.csv", {"delimiter": '"'}, ("expected one ASCII character", "'\"'")),
        ("a.csv", {"header": "yes"}, ("'header'", "found 'yes'")),
        ("a.csv", {"null": "a,b"}, ("null must not hold the delimiter", "csv options")),
        ("a.parquet", {"compression": "zip"}, ("'zstd'", "found 'zip'")),
        ("a.parquet", {"row_group_size": 1}, ("2048", "found 1")),
        ("a.parquet", {"partition_by": []}, ("at least 1", "partition_by")),
        ("a.xlsx", {"sheet": "a/b"}, ("1 to 31 characters", "found 'a/b'")),
        ("a.xlsx", {"sheet": "Pivot", "pivot": {"rows": "a", "values": {"b": "sum"}}}, ("different names", "xlsx")),
        ("a.xlsx", {"pivot": {"rows": "a", "value": {}, "values": {"b": "sum"}}}, ("'pivot.value'", "'values'?")),
        ("a.xlsx", {"pivot": {"rows": "a", "values": {"b": "summ"}}}, ("'sum', 'count'", "found 'summ'")),
        ("a.duckdb", {"schema": "x"}, ("no option 'schema'", "remove it")),
    ],
)
def test_a_wrong_option_says_what_was_expected_and_where(bench, path, options, expected):
    bench.relation("t", "SELECT 1 AS a, 2 AS b")
    with pytest.raises(UserError) as caught:
        bench.write(path, "t", **options)
    assert caught.value.code == "EXPORT_OPTION"
    assert all(part in str(caught.value) for part in (*expected, "exports/all.yml:3"))
    assert not (bench.folder / path).exists()


@pytest.mark.parametrize("path", ["a.csv", "a.parquet", "a.xlsx"])
def test_one_relation_only(bench, path):
    bench.relation("t", "SELECT 1 AS a")
    with pytest.raises(UserError, match="exactly one relation, found 2"):
        bench.write(path, "t", "t")


@pytest.mark.parametrize("path", ["a.csv", "a.parquet", "a.xlsx", "a.duckdb"])
@pytest.mark.parametrize("option", ["columns", "order_by"])
def test_a_column_that_is_not_there(bench, path, option):
    bench.relation("t", "SELECT 1 AS region")
    with pytest.raises(UserError, match="did you mean 'region'") as caught:
        bench.write(path, "t", **{option: ["regoin"]})
    assert caught.value.code == "EXPORT_COLUMN"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"totals": ["name"]}, "expected a number, found VARCHAR"),
        ({"totals": ["nme"]}, "did you mean 'name'"),
        ({"formats": {"nme": "0"}}, "did you mean 'name'"),
        ({"pivot": {"rows": "nme", "values": {"id": "sum"}}}, "did you mean 'name'"),
        ({"pivot": {"rows": "name", "columns": "idd", "values": {"id": "sum"}}}, "did you mean 'id'"),
        ({"pivot": {"rows": "name", "values": {"name": "avg"}}}, "expected a number, found VARCHAR"),
        ({"pivot": {"rows": "name", "columns": "NAME", "values": {"id": "sum"}}}, "names a column twice"),
    ],
)
def test_spreadsheet_options_fit_the_relation(bench, options, expected):
    bench.relation("t", "SELECT 1 AS id, 'x' AS name")
    with pytest.raises(UserError, match=expected):
        bench.write("a.xlsx", "t", **options)
    assert not (bench.folder / "a.xlsx").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"partition_by": "regoin"}, "did you mean 'region'"),
        ({"partition_by": ["region", "Region"]}, "names a column twice"),
        ({"partition_by": ["region", "id"]}, "every column"),
        ({"partition_by": ["region"], "order_by": ["id"]}, "order_by cannot be kept"),
    ],
)
def test_partitions_fit_the_relation(bench, options, expected):
    bench.relation("t", "SELECT 1 AS id, 'x' AS region")
    with pytest.raises(UserError, match=expected):
        bench.write("a.parquet", "t", **options)
    assert not (bench.folder / "a.parquet").exists()
