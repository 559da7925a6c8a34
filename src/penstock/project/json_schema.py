"""JSON Schema of the project's files, for editors: completion and errors while typing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from penstock import registry
from penstock.domain.layer import PRESETS
from penstock.project import check_schema, contract_schema, unit_schema
from penstock.project.names import NAME
from penstock.project.schema import ExportSpec, ExportsSpec, ProjectSpec, SourceSpec, SqlFrontMatter, TableSpec

_DRAFT = "http://json-schema.org/draft-07/schema#"
Schema = dict[str, Any]


def schemas() -> dict[str, Schema]:
    """The schemas by kind of file: `penstock` (penstock.yml), `source` (sources/*.yml), `export` (exports/*.yml),
    `model` (the front matter of SQL models) and `test` (tests/*.yml). Options of connectors and formats are in them."""
    test = {"$schema": _DRAFT, **unit_schema.schema()}
    return {"penstock": _penstock(), "source": _source(), "export": _export(), "model": _model(), "test": test}


def _of(model: type[BaseModel]) -> Schema:
    schema = model.model_json_schema(by_alias=True)
    return {"$schema": _DRAFT, **schema}


def _model() -> Schema:
    found = _of(SqlFrontMatter)
    found["properties"]["checks"] = check_schema.schema()
    found["properties"]["contract"] = contract_schema.schema()
    return found


def _or(schema: Schema, *others: Schema) -> Schema:
    return {"anyOf": [*others, schema]}


def _penstock() -> Schema:
    schema = _of(ProjectSpec)
    properties = schema["properties"]
    layers = next(each for each in properties["layers"]["anyOf"] if each["type"] == "array")
    properties["layers"]["anyOf"] = [{"type": "string", "enum": list(PRESETS)}, layers]
    # `dev:` with nothing behind it is an environment with every default.
    environments = properties["environments"]
    environments.pop("patternProperties", None)
    environments["additionalProperties"] = _or({"$ref": "#/$defs/EnvironmentSpec"}, {"type": "null"})
    return schema


def _source() -> Schema:
    schema = _of(SourceSpec)
    table = TableSpec.model_json_schema(by_alias=True)
    definitions = schema.setdefault("$defs", {})
    definitions.update(table.pop("$defs", {}))
    table["properties"]["columns"]["additionalProperties"] = _or({"$ref": "#/$defs/ColumnSpec"}, {"type": "string"})
    table["properties"]["columns"].pop("propertyNames", None)
    table["properties"]["checks"] = check_schema.schema()
    table["properties"]["contract"] = contract_schema.schema()
    cases: list[Schema] = []
    for kind in registry.kinds("source"):
        definitions[f"{kind}_table"] = _joined(table, registry.source(kind).options_schema(), kind, definitions)
        case: Schema = {"properties": {"connector": {"const": kind}}}
        if kind != "files":  # an absent connector means files
            case["required"] = ["connector"]
        tables = {
            "type": "object",
            "propertyNames": {"pattern": f"^{NAME.pattern}$"},
            "additionalProperties": {"$ref": f"#/$defs/{kind}_table"},
        }
        cases.append({"if": case, "then": {"properties": {"tables": tables}}})
    schema["properties"]["connector"] = {"enum": list(registry.kinds("source")), "default": "files"}
    schema["properties"]["tables"] = {"type": "object", "minProperties": 1}
    schema["allOf"] = cases
    return schema


def _export() -> Schema:
    schema = _of(ExportsSpec)
    export = ExportSpec.model_json_schema(by_alias=True)
    definitions = schema.setdefault("$defs", {})
    definitions.update(export.pop("$defs", {}))
    formats = registry.kinds("export")
    cases: list[Schema] = []
    for kind in formats:
        definitions[f"{kind}_export"] = _joined(export, registry.export(kind).options_schema(), kind, definitions)
        case = {"properties": {"format": {"const": kind}}, "required": ["format"]}
        cases.append({"if": case, "then": {"$ref": f"#/$defs/{kind}_export"}})
    definitions["export"] = {
        "type": "object",
        "required": ["format", "path"],
        "properties": {"format": {"enum": list(formats)}},
        "allOf": cases,
    }
    schema["properties"]["exports"] = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"$ref": "#/$defs/export"},
    }
    return schema


def _joined(own: Schema, options: Mapping[str, Any], kind: str, definitions: Schema) -> Schema:
    """Penstock's own keys and a plug-in's options as one closed object. The plug-in's definitions move to
    `definitions`, under names of their own."""
    for name, each in options.get("$defs", {}).items():
        definitions[f"{kind}_{name}"] = _renamed(each, kind)
    properties = {name: _renamed(each, kind) for name, each in options.get("properties", {}).items()}
    return {
        **own,
        "properties": {**own["properties"], **properties},
        "required": [*own.get("required", ()), *options.get("required", ())],
        "additionalProperties": options.get("additionalProperties", True),
    }


def _renamed(schema: Any, kind: str) -> Any:
    """`schema` with its references to definitions pointing at `kind_…`."""
    if isinstance(schema, Mapping):
        return {
            key: each.replace("#/$defs/", f"#/$defs/{kind}_")
            if key == "$ref" and isinstance(each, str)
            else _renamed(each, kind)
            for key, each in schema.items()
        }
    return [_renamed(each, kind) for each in schema] if isinstance(schema, list) else schema
