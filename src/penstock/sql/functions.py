"""Project functions: macros in `functions/*.sql`, expanded in the text of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from penstock.sql.tokens import canonical, fingerprint


class Function(Protocol):
    """What expansion needs to know of a macro."""

    @property
    def name(self) -> str: ...
    @property
    def parameters(self) -> tuple[str, ...]: ...
    @property
    def body(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Expanded:
    """`sql` with every call replaced, its lines unchanged; `fingerprint` covers the text and the functions used."""

    sql: str
    fingerprint: str
    used: tuple[str, ...] = ()


def expand(sql: str, macros: Mapping[str, Function], path: str = "<sql>", line: int = 1) -> Expanded:
    return Expanded(sql, fingerprint([canonical(sql)]))
