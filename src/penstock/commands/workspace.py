"""A project opened in one of its environments: where everything is, and the plug-ins it needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from penstock import registry
from penstock.domain.environment import Environment
from penstock.domain.project import Parameter, Project
from penstock.domain.source import SourceTable
from penstock.errors import ProjectError, UsageError
from penstock.landing.local import LocalLanding
from penstock.ports import Engine, Landing, SourceReader, StateStore, WarehouseOptions
from penstock.project.load import find_root, load
from penstock.record import record


@record
class Workspace:
    """`root` is the project's folder, `home` the environment's; both absolute."""

    project: Project
    environment: Environment
    root: Path
    home: Path
    landing: Landing
    engine: Engine

    @property
    def exports(self) -> Path:
        return self.home / "exports"

    @property
    def roots(self) -> Mapping[str, Path]:
        """The folder of each source in this environment."""
        return {
            source.name: self.root / self.environment.roots.get(source.name, source.root)
            for source in self.project.sources
        }

    @property
    def threads(self) -> int:
        """How many steps may run at once."""
        return self.environment.threads or min(4, os.cpu_count() or 1)

    def reader(self, table: SourceTable) -> SourceReader:
        connector = next(source.connector for source in self.project.sources if source.name == table.source)
        return registry.source(connector)

    def options(
        self, locked_for: str, *, read_only: bool = False, beside: bool = False, wait: float = 0.0
    ) -> WarehouseOptions:
        """How the warehouse is opened. Whoever only reads gets no folder at all."""
        folders = () if read_only else (self.home / "landing", self.exports)
        return WarehouseOptions(
            home=self.home,
            read_only=read_only,
            beside=beside,
            threads=self.threads,
            memory_limit=self.environment.memory_limit,
            folders=folders,
            locked_for=locked_for,
            wait=wait,
        )

    def state(self) -> StateStore:
        from penstock.state.sqlite import FILE, SqliteState

        return SqliteState(self.home / FILE)

    def parameters(self, now: datetime) -> dict[str, Parameter]:
        """The values behind `$name` in models."""
        own = self.project.variables
        return {**own, "run_ts": now.replace(tzinfo=None), "run_date": now.date(), "environment": self.environment.name}


def open_workspace(where: Path, environment: str | None = None) -> Workspace:
    """Find the project around `where`, read it, and choose an environment. Raises ProjectError with every problem."""
    root = find_root(where)
    try:
        project = load(root)
    except ProjectError as error:
        if isinstance(error.sound, Project):
            from penstock.commands.bind import problems
            from penstock.project.problems import Problems

            found = Problems()
            found.extend((*error.problems, *problems(_workspace(error.sound, root, environment))))
            raise ProjectError(found.sorted()) from None
        raise
    return _workspace(project, root, environment)


def open_to_look(where: Path, environment: str | None = None) -> Workspace:
    """The same for verbs that only look at what was built: they answer whatever is wrong with the project, as long as
    its penstock.yml says where to look. What they get of a project with problems is what is sound of it."""
    root = find_root(where)
    try:
        project = load(root)
    except ProjectError as error:
        if not isinstance(error.sound, Project):
            raise
        project = error.sound
    return _workspace(project, root, environment)


def _workspace(project: Project, root: Path, environment: str | None) -> Workspace:
    name = environment or project.default_environment
    chosen = project.environments.get(name)
    if chosen is None:
        raise UsageError(
            f"the project has no environment {name!r}",
            code="UNKNOWN_ENVIRONMENT",
            hint=f"use one of: {', '.join(project.environments)}; or add it to penstock.yml",
        )
    home = (root / (chosen.home or f"data/{name}")).resolve()
    return Workspace(project, chosen, root, home, LocalLanding(home / "landing"), registry.engine(chosen.engine))


def utc_now() -> datetime:
    """The clock. Whoever needs the time below this layer is told it."""
    return datetime.now(UTC)
