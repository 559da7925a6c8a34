"""docs/python.md does what it says: its code runs, and its table names what there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from penstock import Project
from penstock.commands.init import init
from penstock.commands.status import RelationStatus
from penstock.commands.validate import Validation
from penstock.domain import event
from penstock.domain.run import RunReport

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()


def test_its_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    init(tmp_path / "shop", example="shop")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "python.md", "exec"), {})  # noqa: S102 - it is the page's own code that is tried
    said = capsys.readouterr().out
    assert "success 0" in said
    assert "build serv.sales_report success 391" in said
    assert "'category', 'revenue'" in said


def test_every_method_is_on_it_with_arguments_it_has() -> None:
    told = {
        name: set(re.findall(r"[a-z_]+", arguments))
        for name, arguments in re.findall(r"`([a-z_]+)\(([^)]*)\)`", PAGE.partition("| method |")[2])
    }
    methods = {name: value for name, value in vars(Project).items() if inspect.isfunction(value) and name[0] != "_"}
    assert set(told) == set(methods)
    for name, arguments in told.items():
        assert arguments <= set(inspect.signature(methods[name]).parameters), name


def test_every_field_it_names_is_there(tmp_path: Path) -> None:
    init(tmp_path / "shop", example="shop")
    project = Project(tmp_path / "shop")
    rows = dict(re.findall(r"^\| (`[a-z]+\(.*?) \| (.*) \|$", PAGE, re.MULTILINE))
    fields = {
        call: set(re.findall(r"`([a-z_]+)`", text)) - {"run", "plan"} | ({"run"} if "`run`" in text else set())
        for call, text in rows.items()
    }
    assert fields["`validate()`"] <= set(Validation.__dataclass_fields__)
    assert fields["`run(select, exclude, full_refresh)`"] <= {*RunReport.__dataclass_fields__, "exit_code"}
    assert fields["`status()`"] <= set(RelationStatus.__dataclass_fields__)
    plan = project.plan()
    wanted = fields["`plan(select, exclude, full_refresh)`"] - {"steps"}
    assert all(hasattr(step, name) for step in plan.steps for name in wanted)
    assert {"RunStarted", "StepStarted", "StepFinished", "RunFinished"} <= set(vars(event))
