"""land: source → landing, and no further."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from penstock.commands.execute import Request, chosen, kinds, land_only
from penstock.commands.workspace import open_workspace, utc_now
from penstock.domain.plan import LandStep
from penstock.domain.run import RunReport
from penstock.ports import Emit


def land(
    where: Path,
    *,
    environment: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    emit: Emit | None = None,
    wait: float = 0.0,
    now: datetime | None = None,
) -> RunReport:
    """Extract what sources have new. Needs no warehouse: a run is free to load at the same time or much later."""
    space = open_workspace(where, environment)
    request = Request(
        command="land",
        now=now or utc_now(),
        emit=emit,
        wait=wait,
        selected=chosen(space, select, exclude),
        keep=kinds(LandStep),
    )
    return land_only(space, request)
