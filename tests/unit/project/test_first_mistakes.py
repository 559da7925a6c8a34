"""What people do in their first hour, and the words that get them out of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.domain.project import Project
from penstock.errors import ProjectError, UserError
from penstock.project.load import load
from penstock.project.yaml import read
from penstock.sql.parse import parse


@pytest.mark.parametrize("text", ["a:\n\t- b\n", "a:\n  b: 1\n\tc: 2\n"])
def test_a_tab_is_called_a_tab(text: str) -> None:
    with pytest.raises(ProjectError) as told:
        read(text, "f.yml")
    assert "a tab" in told.value.problem.message


def test_a_quote_that_is_never_closed_is_not_called_a_tab() -> None:
    with pytest.raises(ProjectError) as told:
        read("a: '\tx\n", "f.yml")
    assert "a tab" not in told.value.problem.message


@pytest.mark.parametrize("sql", ["SELECT * FROM {{ ref('orders') }}", "{% if x %} SELECT 1 {% endif %}"])
def test_a_template_is_told_what_to_write_instead(sql: str) -> None:
    with pytest.raises(UserError) as told:
        parse(sql, "models/stg/a.sql")
    assert "layer.name" in (told.value.problem.hint or "")


def test_other_sql_that_does_not_parse_is_not_told_of_templates() -> None:
    with pytest.raises(UserError) as told:
        parse("SELECT a FROM WHERE b", "models/stg/a.sql")
    assert "template" not in (told.value.problem.hint or "")


def _sound(root: Path) -> object:
    with pytest.raises(ProjectError) as told:
        load(root)
    return told.value.sound


def test_a_broken_source_leaves_what_penstock_yml_says(write: Callable[..., Path]) -> None:
    sound = _sound(write({"sources/shop.yml": "nonsense: [}"}))
    assert isinstance(sound, Project)
    assert sound.environments["prod"].home == "/srv/penstock/prod"
    assert not list(sound.tables)
    assert not sound.models


def test_a_broken_penstock_yml_leaves_nothing(write: Callable[..., Path]) -> None:
    assert _sound(write({"penstock.yml": "name: shop\nnonsense: 1\n"})) is None


def test_a_key_that_is_no_name_is_told_that_one_or_a_list_will_do(write: Callable[..., Path]) -> None:
    text = "root: inbox\ntables:\n  orders: {path: a.csv, extract: full, key: 7}\n"
    with pytest.raises(ProjectError) as told:
        load(write({"sources/shop.yml": text}))
    (problem,) = (p for p in told.value.problems if p.code == "BAD_VALUE")
    assert "expected text or a list, found 7" in problem.message
    assert str(problem.location) == "sources/shop.yml:3:45"
