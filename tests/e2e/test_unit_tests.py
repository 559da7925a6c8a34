"""`penstock test` as its user has it: exit codes, what is said, reports for CI, and nothing left behind."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest


@pytest.fixture
def shop(project: Callable[..., Any]) -> Any:
    return project("shop")


def spoil(shop: Any) -> None:
    """Expect something else of the first test."""
    path = shop.cwd / "tests/orders_hourly.yml"
    path.write_text(path.read_text().replace("5,3,15.75,2", "5,3,16.75,2"))


@pytest.mark.parametrize(("example", "tests"), [("shop", 5), ("banking", 11), (None, 2)])
def test_the_tests_of_the_examples_pass_without_any_data(project: Callable[..., Any], example: str, tests: int) -> None:
    cli = project(example)
    done = cli("test")
    assert f"{tests} tests in" in done.out
    assert f"{tests} passed, 0 failed" in done.out
    assert not (cli.cwd / "data").exists()
    cli("validate")


def test_a_warehouse_that_is_there_is_not_touched(shop: Any) -> None:
    shop("run")
    before = {path: path.stat().st_mtime_ns for path in (shop.cwd / "data").rglob("*")}
    shop("test")
    assert {path: path.stat().st_mtime_ns for path in (shop.cwd / "data").rglob("*")} == before
    assert "everything is up to date" in shop("run").out  # tests are no part of what a run is made of
    spoil(shop)
    assert "everything is up to date" in shop("run").out


def test_a_failure_says_what_differs_where(shop: Any) -> None:
    spoil(shop)
    done = shop("test", code=3)
    lines = [line.strip() for line in done.out.splitlines()]
    assert lines[0] == "FAIL stg.orders_hourly: orders_of_one_hour_are_one_row  (tests/orders_hourly.yml:4:3)"
    assert lines[1] == "expected 2 rows, found 2 rows, 1 differs"
    row = next(line for line in lines if line.startswith("~"))
    assert "16.75 (found 15.75)" in row
    assert row.endswith("tests/orders_hourly.yml:15")
    assert lines[-1].endswith("4 passed, 1 failed")
    assert shop("test", "--quiet", code=3).out.splitlines()[:6] == done.out.splitlines()[:6]


def test_json_and_junit(shop: Any) -> None:
    spoil(shop)
    found = shop("test", "--json", "--junit", "out/report.xml", code=3).json
    assert (found["passed"], found["failed"], found["exit_code"]) == (4, 1, 3)
    failed = next(result for result in found["results"] if result["status"] == "failed")
    (difference,) = failed["mismatches"][0]["differences"]
    assert difference["changed"] == ["revenue"]
    assert difference["expected"]["revenue"] == 16.75
    suite = ElementTree.parse(shop.cwd / "out/report.xml").getroot().find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("5", "1")
    cases = {(case.get("classname"), case.get("name")): case for case in suite.iter("testcase")}
    failure = cases["stg.orders_hourly", "orders_of_one_hour_are_one_row"].find("failure")
    assert failure is not None
    assert failure.text is not None
    assert "16.75 (found 15.75)" in failure.text
    assert cases["serv.sales_report", "a_product_gets_a_new_name"].find("failure") is None
    shop("test", "--junit", "tests/orders_hourly.yml/x.xml", code=4)


def test_text_that_xml_and_terminals_do_not_take_is_spelled_out(shop: Any) -> None:
    (shop.cwd / "models/stg/odd.sql").write_text("SELECT chr(27) || '[31m<&>' || chr(1) AS a FROM raw.products\n")
    (shop.cwd / "tests/odd.yml").write_text(
        "tests:\n  odd:\n    model: stg.odd\n    given: {raw.products: [{product_id: 1}]}\n    expect: []\n"
    )
    done = shop("test", "--select", "odd", "--junit", "r.xml", code=3)
    assert "\x1b" not in done.out
    assert "\\x1b[31m<&>\\x01" in done.out
    ElementTree.parse(shop.cwd / "r.xml")  # noqa: S314 - our own


def test_selecting(shop: Any) -> None:
    assert "1 test in" in shop("test", "--select", "serv.*").out
    assert "4 tests in" in shop("test", "--exclude", "serv.*").out
    assert "1 test in" in shop("test", "--select", "a_late*").out
    assert "'late' matches nothing" in shop("test", "--select", "late", code=2).err
    (shop.cwd / "tests").rename(shop.cwd / "elsewhere")
    assert shop("test").out.startswith("no tests")


def test_problems_are_told_before_anything_runs(shop: Any) -> None:
    (shop.cwd / "tests/bad.yml").write_text("tests:\n  a:\n    model: stg.orders_daily\n    expect: []\n")
    for verb in ("test", "validate"):
        said = shop(verb, code=2).err
        assert "TEST_MODEL" in said
        assert "tests/bad.yml:3:12" in said
        assert "did you mean 'stg.orders_hourly'?" in said
    assert shop("test", "--json", code=2).json["error"]["problems"][0]["code"] == "TEST_MODEL"
    shop("run")  # a test that is wrong does not stop a run


def test_verbose_says_how_models_were_made(shop: Any) -> None:
    said = shop("test", "-v", "--select", "a_late*").out
    assert "the late order: maintained, 2 rows (changed: raw.orders; maintained by (order_hour, " in said


def test_on_a_terminal_failures_are_coloured(shop: Any) -> None:
    spoil(shop)
    master, slave = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock", "test"], cwd=shop.cwd, stdout=slave, stderr=slave, env=environment
    )
    os.close(slave)
    said = b""
    while True:
        try:
            block = os.read(master, 4096)
        except OSError:
            break
        if not block:
            break
        said += block
    os.close(master)
    assert process.wait() == 3
    assert b"\x1b[31m" in said


def test_the_editor_knows_the_files(shop: Any) -> None:
    schema = json.loads((shop.cwd / ".schema/test.json").read_text())
    assert "tests" in schema["properties"]
    first = Path(shop.cwd / "tests/orders_hourly.yml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=../.schema/test.json"
