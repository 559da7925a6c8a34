from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ProjectError
from penstock.project.yaml import read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("007", "007"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", ".5"),
        ("1.", "1."),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01 10:00:00", "2024-01-01 10:00:00"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("1" * 200, "1" * 200),
        ("=", "="),
        ("! 5", 5),
    ],
)
def test_scalars(text: str, value: Any) -> None:
    found = read(f"key: {text}\n", "f.yml").value["key"]
    assert (found, type(found)) == (value, type(value))


def test_places() -> None:
    document = read("a: 1\nb:\n  - x\n  - {c: 2}\nd: |\n  text\n", "f.yml", 10)
    assert document.value == {"a": 1, "b": ["x", {"c": 2}], "d": "text\n"}
    assert str(document.key("b")) == "f.yml:11:1"
    assert str(document.at("b", 1, "c")) == "f.yml:13:9"
    assert str(document.key("b", 1, "c")) == "f.yml:13:6"
    assert str(document.at("b", 1, "missing")) == "f.yml:13:5"
    assert str(document.at("b", 7)) == "f.yml:12:3"


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_empty_documents(text: str) -> None:
    assert read(text, "f.yml").value is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\nb: 2\na: 3\n", ["YAML_DUPLICATE_KEY f.yml:3:1"]),
        ("a: {x: 1, x: 2}\nb: 1\nb: 2", ["YAML_DUPLICATE_KEY f.yml:1:11", "YAML_DUPLICATE_KEY f.yml:3:1"]),
        ("a: &x 1\nb: *x\n", ["YAML_ALIAS f.yml:1:4", "YAML_ALIAS f.yml:2:4"]),
        ("a: &a [*a]\n", ["YAML_ALIAS f.yml:1:4", "YAML_ALIAS f.yml:1:8"]),
        ("<<: {a: 1}\n", ["YAML_ALIAS f.yml:1:1"]),
        ("a: !!python/object/apply:os.system [ls]\n", ["YAML_TAG f.yml:1:4"]),
        ("a: !!binary aGk=\n", ["YAML_TAG f.yml:1:4"]),
        ("a: !mine 1\n", ["YAML_TAG f.yml:1:4"]),
        ("!x a: 1\n", ["YAML_TAG f.yml:1:1"]),
        ("? [a, b]\n: 1\n", ["YAML_SYNTAX f.yml:1:3"]),
        ("a: 1\n---\nb: 2\n", ["YAML_SYNTAX f.yml:2:1"]),
        ("a:\n\t- b\n", ["YAML_SYNTAX f.yml:2:1"]),
        ("a: [1, 2\nb: 3\n", ["YAML_SYNTAX f.yml:2:2"]),
        ("a: b: c\n", ["YAML_SYNTAX f.yml:1:5"]),
        ("a: 'x\n", ["YAML_SYNTAX f.yml:2:1"]),
        ("a: 1\nb: \x00\n", ["YAML_SYNTAX f.yml:2"]),
        ("a: " + "[" * 500, ["YAML_SYNTAX f.yml:1:36"]),
        ("%YAML 9.9\n---\na: 1\n", ["YAML_SYNTAX f.yml:1:1"]),
    ],
)
def test_what_is_refused(text: str, found: list[str]) -> None:
    with pytest.raises(ProjectError) as caught:
        read(text, "f.yml")
    assert [f"{problem.code} {problem.location}" for problem in caught.value.problems] == found
    assert all(problem.hint for problem in caught.value.problems)


def test_an_alias_bomb_costs_nothing() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    with pytest.raises(ProjectError):
        read("\n".join(lines), "f.yml")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read(text, "f.yml")
    except ProjectError as error:
        assert all(problem.location for problem in error.problems)


@given(st.text(st.sampled_from(list("ab:-? []{},#&*!|>'\"%@`\n\t <~.1"))))
def test_any_punctuation_is_read_or_refused(text: str) -> None:
    try:
        read(text, "f.yml")
    except ProjectError as error:
        assert all(problem.location for problem in error.problems)
