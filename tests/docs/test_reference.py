"""The reference pages and the code say the same."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from penstock import errors
from penstock.cli.verbs import VERBS
from penstock.project import schema
from penstock.sources.files.options import FileOptions

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "penstock"
CLI = (ROOT / "docs" / "cli.md").read_text()
CODE = re.compile(r"[A-Z][A-Z0-9_]{2,}")
COMMON = ("--project", "--env", "--json", "--help")


def section(verb: str) -> str:
    found = re.search(rf"^## {verb}\n(.*?)(?=^## |\Z)", CLI, re.DOTALL | re.MULTILINE)
    assert found, f"docs/cli.md has no section {verb}"
    return found[1]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_option_is_documented(verb: str) -> None:
    module, _, name = VERBS[verb][0].partition(":")
    command = getattr(import_module(module), name)
    text = section(verb)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for option in parameter.opts:
                assert option in text or option in COMMON, f"{verb} {option} is not in docs/cli.md"
    known = {option for parameter in command.params for option in parameter.opts}
    for option in re.findall(r"^\| `(-{1,2}[a-z-]+)", text, re.MULTILINE):
        assert option in known, f"docs/cli.md: {verb} has no {option}"


@pytest.mark.parametrize(
    "keys",
    [
        schema.ProjectSpec,
        schema.LayerSpec,
        schema.EnvironmentSpec,
        schema.SourceSpec,
        schema.TableSpec,
        schema.ExportSpec,
        schema.SqlFrontMatter,
        schema.PythonFrontMatter,
        FileOptions,
    ],
)
def test_every_key_of_every_file_is_documented(keys: type[BaseModel]) -> None:
    page = (ROOT / "docs" / "project.md").read_text()
    for name, field in keys.model_fields.items():
        assert f"`{field.alias or name}`" in page, f"{keys.__name__}: {name} is not in docs/project.md"


def test_exit_codes_are_documented() -> None:
    classes = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PenstockError)
    ]
    table = CLI.partition("## Exit codes")[2].partition("## Selecting")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == {
        0,
        *(kind.exit_code for kind in classes),
    }


def raised() -> Iterator[tuple[str, str]]:
    """(code, file) of every error code in the source: `code="X"`, `Problem("X", …)`, `CODE = "X"`."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for value in candidates(node):
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and CODE.fullmatch(value.value):
                    yield value.value, str(path.relative_to(ROOT))


def candidates(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Call):
        found = [branch for keyword in node.keywords if keyword.arg == "code" for branch in branches(keyword.value)]
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in {"Problem", "PydanticCustomError"} and node.args:
            found += branches(node.args[0])
        return found
    if isinstance(node, ast.Assign) and any(getattr(target, "id", "").endswith("CODE") for target in node.targets):
        return branches(node.value)
    return []


def branches(node: ast.expr) -> list[ast.expr]:
    """`"A" if x else "B"` names two codes."""
    return [*branches(node.body), *branches(node.orelse)] if isinstance(node, ast.IfExp) else [node]


def test_every_error_code_is_documented_and_the_other_way_round() -> None:
    text = (ROOT / "docs" / "errors.md").read_text()
    rows = re.findall(r"^\| `?([A-Z][A-Z0-9_]+)`? \| (\d+)", text, re.MULTILINE)
    documented = [code for code, _ in rows]
    documented = [code for code in documented if code != "CODE"]
    assert len(set(documented)) == len(documented), sorted({code for code in documented if documented.count(code) > 1})
    used = dict(raised())
    assert not {code: used[code] for code in used if code not in documented}
    assert not {code for code in documented if code not in used and not mentioned(code)}


def mentioned(code: str) -> bool:
    """Codes can also be handed through tables of texts; then they stand in the source as a literal."""
    return any(f'"{code}"' in path.read_text() for path in SOURCE.rglob("*.py"))
