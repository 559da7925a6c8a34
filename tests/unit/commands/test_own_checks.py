"""Checks of one's own: functions in checks/*.py, and kinds that another package brings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from penstock import registry
from penstock.domain.check_result import CheckOutcome
from penstock.domain.run import Status
from penstock.errors import ProjectError

MODEL = "/*---\nkey: id\nowner: sales\n---*/ SELECT id, region, amount FROM raw.orders"
HEAD = '"""Small amounts.\n\n---\nrelation: stg.m\n{more}---\n"""\n\nimport pyarrow as pa\n\n'
SMALL = HEAD + "def check(rows):\n    return [row for row in pa.table(rows).to_pylist() if row['amount'] < 15]\n"
EMPTY = "    return []\n"
ARROW = (
    HEAD
    + "import pyarrow.compute as pc\ndef check(rows):\n    table = pa.table(rows)\n"
    + ("    return table.filter(pc.less(table['amount'], 15))\n")
)
DUCK = (
    HEAD
    + "import duckdb\ndef check(rows):\n    con = duckdb.connect()\n    con.register('r', rows)\n"
    + ("    return con.sql('SELECT * FROM r WHERE amount < 15')\n")
)


@pytest.fixture
def life(folder: Any) -> Any:
    folder.write("models/stg/m.sql", MODEL)
    return folder


def put(folder: Any, text: str, more: str = "") -> None:
    folder.write("checks/small.py", text.replace("{more}", more))


def built(folder: Any) -> Any:
    return next(step for step in folder.project.run().steps if step.step == "build:stg.m")


@pytest.mark.parametrize("text", [SMALL, ARROW, DUCK], ids=["list", "arrow", "duckdb"])
def test_rows_that_a_function_gives_are_not_published(life: Any, text: str) -> None:
    put(life, text, "key: id\ndescription: no small amounts\n")
    step = built(life)
    assert step.status is Status.FAILED
    [problem] = step.problems
    assert "small: expected no small amounts: 1 of 3 rows fails: id = 1" in problem.message
    assert problem.location.path == "checks/small.py"
    life.write("inbox/orders.csv", "id,region,amount\n1,north,100\n")
    assert built(life).status is Status.SUCCESS
    [found] = life.project.check().results
    assert (found.kind, found.outcome, found.rows, found.failing) == ("python", CheckOutcome.PASSED, 1, 0)


def test_it_sees_what_is_about_to_be_published_and_other_relations(life: Any) -> None:
    life.write("models/stg/limits.sql", "SELECT DISTINCT region, 25 AS most FROM raw.orders")
    put(
        life,
        HEAD + "def check(rows, limits):\n    most = {r['region']: r['most'] for r in pa.table(limits).to_pylist()}\n"
        "    return [r for r in pa.table(rows).to_pylist() if r['amount'] > most[r['region']]]\n",
        "reads: [stg.limits]\n",
    )
    report = life.project.run()
    order = [step.step for step in report.steps]
    assert order.index("build:stg.limits") < order.index("build:stg.m")
    [problem] = next(step for step in report.steps if step.step == "build:stg.m").problems
    assert "id = 3, region = north, amount = 30" in problem.message


def test_a_warning_and_a_tolerance(life: Any) -> None:
    put(life, SMALL, "on_fail: warn\n")
    [found] = built(life).checks
    assert (found.outcome, found.failing) == (CheckOutcome.WARNED, 1)
    put(life, SMALL, "max_failures: 1\n")
    assert [each.outcome for each in life.project.check().results] == [CheckOutcome.PASSED]


@pytest.mark.parametrize(
    "wrong", ["raise ValueError('no')", "return 5", "return [1]", "import sys; sys.exit(3)", "return gone"]
)
def test_a_function_that_does_not_work_publishes_nothing(life: Any, wrong: str) -> None:
    put(life, HEAD + f"def check(rows):\n    {wrong}\n")
    step = built(life)
    [problem] = step.problems
    assert (problem.code, step.exit_code, problem.location.path) == ("CHECK_INVALID", 3, "checks/small.py")
    assert problem.location.line >= 10
    put(life, HEAD + "def check(rows):\n    return []\n")
    assert built(life).status is Status.SUCCESS


def test_a_stream_that_is_not_read_to_its_end_is_in_nobodys_way(life: Any) -> None:
    put(
        life,
        HEAD + "kept = []\ndef check(rows):\n    kept.append(pa.RecordBatchReader.from_stream(rows))\n    return []\n",
    )
    assert built(life).status is Status.SUCCESS


def test_private_values_are_not_shown(life: Any) -> None:
    life.write("models/stg/m.sql", MODEL.replace("owner", "pii: region\nowner"))
    put(life, HEAD + "def check(rows):\n    return [{'id': 7, 'region': 'secret', 'alias': 'secret'}]\n")
    step = built(life)
    assert "id = 7, region = ***, alias = ***" in step.problems[0].message
    assert "secret" not in repr(step)
    (life.root / "checks/small.py").unlink()
    life.write("checks/own.sql", "/*---\nrelation: stg.m\n---*/ SELECT id, region AS alias FROM stg.m")
    assert "alias = ***" in built(life).problems[0].message


def test_it_is_never_imported_to_be_planned(life: Any) -> None:
    put(life, HEAD + "raise SystemExit('imported')\ndef check(rows):\n    return []\n")
    life.project.validate()
    life.project.plan()


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("def check(rows):\n    return []\n", "FRONT_MATTER", 1),
        (HEAD.replace("{more}", "") + "def chek(rows):\n    return []\n", "PYTHON_CHECK", 1),
        (HEAD.replace("{more}", "") + "def check(rows, more):\n    return []\n", "PYTHON_CHECK", 10),
        (HEAD.replace("{more}", "reads: [raw.orders]\n") + "def check(rows):\n    return []\n", "PYTHON_CHECK", 11),
        (HEAD.replace("{more}", "") + "def check(rows:\n", "PYTHON_PARSE", 10),
        (HEAD.replace("{more}", "reads: [serv.late]\n") + "def check(a, b):\n    return []\n", "LAYER_RULE", 5),
        (HEAD.replace("{more}", "reads: [stg.gone]\n") + "def check(a, b):\n    return []\n", "UNKNOWN_RELATION", 5),
        (
            HEAD.replace("{more}", "").replace("stg.m", "stg.gone") + "def check(a):\n    return []\n",
            "UNKNOWN_RELATION",
            4,
        ),
        (HEAD.replace("{more}", "until: x\n") + "def check(a):\n    return []\n", "UNKNOWN_KEY", 5),
    ],
)
def test_what_is_wrong_with_the_file_is_told(life: Any, text: str, code: str, line: int) -> None:
    life.write("models/serv/late.sql", "SELECT id FROM raw.orders")
    life.write("checks/small.py", text)
    with pytest.raises(ProjectError) as error:
        life.project.validate()
    [problem] = error.value.problems
    assert problem.location
    assert (problem.code, problem.location.path, problem.location.line) == (code, "checks/small.py", line)


def test_two_checks_of_one_name_are_told(life: Any) -> None:
    put(life, SMALL)
    life.write("checks/small.sql", "/*---\nrelation: stg.m\n---*/ SELECT id FROM stg.m WHERE amount < 0")
    with pytest.raises(ProjectError) as error:
        life.project.validate()
    assert [each.code for each in error.value.problems] == ["CHECK_OPTION"]


PLUGIN = """
from penstock.checks.kind import Option, RowKind

EVEN = RowKind(
    name="divisible",
    dimension="validity",
    passes=lambda check, subject: f"{subject.quoted(check.columns[0])} % {check.options['by']} = 0",
    says=lambda check: f"{check.columns[0]} divisible by {check.options['by']}",
    options={"by": Option("count", ..., "By what.")},
)
NO_KIND = 5
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    packages = tmp_path / "packages"
    info = packages / "more_checks-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more-checks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[penstock.checks]\ndivisible = more_checks:EVEN\nno_kind = more_checks:NO_KIND\n"
        "broken = not_there:KIND\nnot_null = more_checks:EVEN\n"
    )
    (packages / "more_checks.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(packages))
    registry.installed.cache_clear()
    yield
    registry.installed.cache_clear()
    sys.modules.pop("more_checks", None)


def test_a_kind_that_another_package_brings(life: Any, plugins: None) -> None:
    life.write("models/stg/m.sql", MODEL.replace("owner", "checks: [{divisible: {column: amount, by: 20}}]\nowner"))
    [problem] = built(life).problems
    assert "divisible(amount): expected amount divisible by 20: 2 of 3 rows fail" in problem.message


@pytest.mark.parametrize(
    ("check", "code", "message"),
    [
        ("divisible: {column: amount}", "MISSING_KEY", "by"),
        ("divisible: {column: gone, by: 2}", "UNKNOWN_COLUMN", "gone"),
        ("no_kind: {column: amount}", "PLUGIN_UNAVAILABLE", "is no kind of check"),
        ("broken: {column: amount}", "PLUGIN_UNAVAILABLE", "cannot be loaded"),
        ("divisble: {column: amount, by: 2}", "UNKNOWN_KIND", "divisble"),
    ],
)
def test_what_is_wrong_with_it_is_told(life: Any, plugins: None, check: str, code: str, message: str) -> None:
    life.write("models/stg/m.sql", MODEL.replace("owner", f"checks: [{{{check}}}]\nowner"))
    with pytest.raises(ProjectError) as error:
        life.project.validate()
    [problem] = error.value.problems
    assert problem.location
    assert (problem.code, problem.location.line) == (code, 3)
    assert message in problem.message or message in str(problem.location) or message in str(problem)


def test_ours_are_not_replaced(life: Any, plugins: None) -> None:
    life.write("models/stg/m.sql", MODEL.replace("owner", "checks: [{not_null: amount}]\nowner"))
    assert built(life).status is Status.SUCCESS


def test_functions_of_the_project_are_called_in_checks(folder: Any) -> None:
    """In conditions and in files, at models and at source tables; another body is another check."""
    folder.write("functions/f.sql", "CREATE FUNCTION small(v) AS (v < 100); CREATE FUNCTION own(v) AS (small(v + 0));")
    source = (folder.root / "sources/shop.yml").read_text().rstrip()[:-1]
    folder.write("sources/shop.yml", f"{source}, checks: [{{expression: own(amount)}}]}}\n")
    folder.write(
        "models/stg/m.sql",
        "/*---\nchecks: [{not_null: {column: region, where: small(amount)}}]\n---*/\n"
        "SELECT id, region, amount FROM raw.orders",
    )
    folder.write("checks/big.sql", "/*---\nrelation: stg.m\n---*/\nSELECT id FROM stg.m WHERE NOT small(amount)")
    folder.run()
    assert {each.outcome for each in folder.project.check().results} == {"passed"}
    folder.write("functions/f.sql", "CREATE FUNCTION small(v) AS (v < 30); CREATE FUNCTION own(v) AS (small(v + 0));")
    assert {each.name: each.failing for each in folder.project.check().results} == {
        "expression": 1,
        "not_null(region)": 0,
        "big": 1,
    }
    assert folder.project.run().exit_code == 3
    folder.write(
        "functions/f.sql", "CREATE FUNCTION small(v) AS (EXISTS (FROM raw.orders)); CREATE FUNCTION own() AS (1);"
    )
    with pytest.raises(ProjectError) as error:
        folder.project.validate()
    told = [(str(each.location).partition(":")[0], each.code) for each in error.value.problems]
    assert ("sources/shop.yml", "FUNCTION_ARITY") in told
    assert ("models/stg/m.sql", "CHECK_OPTION") in told  # it reads a relation now, and judges single rows
