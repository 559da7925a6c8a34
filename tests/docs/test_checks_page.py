"""docs/checks.md does what it says: every example is evaluated, and every kind has its options on the page."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from penstock import registry
from penstock.checks.kind import Kind, Subject
from penstock.domain.check import Check
from penstock.domain.check_result import CheckOutcome, CheckResult
from penstock.domain.relation import Column, RelationName
from penstock.engines.duckdb.engine import PLUGIN
from penstock.errors import Location
from penstock.executor.checking import Checkable, evaluate
from penstock.ports import Session, WarehouseOptions
from penstock.project.check_schema import FILES_ONLY, kinds
from penstock.project.checks import check_file, checks
from penstock.project.incidents import incidents
from penstock.project.problems import Problems
from penstock.project.python_checks import python_check
from penstock.project.yaml import read

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text()
NOW = datetime(2026, 11, 21, 6)
COLUMNS = {
    "stg.orders": ("BIGINT", "BIGINT", "VARCHAR", "DECIMAL(12,2)", "VARCHAR", "TIMESTAMP"),
    "stg.prices": ("VARCHAR", "BIGINT", "DATE", "DATE"),
}
OTHERS = (
    "CREATE TABLE stg.customers AS SELECT unnest([10, 12]) AS id",
    "CREATE TABLE stg.payments AS SELECT unnest([20.00, 35.00, 0.00, -5.00]) AS paid",
)
PAST = {
    "mean_drift": [{"figure": 10.0}, {"figure": 9.0}, {"figure": 11.0}],
    "quantile_drift": [{"figure": 10.0}, {"figure": 10.0}, {"figure": 10.0}],
    "row_count": [{"rows": 5}],
}
DAILY = [NOW - timedelta(days=days) for days in range(1, 13)]
FIGURES = {"rows": [998.0, 1003.0, 1000.0], "mean": [12.4, 12.6, 12.7], "max": [4.0, 4.0, 4.0]}


def sections() -> dict[str, str]:
    """The text about each kind."""
    found = re.split(r"^### ", PAGE.partition("## The kinds")[2].partition("\n## ")[0], flags=re.MULTILINE)
    return {name: text for name, _, text in (part.partition("\n") for part in found[1:])}


SECTIONS = sections()
KINDS = [name for name in registry.kinds("check") if name not in FILES_ONLY]
EXAMPLES = [
    (kind, line)
    for kind, text in SECTIONS.items()
    for line in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0].strip().splitlines()
]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with closing(PLUGIN.open(WarehouseOptions(home=tmp_path_factory.mktemp("home")))) as warehouse:
        made = warehouse.session()
        made.execute("CREATE SCHEMA stg")
        for relation, types in COLUMNS.items():
            table = re.search(rf"^(\| {re.escape(relation)}: .*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
            assert table
            head, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in table[1].splitlines())
            head[0] = head[0].rpartition(" ")[2]
            named = ", ".join(f"{name} {kind}" for name, kind in zip(head, types, strict=True))
            made.execute(f"CREATE TABLE {relation} ({named})")
            for row in rows:
                cells = [cell or None for cell in row]
                made.execute(f"INSERT INTO {relation} VALUES ({', '.join('?' * len(cells))})", cells)
        for sql in OTHERS:
            made.execute(sql)
        yield made


def come_of(session: Session, kind: str, entry: str) -> tuple[CheckResult, ...]:
    problems = Problems()
    document = read(f"checks:\n  {entry}\n", "page.md")
    declared = checks(document.value["checks"], document, ("checks",), problems)
    assert not len(problems), list(problems.sorted())
    relation = "stg.prices" if kind == "no_overlap" else "stg.orders"
    columns = session.describe(f"FROM {relation}")
    past: dict[str, Sequence[Mapping[str, Any]]] = {check.name: PAST[kind] for check in declared if kind in PAST}
    for check in declared if kind == "anomaly" else ():
        figures = cycle(FIGURES[check.options["measure"]])
        past[check.name] = [{"at": at, "figure": next(figures)} for at in DAILY]
    subject = Subject(RelationName.parse(relation), relation, relation, columns, NOW, past)
    return evaluate(session, Checkable(subject.relation, declared, (), ()), subject, {}, Path())


@pytest.mark.parametrize(("kind", "line"), EXAMPLES, ids=[line.partition("#")[0].strip() for _, line in EXAMPLES])
def test_an_example_gives_what_it_says(session: Session, kind: str, line: str) -> None:
    entry, _, says = line.rpartition("  # ")
    assert entry.startswith(f"- {kind}: ")
    verdict, _, message = says.partition(": ")
    results = come_of(session, kind, entry)
    wanted = {"passes": CheckOutcome.PASSED, "fails": CheckOutcome.FAILED, "warns": CheckOutcome.WARNED}[verdict]
    assert all(each.outcome is CheckOutcome.PASSED for each in results) is (verdict == "passes"), results
    assert wanted in {each.outcome for each in results}, results
    assert message in " / ".join(each.message for each in results)


def test_every_kind_is_on_the_page() -> None:
    assert list(SECTIONS) == KINDS


@pytest.mark.parametrize("kind", [kind for name, kind in kinds().items() if name in KINDS], ids=lambda kind: kind.name)
def test_every_option_of_a_kind_is_on_the_page(kind: Kind) -> None:
    text = SECTIONS[kind.name]
    for option, meaning in kind.options.items():
        assert re.search(rf"`{option}[`:]|\b{option}: ", text) or f"`{option}`" in SECTIONS["mean_drift"], option
        for choice in meaning.choices:
            assert re.search(rf"\b{choice}\b", text), f"{option}: {choice}"


def test_both_failing_and_passing_is_shown_of_every_kind() -> None:
    for kind in KINDS:
        said = {line.rpartition("  # ")[2].partition(":")[0] for name, line in EXAMPLES if name == kind}
        assert {"passes", "fails"} <= said, kind


def test_the_incidents_it_shows_are_some() -> None:
    problems = Problems()
    text = PAGE.partition("**Incidents.**")[2].partition("```yaml\n")[2].partition("```")[0]
    piece = incidents(text, "checks/incidents.yml", problems)
    assert not len(problems)
    assert piece
    assert [(str(each.of.relation), each.check) for each in piece.marked] == [
        ("serv.sales_report", None), ("stg.orders", "anomaly(rows)"),
    ]  # fmt: skip


def test_the_python_file_it_shows_is_one() -> None:
    problems = Problems()
    text = PAGE.partition("## Your own, in Python")[2].partition("```python\n")[2].partition("```")[0]
    piece = python_check(text, "checks/addresses.py", problems)
    assert not len(problems)
    assert piece
    assert (str(piece.of.relation), [str(each.relation) for each in piece.mentions]) == (
        "stg.customers", ["stg.addresses"],
    )  # fmt: skip
    names: dict[str, Any] = {}
    exec(compile(text, "addresses.py", "exec"), names)  # noqa: S102 - it is the page's own code that is tried
    rows = [{"customer_id": 1, "street": street} for street in ("High St", "high st", "Low St")]
    assert names["check"](None, pa.Table.from_pylist(rows)) == rows[:1]


def test_the_kind_it_shows_is_one() -> None:
    text = PAGE.partition("## Kinds from other packages")[2].partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(compile(text, "kind.py", "exec"), names)  # noqa: S102 - it is the page's own code that is tried
    kind = names["DIVISIBLE"]
    subject = Subject(RelationName("stg", "m"), "t", "t", (Column("n", "BIGINT"),), NOW)
    check = Check("c", "divisible", Location("m.sql"), ("n",), {"by": 20})
    assert (kind.passes(check, subject), kind.says(check)) == ('"n" % 20 = 0', "n divisible by 20")


def test_the_file_it_shows_is_one() -> None:
    problems = Problems()
    text = PAGE.partition("## Your own, in SQL")[2].partition("```sql\n")[2].partition("```")[0]
    piece = check_file(text, "checks/booked.sql", problems)
    assert not len(problems)
    assert piece
    assert (piece.check.name, str(piece.of.relation), piece.check.columns) == (
        "booked",
        "serv.balances",
        ("account_id",),
    )
