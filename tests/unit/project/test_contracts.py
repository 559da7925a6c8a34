"""Contradictory contracts: one mistake a row, with the code and place that must come out, alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.errors import ProjectError
from penstock.project.load import load

SOURCE = """\
root: inbox
tables:
  orders:
    path: a_*.csv
    extract: full
    key: id
    {more}
    contract:
      {contract}
      columns:
        {columns}
"""
MODEL = "/*---\n{more}\ncontract:\n  {contract}\n  columns:\n    {columns}\n---*/\nSELECT id, email FROM raw.orders\n"
GOOD_SOURCE = {"more": "", "contract": "version: 2", "columns": "{id: bigint, email: {type: varchar, pii: true}}"}
GOOD_MODEL = {"more": "key: id", "contract": "version: 1", "columns": "{id: bigint, email: varchar}"}
S, M = "sources/shop.yml", "models/stg/orders.sql"

BAD: list[tuple[str, str, dict[str, str], str, str]] = [
    ("a type that is none", S, {"columns": "{id: bigint, email: strng}"}, "BAD_TYPE", f"{S}:11:29"),
    ("a field of no type", S, {"columns": "{id: bigint, email: struct(a)}"}, "BAD_TYPE", f"{S}:11:29"),
    ("no columns", S, {"columns": "{}"}, "BAD_VALUE", f"{S}:11:9"),
    ("a column twice", S, {"columns": "{id: bigint, ID: bigint}"}, "DUPLICATE_COLUMN", f"{S}:11:22"),
    ("a key that may be NULL", S, {"columns": "{id: {type: int, nullable: true}}"}, "CONTRACT_INVALID", f"{S}:11:10"),
    ("a key with a default", S, {"columns": "{id: {type: bigint, default: 0}}"}, "CONTRACT_INVALID", f"{S}:11:10"),
    ("no key column", S, {"columns": "{email: varchar}"}, "CONTRACT_INVALID", f"{S}:10:7"),
    ("two keys", S, {"contract": "key: email"}, "CONTRACT_INVALID", f"{S}:9:7"),
    ("two types", S, {"more": "columns: {id: varchar}"}, "CONTRACT_INVALID", f"{S}:11:10"),
    (
        "required, and may be NULL",
        S,
        {
            "more": "columns: {email: {type: varchar, required: true}}",
            "columns": "{id: bigint, email: {type: varchar, nullable: true}}",
        },
        "CONTRACT_INVALID",
        f"{S}:11:22",
    ),
    (
        "strict, and another column declared",
        S,
        {"more": "columns: {other: varchar}", "contract": "mode: strict"},
        "CONTRACT_INVALID",
        f"{S}:10:7",
    ),
    (
        "strict, and a column that may be missing",
        S,
        {"more": "on_missing_column: null", "contract": "mode: strict"},
        "CONTRACT_INVALID",
        f"{S}:9:7",
    ),
    ("no order_by", S, {"more": "order_by: at", "contract": "mode: strict"}, "CONTRACT_INVALID", f"{S}:10:7"),
    ("pii that is not there", S, {"more": "pii: phone"}, "CONTRACT_INVALID", f"{S}:10:7"),
    ("a column of ours", S, {"columns": "{id: bigint, valid_from: timestamp}"}, "RESERVED_NAME", f"{S}:11:22"),
    ("a mode that is none", S, {"contract": "mode: loose"}, "BAD_VALUE", f"{S}:9:13"),
    ("a compatibility that is none", S, {"contract": "compatibility: both"}, "BAD_VALUE", f"{S}:9:22"),
    ("version nought", S, {"contract": "version: 0"}, "BAD_VALUE", f"{S}:9:16"),
    ("no day", S, {"contract": "deprecated: soon"}, "BAD_VALUE", f"{S}:9:19"),
    ("an unknown key", S, {"contract": "versoin: 1"}, "UNKNOWN_KEY", f"{S}:9:7"),
    ("not among columns", M, {"more": "columns: [id]", "contract": "key: id"}, "CONTRACT_INVALID", f"{M}:6:18"),
    (
        "strict, and more columns listed",
        M,
        {"more": "columns: [id, email]", "contract": "mode: strict", "columns": "{id: bigint}"},
        "CONTRACT_INVALID",
        f"{M}:5:3",
    ),
    ("a default", M, {"columns": "{id: bigint, email: {type: varchar, default: x}}"}, "CONTRACT_INVALID", f"{M}:6:18"),
    ("a length", M, {"columns": "{id: bigint, email: varchar(9)}"}, "CONTRACT_INVALID", f"{M}:6:18"),
    ("pii of a model that is not there", M, {"more": "pii: phone"}, "CONTRACT_INVALID", f"{M}:5:3"),
]  # fmt: skip


def write(root: Path, source: dict[str, str], model: dict[str, str]) -> Path:
    for path, text in {
        "penstock.yml": "name: shop\n",
        S: SOURCE.format(**{**GOOD_SOURCE, **source}).replace("    \n", "    owner: me\n"),
        M: MODEL.format(**{**GOOD_MODEL, **model}),
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize(("file", "change", "code", "place"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_one_mistake(tmp_path: Path, file: str, change: dict[str, str], code: str, place: str) -> None:
    root = write(tmp_path, change if file == S else {}, change if file == M else {})
    with pytest.raises(ProjectError) as caught:
        load(root)
    problems = [each for each in caught.value.problems if each.code == code]
    assert [(each.code, str(each.location)) for each in problems] == [(code, place)], caught.value
    assert all(each.hint for each in problems)


def test_a_view_holds_neither_key_nor_null(tmp_path: Path) -> None:
    root = write(tmp_path, {}, {"more": "key: id\nmaterialization: view"})
    with pytest.raises(ProjectError, match="shows new rows at once"):
        load(root)
    root = write(tmp_path, {}, {"more": "materialization: view", "contract": "mode: strict"})
    load(root)


def test_what_a_contract_says_is_what_is_loaded(tmp_path: Path) -> None:
    columns = "{id: bigint, email: {type: varchar, pii: true}, n: {type: float, nullable: false}, t: varchar(9)}"
    found = load(write(tmp_path, {"columns": columns}, {}))
    table = next(found.tables)
    assert [(each.name, each.type, each.required) for each in table.columns] == [
        ("id", "bigint", True),
        ("email", "varchar", False),
        ("n", "float", True),
        ("t", "varchar(9)", False),
    ]
    assert table.pii == ("email",) and table.contract is not None
    assert [each.type for each in table.contract.columns] == ["BIGINT", "VARCHAR", "DOUBLE", "VARCHAR"]
    assert (table.contract.version, table.contract.key, table.contract.column("ID").nullable) == (2, ("id",), False)  # type: ignore[union-attr]
    again = load(tmp_path)  # from the cache
    assert again == found


def test_a_contract_changes_no_fingerprint_of_the_model(tmp_path: Path) -> None:
    first = load(write(tmp_path, {}, {})).models[0]
    second = load(write(tmp_path, {}, {"contract": "version: 7"})).models[0]
    assert first.fingerprint == second.fingerprint and first.contract != second.contract
