"""The plan: which steps there are, in which order, and why each is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock.domain.batch import Pending
from penstock.domain.plan import BuildStep, ExportStep, LoadStep


def test_steps_come_after_what_they_depend_on(new: Any) -> None:
    plan = new.plan()
    assert [step.id for step in plan.steps if step.kind != "build"] == [
        "land:shop.orders", "load:shop.orders", "land:shop.people", "load:shop.people", "land:shop.clicks",
        "load:shop.clicks", "export:report",
    ]  # fmt: skip
    seen: set[str] = set()
    for step in plan.steps:
        assert set(step.depends_on) <= seen, step.id
        seen.add(step.id)
    steps = new.steps()
    assert steps["load:shop.orders"].depends_on == ("land:shop.orders",)
    assert steps["build:serv.report"].depends_on == ("build:stg.recent", "load:shop.people")
    assert steps["export:report"].depends_on == ("build:serv.report",)


def test_what_was_never_run_is_all_needed_but_what_has_no_data(new: Any) -> None:
    new.pending = {"shop.orders": Pending("stamp", "2 new files"), "shop.people": Pending("stamp", None)}
    assert new.reasons() == {
        "land:shop.orders": "2 new files",
        "load:shop.orders": "what is landed in this run",
        "build:stg.sales": "not built yet",
        "build:stg.recent": "not built yet",
        "build:serv.report": "not built yet",
        "build:serv.clicks": "not built yet",
        "export:report": "never exported",
    }
    assert new.steps()["land:shop.people"].reason == "nothing new at the source"
    assert new.steps()["load:shop.people"].reason == "every batch is loaded"


def test_after_a_run_nothing_is_needed(done: Any) -> None:
    assert done.reasons() == {}
    assert {step.reason for step in done.plan().steps if isinstance(step, BuildStep | ExportStep)} == {"up to date"}


def test_a_source_that_cannot_be_asked_is_tried(done: Any) -> None:
    done.unreachable = {"shop.people": "the folder inbox does not exist"}
    assert done.reasons()["land:shop.people"] == "the folder inbox does not exist"


def test_new_files_may_change_all_that_needs_them_and_nothing_else(done: Any) -> None:
    done.pending = {"shop.orders": Pending("stamp", "1 new file")}
    assert done.reasons() == {
        "land:shop.orders": "1 new file",
        "load:shop.orders": "what is landed in this run",
        "build:stg.sales": "may change: raw.orders",
        "build:stg.recent": "may change: stg.sales",
        "build:serv.report": "may change: stg.recent",
        "export:report": "may change: serv.report",
    }


def test_batches_that_are_landed_and_not_loaded(done: Any) -> None:
    house = done.with_batch("orders")
    assert house.reasons()["load:shop.orders"] == "1 landed batch (1 row) not loaded yet"
    house = house.with_batch("orders")
    assert house.reasons()["load:shop.orders"] == "2 landed batches (2 rows) not loaded yet"
    step = house.steps()["load:shop.orders"]
    assert isinstance(step, LoadStep)
    assert [batch.id for batch in step.batches] == ["shop.orders/000002", "shop.orders/000003"]
    assert not step.reload


@pytest.mark.parametrize(
    ("relation", "fields", "built"),
    [
        ("stg.sales", {"fingerprint": "another"}, {"build:stg.sales": "definition changed"}),
        ("stg.sales", {"materialization": "view"}, {"build:stg.sales": "definition changed"}),
        (
            "stg.recent",
            {"fingerprint": "another"},
            {"build:stg.recent": "definition changed", "build:serv.report": "definition changed"},
        ),
        ("serv.clicks", {"description": "better words"}, {}),
    ],
)  # fmt: skip
def test_a_changed_definition(done: Any, relation: str, fields: dict[str, Any], built: dict[str, str]) -> None:
    """That of a view changes what its readers are, too; that of a table is no business of theirs until it is built."""
    reasons = done.changed(relation, **fields).reasons()
    assert {step: reasons.get(step) for step in built} == built
    assert bool(built) == bool(reasons)


def test_a_parameter_changes_only_what_uses_it(done: Any) -> None:
    done.parameters = {"days": 30, "other": 1}
    reasons = done.reasons()
    assert reasons["build:stg.recent"] == reasons["build:serv.report"] == "definition changed"
    assert "build:stg.sales" not in reasons
    done.parameters = {"days": 7, "other": 2}
    assert done.reasons() == {}
    done.parameters = {"days": "7", "other": 1}
    assert done.reasons(), "the text 7 is not the number"


def test_a_relation_that_was_dropped_is_made_again(done: Any) -> None:
    assert done.without("stg.sales").reasons()["build:stg.sales"] == "missing in the warehouse"


def test_an_input_that_has_gone_on_without_its_reader(done: Any) -> None:
    """As a run leaves it that failed half way: through a view as well."""
    house = done.committed("stg.sales")
    assert house.reasons()["build:serv.report"] == "changed: stg.sales"
    house = done.committed("raw.people_history")
    assert house.reasons()["build:serv.report"] == "changed: raw.people"
    assert "build:stg.sales" not in house.reasons()
    two = done.committed("stg.sales").committed("raw.people_history").reasons()["build:serv.report"]
    assert two == "changed: stg.sales, raw.people"


def test_a_long_list_of_causes_is_cut(wide: Any) -> None:
    house = wide
    for short in ("t0", "t1", "t2", "t3", "t4"):
        house = house.committed(f"raw.{short}_history")
    assert house.reasons()["build:stg.all"].startswith("changed: raw.t0, raw.t1, raw.t2 and 2 more")


def test_what_is_to_be_made_anew_is(done: Any) -> None:
    reasons = done.reasons(refresh=["stg.sales"])
    assert reasons["build:stg.sales"] == "asked to be made anew"
    assert reasons["build:serv.report"] == "may change: stg.recent"
    assert "load:shop.orders" not in reasons


@pytest.mark.parametrize(
    "fields",
    [{"key": ("id", "day")}, {"order_by": ("day",)}, {"columns": "columns"}],
)
def test_a_table_that_is_declared_otherwise_is_loaded_again_from_landing(
    done: Any, column: Any, fields: dict[str, Any]
) -> None:
    if "columns" in fields:
        fields = {"columns": (column("day", "date"),)}
    step = done.redeclared("orders", **fields).steps()["load:shop.orders"]
    assert step.needed
    assert step.reload
    assert step.reason == "declared otherwise than it was loaded: all batches again, from landing"
    assert not done.redeclared("orders", description="better words", owner="me").steps()["load:shop.orders"].reload


def test_a_table_that_was_dropped_is_loaded_again(done: Any) -> None:
    assert done.without("raw.orders_history").steps()["load:shop.orders"].reload
    assert done.without("raw.clicks").steps()["load:shop.clicks"].reload
    assert not done.steps()["load:shop.orders"].reload


def test_a_table_that_was_never_loaded_is_not_loaded_again(new: Any) -> None:
    assert not new.with_batch("orders").steps()["load:shop.orders"].reload


def test_key_and_order_do_not_mix(done: Any) -> None:
    """`key: [id, day]` is not `key: id` with `order_by: day`."""
    one = done.redeclared("orders", key=("id", "day")).steps()["load:shop.orders"].fingerprint
    other = done.redeclared("orders", key=("id",), order_by=("day",)).steps()["load:shop.orders"].fingerprint
    assert one != other


def test_exports(done: Any) -> None:
    assert replace(done, exported=()).reasons() == {"export:report": "report.csv is missing"}
    changed = replace(done, exports=[replace(done.exports[0], fingerprint="another")])
    assert changed.reasons() == {"export:report": "the data or the definition changed"}
    moved = done.committed("serv.report")
    assert moved.reasons() == {"export:report": "the data or the definition changed"}


def test_only_what_is_selected(done: Any, new: Any) -> None:
    assert list(new.steps(selected={"stg.sales", "export:report"})) == ["build:stg.sales", "export:report"]
    assert list(new.steps(selected={"shop.orders"})) == ["land:shop.orders", "load:shop.orders"]
    assert new.plan(selected=set()).steps == ()
    done.pending = {"shop.orders": Pending("stamp", "1 new file")}
    assert done.reasons(selected={"stg.sales"}) == {}, "nothing lands, so nothing may change"
    assert new.steps(selected={"stg.sales"})["build:stg.sales"].depends_on == ()


def test_a_model_goes_through_views_to_what_is_stored(new: Any) -> None:
    steps = new.steps()
    inputs = {name: [str(each) for each in step.inputs] for name, step in steps.items() if isinstance(step, BuildStep)}
    assert inputs == {
        "build:stg.sales": ["raw.orders_history"],
        "build:stg.recent": ["stg.sales"],
        "build:serv.report": ["stg.sales", "raw.people_history"],
        "build:serv.clicks": ["raw.clicks"],
    }
    export = steps["export:report"]
    assert isinstance(export, ExportStep)
    assert [str(each) for each in export.inputs] == ["serv.report"]


def test_two_plans_of_the_same_are_the_same(done: Any) -> None:
    assert done.plan() == done.plan()
    other = replace(done, models=tuple(reversed(done.models)))
    assert {step.id for step in other.plan().steps} == {step.id for step in done.plan().steps}
    assert other.reasons() == {}, "the order of files changes nothing"
