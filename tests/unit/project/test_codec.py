from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.environment import Environment
from penstock.domain.export import Export
from penstock.domain.layer import Layer
from penstock.domain.model import Model
from penstock.domain.project import Project
from penstock.domain.relation import RelationName
from penstock.domain.source import Cursor, ExtractKind, Source, SourceColumn, SourceTable
from penstock.errors import Location
from penstock.project.codec import decode, encode
from penstock.project.pieces import ConfigPiece, ExportPiece, FunctionPiece, Mention, ModelPiece, SourcePiece
from penstock.sql.functions import Macro

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
OPTIONAL = st.none() | TEXT
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
NUMBER = st.integers(1, 9999)
LOCATION = st.builds(Location, TEXT, st.none() | NUMBER, st.none() | NUMBER)
LOCATIONS = st.dictionaries(TEXT, LOCATION, max_size=2)
RELATION = st.builds(RelationName, TEXT, TEXT)
RELATIONS = st.lists(RELATION, max_size=3).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
OPTIONS = st.dictionaries(TEXT, JSON, max_size=2)
MATERIALIZATION = st.sampled_from(["auto", "view", "rebuild", "append"])
VARIABLES = st.dictionaries(TEXT, TEXT | st.integers() | st.booleans() | st.floats(allow_nan=False), max_size=3)
LAYER = st.builds(Layer, TEXT, TEXTS, MATERIALIZATION, st.booleans(), TEXT)
ENVIRONMENT = st.builds(
    Environment, TEXT, TEXT, TEXT, st.none() | NUMBER, OPTIONAL, st.dictionaries(TEXT, TEXT, max_size=2)
)
TABLE = st.builds(
    SourceTable,
    source=TEXT,
    name=TEXT,
    relation=RELATION,
    extract=st.sampled_from(ExtractKind),
    location=LOCATION,
    key=TEXTS,
    order_by=TEXTS,
    cursor=st.none() | st.builds(Cursor, TEXT, TEXT, st.floats(0, 1e9)),
    columns=st.lists(st.builds(SourceColumn, TEXT, TEXT, OPTIONAL, st.booleans()), max_size=2).map(tuple),
    rename=st.dictionaries(TEXT, TEXT, max_size=2),
    allow_empty=st.booleans(),
    options=OPTIONS,
    owner=OPTIONAL,
    cadence=OPTIONAL,
    tags=TEXTS,
    description=TEXT,
)
SOURCE = st.builds(Source, TEXT, TEXT, TEXT, st.lists(TABLE, max_size=2).map(tuple), LOCATION, OPTIONAL, TEXT)
MODEL = st.builds(
    Model,
    relation=RELATION,
    language=st.sampled_from(["sql", "python"]),
    materialization=MATERIALIZATION,
    location=LOCATION,
    fingerprint=TEXT,
    sql=TEXT,
    line=NUMBER,
    reads=RELATIONS,
    parameters=TEXTS,
    key=TEXTS,
    columns=TEXTS,
    owner=OPTIONAL,
    tags=TEXTS,
    description=TEXT,
)
EXPORT = st.builds(Export, TEXT, TEXT, RELATIONS, TEXT, LOCATION, TEXTS, TEXTS, OPTIONS, OPTIONAL, TEXTS, TEXT, TEXT)
MENTIONS = st.lists(st.builds(Mention, RELATION, LOCATION), max_size=2).map(tuple)
PROJECT = st.builds(
    Project,
    TEXT,
    TEXT,
    st.lists(LAYER, max_size=2).map(tuple),
    st.dictionaries(TEXT, ENVIRONMENT, max_size=2),
    TEXT,
    st.lists(SOURCE, max_size=2).map(tuple),
    st.lists(MODEL, max_size=2).map(tuple),
    st.lists(EXPORT, max_size=2).map(tuple),
    VARIABLES,
    TEXT,
)
CONFIG = st.builds(
    ConfigPiece, TEXT, st.lists(LAYER).map(tuple), st.lists(ENVIRONMENT).map(tuple), TEXT, VARIABLES, LOCATIONS
)
MODEL_PIECE = st.builds(
    ModelPiece,
    relation=RELATION,
    language=st.sampled_from(["sql", "python"]),
    location=LOCATION,
    definition=TEXT,
    mentions=MENTIONS,
    parameters=LOCATIONS,
    outputs=st.none() | TEXTS,
    materialization=st.none() | MATERIALIZATION,
    places=LOCATIONS,
)
SLOTS = st.lists(st.tuples(NUMBER, NUMBER, NUMBER), max_size=3).map(tuple)
FUNCTIONS = st.lists(st.builds(Macro, TEXT, TEXTS, TEXT, LOCATION, SLOTS), max_size=2).map(tuple)
ANYTHING = st.one_of(
    PROJECT,
    CONFIG,
    MODEL_PIECE,
    st.builds(SourcePiece, SOURCE, LOCATIONS),
    st.builds(ExportPiece, st.lists(EXPORT, max_size=2).map(tuple), MENTIONS, LOCATIONS),
    st.builds(FunctionPiece, FUNCTIONS),
)


@given(ANYTHING)
def test_what_is_written_is_read_back(value: Any) -> None:
    data = json.loads(json.dumps(encode(type(value), value)))
    found = decode(type(value), data)
    assert found == value
    assert repr(found) == repr(value)


@pytest.mark.parametrize("data", [None, 3, "x", [], ["a"], {"layer": "a", "name": "b"}, "ab"])
def test_other_data_is_refused(data: Any) -> None:
    with pytest.raises((TypeError, ValueError, KeyError, IndexError)):
        decode(Location, data)
    with pytest.raises((TypeError, ValueError, KeyError, IndexError)):
        decode(SourceTable, data)


def test_a_type_without_a_json_form_is_told() -> None:
    @dataclass(frozen=True)
    class Odd:
        value: Mapping[int, str]

    Odd.__annotations__["value"] = Mapping[int, str]
    with pytest.raises(TypeError, match="no JSON form"):
        encode(Odd, Odd({1: "a"}))
