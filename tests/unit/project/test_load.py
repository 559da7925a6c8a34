from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.domain.environment import Environment
from penstock.domain.model import Model
from penstock.domain.project import Project
from penstock.domain.relation import RelationName
from penstock.domain.source import Cursor, ExtractKind, SourceColumn
from penstock.errors import ProjectError, UserError
from penstock.project.load import CACHE, find_root, load

Write = Callable[..., Path]


def model(project: Project, name: str) -> Model:
    found = project.model(RelationName.parse(name))
    assert found is not None
    return found


def test_a_project_is_what_its_files_say(write: Write) -> None:
    root = write()
    project = load(root)
    assert (project.name, project.root, project.default_environment) == ("shop", str(root.resolve()), "dev")
    assert [layer.name for layer in project.layers] == ["raw", "stg", "bus", "serv"]
    assert project.environments == {
        "dev": Environment("dev", home="data/dev"),
        "prod": Environment("prod", "duckdb", "/srv/penstock/prod", 4, "8GB", {"shop": "/mnt/drop"}),
    }
    orders, events = project.tables
    assert (orders.id, str(orders.relation), orders.extract) == ("shop.orders", "raw.orders", ExtractKind.INCREMENTAL)
    assert (orders.key, orders.cursor) == (("order_id",), Cursor("updated_at", "timestamp", 7200.0))
    assert orders.columns == (
        SourceColumn("order_id", "bigint"),
        SourceColumn("order_date", "timestamp", "%d/%m/%Y %H:%M", True),
    )
    assert (orders.owner, orders.tags, orders.rename) == ("shop-platform", ("hourly",), {"Order ID": "order_id"})
    assert orders.options["path"] in ("orders_*.csv", ["orders_*.csv"])
    assert (events.key, str(events.relation), events.stored) == ((), "raw.shop_events", events.relation)
    stg = model(project, "stg.orders")
    assert (stg.materialization, stg.key, stg.tags, stg.line) == ("auto", ("order_id",), ("hourly", "core"), 7)
    assert stg.sql.startswith("-- orders with revenue\nSELECT order_id, order_date, ((revenue) / (1 + (0.2))) AS net\n")
    assert (stg.reads, stg.parameters) == ((RelationName("raw", "orders"),), ("minimum_revenue",))
    python = model(project, "bus.features")
    assert (python.language, python.columns, python.reads) == (
        "python",
        ("order_id", "score"),
        (RelationName("stg", "orders"),),
    )
    report = model(project, "serv.report")
    assert (report.materialization, report.parameters) == ("append", ("run_date",))
    assert report.sql == (
        "SELECT $run_date AS day, count(*) AS orders FROM stg.orders JOIN raw.orders_history USING (order_id)"
    )
    (export,) = project.exports
    assert (export.format, export.path, export.order_by) == ("csv", "report.csv", ("day",))


def test_a_second_load_gives_the_same_project(write: Write) -> None:
    root = write()
    first = load(root)
    assert (root / CACHE).is_file()
    assert load(root) == first


def test_a_moved_project_knows_its_new_place(write: Write) -> None:
    root = write()
    load(root)
    moved = root.rename(root.parent / "elsewhere")
    assert load(moved).root == str(moved.resolve())


def test_an_unchanged_project_is_loaded_without_anything_heavy(write: Write) -> None:
    root = write()
    first = load(root)
    code = (
        "import sys; from pathlib import Path; from penstock.project.load import load; p = load(Path(sys.argv[1]));"
        "print(p.fingerprint, {'pydantic', 'yaml', 'sqlglot', 'duckdb'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code, str(root)], check=True, capture_output=True, text=True)
    assert found.stdout.split() == [first.fingerprint, "set()"]


def test_only_changed_sql_is_parsed_again(write: Write) -> None:
    root = write()
    load(root)
    write({"sources/shop.yml": "# nothing new\n" + (root / "sources/shop.yml").read_text()})
    code = (
        "import sys; from pathlib import Path; from penstock.project.load import load; load(Path(sys.argv[1]));"
        "print('yaml' in sys.modules, 'sqlglot' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code, str(root)], check=True, capture_output=True, text=True)
    assert found.stdout.split() == ["True", "False"]


CHANGES: list[dict[str, str | None]] = [
    {"models/stg/orders.sql": "SELECT order_id, 2 AS net FROM raw.orders"},
    {"functions/money.sql": "CREATE MACRO net(price, tax) AS (price - tax);"},
    {"penstock.yml": "name: shop\nlayers: raw-stg-bus-serv\nvariables: {minimum_revenue: 5}\n"},
    {"models/bus/features.py": None},
    {"models/bus/more.sql": "SELECT 1 AS x"},
    {"exports/report.yml": "exports: {r: {format: parquet, relation: serv.report, path: r.parquet}}"},
]


@pytest.mark.parametrize("change", CHANGES)
def test_after_a_change_the_cache_gives_what_a_fresh_load_gives(write: Write, change: dict[str, str | None]) -> None:
    root = write()
    before = load(root)
    write(change)
    for name, content in change.items():
        if content is None:
            (root / name).unlink(missing_ok=True)
    after = load(root)
    assert after.fingerprint != before.fingerprint
    assert after == load(root, root.parent / "empty.json")
    assert after != before


def test_other_layers_move_every_relation(write: Write) -> None:
    root = write()
    load(root)
    own = "name: shop\nvariables: {minimum_revenue: 0}\nlayers: [{name: raw}, {name: stg, materialization: view}, "
    write({"penstock.yml": own + "{name: bus}, {name: serv, reads: [raw, stg]}]"})
    project = load(root)
    assert project == load(root, root.parent / "empty.json")
    assert model(project, "stg.orders").materialization == "view"
    serv = project.layer("serv")
    assert serv is not None
    assert (serv.reads, serv.serving) == (("raw", "stg", "serv"), True)


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b"null", b'{"key": 1}', b"\xff\xfe", b'{"key": "0", "pieces": {}}'],
)
def test_a_damaged_cache_is_ignored(write: Write, damage: bytes) -> None:
    root = write()
    first = load(root)
    (root / CACHE).write_bytes(damage)
    assert load(root) == first


def test_a_cache_that_was_edited_is_ignored(write: Write) -> None:
    root = write()
    first = load(root)
    data = json.loads((root / CACHE).read_text())
    data["project"] = data["project"].replace("shop", "chop")
    (root / CACHE).write_text(json.dumps(data))
    assert load(root) == first


def test_a_cache_of_another_version_is_ignored(write: Write) -> None:
    root = write()
    load(root)
    data = json.loads((root / CACHE).read_text())
    data["key"] = "0 0.0.0 0"
    data["project"] = "[]"
    (root / CACHE).write_text(json.dumps(data))
    assert load(root).name == "shop"


def test_a_cache_that_cannot_be_written_costs_only_time(write: Write) -> None:
    root = write({".penstock": "a file where the folder should be"})
    assert load(root).name == "shop"


def test_problems_are_told_every_time(write: Write) -> None:
    root = write({"models/stg/orders.sql": "SELECT nothing FROM raw.nothing"})
    found: list[str] = []
    for _ in range(3):
        with pytest.raises(ProjectError) as caught:
            load(root)
        found.append(str(caught.value))
    assert len(set(found)) == 1
    write({"models/stg/orders.sql": "SELECT order_id FROM raw.orders"})
    assert load(root).name == "shop"


def test_planning_runs_no_code_of_the_project(write: Write, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    root = write()
    body = (root / "models/bus/features.py").read_text()
    write({"models/bus/features.py": f"{body}\nopen({str(canary)!r}, 'w')\n"})
    load(root)
    assert not canary.exists()


def test_the_root_is_found_from_below(write: Write, tmp_path: Path) -> None:
    root = write()
    assert find_root(root / "models" / "stg") == root.resolve()
    with pytest.raises(UserError) as caught:
        find_root(tmp_path)
    assert caught.value.code == "NO_PROJECT"
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    assert (caught.value.code, "penstock init" in str(caught.value.problem.hint)) == ("NO_PROJECT", True)


def test_other_files_are_left_alone(write: Write) -> None:
    root = write(
        {
            "models/stg/notes.md": "x",
            "models/stg/.orders.sql.swp": "x",
            "models/bus/__init__.py": "raise SystemExit",
            "models/bus/__pycache__/x.py": "x",
            "sources/readme.txt": "x",
            "sources/.hidden.yml": "x: [",
        }
    )
    assert len(load(root).models) == 3


def test_files_may_have_a_bom_and_windows_line_ends(write: Write) -> None:
    root = write()
    plain = load(root)
    text = (root / "models/stg/orders.sql").read_text()
    write({"models/stg/orders.sql": b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()})
    assert model(load(root), "stg.orders") == model(plain, "stg.orders")


SQL = """/*---
owner: a
key: order_id
---*/
SELECT order_id, net(revenue, 0) AS net FROM raw.orders WHERE x > $minimum_revenue"""
SAME = [
    SQL.replace("owner: a", "owner: b\ndescription: new words\ntags: [x]"),
    SQL.replace("SELECT", "-- why\nselect").replace(" FROM", "\n  FROM /* here */"),
    SQL + ";\n\n-- the end\n",
]
OTHER = [
    SQL.replace("key: order_id", "key: net"),
    SQL.replace("key: order_id", "key: order_id\nmaterialization: view"),
    SQL.replace("key: order_id", "key: order_id\ncolumns: [order_id, net]"),
    SQL.replace("net(revenue, 0)", "net(revenue, 1)"),
    SQL.replace("AS net", "AS Net"),
    SQL.replace("x > ", "x >= "),
]


def test_a_models_fingerprint_follows_its_meaning(write: Write) -> None:
    def fingerprint(text: str, **others: str) -> str:
        return model(load(write({"models/stg/orders.sql": text, **others})), "stg.orders").fingerprint

    one = fingerprint(SQL)
    assert [fingerprint(text) for text in SAME] == [one] * len(SAME)
    found = [fingerprint(text) for text in OTHER]
    assert one not in found
    assert len(set(found)) == len(found)
    config = "name: shop\nvariables: {minimum_revenue: 1, unused: 2}\n"
    with_variable = fingerprint(SQL, **{"penstock.yml": config})
    assert with_variable != one
    assert fingerprint(SQL, **{"penstock.yml": config.replace("unused: 2", "unused: 3")}) == with_variable
    macro = "CREATE MACRO net(price, tax) AS (price / (2 + tax));"
    assert fingerprint(SQL, **{"functions/money.sql": macro}) not in (one, with_variable)


def test_a_python_models_fingerprint_follows_its_text(write: Write) -> None:
    root = write()
    text = (root / "models/bus/features.py").read_text()

    def fingerprint(new: str) -> str:
        return model(load(write({"models/bus/features.py": new})), "bus.features").fingerprint

    one = fingerprint(text)
    assert fingerprint(text.replace("owner: science", "owner: sales\ndescription: other")) == one
    assert (
        fingerprint(text.replace("def model(orders):", "# a comment\n\n\ndef model( orders ):  # and one more")) == one
    )
    assert fingerprint(text.replace("score(orders)", "rank(orders)")) != one
    assert fingerprint(text.replace("[order_id, score]", "[order_id, rank]")) != one


@pytest.mark.parametrize("quotes", ['"""', "'''", 'r"""'])
def test_the_lines_of_front_matter_may_stand_beside_the_quotes_of_a_docstring(write: Write, quotes: str) -> None:
    matter = f"{quotes}---\nreads: [stg.orders]\nmap: true\nkey: id\ncolumns: [id]\n---{quotes.strip('r')}\n"
    root = write({"models/bus/features.py": f"{matter}\ndef model(orders):\n    return orders\n"})
    found = model(load(root), "bus.features")
    assert (found.key, found.columns, found.strategy.map) == (("id",), ("id",), True)


def test_the_path_of_the_folder_does_not_matter(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write()
    monkeypatch.chdir(root / "models")
    assert load(Path("..")) == load(root)
