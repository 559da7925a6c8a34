"""The reference pages and the code say the same."""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from penstock import errors
from penstock.cli.main import cli
from penstock.cli.verbs import VERBS
from penstock.graph.selection import METHODS, Node, select
from penstock.project import schema
from penstock.sources.files.options import FileOptions

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "penstock"
CLI = (ROOT / "docs" / "cli.md").read_text()
COMMON = ("--project", "--env", "--json", "--help")


def section(verb: str) -> str:
    found = re.search(rf"^## {verb}\n(.*?)(?=^## |\Z)", CLI, re.DOTALL | re.MULTILINE)
    assert found, f"docs/cli.md has no section {verb}"
    return found[1]


def command_of(verb: str) -> click.Command:
    """`check`, or `contract diff`: a verb of verbs."""
    first, _, second = verb.partition(" ")
    module, _, name = VERBS[first][0].partition(":")
    command: click.Command = getattr(import_module(module), name)
    return command.commands[second] if second and isinstance(command, click.Group) else command


def leaves() -> Iterator[str]:
    for verb in VERBS:
        command = command_of(verb)
        yield from (f"{verb} {name}" for name in command.commands) if isinstance(command, click.Group) else (verb,)


COMMANDS = tuple(leaves())


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_and_option_is_documented(verb: str) -> None:
    command = command_of(verb)
    text = section(verb)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for option in parameter.opts:
                assert option in text or option in COMMON, f"{verb} {option} is not in docs/cli.md"
    known = {option for parameter in command.params for option in parameter.opts}
    for option in re.findall(r"^\| `(-{1,2}[a-z-]+)", text, re.MULTILINE):
        assert option in known, f"docs/cli.md: {verb} has no {option}"


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_teaches(verb: str) -> None:
    done = CliRunner().invoke(cli, [*verb.split(), "--help"], prog_name="penstock", terminal_width=200)
    assert done.exit_code == 0, done.output
    assert f"Usage: penstock {verb} " in done.output
    examples = re.findall(rf"^ +penstock {verb}( .*)?$", done.output, re.MULTILINE)
    assert examples, "no example"
    assert "Exit codes:" in done.output
    for parameter in command_of(verb).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{verb} {parameter.name} has no help"
            assert all(option in done.output for option in parameter.opts)


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_usage_line_and_the_defaults_are_those_of_the_code(verb: str) -> None:
    text = section(verb)
    usage = re.search(rf"^    penstock {verb}(.*)$", text, re.MULTILINE)
    assert usage
    options = {option for parameter in command_of(verb).params for option in parameter.opts}
    shown = set(re.findall(r"--[a-z-]+", usage[1]))
    assert shown == {option for option in options if option.startswith("--")} - {*COMMON, "--quiet"}
    by_name = {option: parameter for parameter in command_of(verb).params for option in parameter.opts}
    for option, default in re.findall(r"^\| `(--[a-z-]+)[^|]*\|.*; (\d+) by default", text, re.MULTILINE):
        assert by_name[option].default == int(default), f"{verb} {option}"
    for name, parameter in by_name.items():
        if isinstance(parameter, click.Option) and type(parameter.default) in {int, float}:
            assert len(name) == 2 or re.search(rf"`{name}.*by default", text), f"{verb} {name}"


def calls() -> Iterator[tuple[str, str]]:
    """(page, `penstock …`) of every command that a page or the help shows."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    texts = {page.name: page.read_text() for page in pages}
    texts |= {f"{verb} --help": command_of(verb).help or "" for verb in (*VERBS, *COMMANDS)}
    texts |= {str(path.relative_to(ROOT)): path.read_text() for path in sorted(SOURCE.rglob("examples/**/*.md"))}
    for page, text in texts.items():
        for line in re.findall(r"(?:^ *|`|: )(penstock [a-z-]+[^`\n#|]*)", text, re.MULTILINE):
            yield page, line.strip()


def test_every_command_that_is_shown_can_be_given() -> None:
    found = list(calls())
    assert len(found) > 60
    for page, line in found:
        _, verb, *rest = line.split()
        if verb.startswith("-"):
            continue
        assert verb in VERBS, f"{page}: {line}"
        group = command_of(verb)
        if isinstance(group, click.Group) and rest:
            names = rest.pop(0).rstrip(".,;:)").split("|")
            assert set(names) <= set(group.commands) | {"--help"}, f"{page}: {line}"
            verb = f"{verb} {names[0]}"
        options = {option for parameter in command_of(verb).params for option in parameter.opts} | {"--help"}
        given = {re.split("[=\\]]", word)[0] for word in rest if word.startswith("-") and len(word) > 1}
        assert given <= options, f"{page}: {line}"


SHOP = (
    Node("shop.orders", ("raw.orders", "raw.orders_history", "shop.orders"), (), "shop-platform", source="shop"),
    Node("stg.orders_hourly", ("stg.orders_hourly",), ("hourly",), "sales-analytics"),
    Node("serv.sales_report", ("serv.sales_report",), ("hourly",), "sales-analytics"),
    Node("export:sales_report_csv", ("sales_report_csv",), export="sales_report_csv"),
)
READS = {
    "stg.orders_hourly": ["shop.orders"],
    "serv.sales_report": ["stg.orders_hourly"],
    "export:sales_report_csv": ["serv.sales_report"],
}
EVERYTHING = {node.id for node in SHOP}
SELECTED = {
    "serv.sales_report": {"serv.sales_report"},
    "stg.*": {"stg.orders_hourly"},
    "tag:hourly": {"stg.orders_hourly", "serv.sales_report"},
    "owner:sales-analytics": {"stg.orders_hourly", "serv.sales_report"},
    "source:shop": {"shop.orders"},
    "export:sales_report_csv": {"export:sales_report_csv"},
    "+serv.sales_report": EVERYTHING - {"export:sales_report_csv"},
    "raw.orders+": EVERYTHING,
    "tag:hourly,owner:sales-analytics": {"stg.orders_hourly", "serv.sales_report"},
    "!stg.*": EVERYTHING - {"stg.orders_hourly"},
}


def test_the_selectors_that_are_documented_are_all_there_are_and_do_what_is_said() -> None:
    table = CLI.partition("## Selecting")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert set(rows) == set(SELECTED)
    for method in METHODS:
        assert any(row.startswith(f"{method}:") for row in rows), f"{method}: is not in docs/cli.md"
    for row, chosen in SELECTED.items():
        assert select([row], SHOP, READS) == chosen, row


def test_the_schemas_that_are_documented_are_those_that_are_printed() -> None:
    names = re.findall(r"^\| `([a-z]+)` \|", section("schema"), re.MULTILINE)
    done = CliRunner().invoke(cli, ["schema", "--print"])
    assert names == list(json.loads(done.output))
    help_text = CliRunner().invoke(cli, ["schema", "--help"]).output
    assert all(name in help_text for name in ("penstock", "source", "export", "model"))


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


def test_the_figures_in_the_readme_are_those_that_were_measured() -> None:
    figures = json.loads((ROOT / "benchmarks" / "figures.json").read_text())
    text = (ROOT / "README.md").read_text().partition("## Figures")[2].partition("\n## ")[0]
    models, memory, bank = figures["models"], figures["memory"], figures["banking_5m"]
    for said in (
        f"cost {figures['layers']['ratio_to_by_hand']:.2f}x",
        f"{figures['landing']['ratio_to_copy_as_text']:.2f}x DuckDB",
        f"planned in {models['plan_cpu_s']:.2f} s",
        f"nothing changed {models['run_unchanged_cpu_s']:.1f} s",
        f"a full run {models['ratio_warm']:.1f}x",
        f"{bank['ratio_to_by_hand_plain']:.2f}x the SQL one writes first, {bank['ratio_to_by_hand']:.2f}x a script",
        f"47 changed: {figures['banking']['penstock_cpu_s']:.2f} s",
        f"dbt-duckdb takes {figures['peers']['dbt_times_penstock']}x",
        f"`penstock --help`: {figures['startup']['help_cpu_s']:.2f} s",
        f"8 M CSV rows takes {memory['csv_8000000_rows_mib']} MiB, 2 M take {memory['csv_2000000_rows_mib']}",
    ):
        assert said in text, f"README.md does not say {said!r}: make bench has measured something else"
