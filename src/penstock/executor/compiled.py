"""Compiled maintenance programs, remembered on disk: a run that meets nothing new never imports the SQL parser."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import penstock
from penstock.domain.maintenance import Maintenance, Program
from penstock.domain.model import Model
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.executor.catalogue import Catalogue
from penstock.materializations.history import current_select
from penstock.planner.reach import Reach
from penstock.ports import Session

if TYPE_CHECKING:
    from penstock.incremental.catalog import Catalog

MOST = 32
"""Programs kept for one model: one for each set of inputs that changed together."""
AHEAD = 16
"""Programs that a run makes for the next one: enough for a small project, next to nothing in a run of hundreds."""
UNKNOWN = Maintenance(reason="its inputs are not there yet", timed=True)
Entries = dict[str, dict[str, Any]]


def folder(root: Path) -> Path:
    """Where the project below `root` keeps its programs."""
    return root / ".penstock" / "maintenance"


class Compiler:
    """One run's. `folder` is where programs are kept, a file for each model. Nothing depends on what is in it: a file
    that is damaged or was written by another version is not used."""

    def __init__(self, folder: Path, reach: Reach, catalogue: Catalogue) -> None:
        self._folder = folder
        self._reach = reach
        self._catalogue = catalogue
        self._version: str | None = None
        self._ahead = 0

    def over(self, catalogue: Catalogue) -> Compiler:
        """The same with another view of what is stored."""
        inner = Compiler(self._folder, self._reach, catalogue)
        inner._version, inner._ahead = self._version, self._ahead
        return inner

    def analysis(self, model: Model, session: Session) -> Maintenance:
        """How the model is maintained, or why it is not."""
        known = self._known(model, session)
        if known is None:
            return UNKNOWN
        tables, views = known
        found = self._remembered(model, self._key(model, tables, ()), lambda: self._analyse(model, tables, views))
        return Maintenance(**_fields(found))

    def program(self, model: Model, changed: Collection[RelationName], session: Session) -> Program | str:
        """The program for these changed inputs, or why there is none."""
        known = self._known(model, session)
        if known is None:
            return "its inputs are not there"
        tables, views = known
        found = self._remembered(
            model, self._key(model, tables, changed), lambda: self._compile(model, changed, tables, views)
        )
        if "reason" in found:
            return str(found["reason"])
        return Program(**_fields(found))

    def foresee(self, model: Model, session: Session) -> None:
        """Make the programs that the next changes most likely ask for: of one input, or of all. The run that makes a
        table has the SQL parser at hand; the next ones, with little to do, can go without."""
        known = self._known(model, session)
        if known is None:
            return
        tables, views = known
        inputs = tuple(self._reach.inputs(model))
        entries = _read(self._folder / f"{model.relation}.json")
        for changed in dict.fromkeys([*((each,) for each in inputs), inputs]):
            key = self._key(model, tables, changed)
            if key not in entries and self._ahead < AHEAD:
                self._ahead += 1
                self._remembered(model, key, lambda inputs=changed: self._compile(model, inputs, tables, views))  # type: ignore[misc]

    # What is known of the inputs

    def _known(
        self, model: Model, session: Session
    ) -> tuple[dict[RelationName, tuple[str, ...]], dict[RelationName, str]] | None:
        tables: dict[RelationName, tuple[str, ...]] = {}
        for relation in self._reach.inputs(model):
            found = self._catalogue.columns(session, relation)
            if found is None:
                return None
            tables[relation] = tuple(column.name for column in found)
        views = {
            name: current_select(each, tables[each.stored]) if isinstance(each, SourceTable) else each.sql
            for name, each in self._reach.views(model).items()
        }
        return tables, views

    def _catalog(self, tables: dict[RelationName, tuple[str, ...]], views: dict[RelationName, str]) -> Catalog:
        from penstock.incremental.catalog import Catalog

        return Catalog(tables, views, self._reach.keys((*tables, *views)))

    def _analyse(
        self, model: Model, tables: dict[RelationName, tuple[str, ...]], views: dict[RelationName, str]
    ) -> dict[str, Any]:
        try:
            from penstock.incremental.program import analyse

            found = analyse(model.sql, self._catalog(tables, views), model.key)
        except Exception as error:
            found = Maintenance(reason=_unforeseen(error), timed=True)
        return asdict(found)

    def _compile(
        self,
        model: Model,
        changed: Collection[RelationName],
        tables: dict[RelationName, tuple[str, ...]],
        views: dict[RelationName, str],
    ) -> dict[str, Any]:
        from penstock.incremental.reasons import Rebuild

        try:
            from penstock.incremental.program import program

            made = program(model.sql, self._catalog(tables, views), changed, model.key)
        except Rebuild as rebuild:
            return {"reason": rebuild.reason}
        except Exception as error:
            return {"reason": _unforeseen(error)}
        return asdict(made)

    # On disk

    def _key(self, model: Model, tables: dict[RelationName, tuple[str, ...]], changed: Collection[RelationName]) -> str:
        if self._version is None:
            self._version = _version()
        parts = [self._version, self._reach.fingerprint(model), repr(sorted(tables.items()))]
        keys = self._reach.keys((*tables, *self._reach.views(model)))
        parts += [repr(sorted(keys.items())), *sorted(map(str, changed))]
        return sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    def _remembered(self, model: Model, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        path = self._folder / f"{model.relation}.json"
        entries = _read(path)
        found = entries.get(key)
        if found is None:
            found = entries[key] = make()
            _write(path, dict(list(entries.items())[-MOST:]))
        return found


def _fields(found: dict[str, Any]) -> dict[str, Any]:
    """What JSON has kept of a dataclass; its tuples have become lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def _unforeseen(error: Exception) -> str:
    """A query the compiler cannot cope with is rebuilt, which is always right; what it stumbled over is told."""
    return f"its SQL could not be analysed ({type(error).__name__}: {error})"


def _version() -> str:
    """This Penstock; in a source checkout, the state of the code that compiles."""
    room = Path(penstock.__file__).parent / "incremental"
    stamps = []
    with suppress(OSError), os.scandir(room) as found:
        files = [(each.name, each.stat()) for each in found if each.name.endswith(".py")]
        stamps = sorted(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in files)
    return f"{penstock.__version__} {stamps}"


def _read(path: Path) -> Entries:
    try:
        data = json.loads(path.read_bytes())
        text = data["entries"]
        if data["sha256"] != sha256(text.encode("utf-8", "surrogatepass")).hexdigest():
            return {}
        entries: Entries = json.loads(text)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return entries


def _write(path: Path, entries: Entries) -> None:
    """Written aside and renamed; where it cannot be written, the next run compiles again."""
    text = json.dumps(entries)
    data = {"sha256": sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), "entries": text}
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(data))
        aside.replace(path)
