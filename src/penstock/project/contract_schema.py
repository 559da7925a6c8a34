"""The shape of a `contract:` block."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from penstock.domain.column_type import TypeUnknown, parse
from penstock.domain.contract import Compatibility, Mode
from penstock.project.schema import ColumnName, Columns, Strict, Text


def _type(value: str) -> str:
    try:
        parse(value, written=True)
    except TypeUnknown as error:
        hint = "use a type such as bigint, decimal(12,2), varchar, timestamp, varchar[] or struct(a bigint, b date)"
        raise PydanticCustomError("BAD_TYPE", "{message}", {"message": str(error), "hint": hint}) from None
    return value


def _day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        found = {"found": repr(value), "hint": "write year, month and day, as in 2026-12-31"}
        raise PydanticCustomError("BAD_VALUE", "expected a date, found {found}", found) from None


def _typed(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


class ContractColumnSpec(Strict):
    """What one column promises. A type alone is enough: `order_id: bigint`."""

    type: Annotated[str, AfterValidator(_type)]
    nullable: bool | None = None
    pii: bool = False
    default: str | int | float | bool | None = None
    description: str = ""


Column = Annotated[
    ContractColumnSpec,
    BeforeValidator(_typed),
    WithJsonSchema({"anyOf": [{"type": "string"}, ContractColumnSpec.model_json_schema()]}),
]


class ContractSpec(Strict):
    """What a relation promises to those who read it."""

    columns: Annotated[dict[ColumnName, Column], Field(min_length=1)]
    version: Annotated[int, Field(ge=1, le=999_999)] | None = None
    key: Columns = Field(default_factory=list)
    mode: Mode = "additive"
    compatibility: Compatibility = "forward"
    owner: Text | None = None
    deprecated: Annotated[str, AfterValidator(_day)] | None = None


def schema() -> dict[str, Any]:
    """Its JSON schema, for editors."""
    found = ContractSpec.model_json_schema()
    found["properties"]["columns"].pop("propertyNames", None)
    return found
