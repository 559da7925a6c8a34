"""`checks:` and checks/*.sql: what is read, and everything that is wrong with them told with file and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.domain.check import Check, Tolerance
from penstock.domain.relation import RelationName
from penstock.errors import Problem, ProjectError
from penstock.project.load import load

SOURCE = "tables:\n  orders: {path: o.csv, extract: full, key: id, columns: {id: bigint}}\n"
SELECT = "SELECT id, region, amount, day FROM raw.orders"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def put(**files: str) -> Path:
        given = {"penstock.yml": "name: test\nvariables: {most: 5}\n", "sources/shop.yml": SOURCE}
        given |= {path.replace("__", "/").replace("_dot_", "."): text for path, text in files.items()}
        for path, text in given.items():
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return tmp_path

    return put


def model(checks: str, more: str = "", select: str = SELECT) -> str:
    return f"/*---\n{more}checks:\n{checks}\n---*/\n{select}\n"


def read(write: Callable[..., Path], checks: str, more: str = "") -> tuple[Check, ...]:
    project = load(write(models__stg__m_dot_sql=model(checks, more)))
    found = project.model(RelationName("stg", "m"))
    assert found
    return found.checks


def problems(root: Path) -> tuple[Problem, ...]:
    with pytest.raises(ProjectError) as error:
        load(root)
    return error.value.problems


def test_a_check_is_what_is_written(write: Callable[..., Path]) -> None:
    [found] = read(
        write,
        "- range: {column: amount, min: 0, on_fail: warn, where: region = 'x', max_failures: 0.5%, "
        "dimension: accuracy, name: sums, description: why}",
    )
    assert (found.name, found.kind, found.columns, found.on_fail) == ("sums", "range", ("amount",), "warn")
    assert found.options == {"min": 0, "max": None, "exclusive": False}
    assert (found.where, found.tolerance, found.dimension) == ("region = 'x'", Tolerance(share=0.005), "accuracy")
    assert (found.location.path, found.location.line, found.description) == ("models/stg/m.sql", 3, "why")


@pytest.mark.parametrize(
    ("checks", "names"),
    [
        ("- not_null: id", ["not_null(id)"]),
        ("- not_null: [id, region]", ["not_null(id)", "not_null(region)"]),
        ("- unique: [id, region]", ["unique(id, region)"]),
        ("- expression: id > 0\n- expression: id > 1", ["expression", "expression 2"]),
        ("- {positive: {columns: [id, amount], name: big}}", ["big", "big 2"]),
        ("- row_count: {min: 1}", ["row_count"]),
    ],
)
def test_each_check_has_a_name_of_its_own(write: Callable[..., Path], checks: str, names: list[str]) -> None:
    assert [each.name for each in read(write, checks)] == names


BAD: list[tuple[str, str, str]] = [
    ("- not_nul: id", "UNKNOWN_KIND", "unknown kind of check 'not_nul'"),
    ("- not_null", "BAD_VALUE", "expected a check such as"),
    ("- {not_null: id, unique: id}", "BAD_VALUE", "expected a check such as"),
    ("- not_null: {}", "MISSING_KEY", "which column?"),
    ("- not_null: {column: id, columns: [region]}", "OPTION_MISPLACED", "are the same thing"),
    ("- not_null: nothing", "UNKNOWN_COLUMN", "names the column 'nothing', which stg.m does not give"),
    ("- unique: [id, nothing]", "UNKNOWN_COLUMN", "nothing"),
    ("- no_overlap: {column: id, from: day, to: nothing}", "UNKNOWN_COLUMN", "nothing"),
    ("- range: {column: id}", "CHECK_OPTION", "neither min nor max"),
    ("- range: {column: id, min: 5, max: 1}", "CHECK_OPTION", "min 5 is above max 1"),
    ("- range: {column: id, min: 5, max: a}", "CHECK_OPTION", "one is a number, one text"),
    ("- range: {column: id, mim: 5}", "UNKNOWN_KEY", "mim"),
    ("- accepted_values: {column: id, values: []}", "CHECK_OPTION", "nothing could pass"),
    ("- length: {column: region, equals: 2, max: 3}", "CHECK_OPTION", "leaves nothing"),
    ("- length: {column: region, min: -1}", "BAD_VALUE", "min"),
    ("- regex: {column: region}", "MISSING_KEY", "pattern"),
    ("- type: {column: region, is: bigint, format: '%d'}", "CHECK_OPTION", "a format is for dates and times"),
    ("- type: {column: region, is: bigsint}", "BAD_TYPE", "bigsint"),
    ("- format: {column: region, is: zip}", "BAD_VALUE", "is"),
    ("- expression: id >", "SQL_PARSE", "expression"),
    ("- expression: id > 0; DROP TABLE x", "SQL_PARSE", "expression"),
    ("- expression: id > 0, region > 'a'", "SQL_PARSE", "expected one condition"),
    ("- expression: id IN (SELECT id FROM raw.orders)", "CHECK_OPTION", "judges single rows"),
    ("- expression: id < $most", "CHECK_OPTION", "uses $most"),
    ("- not_null: {column: id, where: 'a b c'}", "SQL_PARSE", "where"),
    ("- relationships: {column: id, to: nothing}", "BAD_NAME", "nothing"),
    ("- relationships: {column: id, to: raw.nothing}", "UNKNOWN_RELATION", "there is no relation raw.nothing"),
    ("- relationships: {column: id, to: serv.late}", "LAYER_RULE", "of the layer 'serv', which comes later"),
    ("- relationships: {columns: [id, region], to: raw.orders, field: [id]}", "CHECK_OPTION", "2 columns are compared"),
    ("- row_count: {}", "CHECK_OPTION", "nothing is asked"),
    ("- row_count: {equals: 5, min: 1}", "CHECK_OPTION", "leaves nothing"),
    ("- row_count: {min: 5, max: 1}", "CHECK_OPTION", "above"),
    ("- row_count: {max_drop: 0.5}", "BAD_VALUE", "expected a percentage"),
    ("- row_count: {min: 1, max_failures: 3}", "CHECK_OPTION", "not about rows"),
    ("- row_count: {min: 1, on_fail: quarantine}", "CHECK_OPTION", "no single row can be set apart"),
    ("- unique: {column: id, on_fail: quarantine}", "CHECK_OPTION", "no single row can be set apart"),
    ("- positive: {column: id, on_fail: quarantine, max_failures: 3}", "CHECK_OPTION", "set apart, however many"),
    ("- freshness: {column: day}", "CHECK_OPTION", "nothing is asked of the age"),
    ("- freshness: {column: day, warn_after: 2 days, error_after: 1 day}", "CHECK_OPTION", "longer than error_after"),
    ("- freshness: {column: day, warn_after: 2}", "BAD_VALUE", "expected a span of time"),
    ("- recency: {column: day}", "MISSING_KEY", "within"),
    ("- completeness: {column: day, grain: week}", "BAD_VALUE", "grain"),
    ("- null_rate: {column: id}", "MISSING_KEY", "max"),
    ("- null_rate: {column: id, max: 5}", "BAD_VALUE", "expected a percentage"),
    ("- distinct_count: {column: id}", "CHECK_OPTION", "neither"),
    ("- mean_drift: {column: amount}", "CHECK_OPTION", "how far is too far"),
    ("- mean_drift: {column: amount, max: 5%, runs: 3, min_runs: 4}", "CHECK_OPTION", "more than the runs"),
    ("- quantile_drift: {column: amount, quantile: 1.5, max: 5%}", "CHECK_OPTION", "expected 0 to 1"),
    ("- reconciliation: {with: raw.orders, rows: false}", "CHECK_OPTION", "neither rows nor a sum"),
    ("- not_null: {column: id, on_fail: explode}", "BAD_VALUE", "on_fail"),
    ("- positive: {column: id, max_failures: -1}", "BAD_VALUE", "expected a number of rows"),
    ("- positive: {column: id, max_failures: 101%}", "BAD_VALUE", "up to 100%"),
    ("- positive: {column: id, dimension: beauty}", "BAD_VALUE", "dimension"),
]


@pytest.mark.parametrize(("checks", "code", "message"), BAD, ids=[bad[0] for bad in BAD])
def test_what_is_wrong_is_told_at_its_place(write: Callable[..., Path], checks: str, code: str, message: str) -> None:
    root = write(
        models__stg__m_dot_sql=model(f"- not_null: id\n{checks}"),
        models__serv__late_dot_sql="SELECT id FROM raw.orders",
    )
    found = problems(root)
    problem = next((each for each in found if each.code == code), found[0])
    assert (problem.code, message in f"{problem.message} {problem.location}") == (code, True), problem
    assert problem.location
    assert (problem.location.path, problem.location.line) == ("models/stg/m.sql", 4)
    assert problem.hint


def test_a_python_model_and_a_source_table_are_looked_at_too(write: Callable[..., Path]) -> None:
    root = write(
        models__stg__p_dot_py='"""P.\n\n---\nreads: [raw.orders]\ncolumns: [id]\nchecks: [{not_null: gone}]\n---\n"""\n'
        "def model(orders):\n    return orders\n",
        sources__shop_dot_yml=SOURCE.rstrip()[:-1] + ",\n    checks: [{relationships: {column: id, to: stg.p}}]}\n",
    )
    found = {(each.code, str(each.location).rpartition(":")[0]) for each in problems(root)}
    assert found == {("UNKNOWN_COLUMN", "models/stg/p.py:6"), ("CHECK_NOT_HERE", "sources/shop.yml:3")}
    wrong = f"{SOURCE.rstrip()[:-1]},\n    checks: [{{range: {{column: id, min: 3, max: 1}}}}]}}\n"
    problem = next(each for each in problems(write(sources__shop_dot_yml=wrong)) if each.code != "UNKNOWN_COLUMN")
    assert (problem.code, str(problem.location).rpartition(":")[0]) == ("CHECK_OPTION", "sources/shop.yml:3")


@pytest.mark.parametrize("how", ["fail", "warn"])
def test_a_gate_at_a_view_is_refused(write: Callable[..., Path], how: str) -> None:
    text = model(f"- not_null: {{column: id, on_fail: {how}}}", "materialization: view\n")
    root = write(models__stg__m_dot_sql=text)
    if how == "warn":
        load(root)
    else:
        assert [each.code for each in problems(root)] == ["CHECK_NOT_HERE"]


def test_checks_that_look_at_what_is_made_from_them_are_a_circle(write: Callable[..., Path]) -> None:
    root = write(
        models__stg__a_dot_sql=model("- relationships: {column: id, to: stg.b}"),
        models__stg__b_dot_sql="SELECT id FROM stg.a",
    )
    [problem] = problems(root)
    assert problem.code == "CYCLE"
    assert "stg.a" in problem.message
    assert str(problem.location).startswith("models/stg/a.sql:3")


MATTER = "/*---\nrelation: stg.m\n{}---*/\n"
FILES: list[tuple[str, str, int, str]] = [
    ("SELECT 1 AS a FROM stg.m", "FRONT_MATTER", 1, "MISSING_KEY"),
    (MATTER.format("max_failures: 5%\n") + "SELECT id FROM stg.m", "BAD_VALUE", 3, "max_failures"),
    (MATTER.format("on_fail: quarantine\n") + "SELECT id FROM stg.m", "BAD_VALUE", 3, "on_fail"),
    (MATTER.format("") + "SELECT id FROM stg.m WHERE", "SQL_PARSE", 4, ""),
    (MATTER.format("") + "DELETE FROM stg.m", "SQL_NOT_A_QUERY", 4, ""),
    (MATTER.format("") + "SELECT id\nFROM serv.late", "LAYER_RULE", 5, "comes later"),
    (MATTER.format("") + "SELECT id\nFROM stg.nothing", "UNKNOWN_RELATION", 5, "stg.nothing"),
    (MATTER.format("") + "SELECT id FROM stg.m WHERE id > $mots", "UNKNOWN_PARAMETER", 4, "$mots"),
    (MATTER.format("").replace("stg.m", "stg.nothing") + "SELECT 1 AS a FROM stg.m", "UNKNOWN_RELATION", 2, "nothing"),
    (
        MATTER.format("").replace("stg.m", "raw.orders_history") + "SELECT 1 AS a FROM raw.orders",
        "UNKNOWN_RELATION",
        2,
        "",
    ),
    (MATTER.format("").replace("stg.m", "raw.orders") + "SELECT 1 AS a FROM stg.m", "CHECK_NOT_HERE", 4, "any order"),
]


@pytest.mark.parametrize(("text", "code", "line", "message"), FILES, ids=[str(number) for number in range(len(FILES))])
def test_what_is_wrong_with_a_file_of_checks(
    write: Callable[..., Path], text: str, code: str, line: int, message: str
) -> None:
    root = write(
        models__stg__m_dot_sql=SELECT, models__serv__late_dot_sql="SELECT id FROM raw.orders", checks__own_dot_sql=text
    )
    [problem] = problems(root)
    codes = {code, message} if code == "FRONT_MATTER" else {code}
    assert problem.code in codes, problem
    assert code == "FRONT_MATTER" or message in problem.message
    assert problem.location
    assert (problem.location.path, problem.location.line) == ("checks/own.sql", line)


def test_a_file_of_checks_belongs_to_its_relation(write: Callable[..., Path]) -> None:
    text = MATTER.format("on_fail: warn\nmax_failures: 3\nkey: id\n") + "SELECT id FROM stg.m WHERE id > $most\n"
    own: dict[str, Any] = {"checks__own_dot_sql": text, "checks__more_dot_sql": text.replace("stg.m", "raw.orders")}
    project = load(write(models__stg__m_dot_sql=model("- not_null: id"), **own))
    found = project.model(RelationName("stg", "m"))
    assert found
    assert [each.name for each in found.checks] == ["not_null(id)", "own"]
    check = found.checks[1]
    assert (check.kind, check.tolerance, check.columns, check.on_fail) == ("sql", Tolerance(rows=3), ("id",), "warn")
    assert [[each.name for each in table.checks] for table in project.tables] == [["more"]]
