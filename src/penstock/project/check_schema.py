"""The shape of each kind of check, as a pydantic model made from the options its kind declares."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema, create_model
from pydantic_core import PydanticCustomError

from penstock import registry
from penstock.checks.kind import Kind, Option, RowKind, TableKind
from penstock.project.schema import Columns, Relation, Strict, Text
from penstock.project.spans import percent, seconds
from penstock.project.tolerances import PERCENT, Tolerated

FILES_ONLY = ("sql", "python")
"""Kinds that are files of their own."""
DIMENSIONS = Literal["completeness", "accuracy", "consistency", "timeliness", "uniqueness", "validity"]
_SHARE_HINT = "write a percentage, as in 5% or 0.1%"


def _share(value: Any) -> Any:
    found = percent(value) if isinstance(value, str) else None
    if found is None:
        raise PydanticCustomError(
            "BAD_VALUE", "expected a percentage, found {found}", {"found": repr(value), "hint": _SHARE_HINT}
        )
    return found


def _span(value: Any) -> Any:
    found = seconds(value) if isinstance(value, str) else None
    if not found:
        raise PydanticCustomError(
            "BAD_VALUE",
            "expected a span of time, found {found}",
            {"found": repr(value), "hint": "write 90 seconds, 2 hours or 1 day"},
        )
    return found


_TEXT = {"type": "string"}
Share = Annotated[float, BeforeValidator(_share), WithJsonSchema(PERCENT)]
Span = Annotated[float, BeforeValidator(_span), WithJsonSchema(_TEXT)]
Count = Annotated[int, Field(ge=0)]


def _one_column(value: list[str]) -> list[str]:
    if len(value) != 1:
        raise PydanticCustomError(
            "BAD_VALUE", "expected one column, found {count}", {"count": len(value), "hint": "write a check for each"}
        )
    return value


OneColumn = Annotated[Columns, AfterValidator(_one_column)]
_SORTS: dict[str, Any] = {
    "scalar": int | float | str,
    "number": int | float,
    "count": Count,
    "share": Share,
    "span": Span,
    "text": Text,
    "flag": bool,
    "values": list[bool | int | float | str],
    "columns": Columns,
    "relation": Relation,
}


class Common(Strict):
    """What every check may say beside what its kind asks for."""

    name: Text | None = None
    description: str = ""
    on_fail: Literal["warn", "fail", "quarantine"] = "fail"
    where: Text | None = None
    max_failures: Tolerated = 0
    dimension: DIMENSIONS | None = None


class CheckFile(Strict):
    """The front matter of checks/*.sql"""

    relation: Relation
    description: str = ""
    owner: Text | None = None
    on_fail: Literal["warn", "fail"] = "fail"
    max_failures: Count = 0
    dimension: DIMENSIONS | None = None
    key: Columns = Field(default=[], description="The columns that tell samples apart.")


class PythonCheckFile(CheckFile):
    """The front matter of checks/*.py"""

    reads: list[Relation] = Field(default=[], description="More relations whose rows the function gets.")


def _moment(value: Any) -> Any:
    """A date or a time → an ISO time in UTC that does not say so."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise PydanticCustomError(
            "BAD_VALUE",
            "expected a date or a time, found {found}",
            {"found": repr(value), "hint": "write 2026-11-18, or 2026-11-18T09:00Z; without a zone it is UTC"},
        )
    return (found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found).isoformat()


Moment = Annotated[str, BeforeValidator(_moment), WithJsonSchema(_TEXT)]


class IncidentSpec(Strict):
    relation: Relation
    check: Text | None = Field(None, description="The check it is of. Default: all that look back.")
    begin: Moment | None = Field(None, alias="from", description="Since when. Default: since ever.")
    end: Moment = Field(alias="to", description="The first moment after it.")
    why: Text = Field(description="What happened.")


class IncidentsSpec(Strict):
    """checks/incidents.yml"""

    incidents: list[IncidentSpec]


def kinds() -> dict[str, Kind]:
    """The kinds that may be declared with a relation."""
    return {name: registry.check(name) for name in registry.kinds("check") if name not in FILES_ONLY}


def _annotation(option: Option) -> Any:
    wanted = Literal[option.choices] if option.sort == "choice" else _SORTS[option.sort]
    return wanted if option.default not in (None, ()) or option.required else wanted | None


@cache
def shape(name: str) -> type[BaseModel]:
    """What may stand behind `- <kind>:`, in its long form. A kind about columns takes `column` or `columns`."""
    kind: Kind = registry.check(name)
    fields: dict[str, Any] = {}
    if kind.columns != "none":
        fields["column"] = fields["columns"] = (OneColumn if kind.columns == "one" else Columns, [])
    for option, each in kind.options.items():
        default = ... if each.required else list(each.default) if isinstance(each.default, tuple) else each.default
        fields[_field(option)] = (_annotation(each), Field(default, alias=option, description=each.says))
    return create_model(f"{name}_check", __base__=Common, **fields)


def _field(option: str) -> str:
    """`not`, `from` and `with` are words of Python."""
    return f"{option}_"


def schema() -> dict[str, Any]:
    """JSON Schema of a list of checks: each a mapping with the kind as its only key."""
    entries = []
    for name, kind in kinds().items():
        form = shape(name).model_json_schema(by_alias=True)
        forms: list[dict[str, Any]] = [form]
        if kind.short == "columns":
            forms += [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]
        elif kind.short:
            forms.append(_TEXT)
        if not isinstance(kind, RowKind):
            form["properties"]["on_fail"]["enum"] = ["warn", "fail"]
        if isinstance(kind, TableKind):
            del form["properties"]["max_failures"]
        entries.append(
            {
                "type": "object",
                "properties": {name: {"anyOf": forms}},
                "required": [name],
                "additionalProperties": False,
            }
        )
    return {"type": "array", "items": {"anyOf": entries}}
