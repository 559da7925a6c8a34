"""Which models become visible together, and what may not stand between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.errors import ProjectError
from penstock.project.load import load

Write = Callable[..., Path]
A = {"models/serv/a.sql": "SELECT order_id FROM raw.orders\n"}


def model(select: str, group: str | None = None) -> str:
    return f"/*---\npublish_group: {group}\n---*/\n{select}\n" if group else f"{select}\n"


def groups(root: Path) -> dict[str, str]:
    return {str(each.relation): each.publish_group for each in load(root).models}


def test_models_of_a_serving_layer_are_one_group_and_others_stand_alone(write: Write) -> None:
    found = groups(write(A))
    assert {group for name, group in found.items() if name.startswith("serv.")} == {"serving"}
    assert {group for name, group in found.items() if not name.startswith("serv.")} == {""}


def test_what_is_declared_counts(write: Write) -> None:
    matter = "---\nreads: [stg.orders]\ncolumns: [a]\npublish_group: finance\n---\n"
    python = f'"""A\n\n{matter}"""\n\n\ndef model(a):\n    return a\n'
    found = groups(
        write(
            {
                "models/serv/alone.sql": model("SELECT 1 AS a", "none"),
                "models/stg/early.sql": model("SELECT 1 AS a", "serving"),
                "models/bus/one.py": python,
            }
        )
    )
    assert (found["serv.alone"], found["stg.early"], found["bus.one"]) == ("", "serving", "finance")


def test_the_group_is_no_part_of_what_a_model_is(write: Write) -> None:
    """Moving a model to another group builds nothing again."""
    before, after = (load(write({"models/serv/a.sql": model("SELECT 1 AS a", group)})).models for group in ("x", "y"))
    assert [each.fingerprint for each in before] == [each.fingerprint for each in after]


def split(root: Path) -> tuple[str, str, str]:
    with pytest.raises(ProjectError) as caught:
        load(root)
    (problem,) = caught.value.problems
    assert problem.code == "PUBLISH_GROUP_SPLIT"
    return problem.message, str(problem.location), problem.hint or ""


def test_a_model_between_two_of_a_group_is_refused(write: Write) -> None:
    message, place, hint = split(
        write(
            A
            | {
                "models/serv/middle.sql": model("SELECT order_id FROM serv.a", "none"),
                "models/serv/last.sql": "SELECT order_id\nFROM serv.middle\n",
            }
        )
    )
    assert message == (
        "serv.last and serv.a are of the publish group 'serving', and serv.middle is made after serv.a and before "
        "serv.last"
    )
    assert place == "models/serv/last.sql:2:6"
    assert hint == (
        "write `publish_group: serving` in the front matter of models/serv/middle.sql, "
        "or `publish_group: none` in that of models/serv/last.sql"
    )


def test_several_between_are_all_named(write: Write) -> None:
    message, _, _ = split(
        write(
            A
            | {
                "models/serv/b.sql": model("SELECT order_id FROM serv.a", "none"),
                "models/serv/c.sql": model("SELECT order_id FROM serv.b", "none"),
                "models/serv/d.sql": "SELECT order_id FROM serv.c\n",
            }
        )
    )
    assert "serv.c, serv.b is made" in message


def test_two_groups_cannot_wait_for_each_other(write: Write) -> None:
    message, _, _ = split(
        write(
            {
                "models/bus/a1.sql": model("SELECT 1 AS x", "one"),
                "models/bus/b1.sql": model("SELECT x FROM bus.a1", "two"),
                "models/bus/a2.sql": model("SELECT 1 AS y", "two"),
                "models/bus/b2.sql": model("SELECT y FROM bus.a2", "one"),
            }
        )
    )
    assert "of the publish group 'one'" in message


def test_a_check_that_looks_at_another_stands_between_as_well(write: Write) -> None:
    looks = "/*---\npublish_group: none\nchecks: [{relationships: {column: order_id, to: serv.a}}]\n---*/\n"
    write_it = {
        "models/serv/middle.sql": f"{looks}SELECT order_id FROM raw.orders\n",
        "models/serv/last.sql": "SELECT order_id FROM serv.middle\n",
    }
    message, place, _ = split(write(A | write_it))
    assert "serv.middle is made after serv.a" in message
    assert place.startswith("models/serv/last.sql")


def test_a_reader_of_a_group_that_no_member_reads_is_no_trouble(write: Write) -> None:
    after = {"models/serv/after.sql": model("SELECT order_id FROM serv.a", "none")}
    assert groups(write(A | after))["serv.after"] == ""


def test_a_circle_is_told_once(write: Write) -> None:
    circle = {"models/serv/x.sql": "SELECT a FROM serv.y\n", "models/serv/y.sql": "SELECT a FROM serv.x\n"}
    with pytest.raises(ProjectError) as caught:
        load(write(circle))
    assert [problem.code for problem in caught.value.problems] == ["CYCLE"]


@pytest.mark.parametrize("name", ["'with space'", "[a]", "1", "''"])
def test_what_is_no_name_is_refused(write: Write, name: str) -> None:
    with pytest.raises(ProjectError) as caught:
        load(write({"models/serv/a.sql": model("SELECT 1 AS a", name)}))
    (problem,) = caught.value.problems
    assert problem.code in {"BAD_NAME", "BAD_VALUE"}
    assert str(problem.location).startswith("models/serv/a.sql:2:")
