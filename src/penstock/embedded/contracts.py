"""The registry of contracts: a file in an environment's home, a line for each time that a contract or what was
published under it changed. It survives the warehouse, which can be made anew from the landing."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.domain.contract import Contract, ContractColumn, Held
from penstock.domain.relation import RelationName
from penstock.errors import DriverError, StateError

FILE = "contracts.jsonl"
_COLUMN = ("name", "type", "nullable", "pii", "default", "description")
_CONTRACT = ("version", "key", "mode", "compatibility", "owner", "deprecated")


def encode(contract: Contract) -> dict[str, Any]:
    """A contract as JSON data."""
    told: dict[str, Any] = {name: getattr(contract, name) for name in _CONTRACT}
    told["columns"] = [{name: getattr(each, name) for name in _COLUMN} for each in contract.columns]
    return told


def decode(data: Mapping[str, Any]) -> Contract:
    """The contract that `data` was made from. Raises KeyError, TypeError or ValueError for other data."""
    told = {name: data[name] for name in _CONTRACT} | {"key": tuple(data["key"])}
    if not isinstance(told["version"], int) or told["mode"] not in ("additive", "strict", "evolve"):
        raise ValueError("not a contract")
    if told["compatibility"] not in ("backward", "forward", "full"):
        raise ValueError("not a contract")
    columns = tuple(ContractColumn(**{name: each[name] for name in _COLUMN}) for each in data["columns"])
    return Contract(columns=columns, declared=bool(data.get("declared", True)), **told)


class ContractFile:
    """Read once, when first asked; written to by whoever holds the environment's lock."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE
        self._guard = threading.Lock()
        self._known: dict[RelationName, list[Held]] | None = None

    def history(self, relation: RelationName) -> tuple[Held, ...]:
        """What was held of a relation, the oldest first."""
        with self._guard:
            return tuple(self._read().get(relation, ()))

    def all(self) -> dict[RelationName, tuple[Held, ...]]:
        with self._guard:
            return {name: tuple(each) for name, each in sorted(self._read().items())}

    def fingerprint(self, relation: RelationName) -> str:
        """That of the contract that is held now; empty when there is none."""
        known = self.history(relation)
        return known[-1].contract.fingerprint if known else ""

    def note(self, held: Held) -> None:
        """Write down what is held from now on, unless that is what was held before. Durable when this returns."""
        with self._guard:
            known = self._read().setdefault(held.relation, [])
            if known and (known[-1].contract.fingerprint, known[-1].columns) == (
                held.contract.fingerprint,
                held.columns,
            ):
                return
            line = {
                "relation": str(held.relation),
                "since": held.since,
                "run": held.run,
                "revision": held.revision,
                "contract": encode(held.contract),
                "columns": held.columns,
            }
            try:
                with self._path.open("a+b") as file:
                    _begin_line(file)
                    file.write(json.dumps(line).encode() + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise DriverError(
                    f"cannot write {self._path}: {error.strerror}",
                    code="WRITE_FAILED",
                    hint="check the folder's permissions and the disk's free space",
                ) from error
            known.append(held)

    def _read(self) -> dict[RelationName, list[Held]]:
        if self._known is None:
            self._known = {}
            for held in _lines(self._path):
                self._known.setdefault(held.relation, []).append(held)
        return self._known


def _begin_line(file: Any) -> None:
    """A line that was never finished is put an end to: it is told nowhere, as its run never said that it was done."""
    end = file.seek(0, os.SEEK_END)
    if end:
        file.seek(end - 1)
        if file.read(1) != b"\n":
            file.write(b"\n")


def _lines(path: Path) -> list[Held]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DriverError(
            f"cannot read {path}: {error.strerror}", code="CONTRACTS_UNREADABLE", hint="check its permissions"
        ) from error
    found: list[Held] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(_held(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            try:
                json.loads(line)
            except ValueError:
                continue  # cut off when it was written: a crash, after which the run was made again
            raise StateError(
                f"{path}:{number}: expected a contract that was held, found something else ({error})",
                code="CONTRACTS_DAMAGED",
                hint="remove that line: it is history, and the contract of the project is written down anew",
            ) from None
    return found


def _held(data: Mapping[str, Any]) -> Held:
    return Held(
        relation=RelationName.parse(data["relation"]),
        contract=decode(data["contract"]),
        columns=tuple((str(name), str(kind)) for name, kind in data["columns"]),
        since=str(data["since"]),
        run=str(data["run"]),
        revision=data["revision"],
    )
