"""contract diff: the contracts of a project, held against a revision of it, another folder, a file, or what is
published."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from penstock.commands.bind import attempt
from penstock.commands.workspace import Workspace, open_to_look, open_workspace, utc_now
from penstock.contracts.difference import Difference, differences
from penstock.contracts.impact import Below, Impact
from penstock.domain.contract import Contract, ContractColumn
from penstock.domain.project import Project
from penstock.domain.relation import Column, RelationName
from penstock.embedded.contracts import ContractFile, decode
from penstock.errors import DriverError, Problem, ProjectError, UsageError, UserError
from penstock.materializations.history import APPEND_META, META
from penstock.project.load import CACHE, find_root, load
from penstock.record import record

PARTS = ("sources", "models", "functions", "exports", "checks")
Contracts = dict[RelationName, Contract]
Columns = dict[RelationName, tuple[str, ...]]


@record
class ContractDiff:
    """`against`: what was compared with, in words. `notes`: what could not be compared. `problems`: what is wrong with
    one of the projects; relations that this concerns are left out."""

    against: str
    relations: tuple[Difference, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def exit_code(self) -> int:
        """2 when a project has problems, 3 when a contract breaks without a higher version, else 0."""
        if self.problems:
            return UserError.exit_code
        return 3 if any(each.verdict == "breaking" for each in self.relations) else 0


@record
class _Side:
    """What one state of the project promises: `contracts`, declared or worked out; `shapes`: what its relations have,
    whatever they promise; `unknown`: relations that are there, and nobody knows how."""

    contracts: Contracts
    shapes: Contracts = field(default_factory=dict)
    columns: Columns = field(default_factory=dict)
    unknown: frozenset[RelationName] = frozenset()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def contract_diff(
    where: Path, *, environment: str | None = None, against: str | None = None, now: datetime | None = None
) -> ContractDiff:
    """`against`: a git revision, a folder with a project, or a file that `contract list --json` wrote; None: what is
    published in the environment. Raises UsageError when it is none of them, ProjectError when nothing can be compared,
    since penstock.yml or the sources do not read."""
    space, problems = _opened(where, environment)
    after = _promised(space, problems)
    before, name = _before(space, against)
    if against is None or _is_file(against):  # these know of declared contracts alone
        declared = {relation: contract for relation, contract in after.contracts.items() if contract.declared}
        after = replace(after, contracts=declared)
    known = {
        relation: tuple(dict.fromkeys((*after.columns.get(relation, ()), *before.columns.get(relation, ()))))
        for relation in after.columns.keys() | before.columns.keys()
    }
    below = Below(space.project, known)
    histories = {table.relation: table.stored for table in space.project.tables}

    def readers(relation: RelationName, names: Sequence[str]) -> Sequence[Impact]:
        own = {relation, histories.get(relation, relation)}
        return below.of(own, names) if names else ()

    old, new = _comparable(before, after)
    found = differences(old, new, (now or utc_now()).date(), readers)
    return ContractDiff(name, found, (*after.notes, *before.notes), (*after.problems, *before.problems))


def _comparable(before: _Side, after: _Side) -> tuple[Contracts, Contracts]:
    """What both sides know enough of. A relation that promises something on one side alone is compared by what it has:
    a contract lists what is promised, and that is not all there is."""
    old, new = dict(before.contracts), dict(after.contracts)
    for name in (before.unknown - old.keys()) | (after.unknown - new.keys()):
        old.pop(name, None)
        new.pop(name, None)
    for name in old.keys() & new.keys():
        if not old[name].declared and new[name].declared:
            shape = after.shapes.get(name, old[name])
            new[name] = replace(new[name], columns=shape.columns, key=old[name].key)
    return old, new


def _is_file(against: str) -> bool:
    return Path(against).is_file()


def _opened(where: Path, environment: str | None) -> tuple[Workspace, tuple[Problem, ...]]:
    """The project, or what is sound of it, with what is wrong with the rest."""
    try:
        load(find_root(where))
    except ProjectError as error:
        if _is_partial(error):
            return open_to_look(where, environment), error.problems
    return open_workspace(where, environment), ()


def _is_partial(error: ProjectError) -> bool:
    """Whether the rest of the project can be compared: not without its layers, nor without its sources."""
    paths = [problem.location.path if problem.location else "penstock.yml" for problem in error.problems]
    return not any(path == "penstock.yml" or path.startswith("sources/") for path in paths)


def _before(space: Workspace, against: str | None) -> tuple[_Side, str]:
    """What is compared with, and what that is in words."""
    if against is None:
        held = {name: history[-1] for name, history in ContractFile(space.home).all().items()}
        contracts = {name: each.contract for name, each in held.items()}
        nothing = "" if held else " (no contract yet)"
        return _declared(contracts), f"what is published in {space.environment.name}{nothing}"
    path = Path(against)
    if path.is_file():
        return _declared(_from_file(path)), str(path)
    if path.is_dir():
        return _other(space, path), str(path)
    with _revision(space.root, against) as folder:
        return _other(space, folder), f"revision {against}"


def _declared(contracts: Contracts) -> _Side:
    columns = {name: tuple(each.name for each in contract.columns) for name, contract in contracts.items()}
    return _Side(contracts, columns=columns)


def _other(space: Workspace, folder: Path) -> _Side:
    """Another state of the project, in the same environment: what is landed there tells its columns."""
    problems: tuple[Problem, ...] = ()
    try:
        project = load(folder, folder / CACHE)
    except ProjectError as error:
        told = [replace(each, message=f"in what is compared with: {each.message}") for each in error.problems]
        if not isinstance(error.sound, Project) or not _is_partial(error):
            raise ProjectError(told) from None
        project, problems = error.sound, tuple(told)
    found = _promised(replace(space, project=project), problems)
    return replace(found, notes=tuple(f"in what is compared with: {note}" for note in found.notes))


def _promised(space: Workspace, problems: tuple[Problem, ...]) -> _Side:
    """What a project promises; `problems` of files that are not in it."""
    bound = attempt(space)
    columns = {name: tuple(column.name for column in found) for name, found in bound.columns.items()}
    contracts: Contracts = {}
    shapes: Contracts = {}
    for table in space.project.tables:
        added = META if table.key else APPEND_META
        own = [column for column in bound.columns.get(table.stored, ()) if column.name not in added]
        if own:
            shapes[table.relation] = _inferred(own, table.key)
        if table.contract is not None:
            contracts[table.relation] = table.contract
    for model in space.project.models:
        if model.relation in bound.columns:
            shapes[model.relation] = _inferred(bound.columns[model.relation], model.key)
        if model.contract is not None:
            contracts[model.relation] = model.contract
        if model.relation not in columns and model.columns:
            columns[model.relation] = model.columns
    named = {relation for problem in problems if problem.location and (relation := _of_path(problem.location.path))}
    there = {table.relation for table in space.project.tables} | {model.relation for model in space.project.models}
    told = {(problem.code, problem.location) for problem in problems}
    unbound = [each for each in bound.problems if (each.code, each.location) not in told]
    return _Side(
        shapes | contracts,
        shapes,
        columns,
        frozenset(named | (there - shapes.keys() - contracts.keys())),
        (*bound.notes, *(f"{each.location}: {each.message}" for each in unbound)),
        problems,
    )


def _of_path(path: str) -> RelationName | None:
    """The relation of a model by its file."""
    parts = path.split("/")
    if len(parts) != 3 or parts[0] != "models":
        return None
    name, _, version = parts[2].rsplit(".", 1)[0].partition("@")
    return RelationName(parts[1], f"{name}_v{version}" if version else name)


def _inferred(found: Sequence[Column], key: tuple[str, ...]) -> Contract:
    """What a relation without a contract has: it promises nothing."""
    return Contract(tuple(ContractColumn(each.name, each.type) for each in found), key=key, declared=False)


def _from_file(path: Path) -> Contracts:
    try:
        data = json.loads(path.read_bytes())
        return {RelationName.parse(each["relation"]): decode(each["contract"]) for each in data["contracts"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: expected what `penstock contract list --json` writes, found something else ({error})",
            code="CONTRACT_FILE",
            hint="write it anew, or give a folder or a git revision",
        ) from None


@contextmanager
def _revision(root: Path, name: str) -> Iterator[Path]:
    """The project's files as they were at a revision, in a folder that goes away again."""
    commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    prefix = _git(root, "rev-parse", "--show-prefix")
    top = _git(root, "rev-parse", "--show-toplevel")
    if commit is None or prefix is None or top is None:
        raise UsageError(
            f"{name!r} is no revision of a git repository around {root}, no folder and no file",
            code="UNKNOWN_REVISION",
            hint="give a branch, a tag or a commit, as in origin/main; in CI, fetch it first",
        )
    tree = f"{commit.decode().strip()}:{prefix.decode().rstrip(chr(10))}"
    data = _git(Path(top.decode().rstrip("\n")), "archive", "--format=tar", tree)
    if data is None:
        raise UsageError(
            f"there was no project in this folder at revision {name!r}",
            code="UNKNOWN_REVISION",
            hint="give a revision in which it is",
        )
    with TemporaryDirectory(prefix="penstock-") as folder:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                if member.isfile() and (member.name == "penstock.yml" or member.name.split("/")[0] in PARTS):
                    archive.extract(member, folder, filter="data")
        yield Path(folder)


def _git(root: Path, *arguments: str) -> bytes | None:
    """What git says; None when it refuses."""
    try:
        command = ["git", "-C", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - no shell; revisions are verified
    except OSError as error:
        raise DriverError(
            f"git cannot be called: {error.strerror}", code="GIT_MISSING", hint="install git, or compare with a folder"
        ) from error
    return done.stdout if done.returncode == 0 else None
