"""README and tutorial do what they say: every `bash` block is executed, in order, in one shell."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def execute(guide: Path, where: Path) -> str:
    """Everything the guide's commands print."""
    blocks = BLOCK.findall(guide.read_text(encoding="utf-8"))
    assert blocks
    script = where / "guide.sh"
    script.write_text("set -eu\n" + "\n".join(blocks))
    bin_folder = where / "bin"
    bin_folder.mkdir()
    command = bin_folder / "penstock"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m penstock "$@"\n')
    command.chmod(0o755)
    done = subprocess.run(
        ["bash", str(script)],
        cwd=where,
        env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_readme(tmp_path: Path) -> None:
    said = execute(ROOT / "README.md", tmp_path)
    for expected in (
        "no problems",
        "everything is up to date",
        "EUR 14.20",
        "Sprout kids bike 20 inch",
        "serving.duckdb",
    ):
        assert expected in said
    assert "4 rows in = 3 published + 1 quarantined" in said
    assert re.search(r"^/home +1 +12$", said, re.MULTILINE)


def test_tutorial(tmp_path: Path) -> None:
    said = execute(ROOT / "docs" / "tutorial.md", tmp_path)
    assert "key customer_id is NULL" in said
    assert "expected DECIMAL(12,2), found 'N/A'" in said
    assert "marts.customer_balances" in said
    assert re.search(r"A002 +16500\.00 .* false", said)
    assert re.search(r"A002 +18000\.00 .* NULL +true", said)
    assert "balances.xlsx" in said


def test_the_readme_begins_with_the_two_commands() -> None:
    start = (ROOT / "README.md").read_text().split("\n\n")[1]
    assert "make demo" in start
    assert "make test" in start


@pytest.mark.parametrize("guide", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))])
def test_links_lead_somewhere(guide: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", guide.read_text()):
        if "://" not in link:
            assert (guide.parent / link).exists(), f"{guide.name}: {link}"
