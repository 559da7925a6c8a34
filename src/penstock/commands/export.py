"""export: write files of the serving layer again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from penstock.commands.execute import Request, execute, kinds
from penstock.commands.workspace import open_workspace, utc_now
from penstock.domain.plan import ExportStep
from penstock.domain.run import RunReport
from penstock.errors import UsageError
from penstock.ports import Emit


def export(
    where: Path,
    names: Sequence[str] = (),
    *,
    environment: str | None = None,
    emit: Emit | None = None,
    wait: float = 0.0,
    now: datetime | None = None,
) -> RunReport:
    """Write the named exports (none named: all of them) from what the serving layer holds now."""
    space = open_workspace(where, environment)
    known = [export.name for export in space.project.exports]
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"exports: {', '.join(known) or 'none'}"
            raise UsageError(f"the project has no export {name!r}", code="UNKNOWN_EXPORT", hint=hint)
    request = Request(
        command="export",
        now=now or utc_now(),
        emit=emit,
        wait=wait,
        selected={f"export:{name}" for name in names or known},
        keep=kinds(ExportStep),
        sources=False,
        always_export=True,
    )
    return execute(space, request)
