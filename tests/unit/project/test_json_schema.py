"""The JSON Schemas take what the loader takes, and refuse the typing mistakes an editor should show."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.project.front_matter import of_sql
from penstock.project.json_schema import schemas
from penstock.project.yaml import read

SCHEMAS = schemas()
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_HANDLED = """$schema $defs $ref title description default type enum const anyOf allOf if then properties required items
    additionalProperties patternProperties propertyNames pattern minLength maxLength minItems minProperties minimum
    maximum exclusiveMinimum"""
HANDLED = set(_HANDLED.split())


def errors(schema: Any, value: Any, root: Any, at: str = "") -> list[str]:
    """What is wrong with `value`: the keywords of JSON Schema that our schemas use, as the standard defines them."""
    if schema is True:
        return []
    if schema is False:
        return [at]
    assert set(schema) <= HANDLED, set(schema) - HANDLED
    found: list[str] = []
    if "$ref" in schema:
        found += errors(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], value, root, at)
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind in ("integer", "number"))):
        return [*found, at]
    if ("enum" in schema and value not in schema["enum"]) or ("const" in schema and value != schema["const"]):
        found.append(at)
    if "anyOf" in schema and all(errors(each, value, root, at) for each in schema["anyOf"]):
        found.append(at)
    for each in schema.get("allOf", ()):
        found += errors(each, value, root, at)
    if "if" in schema and not errors(schema["if"], value, root, at):
        found += errors(schema["then"], value, root, at)
    if isinstance(value, dict):
        found += [f"{at}/{name}" for name in schema.get("required", ()) if name not in value]
        found += [at] * (len(value) < schema.get("minProperties", 0))
        for name, each in value.items():
            patterns = schema.get("patternProperties", {})
            inner = schema.get("properties", {}).get(name)
            if inner is None:
                inner = next((patterns[each] for each in patterns if re.search(each, name)), None)
            if inner is None:
                inner = schema.get("additionalProperties", True)
            found += errors(inner, each, root, f"{at}/{name}")
            found += errors(schema.get("propertyNames", True), name, root, f"{at}/{name}")
    if isinstance(value, list):
        found += [at] * (len(value) < schema.get("minItems", 0))
        for index, each in enumerate(value):
            found += errors(schema.get("items", True), each, root, f"{at}/{index}")
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(at)
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        found.append(at)
    if isinstance(value, int | float) and value < schema.get("minimum", value):
        found.append(at)
    return found


def test_kinds() -> None:
    assert set(SCHEMAS) == {"penstock", "source", "export", "model", "test"}
    assert json.loads(json.dumps(SCHEMAS)) == SCHEMAS


def test_a_good_project_fits(write: Callable[..., Path]) -> None:
    root = write()
    for path, kind in (("penstock.yml", "penstock"), ("sources/shop.yml", "source"), ("exports/report.yml", "export")):
        value = read((root / path).read_text(), path).value
        assert errors(SCHEMAS[kind], value, SCHEMAS[kind]) == []
    front = of_sql((root / "models/stg/orders.sql").read_text(), "orders.sql").document.value
    assert errors(SCHEMAS["model"], front, SCHEMAS["model"]) == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("penstock", "name: a\nlayers: [{name: raw, reads: [raw]}, {name: serv, serving: true}]"),
        ("penstock", "name: a\nenvironments: {dev: }\nvariables: {a: 1, b: x, c: true, d: 1.5}"),
        ("source", "tables: {t: {path: [a, b], extract: append}}"),
        (
            "source",
            "connector: files\ntables: {t: {path: a, extract: full, key: [a, b], header: [x, y], delimiter: ';'}}",
        ),
        ("source", "tables: {t: {path: a, extract: full, key: a, columns: {a: int, b: {type: date, format: '%d'}}}}"),
        ("export", "exports: {e: {format: csv, relation: serv.a, path: a.csv, delimiter: ';'}}"),
        ("export", "exports: {e: {format: duckdb, relations: [serv.a, serv.b], path: a.duckdb}}"),
        ("export", "exports: {e: {format: parquet, relation: serv.a, path: a, partition_by: [x]}}"),
        ("test", "tests: {a: {model: s.m, given: {r.x: [{a: 1}], r.y: {csv: 'a', key: a}}, expect: []}}"),
        (
            "test",
            "now: 2026-01-01\ntests: {a: {model: s.m, expect: {columns: [a], ordered: true, rows: []}, steps: "
            "[{insert: {r.x: {file: a.csv, columns: {a: int}}}, mode: maintained, expect_error: {code: X}}]}}",
        ),
        ("model", "owner: a\ntags: x\nkey: [a]\nmaterialization: append"),
        ("model", "contract: {version: 2, mode: strict, columns: {a: bigint, b: {type: 'int[]', nullable: false}}}"),
        ("source", "tables: {t: {path: a, extract: append, contract: {columns: {a: {type: int, default: 0}}}}}"),
        ("export", "exports: {e: {format: csv, relation: serv.a@2, path: a.csv}}"),
    ],
)
def test_what_is_good(kind: str, text: str) -> None:
    assert errors(SCHEMAS[kind], read(text, "f.yml").value, SCHEMAS[kind]) == []


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        ("penstock", "layers: raw-stg-bus-serv", "/name"),
        ("penstock", "name: My Shop", "/name"),
        ("test", "tests: {a: {expect: []}}", "/tests/a/model"),
        ("test", "tests: {a: {model: s.m, given: {r.x: 4}}}", "/tests/a/given/r.x"),
        ("test", "tests: {a: {model: s.m, steps: [{mode: fast}]}}", "/tests/a/steps/0/mode"),
        ("penstock", "name: a\nlayers: raw-stg", "/layers"),
        ("penstock", "name: a\nenviroments: {}", "/enviroments"),
        ("penstock", "name: a\nenvironments: {dev: {thread: 1}}", "/environments/dev"),
        ("source", "tables: {}", "/tables"),
        ("source", "tables: {t: {path: a}}", "/tables/t/extract"),
        ("source", "tables: {t: {path: a, extract: ful}}", "/tables/t/extract"),
        ("source", "tables: {t: {path: a, extract: full, delimeter: x}}", "/tables/t/delimeter"),
        ("source", "connector: ftp\ntables: {t: {path: a, extract: full}}", "/connector"),
        ("source", "tables: {t: {path: a, extract: full, columns: {a: {typ: int}}}}", "/tables/t/columns/a"),
        ("export", "exports: {e: {format: xls, relation: a.b, path: a}}", "/exports/e/format"),
        ("export", "exports: {e: {format: csv, relation: b, path: a}}", "/exports/e/relation"),
        ("export", "exports: {e: {format: csv, relation: a.b}}", "/exports/e/path"),
        ("export", "exports: {e: {format: csv, relation: a.b, path: a, pivot: {}}}", "/exports/e/pivot"),
        ("model", "ownr: a", "/ownr"),
        ("model", "materialization: views", "/materialization"),
        ("model", "contract: {columns: {a: {typ: int}}}", "/contract/columns/a"),
        ("model", "contract: {columns: {a: int}, mode: loose}", "/contract/mode"),
        ("source", "tables: {t: {path: a, extract: append, contract: {version: 1}}}", "/tables/t/contract/columns"),
        ("export", "exports: {e: {format: csv, relation: serv.a@x, path: a.csv}}", "/exports/e/relation"),
    ],
)
def test_what_an_editor_should_show(kind: str, text: str, found: str) -> None:
    assert found in errors(SCHEMAS[kind], read(text, "f.yml").value, SCHEMAS[kind])


def test_every_reference_leads_somewhere() -> None:
    for schema in SCHEMAS.values():
        for reference in re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)):
            assert reference in schema["$defs"]
