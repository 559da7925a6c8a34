"""plan: the steps a run would take, with a reason each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from penstock.commands.bind import check
from penstock.commands.deprecated import deprecations
from penstock.commands.execute import Request, chosen, planned
from penstock.commands.selection import models
from penstock.commands.workspace import open_workspace, utc_now
from penstock.domain.plan import Plan


def plan(
    where: Path,
    *,
    environment: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    full_refresh: Sequence[str] = (),
    wait: float = 10.0,
    now: datetime | None = None,
) -> Plan:
    """The plan `run` would walk now, made by the same code. Sources are listed, nothing is read or changed."""
    space = open_workspace(where, environment)
    check(space)
    request = Request(
        command="plan",
        now=now or utc_now(),
        wait=wait,
        selected=chosen(space, select, exclude),
        refresh=models(space.project, full_refresh),
    )
    found = planned(space, request)
    return replace(found, notes=(*found.notes, *deprecations(space.project, request.now.date())))
