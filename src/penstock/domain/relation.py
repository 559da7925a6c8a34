"""A relation: a table or view in the warehouse, addressed `layer.name`."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.record import record


@dataclass(frozen=True, slots=True, order=True)
class RelationName:
    """The address of a relation. `layer` is a schema of the warehouse, `name` a table or view in it."""

    layer: str
    name: str

    @classmethod
    def parse(cls, text: str) -> RelationName:
        """`"stg.orders"` → RelationName("stg", "orders"). Raises ValueError when there are not exactly two parts.

        A version is named by its number, and called otherwise in the warehouse: `"serv.report@2"` → `serv.report_v2`.
        """
        layer, dot, name = text.partition(".")
        name, at, version = name.partition("@")
        wrong = at and not (version.isascii() and version.isdigit() and version[0] != "0")
        if not dot or not layer or not name or "." in name or wrong:
            raise ValueError(f"expected layer.name, found {text!r}")
        return cls(layer, f"{name}_v{version}" if at else name)

    def __str__(self) -> str:
        return f"{self.layer}.{self.name}"


@record
class Column:
    """A column as a warehouse or a file has it. `type` is the engine's own name of the type."""

    name: str
    type: str
