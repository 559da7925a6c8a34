"""history: runs, and the steps of one run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.commands.workspace import open_to_look
from penstock.errors import UsageError


def history(
    where: Path, *, environment: str | None = None, limit: int = 20, run: str | None = None
) -> tuple[Mapping[str, Any], ...]:
    """The last `limit` runs, newest first; or the steps of one `run` in the order they ended (a prefix of its id is
    enough when only one run has it)."""
    space = open_to_look(where, environment)
    state = space.state()
    try:
        if run is None:
            return tuple(state.runs(limit))
        found = [row["run"] for row in state.runs(1_000_000) if str(row["run"]).startswith(run)]
        if len(found) != 1:
            what = "no run" if not found else f"{len(found)} runs"
            raise UsageError(f"{what} begins with {run!r}", code="UNKNOWN_RUN", hint="see `penstock history`")
        return tuple(_step(row) for row in state.steps(found[0]))
    finally:
        state.close()


def _step(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**row, "accounting": json.loads(row["accounting"]), "problems": json.loads(row["problems"])}
