"""What a Python model does to the process it is called in."""

import json
from typing import Any

import pytest

from penstock.cli.main import run

MODEL = '''"""Orders as they are.

---
columns: [id, region, amount, processing_ts]
reads: [raw.orders]
---
"""


def model(orders):
    {body}
'''


@pytest.mark.parametrize("call", ["import sys; sys.exit(3)", "raise SystemExit('bye')"])
def test_one_that_exits_fails_its_step_and_not_the_run(folder: Any, call: str) -> None:
    folder.write("models/serv/leaves.py", MODEL.format(body=call))
    folder.write("models/serv/stays.sql", "/*---\npublish_group: none\n---*/\nSELECT id FROM raw.orders")
    report = folder.project.run()
    (problem,) = (p for step in report.steps for p in step.problems)
    assert problem.code == "PYTHON_MODEL_FAILED"
    assert str(problem.location) == "models/serv/leaves.py:11"
    assert report.exit_code == 2
    assert len(folder.rows("FROM serv.stays")) == 3


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_what_one_prints_stays_out_of_the_json(
    folder: Any, capsys: pytest.CaptureFixture[str], quiet: tuple[str, ...]
) -> None:
    folder.write("models/serv/talks.py", MODEL.format(body="print('half way'); return orders"))
    assert run(["run", "--json", *quiet, "--project", str(folder.root)]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["status"] == "success"
    assert "half way" in err


RELATION = MODEL.format(body="import duckdb; return duckdb.connect().from_arrow(orders).filter('amount > 1')")


def test_one_may_answer_with_a_relation_of_its_own_duckdb(folder: Any) -> None:
    folder.write("models/serv/asked.py", RELATION)
    assert folder.project.run().exit_code == 0
    assert folder.rows("SELECT id FROM serv.asked ORDER BY 1") == folder.rows(
        "SELECT id FROM raw.orders WHERE amount > 1 ORDER BY 1"
    )
