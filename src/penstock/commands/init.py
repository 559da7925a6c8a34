"""`penstock init`: copy a commented project that runs at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from penstock.commands.schema import texts
from penstock.errors import DriverError, UserError
from penstock.record import record

STARTER = "starter"
SKIPPED = {"__pycache__", ".DS_Store"}
IGNORE = ".gitignore"

NEXT = {
    STARTER: ("penstock run", "penstock show serv.team_costs", "penstock plan"),
    "shop": (
        "penstock run",
        "penstock show serv.sales_report",
        "penstock test",
        "cp day2/*.csv inbox/       # the next day's files arrive",
        "penstock plan              # what they change",
        "penstock run",
    ),
    "banking": (
        "penstock run",
        "penstock show marts.customer_profile",
        "penstock test",
        "cp day2/*.csv inbox/       # the next night's files arrive",
        "penstock plan              # what they change",
        "penstock run",
    ),
}


@record
class InitReport:
    """`files` are relative to `directory`; `next_steps` are command lines to try."""

    directory: Path
    files: tuple[str, ...]
    next_steps: tuple[str, ...]


def examples() -> tuple[str, ...]:
    """The names of the examples, without the starter."""
    return tuple(name for name in NEXT if name != STARTER)


def init(directory: Path, *, example: str | None = None) -> InitReport:
    """Write the starter project, or an example, into `directory` (made if missing).

    Nothing is written when one of the files is there already; an existing .gitignore is left as it is. Raises
    UserError for that and for an unknown example, DriverError when the folder cannot be written.
    """
    if example is not None and example not in examples():
        raise UserError(
            f"there is no example {example!r}", code="UNKNOWN_EXAMPLE", hint=f"use one of: {', '.join(examples())}"
        )
    name = example or STARTER
    files = {path: data for path, data in contents(name, directory) if not _kept(directory, path)}
    _refuse_conflicts(directory, files)
    try:
        for path, data in files.items():
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write(data)
    except OSError as error:
        raise DriverError(
            f"cannot write {error.filename or directory}: {error.strerror}",
            code="WRITE_FAILED",
            hint="check the folder's permissions and the disk's free space",
        ) from error
    return InitReport(directory, tuple(files), _next_steps(directory, name, IGNORE in files))


def contents(name: str, directory: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the project `name` as it will be in `directory`: its path, with slashes, and its bytes."""
    template = Path(__file__).parents[1] / "examples" / name
    for file in sorted(template.rglob("*")):
        if not file.is_file() or SKIPPED & set(file.parts):
            continue
        path = file.relative_to(template).as_posix()
        data = file.read_bytes()
        if name == STARTER and path in {"penstock.yml", "README.md"}:
            data = re.sub(rb"\bstarter\b", project_name(directory).encode(), data)
        yield (IGNORE if path == "_gitignore" else path), data
    for path, text in texts().items():
        yield path, text.encode()


def project_name(directory: Path) -> str:
    """The folder's name as a project's name: lower case, digits and underscores."""
    name = re.sub(r"[^a-z0-9_]+", "_", directory.resolve().name.lower()).strip("_")[:63]
    return name if name and name[0].isalpha() else f"project_{name}".rstrip("_")


def _kept(directory: Path, path: str) -> bool:
    return path == IGNORE and (directory / path).exists()


def _refuse_conflicts(directory: Path, files: dict[str, bytes]) -> None:
    parents = {str(parent) for path in files for parent in Path(path).parents}
    there = [path for path in files if (directory / path).exists() or (directory / path).is_symlink()]
    there += [path for path in sorted(parents) if (directory / path).exists() and not (directory / path).is_dir()]
    if not there:
        return
    more = f" and {len(there) - 3} more" if len(there) > 3 else ""
    raise UserError(
        f"expected a folder without these files: {', '.join(there[:3])}{more} are in {directory} already; "
        "nothing was written",
        code="INIT_CONFLICT",
        hint="give another folder, or move them away",
    )


def _next_steps(directory: Path, name: str, ignored: bool) -> tuple[str, ...]:
    here = directory.resolve() == Path.cwd().resolve()
    steps = list(NEXT[name])
    if not here:
        steps.insert(0, f"cd {directory}")
    if not ignored:
        steps.append("add data/ and .penstock/ to your .gitignore")
    return tuple(steps)
