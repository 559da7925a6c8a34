"""The shape of every YAML file and front matter, as pydantic models. Nothing is coerced; unknown keys are errors."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from penstock.domain.layer import LayerMaterialization, Materialization
from penstock.domain.strategy import Grain
from penstock.project.column_types import type_problem
from penstock.project.names import NAME, NAME_HINT
from penstock.project.spans import seconds
from penstock.project.tolerances import Tolerated

_CENTURY = 100 * 366 * 86400
_VERSION = re.compile(r"@[1-9][0-9]{0,5}$")


def _name(value: str) -> str:
    if NAME.fullmatch(value) is None:
        raise PydanticCustomError("BAD_NAME", "{value} is not a name", {"value": repr(value), "hint": NAME_HINT})
    return value


def _column(value: str) -> str:
    if not value or "\0" in value:
        raise PydanticCustomError("BAD_NAME", "a column needs a name", {"hint": "give the column's name"})
    return value


def _one_or_many(value: Any) -> Any:
    if not isinstance(value, str | list):
        found = "a mapping" if isinstance(value, dict) else "nothing" if value is None else repr(value)
        hint = "write one as it is, several as [a, b]; a name that is a number needs quotes"
        raise PydanticCustomError("BAD_VALUE", "expected text or a list, found {found}", {"found": found, "hint": hint})
    return [value] if isinstance(value, str) else value


def _no_repeats(value: list[str]) -> list[str]:
    seen: set[str] = set()
    for item in value:
        if item.lower() in seen:
            raise PydanticCustomError(
                "BAD_VALUE", "{item} stands twice in the list", {"item": repr(item), "hint": "remove one of them"}
            )
        seen.add(item.lower())
    return value


def _relation(value: str) -> str:
    parts = _VERSION.sub("", value).split(".")
    if len(parts) != 2 or not all(NAME.fullmatch(part) for part in parts):
        raise PydanticCustomError(
            "BAD_NAME",
            "expected layer.name, found {value}",
            {"value": repr(value), "hint": "write the layer and the name of the relation, as in serv.sales_report"},
        )
    return value


def _memory(value: str) -> str:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)? ?[KMGT]i?B", value):
        raise PydanticCustomError(
            "BAD_VALUE",
            "memory_limit: expected an amount of memory, found {value}",
            {"value": repr(value), "hint": "write a number and a unit, as in 4GB or 512MB"},
        )
    return value


def _retention(value: str | float) -> float:
    """Seconds."""
    found = seconds(value) if isinstance(value, str) else float(value)
    if found is None or not 0 <= found <= _CENTURY:
        raise PydanticCustomError(
            "BAD_VALUE",
            "retention: expected a span of time, found {value}",
            {"value": repr(value), "hint": "write a number and a unit, as in 30 days or 12 hours; a number is seconds"},
        )
    return found


def _type(value: str) -> str:
    if problem := type_problem(value):
        message, hint = problem
        raise PydanticCustomError("BAD_TYPE", "{message}", {"message": message, "hint": hint})
    return value


def _not_blank(value: str) -> str:
    if not value.strip() or "\0" in value:
        raise PydanticCustomError("BAD_VALUE", "expected text, found nothing", {"hint": "write a value, or no key"})
    return value


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{NAME.pattern}$"})]
ColumnName = Annotated[str, AfterValidator(_column)]
Text = Annotated[str, AfterValidator(_not_blank)]
_ONE_OR_MANY = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
Columns = Annotated[list[ColumnName], BeforeValidator(_one_or_many), AfterValidator(_no_repeats), _ONE_OR_MANY]
Tags = Annotated[list[Text], BeforeValidator(_one_or_many), AfterValidator(_no_repeats), _ONE_OR_MANY]
Relation = Annotated[
    str,
    AfterValidator(_relation),
    WithJsonSchema({"type": "string", "pattern": f"^{NAME.pattern}[.]{NAME.pattern}(@[1-9][0-9]*)?$"}),
]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LayerSpec(Strict):
    """One layer, in the order data flows. `reads` defaults to the layer itself and those before it."""

    name: Name
    reads: list[Name] | None = None
    materialization: LayerMaterialization = "auto"
    serving: bool = False
    description: str = ""


class RootSpec(Strict):
    """What an environment says of one source."""

    root: Text


class EnvironmentSpec(Strict):
    """One physical place where the project runs."""

    home: Text | None = None
    engine: str = "duckdb"
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    memory_limit: Annotated[str, AfterValidator(_memory)] | None = None
    retention: Annotated[str | int | float, AfterValidator(_retention)] | None = None
    keep_reports: Annotated[int, Field(ge=1, le=10_000)] | None = None
    sources: dict[str, RootSpec] = {}


def _empty_mapping(value: Any) -> Any:
    return {} if value is None else value


def _layer(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class ProjectSpec(Strict):
    """penstock.yml"""

    name: Name
    layers: str | list[Annotated[LayerSpec, BeforeValidator(_layer, json_schema_input_type=Name | LayerSpec)]] = (
        "raw-stg-bus-serv"
    )
    default_environment: str | None = None
    environments: dict[Name, Annotated[EnvironmentSpec, BeforeValidator(_empty_mapping)]] = {}
    variables: dict[Name, bool | int | float | str] = {}


class QuarantineSpec(Strict):
    """How much may be set apart before a step fails."""

    max: Tolerated


class CursorSpec(Strict):
    """The column an incremental extract follows."""

    column: ColumnName
    type: Literal["timestamp", "date", "bigint", "varchar"]
    lag: str | int | float = 0


class ColumnSpec(Strict):
    """The type a column is given on load. Values that do not fit send their row to quarantine."""

    type: Annotated[str, AfterValidator(_type)]
    format: Text | None = None
    required: bool = False


def _typed(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


def _null(value: Any) -> Any:
    return "null" if value is None else value  # YAML's own null is what a person writes here


OnMissing = Annotated[
    Literal["refuse", "null"],
    BeforeValidator(_null),
    WithJsonSchema({"enum": ["refuse", "null", None], "default": "refuse"}),
]


class TableSpec(BaseModel):
    """One table of a source. Every further key is an option of the connector."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    extract: Literal["full", "incremental", "append"]
    key: Columns = []
    order_by: Columns = []
    effective: ColumnName | None = None
    on_missing_column: OnMissing = "refuse"
    cursor: CursorSpec | None = None
    columns: dict[ColumnName, Annotated[ColumnSpec, BeforeValidator(_typed)]] = {}
    rename: dict[str, ColumnName] = {}
    as_: Name | None = Field(default=None, alias="as")
    allow_empty: bool = False
    owner: Text | None = None
    cadence: Text | None = None
    tags: Tags = []
    description: str = ""
    checks: list[Any] = []
    quarantine: QuarantineSpec | None = None
    pii: Columns = []
    contract: dict[str, Any] | None = None


class SourceSpec(Strict):
    """sources/*.yml. The tables are validated one by one, so that one bad table does not hide the others."""

    source: Name | None = None
    connector: str = "files"
    root: Text = "."
    owner: Text | None = None
    description: str = ""
    tables: Annotated[dict[str, Any], Field(min_length=1)]


class ExportSpec(BaseModel):
    """One export. Every further key is an option of the format."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    format: str
    relation: Relation | None = None
    relations: list[Relation] | None = None
    path: Text
    columns: Columns = []
    order_by: Columns = []
    owner: Text | None = None
    tags: Tags = []
    description: str = ""


class ExportsSpec(Strict):
    """exports/*.yml"""

    exports: Annotated[dict[Name, Any], Field(min_length=1)]


class TimeRangeSpec(Strict):
    """Which ranges of time `materialization: time_range` replaces."""

    column: ColumnName
    grain: Grain
    lookback: str | int | float = 0


class HistorySpec(Strict):
    """How `materialization: history` keeps the versions of a SELECT's rows."""

    by: Literal["changes", "updated_at"] = "changes"
    column: ColumnName | None = None
    columns: Columns = []
    deletes: Literal["close", "ignore"] = "close"


class SqlFrontMatter(Strict):
    """The front matter of models/<layer>/<name>.sql"""

    owner: Text | None = None
    description: str = ""
    tags: Tags = []
    key: Columns = []
    materialization: Materialization | None = None
    columns: Columns = []
    deletes: Literal["ignore", "remove"] | None = None
    time_range: TimeRangeSpec | None = None
    history: HistorySpec | None = None
    checks: list[Any] = []
    quarantine: QuarantineSpec | None = None
    pii: Columns = []
    contract: dict[str, Any] | None = None
    publish_group: Name | None = None


class PythonFrontMatter(Strict):
    """The front matter of models/<layer>/<name>.py"""

    owner: Text | None = None
    description: str = ""
    tags: Tags = []
    key: Columns = []
    materialization: Literal["auto", "rebuild", "append"] | None = None
    columns: Annotated[Columns, Field(min_length=1)]
    reads: list[Relation] = []
    map: bool = False
    group: Columns = []
    checks: list[Any] = []
    quarantine: QuarantineSpec | None = None
    pii: Columns = []
    contract: dict[str, Any] | None = None
    publish_group: Name | None = None
