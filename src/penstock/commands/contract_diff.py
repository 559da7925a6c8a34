"""contract diff: the contracts of a project, held against a revision of it, another folder, a file, or what is
published."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from penstock.commands.bind import attempt
from penstock.commands.workspace import Workspace, open_workspace, utc_now
from penstock.contracts.difference import Difference, differences
from penstock.contracts.impact import Below, Impact
from penstock.domain.contract import Contract, ContractColumn
from penstock.domain.relation import Column, RelationName
from penstock.embedded.contracts import ContractFile, decode
from penstock.errors import DriverError, ProjectError, UsageError
from penstock.materializations.history import APPEND_META, META
from penstock.project.load import CACHE, load

PARTS = ("sources", "models", "functions", "exports", "checks")
Contracts = dict[RelationName, Contract]
Columns = dict[RelationName, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ContractDiff:
    """`against`: what was compared with, in words. `notes`: what could not be compared."""

    against: str
    relations: tuple[Difference, ...]
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """3 when a contract breaks without a higher version, else 0."""
        return 3 if any(each.verdict == "breaking" for each in self.relations) else 0


def contract_diff(
    where: Path, *, environment: str | None = None, against: str | None = None, now: datetime | None = None
) -> ContractDiff:
    """`against`: a git revision, a folder with a project, or a file that `contract list --json` wrote; None: what is
    published in the environment. Raises UsageError when it is none of them, ProjectError when a project does not
    read."""
    space = open_workspace(where, environment)
    after, columns, notes = _promised(space)
    before, gone, name = _before(space, against)
    if against is None or _is_file(against):  # these know of declared contracts alone
        after = {relation: contract for relation, contract in after.items() if contract.declared}
    known = {
        relation: tuple(dict.fromkeys((*columns.get(relation, ()), *gone.get(relation, ()))))
        for relation in columns.keys() | gone.keys()
    }
    below = Below(space.project, known)
    histories = {table.relation: table.stored for table in space.project.tables}

    def readers(relation: RelationName, names: Sequence[str]) -> Sequence[Impact]:
        own = {relation, histories.get(relation, relation)}
        return below.of(own, names) if names else ()

    found = differences(before, after, (now or utc_now()).date(), readers)
    return ContractDiff(name, found, notes)


def _is_file(against: str) -> bool:
    return Path(against).is_file()


def _before(space: Workspace, against: str | None) -> tuple[Contracts, Columns, str]:
    """What is compared with, and what that is in words."""
    if against is None:
        held = {name: history[-1] for name, history in ContractFile(space.home).all().items()}
        contracts = {name: each.contract for name, each in held.items()}
        return contracts, _names(contracts), f"what is published in {space.environment.name}"
    path = Path(against)
    if path.is_file():
        contracts = _from_file(path)
        return contracts, _names(contracts), str(path)
    if path.is_dir():
        found, columns, _ = _promised(_other(space, path))
        return found, columns, str(path)
    with _revision(space.root, against) as folder:
        found, columns, _ = _promised(_other(space, folder))
    return found, columns, f"revision {against}"


def _names(contracts: Mapping[RelationName, Contract]) -> Columns:
    return {name: tuple(each.name for each in contract.columns) for name, contract in contracts.items()}


def _other(space: Workspace, folder: Path) -> Workspace:
    """Another state of the project, in the same environment: what is landed there tells its columns."""
    try:
        return replace(space, project=load(folder, folder / CACHE))
    except ProjectError as error:
        told = [replace(each, message=f"in what is compared with: {each.message}") for each in error.problems]
        raise ProjectError(told) from None


def _promised(space: Workspace) -> tuple[Contracts, Columns, tuple[str, ...]]:
    """Contracts, declared or worked out; the columns of every relation; what could not be worked out."""
    bound = attempt(space)
    columns = {name: tuple(column.name for column in found) for name, found in bound.columns.items()}
    contracts: Contracts = {}
    for table in space.project.tables:
        added = META if table.key else APPEND_META
        own = [column for column in bound.columns.get(table.stored, ()) if column.name not in added]
        if table.contract is not None:
            contracts[table.relation] = table.contract
        elif own:
            contracts[table.relation] = _inferred(own, table.key)
    for model in space.project.models:
        if model.contract is not None:
            contracts[model.relation] = model.contract
        elif model.relation in bound.columns:
            contracts[model.relation] = _inferred(bound.columns[model.relation], model.key)
        if model.relation not in columns and model.columns:
            columns[model.relation] = model.columns
    notes = [*bound.notes, *(f"{each.location}: {each.message}" for each in bound.problems)]
    return contracts, columns, tuple(notes)


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
