"""The shape of tests/*.yml, as pydantic models. Rows are read by unit_rows.py: a value may be anything."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from penstock.project.schema import Columns, Name, Relation, Tags, Text

_ROWS: dict[str, Any] = {"type": "array", "items": {"type": "object"}}
_TYPES = {"type": "object", "additionalProperties": {"type": "string"}}


def _either(spec: dict[str, Any]) -> Any:
    return WithJsonSchema({"anyOf": [_ROWS, {"type": "object", "additionalProperties": False, "properties": spec}]})


_FROM = {"rows": _ROWS, "csv": {"type": "string"}, "file": {"type": "string"}}
Rows = Annotated[Any, _either({**_FROM, "columns": _TYPES, "key": {"anyOf": [{"type": "string"}, {"type": "array"}]}})]
Expectation = Annotated[
    Any,
    _either(
        {
            **_FROM,
            "columns": {"type": "array", "items": {"type": "string"}},
            "ordered": {"type": "boolean"},
            "tolerance": {"type": "number", "minimum": 0},
        }
    ),
]


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_PARTS = {"code": {"type": "string"}, "message": {"type": "string"}}


def _failure(value: Any) -> Any:
    return {"message": value} if isinstance(value, str) else value


class FailureSpec(Closed):
    """The error that is expected: its code, a part of its message, or both."""

    code: Text | None = None
    message: Text | None = None


Failure = Annotated[
    FailureSpec,
    BeforeValidator(_failure),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": False, "properties": _PARTS}]}
    ),
]
Moment = Annotated[str, Field(min_length=1)]
Verdict = Annotated[Any, WithJsonSchema({"anyOf": [{"enum": ["passed", "failed"]}, {"type": "integer", "minimum": 0}]})]
Mode = Literal["maintained", "rebuilt", "built", "appended", "merged", "replaced", "versioned", "unchanged", "view"]


class StepSpec(Closed):
    """What changes in the inputs, and what the model holds after it."""

    name: Text | None = None
    now: Moment | None = None
    insert: dict[Relation, Rows] = {}
    update: dict[Relation, Rows] = {}
    delete: dict[Relation, Rows] = {}
    expect: Expectation = None
    expect_error: Failure | None = None
    expect_checks: dict[str, Verdict] = {}
    expect_quarantine: Expectation = None
    mode: Mode | None = None


class UnitTestSpec(Closed):
    """One test."""

    model: Relation
    description: str = ""
    tags: Tags = []
    now: Moment | None = None
    variables: dict[Name, bool | int | float | str] = {}
    given: dict[Relation, Rows] = {}
    expect: Expectation = None
    expect_error: Failure | None = None
    expect_checks: dict[str, Verdict] = {}
    expect_quarantine: Expectation = None
    steps: list[StepSpec] = []


class UnitTestsSpec(Closed):
    """tests/*.yml. Tests are validated one by one, so that one bad test does not hide the others."""

    now: Moment | None = None
    variables: dict[Name, bool | int | float | str] = {}
    tests: Annotated[dict[Name, Any], Field(min_length=1)]


class RowsSpec(Closed):
    """Rows that are not a plain list."""

    rows: Any = None
    csv: str | None = None
    file: Text | None = None
    columns: dict[str, str] = {}
    key: Columns = []


class ExpectationSpec(Closed):
    """Expected rows that are not a plain list."""

    rows: Any = None
    csv: str | None = None
    file: Text | None = None
    columns: Columns = []
    ordered: bool = False
    tolerance: Annotated[float | int, Field(ge=0)] = 0


def schema() -> dict[str, Any]:
    """JSON Schema of a file of tests."""
    found = UnitTestsSpec.model_json_schema(by_alias=True)
    own = UnitTestSpec.model_json_schema(by_alias=True)
    definitions = found.setdefault("$defs", {})
    definitions.update(own.pop("$defs", {}))
    definitions["test"] = own
    found["properties"]["tests"] = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"$ref": "#/$defs/test"},
    }
    return found
