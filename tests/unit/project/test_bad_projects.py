"""One mistake a row: what is changed in a good project, and the code, place and fix that must come out, alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.errors import ProjectError
from penstock.project.load import load

Write = Callable[..., Path]
Content = str | bytes | None

TABLE = "tables:\n  orders:\n    path: a_*.csv\n"
SOURCE = "root: inbox\n" + TABLE + "    extract: full\n    key: order_id\n"
"""A source that gives raw.orders and raw.orders_history, like the good one; its keys are on lines 3 to 6."""


def config(*lines: str) -> dict[str, Content]:
    return {"penstock.yml": "\n".join(["name: shop", "variables: {minimum_revenue: 0}", *lines]) + "\n"}


def source(text: str) -> dict[str, Content]:
    return {"sources/shop.yml": text}


def more(text: str) -> dict[str, Content]:
    return {"models/bus/more.sql": text}


def python(text: str) -> dict[str, Content]:
    return {"models/bus/features.py": text}


def export(*lines: str) -> dict[str, Content]:
    return {"exports/more.yml": "exports:\n  more:\n" + "".join(f"    {line}\n" for line in lines)}


HEAD = '"""\n---\nreads: [stg.orders]\ncolumns: [a]\n---\n"""\n'

BAD: list[tuple[str, dict[str, Content], str, str, str]] = [
    # penstock.yml
    ("no name", {"penstock.yml": "variables: {minimum_revenue: 0}"}, "MISSING_KEY", "penstock.yml:1:1", "add `name"),
    ("empty", {"penstock.yml": ""}, "MISSING_KEY", "penstock.yml:1", "add `name"),
    ("a list", {"penstock.yml": "- a"}, "BAD_VALUE", "penstock.yml:1:1", "key: value"),
    ("not utf-8", {"penstock.yml": b"name: caf\xe9"}, "FILE_ENCODING", "penstock.yml:1", "UTF-8"),
    ("bad name", {"penstock.yml": "name: My Shop"}, "BAD_NAME", "penstock.yml:1:7", "lower-case"),
    ("unknown key", config("enviroments: {}"), "UNKNOWN_KEY", "penstock.yml:3:1", "did you mean 'environments'?"),
    ("unknown preset", config("layers: raw-stg-bus-srv"), "UNKNOWN_PRESET", "penstock.yml:3:9", "raw-stg-bus-serv"),
    ("no layers", config("layers: []"), "BAD_VALUE", "penstock.yml:3:9", "preset"),
    (
        "layer twice",
        config("layers: [{name: raw}, {name: stg}, {name: bus}, {name: stg}, {name: serv}]"),
        "DUPLICATE_LAYER",
        "penstock.yml:3:56",
        "remove one",
    ),
    (
        "reserved layer",
        config("layers: [{name: raw}, {name: main}, {name: stg}, {name: bus}, {name: serv}]"),
        "RESERVED_NAME",
        "penstock.yml:3:30",
        "another name",
    ),
    (
        "layer reads later",
        config("layers: [{name: raw}, {name: stg, reads: [raw, serv]}, {name: bus}, {name: serv}]"),
        "LAYER_RULE",
        "penstock.yml:3:48",
        "one way",
    ),
    (
        "layer reads unknown",
        config("layers: [{name: raw}, {name: stg, reads: [raw, srv]}, {name: bus}, {name: serv}]"),
        "UNKNOWN_LAYER",
        "penstock.yml:3:48",
        "did you mean 'serv'?",
    ),
    (
        "layer key",
        config("layers: [{name: raw}, {name: stg, materialisation: view}, {name: bus}, {name: serv}]"),
        "UNKNOWN_KEY",
        "penstock.yml:3:35",
        "did you mean 'materialization'?",
    ),
    (
        "materialization",
        config("layers: [{name: raw}, {name: stg, materialization: views}, {name: bus}, {name: serv}]"),
        "BAD_VALUE",
        "penstock.yml:3:52",
        "did you mean 'view'?",
    ),
    (
        "yes is text",
        config("layers: [{name: raw}, {name: stg}, {name: bus}, {name: serv, serving: yes}]"),
        "BAD_VALUE",
        "penstock.yml:3:71",
        "write true or false",
    ),
    (
        "default environment",
        config("environments: {dev: {}}", "default_environment: prd"),
        "UNKNOWN_ENVIRONMENT",
        "penstock.yml:4:22",
        "environments: dev",
    ),
    ("engine", config("environments: {dev: {engine: duck}}"), "UNKNOWN_KIND", "penstock.yml:3:30", "'duckdb'"),
    ("memory", config("environments: {dev: {memory_limit: lots}}"), "BAD_VALUE", "penstock.yml:3:36", "4GB"),
    ("retention", config("environments: {dev: {retention: long}}"), "BAD_VALUE", "penstock.yml:3:33", "30 days"),
    ("no such time", config("environments: {dev: {retention: -1}}"), "BAD_VALUE", "penstock.yml:3:33", "30 days"),
    ("threads text", config("environments: {dev: {threads: '4'}}"), "BAD_VALUE", "penstock.yml:3:31", "without quotes"),
    ("no threads", config("environments: {dev: {threads: 0}}"), "BAD_VALUE", "penstock.yml:3:31", "write 1 or more"),
    (
        "shared home",
        config("environments: {dev: {home: d}, prod: {home: ./d/}}"),
        "SHARED_HOME",
        "penstock.yml:3:45",
        "folder of its own",
    ),
    (
        "root of unknown source",
        config("environments: {dev: {sources: {shp: {root: x}}}}"),
        "UNKNOWN_SOURCE",
        "penstock.yml:3:32",
        "did you mean 'shop'?",
    ),
    (
        "reserved variable",
        {"penstock.yml": "name: shop\nvariables:\n  minimum_revenue: 0\n  run_ts: 1\n"},
        "RESERVED_NAME",
        "penstock.yml:4:3",
        "another name",
    ),
    (
        "variable list",
        {"penstock.yml": "name: shop\nvariables:\n  minimum_revenue: [1]\n"},
        "BAD_VALUE",
        "penstock.yml:3:20",
        "choose one",
    ),
    # sources
    ("yaml", source("tables: [\n"), "YAML_SYNTAX", "sources/shop.yml:2:1", "brackets"),
    ("duplicate key", source(SOURCE + "    key: id\n"), "YAML_DUPLICATE_KEY", "sources/shop.yml:7:5", "keep one"),
    ("alias", source(SOURCE + "    tags: &t [a]\n"), "YAML_ALIAS", "sources/shop.yml:7:11", "write it out"),
    ("tag", source(SOURCE + "    owner: !!str me\n"), "YAML_TAG", "sources/shop.yml:7:12", "remove the tag"),
    ("no tables", source("root: x\n"), "MISSING_KEY", "sources/shop.yml:1:1", "add `tables"),
    ("empty tables", source("tables: {}\n"), "BAD_VALUE", "sources/shop.yml:1:9", ""),
    (
        "table name",
        source(SOURCE + "  Bad-Name: {path: b.csv, extract: append}\n"),
        "BAD_NAME",
        "sources/shop.yml:7:3",
        "lower-case",
    ),
    (
        "source name",
        {"sources/shop 2.yml": SOURCE.replace("orders", "o2")},
        "BAD_NAME",
        "sources/shop 2.yml:1:1",
        "lower",
    ),
    ("connector", source("connector: file\n" + SOURCE), "UNKNOWN_KIND", "sources/shop.yml:1:12", "'files'"),
    ("no extract", source(TABLE + "    key: order_id\n"), "MISSING_KEY", "sources/shop.yml:2:3", "add `extract"),
    ("extract", source(SOURCE.replace("full", "ful")), "BAD_VALUE", "sources/shop.yml:5:14", "did you mean 'full'?"),
    ("no key", source(TABLE + "    extract: full\n"), "KEY_REQUIRED", "sources/shop.yml:2:3", "extract: append"),
    (
        "key of append",
        {**source(SOURCE + "  e:\n    path: e.csv\n    extract: append\n    key: id\n")},
        "KEY_FORBIDDEN",
        "sources/shop.yml:10:5",
        "remove the key",
    ),
    ("key twice", source(SOURCE.replace("order_id", "[id, ID]")), "BAD_VALUE", "sources/shop.yml:6:10", "remove one"),
    ("key number", source(SOURCE.replace("order_id", "7")), "BAD_VALUE", "sources/shop.yml:6:10", "[a, b]"),
    (
        "cursor of full",
        source(SOURCE + "    cursor: {column: u, type: date}\n"),
        "CURSOR_FORBIDDEN",
        "sources/shop.yml:7:5",
        "extract: incremental",
    ),
    (
        "cursor type",
        source(SOURCE.replace("full", "incremental") + "    cursor: {column: u, type: datetime}\n"),
        "BAD_VALUE",
        "sources/shop.yml:7:31",
        "did you mean 'timestamp'?",
    ),
    (
        "lag",
        source(SOURCE.replace("full", "incremental") + "    cursor: {column: u, type: date, lag: soon}\n"),
        "BAD_VALUE",
        "sources/shop.yml:7:42",
        "2 hours",
    ),
    (
        "lag of a number",
        source(SOURCE.replace("full", "incremental") + "    cursor: {column: u, type: bigint, lag: 1 hour}\n"),
        "BAD_VALUE",
        "sources/shop.yml:7:44",
        "plain number",
    ),
    (
        "type",
        source(SOURCE + "    columns: {a: bigit}\n"),
        "BAD_TYPE",
        "sources/shop.yml:7:18",
        "did you mean 'bigint'?",
    ),
    (
        "type with more",
        source(SOURCE + '    columns: {a: "int); DROP TABLE x; --"}\n'),
        "BAD_TYPE",
        "sources/shop.yml:7:18",
        "int",
    ),
    (
        "format of number",
        source(SOURCE + "    columns: {a: {type: int, format: '%d'}}\n"),
        "BAD_VALUE",
        "sources/shop.yml:7:38",
        "remove the format",
    ),
    (
        "column key",
        source(SOURCE + "    columns: {a: {type: int, requird: true}}\n"),
        "UNKNOWN_KEY",
        "sources/shop.yml:7:30",
        "did you mean 'required'?",
    ),
    (
        "reserved column",
        source(SOURCE + "    columns: {valid_from: date}\n"),
        "RESERVED_NAME",
        "sources/shop.yml:7:15",
        "rename",
    ),
    (
        "rename twice",
        source(SOURCE + "    rename: {A: a, B: A}\n"),
        "DUPLICATE_COLUMN",
        "sources/shop.yml:7:23",
        "its own name",
    ),
    (
        "declared under the old name",
        source(SOURCE + "    rename: {old: new}\n    columns: {old: int}\n"),
        "RENAMED_COLUMN",
        "sources/shop.yml:8:15",
        "'new'",
    ),
    (
        "option",
        source(SOURCE + "    delimeter: ';'\n"),
        "UNKNOWN_KEY",
        "sources/shop.yml:7:5",
        "did you mean 'delimiter'?",
    ),
    (
        "own key",
        source(SOURCE + "    desription: x\n"),
        "UNKNOWN_KEY",
        "sources/shop.yml:7:5",
        "did you mean 'description'",
    ),
    ("empty file", {"sources/more.yml": "# later\n"}, "BAD_VALUE", "sources/more.yml:1", "key: value"),
    (
        "source twice",
        {"sources/more.yml": "source: shop\n" + SOURCE.replace("orders", "o2")},
        "DUPLICATE_SOURCE",
        "sources/shop.yml:1:1",
        "rename one",
    ),
    (
        "relation twice",
        {"sources/zz.yml": SOURCE.replace("  orders:", "  o2:") + "    as: orders\n"},
        "DUPLICATE_RELATION+RESERVED_NAME",
        "sources/zz.yml:7:9",
        "as:",
    ),
    (
        "history's name",
        {"models/raw/orders_history.sql": "SELECT 1 AS x"},
        "RESERVED_NAME",
        "models/raw/orders_history.sql:1",
        "as:",
    ),
    (
        "source and model",
        {"models/raw/orders.sql": "SELECT 1 AS x"},
        "DUPLICATE_RELATION",
        "models/raw/orders.sql:1",
        "as:",
    ),
    (
        "sql and python",
        {"models/bus/features.sql": "SELECT 1 AS x"},
        "DUPLICATE_RELATION",
        "models/bus/features.sql:1",
        "renaming its file",
    ),
    # models
    ("no sql", more("/*---\nowner: a\n---*/\n"), "SQL_PARSE", "models/bus/more.sql:4:1", "write the SELECT"),
    ("syntax", more("SELECT a,\nFROM WHERE raw.orders"), "SQL_PARSE", "models/bus/more.sql:2:6", "DuckDB"),
    ("two", more("SELECT 1 AS x;\nSELECT 2 AS x"), "SQL_STATEMENTS", "models/bus/more.sql:2:1", "its own file"),
    ("attach", more("/*---\n---*/\nATTACH 'x.db'"), "SQL_NOT_A_QUERY", "models/bus/more.sql:3:1", "one SELECT"),
    ("insert", more("INSERT INTO raw.orders SELECT 1"), "SQL_NOT_A_QUERY", "models/bus/more.sql:1:1", "one SELECT"),
    ("front matter open", more("/*---\nowner: a\nSELECT 1"), "FRONT_MATTER", "models/bus/more.sql:1", "---*/"),
    ("front matter line", more("/*--- owner: a ---*/\nSELECT 1"), "FRONT_MATTER", "models/bus/more.sql:1", "next line"),
    (
        "front matter text",
        more("/*---\nhello\n---*/\nSELECT 1 AS x"),
        "FRONT_MATTER",
        "models/bus/more.sql:2:1",
        "owner:",
    ),
    (
        "front matter yaml",
        more("/*---\na: [\n---*/\nSELECT 1 AS x"),
        "YAML_SYNTAX",
        "models/bus/more.sql:3:1",
        "brackets",
    ),
    (
        "front matter key",
        more("/*---\nownr: a\n---*/\nSELECT 1 AS x"),
        "UNKNOWN_KEY",
        "models/bus/more.sql:2:1",
        "'owner'",
    ),
    (
        "unknown layer",
        {"models/buss/x.sql": "SELECT 1 AS x"},
        "UNKNOWN_LAYER",
        "models/buss/x.sql",
        "did you mean 'bus'?",
    ),
    ("model name", {"models/bus/My Model.sql": "SELECT 1 AS x"}, "BAD_NAME", "models/bus/My Model.sql", "lower-case"),
    ("place", {"models/x.sql": "SELECT 1 AS x"}, "MODEL_PLACE", "models/x.sql", "models/"),
    ("deep place", {"models/bus/a/x.sql": "SELECT 1 AS x"}, "MODEL_PLACE", "models/bus/a/x.sql", "models/bus/"),
    (
        "unknown",
        more("SELECT x\nFROM stg.ordes"),
        "UNKNOWN_RELATION",
        "models/bus/more.sql:2:6",
        "did you mean 'stg.orders'",
    ),
    (
        "wrong layer",
        more("SELECT x FROM stag.orders"),
        "UNKNOWN_RELATION",
        "models/bus/more.sql:1:15",
        "did you mean '",
    ),
    ("schema", more("SELECT x FROM main.y"), "UNKNOWN_RELATION", "models/bus/more.sql:1:15", "layers: raw, stg"),
    (
        "history of an append table",
        more("FROM raw.shop_events_history"),
        "UNKNOWN_RELATION",
        "models/bus/more.sql:1:6",
        "mean",
    ),
    ("alone", more("SELECT x FROM orders"), "UNQUALIFIED_TABLE", "models/bus/more.sql:1:15", "stg.orders"),
    ("later layer", more("SELECT day\nFROM serv.report"), "LAYER_RULE", "models/bus/more.sql:2:6", "raw, stg, bus"),
    ("reads a file", more("SELECT x FROM 'a.csv'"), "TABLE_FUNCTION", "models/bus/more.sql:1:15", "declare a source"),
    ("calls a reader", more("FROM read_csv('a.csv')"), "TABLE_FUNCTION", "models/bus/more.sql:1:6", "declare a source"),
    ("columns twice", more("SELECT a, A\nFROM raw.orders"), "DUPLICATE_COLUMN", "models/bus/more.sql:1:11", "AS"),
    (
        "parameter",
        more("SELECT $minimum_revenu AS x"),
        "UNKNOWN_PARAMETER",
        "models/bus/more.sql:1:8",
        "$minimum_revenue?",
    ),
    ("unlike any", more("SELECT $zzz AS x"), "UNKNOWN_PARAMETER", "models/bus/more.sql:1:8", "$run_ts"),
    ("no name", more("SELECT $run_ts"), "UNNAMED_COLUMN", "models/bus/more.sql:1:1", "AS name"),
    (
        "append",
        more("/*---\nowner: a\nmaterialization: append\n---*/\nSELECT 1 AS x"),
        "KEY_REQUIRED",
        "models/bus/more.sql:3:1",
        "add `key",
    ),
    (
        "key column",
        more("/*---\nkey: [y]\n---*/\nSELECT 1 AS x"),
        "UNKNOWN_COLUMN",
        "models/bus/more.sql:2:1",
        "it gives: x",
    ),
    (
        "column gone",
        more("/*---\ncolumns: [x, y]\n---*/\nSELECT 1 AS x"),
        "UNKNOWN_COLUMN",
        "models/bus/more.sql:2:1",
        "x",
    ),
    (
        "column new",
        more("/*---\ncolumns: [x]\n---*/\nSELECT 1 AS x, 2 AS y"),
        "UNKNOWN_COLUMN",
        "models/bus/more.sql:2:1",
        "add",
    ),
    (
        "itself",
        more("SELECT x FROM bus.more"),
        "CYCLE",
        "models/bus/more.sql:1:15",
        "break it in one of: models/bus/more.sql",
    ),
    (
        "circle",
        {
            "models/bus/a.sql": "SELECT x FROM bus.b",
            "models/bus/b.sql": "SELECT x\nFROM bus.c",
            "models/bus/c.sql": "SELECT x FROM bus.a",
        },
        "CYCLE",
        "models/bus/a.sql:1:15",
        "models/bus/a.sql, models/bus/b.sql, models/bus/c.sql",
    ),
    # Python models
    ("python syntax", python("def model(:\n"), "PYTHON_PARSE", "models/bus/features.py:1:11", "syntax"),
    ("no docstring", python("def model(a):\n    return a\n"), "FRONT_MATTER", "models/bus/features.py:1", "docstring"),
    (
        "no model",
        python(HEAD + "def modl(a):\n    return a\n"),
        "PYTHON_MODEL",
        "models/bus/features.py:1",
        "def model",
    ),
    (
        "async",
        python(HEAD + "async def model(a):\n    return a\n"),
        "PYTHON_MODEL",
        "models/bus/features.py:7",
        "def model",
    ),
    (
        "arity",
        python(HEAD + "def model(a, b):\n    return a\n"),
        "PYTHON_MODEL",
        "models/bus/features.py:7:1",
        "one parameter",
    ),
    (
        "no columns",
        python(HEAD.replace("columns: [a]\n", "") + "def model(a):\n    return a\n"),
        "MISSING_KEY",
        "models/bus/features.py:3:1",
        "add `columns",
    ),
    (
        "bad reads",
        python(HEAD.replace("stg.orders", "orders") + "def model(a):\n    return a\n"),
        "BAD_NAME",
        "models/bus/features.py:3:9",
        "serv.sales_report",
    ),
    (
        "reads unknown",
        python(HEAD.replace("stg.orders", "stg.order") + "def model(a):\n    return a\n"),
        "UNKNOWN_RELATION",
        "models/bus/features.py:3:9",
        "did you mean 'stg.orders'?",
    ),
    (
        "a view",
        python(HEAD.replace("reads", "materialization: view\nreads") + "def model(a):\n    return a\n"),
        "BAD_VALUE",
        "models/bus/features.py:3:18",
        "rebuild",
    ),
    # functions
    (
        "function",
        {"functions/f.sql": "CREATE MACRO f(a) AS"},
        "FUNCTION_SYNTAX",
        "functions/f.sql:1:17",
        "CREATE MACRO",
    ),
    (
        "function twice",
        {"functions/n.sql": "CREATE MACRO net(a) AS a"},
        "FUNCTION_DUPLICATE",
        "functions/n.sql:1:14",
        "rename",
    ),
    ("arguments", more("SELECT net(1) AS x"), "FUNCTION_ARITY", "models/bus/more.sql:1:8", "net(price, tax)"),
    # exports
    ("no relation", export("format: csv", "path: a.csv"), "MISSING_KEY", "exports/more.yml:2:3", "relation"),
    (
        "format",
        export("format: xls", "relation: serv.report", "path: a.xls"),
        "UNKNOWN_KIND",
        "exports/more.yml:3:13",
        "did you mean 'xlsx'?",
    ),
    (
        "not serving",
        export("format: csv", "relation: stg.orders", "path: a.csv"),
        "EXPORT_NOT_SERVING",
        "exports/more.yml:4:15",
        "serv",
    ),
    (
        "exports unknown",
        export("format: csv", "relation: serv.reports", "path: a.csv"),
        "UNKNOWN_RELATION",
        "exports/more.yml:4:15",
        "did you mean 'serv.report'?",
    ),
    (
        "several",
        export("format: csv", "relations: [serv.report, serv.report]", "path: a.csv"),
        "EXPORT_RELATIONS",
        "exports/more.yml:4:16",
        "duckdb",
    ),
    (
        "columns of a database",
        export("format: duckdb", "relations: [serv.report, serv.report]", "path: a.duckdb", "columns: [day]"),
        "EXPORT_RELATIONS",
        "exports/more.yml:6:5",
        "remove columns",
    ),
    (
        "outside",
        export("format: csv", "relation: serv.report", "path: ../a.csv"),
        "EXPORT_PATH",
        "exports/more.yml:5:11",
        "..",
    ),
    (
        "absolute",
        export("format: csv", "relation: serv.report", "path: /a.csv"),
        "EXPORT_PATH",
        "exports/more.yml:5:11",
        "/",
    ),
    (
        "same path",
        {"exports/z.yml": "exports:\n  z: {format: csv, relation: serv.report, path: REPORT.csv}\n"},
        "EXPORT_PATH",
        "exports/z.yml:2:49",
        "path of its own",
    ),
    (
        "inside another",
        {"exports/z.yml": "exports:\n  z: {format: csv, relation: serv.report, path: report.csv/z.csv}\n"},
        "EXPORT_PATH",
        "exports/z.yml:2:49",
        "path of its own",
    ),
    (
        "export twice",
        {"exports/z.yml": "exports:\n  report: {format: csv, relation: serv.report, path: z.csv}\n"},
        "DUPLICATE_EXPORT",
        "exports/z.yml:2:3",
        "rename",
    ),
    (
        "export column",
        export("format: csv", "relation: serv.report", "path: a.csv", "columns: [dya]"),
        "UNKNOWN_COLUMN",
        "exports/more.yml:2:3",
        "did you mean 'day'?",
    ),
    (
        "export option",
        export("format: csv", "relation: serv.report", "path: a.csv", "delimeter: ';'"),
        "UNKNOWN_KEY",
        "exports/more.yml:6:5",
        "did you mean 'delimiter'?",
    ),
]


def test_there_are_many_kinds() -> None:
    assert len(BAD) > 100
    assert len({code for _, _, code, _, _ in BAD}) >= 45


@pytest.mark.parametrize(("changes", "code", "place", "hint"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_mistake_is_told_with_its_place_and_its_fix(
    write: Write, changes: dict[str, Content], code: str, place: str, hint: str
) -> None:
    with pytest.raises(ProjectError) as caught:
        load(write(changes))
    problems = caught.value.problems
    assert "+".join(sorted(problem.code for problem in problems)) == code, str(caught.value)
    assert str(problems[0].location) == place, str(caught.value)
    assert hint in str(problems[0].hint)
    assert all(problem.hint and problem.message for problem in problems)


def test_all_problems_come_at_once_and_in_order(write: Write) -> None:
    changes: dict[str, Content] = {}
    for name, each, _, _, _ in BAD:
        if name in ("syntax", "arity", "no key", "same path", "unknown layer", "not serving", "unknown key"):
            changes.update(each)
    with pytest.raises(ProjectError) as caught:
        load(write(changes))
    places = [
        (problem.location.path, problem.location.line or 0) for problem in caught.value.problems if problem.location
    ]
    assert places == sorted(places)
    # The broken penstock.yml hides the layers, and with them what depends on them; not the other files.
    assert {"penstock.yml", "sources/shop.yml"} <= {path for path, _ in places}
    with pytest.raises(ProjectError) as caught:
        load(write({**changes, **config()}))
    assert sorted(problem.code for problem in caught.value.problems) == [
        "EXPORT_NOT_SERVING",
        "EXPORT_PATH",
        "KEY_REQUIRED",
        "PYTHON_MODEL",
        "SQL_PARSE",
        "UNKNOWN_LAYER",
    ]
    assert "6 problems in the project" in str(caught.value)


def test_a_file_that_does_not_parse_brings_no_further_problems(write: Write) -> None:
    """Models that read it do read something; only what it is cannot be told yet."""
    with pytest.raises(ProjectError) as caught:
        load(write({"models/stg/orders.sql": "SELECT FROM"}))
    assert [problem.code for problem in caught.value.problems] == ["SQL_PARSE"]
    with pytest.raises(ProjectError) as caught:
        load(write({"models/stg/orders.sql": "SELECT order_id FROM raw.orders", "sources/shop.yml": "tables: ["}))
    assert [problem.code for problem in caught.value.problems] == ["YAML_SYNTAX"]


def test_the_whole_circle_is_in_the_message(write: Write) -> None:
    changes = next(changes for name, changes, *_ in BAD if name == "circle")
    with pytest.raises(ProjectError, match=r"bus\.a → bus\.b → bus\.c → bus\.a"):
        load(write(changes))
