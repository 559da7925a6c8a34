"""Publish groups, run after run on real files: relations of one become visible together, or not at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.cli.main import run as cli
from penstock.commands.execute import Request, _planned, _work
from penstock.commands.observe import observe
from penstock.commands.workspace import open_workspace, utc_now
from penstock.domain.event import StepFinished, StepStarted
from penstock.domain.plan import BuildStep, LoadStep
from penstock.domain.relation import RelationName
from penstock.domain.run import Status
from penstock.embedded.contracts import ContractFile
from penstock.executor import ledger as ledgers
from penstock.executor.build import build
from penstock.executor.load import load
from penstock.executor.publish import Publishing
from penstock.executor.runner import Runner

START = datetime(2026, 11, 17, 6, tzinfo=UTC)
PARENT = "SELECT region, sum(amount)::BIGINT AS amount FROM raw.orders GROUP BY ALL"
CHILD = "SELECT count(*) AS regions, sum(amount)::BIGINT AS amount FROM serv.parent"
POSITIVE = "checks: [{positive: amount}]"
PYTHON = '''"""Regions.

---
reads: [serv.parent, serv.seen]
columns: [region, amount]
---
"""
import pyarrow as pa


def model(parent, seen):
    rows = pa.table(parent)
    assert rows.num_rows == pa.table(seen).num_rows, "the view shows other rows than the table"
    return rows
'''


def model(folder: Any, name: str, select: str, matter: str = "") -> None:
    head = f"/*---\n{matter}\n---*/\n" if matter else ""
    folder.write(f"models/{name.replace('.', '/')}.sql", f"{head}{select}\n")


def orders(folder: Any, *amounts: int) -> None:
    rows = [f"{number},{'north' if number % 2 else 'south'},{amount}\n" for number, amount in enumerate(amounts, 1)]
    folder.write("inbox/orders.csv", f"id,region,amount\n{''.join(rows)}")


def go(folder: Any, at: int, **options: Any) -> Any:
    return folder.project.run(now=START + timedelta(days=at), **options)


def ended(report: Any) -> dict[str, str]:
    return {step.target: step.status.value for step in report.steps if step.kind == "build"}


def step(report: Any, target: str) -> Any:
    return next(each for each in report.steps if each.target == target and each.kind == "build")


def commits(folder: Any) -> list[tuple[Any, ...]]:
    """Each commit of the last run: number and relation."""
    return list(
        folder.project.query(
            "SELECT number, relation FROM _penstock.commits WHERE run = (SELECT max_by(run, number) FROM "
            "_penstock.commits) AND NOT starts_with(relation, 'raw.') ORDER BY 1"
        ).rows
    )


@pytest.fixture
def served(folder: Any) -> Any:
    """Two serving tables, one made from the other, run once."""
    orders(folder, 10, 20, 30)
    model(folder, "serv.parent", PARENT, POSITIVE)
    model(folder, "serv.child", CHILD)
    go(folder, 0)
    assert folder.rows("FROM serv.child") == [(2, 60)]
    return folder


def test_each_has_a_commit_of_its_own_and_sees_those_before_it(served: Any) -> None:
    first = commits(served)
    assert [name for _, name in first] == ["serv.parent", "serv.child"]
    orders(served, 10, 20, 40)
    report = go(served, 1)
    assert ended(report) == {"serv.parent": "success", "serv.child": "success"}
    assert served.rows("FROM serv.child") == [(2, 70)]
    made = commits(served)
    assert [name for _, name in made] == ["serv.parent", "serv.child"]
    assert [step(report, name).commit for _, name in made] == [number for number, _ in made]
    assert step(report, "serv.child").mode in {"maintained", "rebuilt"}
    assert ended(go(served, 2)) == {}, "there is nothing left to do"


@pytest.mark.parametrize("failing", ["parent", "child"])
def test_one_that_fails_takes_all_of_them_back(folder: Any, failing: str) -> None:
    orders(folder, 10, 20, 30)
    matter = "checks: [{range: {column: amount, max: 65}}]"
    model(folder, "serv.parent", PARENT, matter if failing == "parent" else "")
    model(folder, "serv.child", CHILD, matter if failing == "child" else "")
    model(folder, "serv.other", "SELECT count(*) AS n FROM raw.orders")
    folder.write("exports/out.yml", "exports: {out: {format: csv, relation: serv.child, path: out.csv}}\n")
    assert go(folder, 0).exit_code == 0
    before = {name: folder.rows(f"FROM serv.{name}") for name in ("parent", "child", "other")}
    numbers = commits(folder)
    orders(folder, 100, 20, 30, 5)
    report = go(folder, 1)
    assert (report.exit_code, report.status) == (3, Status.FAILED)
    culprit = step(report, f"serv.{failing}")
    assert culprit.status is Status.FAILED
    assert [problem.code for problem in culprit.problems] == ["CHECK_FAILED"]
    for name in {"serv.parent", "serv.child", "serv.other"} - {culprit.target}:
        result = step(report, name)
        assert (result.status, result.reason, result.commit) == (
            Status.SKIPPED, f"not published: {culprit.target} of its publish group failed", None,
        )  # fmt: skip
    assert next(each for each in report.steps if each.kind == "export").status is Status.SKIPPED
    assert {name: folder.rows(f"FROM serv.{name}") for name in before} == before
    orders(folder, 11, 20, 29, 5)
    assert set(ended(go(folder, 2)).values()) == {"success"}
    assert folder.rows("FROM serv.child") == [(2, 65)]
    assert folder.rows("FROM serv.other") == [(4,)]
    last = [number for number, _ in commits(folder)]
    assert last == list(range(last[0], last[0] + 3)), "numbers follow each other"
    assert last[0] > numbers[-1][0]


@pytest.mark.parametrize(
    ("select", "matter", "code"),
    [
        ("SELECT 1 / 0 AS n, CAST(region AS BIGINT) AS b FROM raw.orders WHERE amount > 50", "", "SQL_FAILED"),
        ("SELECT id - id AS n, amount FROM raw.orders WHERE amount > 50 OR id = 1", "key: n", "KEY_NOT_UNIQUE"),
    ],
)
def test_an_error_takes_back_what_was_built_before_it(served: Any, select: str, matter: str, code: str) -> None:
    model(served, "serv.zlast", select, matter)
    assert go(served, 1).exit_code == 0
    before = served.rows("FROM serv.parent"), served.rows("FROM serv.child"), served.rows("FROM serv.zlast")
    orders(served, 10, 20, 90, 60)
    report = go(served, 2)
    assert [problem.code for problem in step(report, "serv.zlast").problems] == [code]
    assert str(step(report, "serv.zlast").problems[0].location).startswith("models/serv/zlast.sql")
    assert {name: status for name, status in ended(report).items() if name != "serv.zlast"} == {
        "serv.parent": "skipped", "serv.child": "skipped",
    }  # fmt: skip
    assert (served.rows("FROM serv.parent"), served.rows("FROM serv.child"), served.rows("FROM serv.zlast")) == before
    (served.root / "models/serv/zlast.sql").unlink()
    assert ended(go(served, 3)) == {"serv.parent": "success", "serv.child": "success"}
    assert served.rows("FROM serv.child") == [(2, 180)]


def test_a_member_that_has_nothing_to_do_is_left_alone(served: Any) -> None:
    served.write("inbox/people.csv", "id,name\n1,ann\n")
    source = served.root / "sources" / "shop.yml"
    source.write_text(source.read_text() + "  people: {path: people.csv, extract: full, key: id}\n")
    model(served, "serv.people", "SELECT name FROM raw.people")
    model(served, "serv.names", "SELECT count(*) AS names FROM serv.people")
    go(served, 1)
    orders(served, 1, 2, 3)
    report = go(served, 2)
    assert ended(report) == {
        "serv.parent": "success", "serv.child": "success", "serv.people": "unchanged", "serv.names": "unchanged",
    }  # fmt: skip
    assert step(report, "serv.people").reason == "up to date"


def test_one_that_changes_alone_is_a_step_like_others(served: Any) -> None:
    model(served, "serv.child", CHILD.replace("count(*)", "1 + count(*)"))
    report = go(served, 1)
    assert ended(report) == {"serv.parent": "unchanged", "serv.child": "success"}
    assert served.rows("FROM serv.child") == [(3, 60)]


def test_an_input_that_failed_holds_the_group_back(served: Any) -> None:
    """Else one table would show what another does not."""
    model(served, "bus.joined", "SELECT * FROM raw.orders", "checks: [{range: {column: amount, max: 50}}]")
    model(served, "serv.more", "SELECT max(amount) AS most FROM bus.joined")
    assert go(served, 1).exit_code == 0
    orders(served, 10, 20, 60)
    report = go(served, 2)
    assert ended(report) == {
        "bus.joined": "failed", "serv.more": "skipped", "serv.parent": "skipped", "serv.child": "skipped",
    }  # fmt: skip
    assert step(report, "serv.parent").reason == "not published: serv.more of its publish group could not be made"
    assert served.rows("FROM serv.parent") == [("north", 40), ("south", 20)]
    orders(served, 10, 20, 50)
    assert set(ended(go(served, 3)).values()) == {"success"}
    assert served.rows("FROM serv.more") == [(50,)]


def test_a_source_that_is_missing_holds_back_only_those_that_have_more_to_show(served: Any) -> None:
    """What reads it alone shows all that is loaded: it is behind nothing."""
    served.write("inbox/people.csv", "id,name\n1,ann\n")
    source = served.root / "sources" / "shop.yml"
    source.write_text(source.read_text() + "  people: {path: people.csv, extract: full, key: id}\n")
    model(served, "serv.people", "SELECT name FROM raw.people")
    go(served, 1)
    (served.root / "inbox" / "people.csv").unlink()
    orders(served, 1, 2, 3)
    report = go(served, 2)
    assert ended(report) == {"serv.people": "skipped", "serv.parent": "success", "serv.child": "success"}
    model(served, "serv.people", "SELECT name FROM raw.people, raw.orders")
    orders(served, 1, 2, 4)
    report = go(served, 3)
    assert ended(report) == {"serv.people": "skipped", "serv.parent": "skipped", "serv.child": "skipped"}


def test_what_a_project_declares(served: Any) -> None:
    """A group of its own, and one that stands alone, do not wait for the others."""
    bad = "checks: [{range: {column: amount, max: 65}}]"
    model(served, "serv.child", CHILD, f"publish_group: none\n{bad}")
    model(served, "bus.one", "SELECT sum(amount)::BIGINT AS amount FROM raw.orders", "publish_group: pair")
    model(served, "bus.two", "SELECT count(*) AS amount FROM raw.orders", f"publish_group: pair\n{bad}")
    model(served, "serv.extra", "SELECT max(amount) AS amount FROM raw.orders")
    assert go(served, 1).exit_code == 0
    orders(served, 100, 20, 30)
    report = go(served, 2)
    assert ended(report) == {
        "serv.parent": "success", "serv.extra": "success", "serv.child": "failed", "bus.one": "success",
        "bus.two": "unchanged",
    }  # fmt: skip
    assert served.rows("FROM serv.child") == [(2, 60)]
    orders(served, *[1] * 70)
    report = go(served, 3)
    assert (ended(report)["bus.one"], ended(report)["bus.two"]) == ("skipped", "failed")
    assert ended(report)["serv.parent"] == "success"


def test_the_plan_shows_the_group(served: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model(served, "serv.apart", "SELECT 1 AS one", "publish_group: none")
    groups = {each.id: each.group for each in served.project.plan().steps if each.kind == "build"}
    assert groups == {"build:serv.parent": "serving", "build:serv.child": "serving", "build:serv.apart": ""}
    selected = served.project.plan(select=["serv.child"]).steps
    assert [each.group for each in selected] == [""], "one alone is no group"
    assert cli(["plan", "--json", "--project", str(served.root)]) == 0
    shown = {each["id"]: each.get("publish_group") for each in json.loads(capsys.readouterr().out)["steps"]}
    assert shown["build:serv.parent"] == "serving"
    assert shown["build:serv.apart"] is None
    orders(served, 1)
    assert cli(["plan", "--project", str(served.root)]) == 0
    out = capsys.readouterr().out
    assert "published together (serving): serv.parent, serv.child" in out


def test_those_selected_are_published_together(served: Any) -> None:
    model(served, "serv.zbad", "SELECT sum(amount)::BIGINT AS amount FROM raw.orders", POSITIVE)
    go(served, 1)
    orders(served, -100, 20, 30)
    assert set(ended(go(served, 2)).values()) == {"failed", "skipped"}
    (served.root / "models/serv/parent.sql").write_text(PARENT)
    report = go(served, 3, select=["serv.parent", "serv.child"])
    assert ended(report) == {"serv.parent": "success", "serv.child": "success"}


@pytest.mark.parametrize(
    "kept",
    [
        "auto",
        "rebuild",
        "append\nkey: region",
        "merge\nkey: region",
        "merge\nkey: region\ndeletes: remove",
        "history\nkey: region",
    ],
)
def test_whatever_a_member_is_kept_by(folder: Any, kept: str) -> None:
    """Two of each, one made from the other, over days with a failing gate between."""
    orders(folder, 10, 20, 30)
    model(folder, "serv.a", PARENT, f"materialization: {kept}")
    current = " WHERE is_current" if "history" in kept else ""
    model(folder, "serv.b", f"SELECT region, amount + 1 AS amount FROM serv.a{current}", f"materialization: {kept}")
    model(folder, "serv.c", "SELECT count(*) AS n FROM serv.b", "checks: [{range: {column: n, max: 2}}]")
    for at, day in enumerate([(10, 20, 30), (10, 25), (11, 25, 31), (11,)]):
        orders(folder, *day)
        assert go(folder, 2 * at, full_refresh=["serv.c"]).exit_code in {0, 3}
    model(folder, "serv.c", "SELECT count(*) AS n FROM serv.b")
    assert go(folder, 10).exit_code == 0
    a, b = (folder.rows(f"SELECT region, amount FROM serv.{name}{current}") for name in "ab")
    assert [(region, amount + 1) for region, amount in a] == b
    assert ("north", 11) in a


def test_python_models_are_given_what_is_not_committed_yet(served: Any) -> None:
    model(served, "serv.seen", "SELECT region FROM serv.parent", "materialization: view")
    served.write("models/serv/python.py", PYTHON)
    assert go(served, 1).exit_code == 0
    orders(served, 10, 20, 31, 40, 50)
    report = go(served, 2)
    assert report.exit_code == 0, [problem for each in report.steps for problem in each.problems]
    assert served.rows("FROM serv.python") == served.rows("FROM serv.parent") == [("north", 91), ("south", 60)]


def test_a_python_model_that_fails(served: Any) -> None:
    served.write(
        "models/serv/python.py",
        PYTHON.replace(", serv.seen", "")
        .replace(", seen", "")
        .replace(
            '    assert rows.num_rows == pa.table(seen).num_rows, "the view shows other rows than the table"\n',
            "    assert rows.num_rows < 2 or max(rows['amount'].to_pylist()) < 50, 'too much'\n",
        ),
    )
    assert go(served, 1).exit_code == 0
    orders(served, 100, 20)
    report = go(served, 2)
    assert [problem.code for problem in step(report, "serv.python").problems] == ["PYTHON_MODEL_FAILED"]
    assert served.rows("FROM serv.child") == [(2, 60)]


@pytest.mark.parametrize("kept", ["auto", "merge\nkey: id"])
def test_changes_that_cannot_be_followed_begin_the_group_again(served: Any, kept: str) -> None:
    """An old row of one input meets a new one of another and is refused. The engine ends a transaction with its first
    error: the member is made from all of its rows, and those before it once more."""
    source = served.root / "sources" / "shop.yml"
    source.write_text(
        source.read_text()
        + "  limits: {path: limits.csv, extract: full, key: id, columns: {id: bigint, least: bigint}}\n"
    )
    served.write("inbox/limits.csv", "id,least\n1,5\n2,5\n3,5\n")
    kept_above = "CASE WHEN o.amount < l.least THEN error('below') ELSE true END"
    select = f"SELECT id, o.amount FROM raw.orders AS o JOIN raw.limits AS l USING (id) WHERE {kept_above}"
    model(served, "serv.within", select, f"materialization: {kept}")
    model(served, "serv.zsum", "SELECT sum(amount)::BIGINT AS amount FROM serv.within")
    assert go(served, 1).exit_code == 0
    orders(served, 1000, 20, 30)
    served.write("inbox/limits.csv", "id,least\n1,500\n2,5\n3,5\n")
    events: list[Any] = []
    report = go(served, 2, emit=events.append)
    assert set(ended(report).values()) == {"success"}
    assert "could not be followed" in step(report, "serv.within").reason
    begun = [event.step for event in events if isinstance(event, StepStarted)]
    assert len(begun) == len(set(begun)), "a step is told to begin twice"
    assert served.rows("FROM serv.within") == [(1, 1000), (2, 20), (3, 30)]
    assert served.rows("FROM serv.zsum") == [(1050,)]
    orders(served, 1000, 20, 31)
    assert step(go(served, 3), "serv.within").mode in {"maintained", "merged"}
    assert served.rows("FROM serv.zsum") == [(1051,)]


def test_what_is_told_meanwhile(served: Any) -> None:
    """Each step begins and ends once, also when all is taken back; and exports come after."""
    served.write("exports/out.yml", "exports: {out: {format: csv, relation: serv.child, path: out.csv}}\n")
    events: list[Any] = []
    orders(served, 10, 20, 60)
    go(served, 1, emit=events.append)
    begun = [event.step for event in events if isinstance(event, StepStarted)]
    done = [event.result.step for event in events if isinstance(event, StepFinished)]
    assert sorted(begun) == sorted(set(begun)) == sorted(done)
    assert done.index("export:out") > done.index("build:serv.child")
    for each in ("build:serv.parent", "build:serv.child"):
        started = next(at for at, event in enumerate(events) if isinstance(event, StepStarted) and event.step == each)
        ended_at = next(
            at for at, event in enumerate(events) if isinstance(event, StepFinished) and event.result.step == each
        )
        assert started < ended_at


def test_a_cancelled_group_is_taken_back(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled when its second member has begun: the first is not published either."""
    runners: list[Runner] = []
    made = Runner.__init__

    def kept(self: Runner, *args: Any, **more: Any) -> None:
        made(self, *args, **more)
        runners.append(self)

    monkeypatch.setattr(Runner, "__init__", kept)
    many = "(SELECT sum(amount)::BIGINT * 100000 FROM serv.parent)"
    model(served, "serv.slow", f"SELECT sum(a.range * b.range) AS n FROM range({many}) AS a, range(10000000) AS b")

    def hear(event: Any) -> None:
        if isinstance(event, StepStarted) and event.step == "build:serv.slow":
            runners[-1].cancel()

    orders(served, 10, 20, 60)
    report = go(served, 1, emit=hear)
    assert report.status is Status.CANCELLED
    assert {name: status for name, status in ended(report).items() if name.startswith("serv.")} == {
        "serv.parent": "cancelled", "serv.child": "cancelled", "serv.slow": "cancelled",
    }  # fmt: skip
    assert served.rows("FROM serv.parent") == [("north", 40), ("south", 20)]
    (served.root / "models/serv/slow.sql").unlink()
    assert ended(go(served, 2)) == {"serv.parent": "success", "serv.child": "success"}
    assert served.rows("FROM serv.child") == [(2, 90)]


def test_the_report_says_why(served: Any, capsys: pytest.CaptureFixture[str]) -> None:
    orders(served, -100, 20, 30)
    assert cli(["run", "--project", str(served.root)]) == 3
    said = capsys.readouterr()
    assert "not published, because serv.parent of their publish group failed: serv.child" in said.out


def test_the_rows_below_a_limit_are_taken_back_too(served: Any) -> None:
    model(served, "serv.top", "SELECT id, amount FROM raw.orders ORDER BY amount DESC, id LIMIT 2")
    model(
        served, "serv.zbad", "SELECT count(*) AS n FROM serv.top, raw.orders", "checks: [{range: {column: n, max: 8}}]"
    )
    assert go(served, 1).exit_code == 0
    orders(served, 10, 20, 30, 40, 50)
    assert ended(go(served, 2)) == {
        "serv.parent": "skipped", "serv.child": "skipped", "serv.top": "skipped", "serv.zbad": "failed",
    }  # fmt: skip
    assert served.rows("FROM serv.top") == [(2, 20), (3, 30)]
    orders(served, 10, 20, 5, 7)
    assert set(ended(go(served, 3)).values()) == {"success"}
    assert served.rows("FROM serv.top") == [(1, 10), (2, 20)]
    orders(served, 10, 2, 5, 7)
    assert go(served, 4).exit_code == 0
    assert served.rows("FROM serv.top") == [(1, 10), (4, 7)]


def test_what_is_set_apart_is_taken_back_too(served: Any) -> None:
    model(
        served,
        "serv.kept",
        "SELECT id, amount FROM raw.orders",
        "checks: [{positive: {column: amount, on_fail: quarantine}}]",
    )
    model(served, "serv.zcount", "SELECT count(*) AS n FROM serv.kept", "checks: [{range: {column: n, max: 3}}]")
    apart = 'SELECT id, _penstock_commit FROM _penstock."quarantine_serv.kept"'
    orders(served, 10, 20, 30, -5)
    assert go(served, 1).exit_code == 0
    before = served.rows(apart)
    assert [number for number, _ in before] == [4]
    orders(served, 10, 20, 30, -5, 9, 8, -1)
    assert ended(go(served, 2))["serv.kept"] == "skipped"
    assert served.rows(apart) == before
    orders(served, -1, 20, 30, 40)
    report = go(served, 3)
    assert report.exit_code == 0
    assert served.rows(apart) == [(1, step(report, "serv.kept").commit)]


def test_a_contract_is_held_when_the_group_is_published_and_not_before(served: Any) -> None:
    contract = "contract: {version: 1, columns: {region: varchar, amount: bigint}}"
    model(served, "serv.parent", PARENT, contract)
    model(served, "serv.child", CHILD + " WHERE amount > 0", "checks: [{range: {column: amount, max: 5}}]")
    home, parent = served.root / "data" / "dev", RelationName("serv", "parent")
    orders(served, 1, 2, 100)
    assert ended(go(served, 1)) == {"serv.parent": "skipped", "serv.child": "failed"}
    assert not ContractFile(home).history(parent)
    orders(served, 1, 2, 1)
    assert set(ended(go(served, 2)).values()) == {"success"}
    assert len(ContractFile(home).history(parent)) == 1


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_conflict_with_another_transaction_begins_the_group_again(
    served: Any, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.executor.publish.ATTEMPTS", attempts)
    orders(served, 10, 20, 60)
    served.project.land()
    space = open_workspace(served.root)
    request = Request(command="run", now=START + timedelta(days=1), sources=False)
    warehouse = space.engine.open(space.options("test"))
    try:
        session = warehouse.session()
        ledger = ledgers.read(session)
        plan = _planned(space, request, observe(space, ledger, sources=False))
        work = _work(space, request, "r", ledger, warehouse, ledgers.Committer(warehouse, "r", ledger, utc_now))
        for each in plan.steps:
            if isinstance(each, LoadStep):
                load(each, work)
        members = [each for each in plan.steps if isinstance(each, BuildStep)]
        begun: list[str] = []

        def begin(each: Any) -> None:
            begun.append(each.id)
            if each.id == "build:serv.child":  # once: a step is told to begin once
                other = warehouse.session()
                seen = other.query("SELECT input, number FROM _penstock.applied WHERE model = 'serv.child'").rows[0]
                other.execute("DELETE FROM _penstock.applied WHERE model = 'serv.child'")
                other.execute("INSERT INTO _penstock.applied VALUES ('serv.child', ?, ?)", seen)

        publishing = Publishing(plan, work, lambda each: build(each, work), lambda: 0.0)
        results = publishing(members, {}, begin)
        assert begun == ["build:serv.parent", "build:serv.child"]
        if attempts == 1:
            assert [result.status for result in results] == [Status.SKIPPED, Status.FAILED]
            assert [problem.code for problem in results[1].problems] == ["CONFLICT"]
            assert session.query("FROM serv.child").rows == ((2, 60),)
            return
        assert [result.status for result in results] == [Status.SUCCESS, Status.SUCCESS], results
        assert [result.commit for result in results] == [work.committer.last - 1, work.committer.last]
        assert session.query("FROM serv.child").rows == ((2, 90),)
    finally:
        warehouse.close()
