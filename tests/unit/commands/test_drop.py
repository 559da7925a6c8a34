"""What is in the warehouse and in the project no more."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from tests.unit.commands.conftest import SOURCE, Folder

from penstock.domain.leftover import Leftover
from penstock.errors import PenstockError

ITEMS = "  items: {path: items.csv, extract: full, key: id, columns: {id: bigint}}\n"


@pytest.fixture
def smaller(folder: Folder) -> Folder:
    """A project that has lost a table, a view and a source table with a row in quarantine, run before and after."""
    folder.write("sources/shop.yml", SOURCE + ITEMS)
    folder.write("inbox/items.csv", "id\n1\nx\n")
    folder.write("models/stg/kept.sql", "SELECT id FROM raw.orders")
    folder.write("models/stg/old.sql", "SELECT id, amount FROM raw.orders")
    folder.write("models/bus/seen.sql", "/*---\nmaterialization: view\n---*/\nSELECT id FROM stg.old")
    folder.run()
    folder.write("inbox/orders.csv", "id,region,amount\n1,north,11\n")
    folder.run()
    for path in ("models/stg/old.sql", "models/bus/seen.sql"):
        (folder.root / path).unlink()
    folder.write("sources/shop.yml", SOURCE)
    return folder


def names(found: Iterable[Leftover]) -> list[str]:
    return [str(each.relation) for each in found]


def there(folder: Folder) -> set[str]:
    sql = "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema <> '_penstock'"
    return {str(row[0]) for row in folder.rows(sql)}


KEPT = {"raw.orders", "raw.orders_history", "stg.kept"}


def test_plan_and_status_tell_of_what_is_left(smaller: Folder) -> None:
    (note,) = smaller.project.plan().notes
    assert "bus.seen, raw.items, stg.old" in note
    assert "penstock drop" in note
    smaller.run()
    left = {str(each.relation): each for each in smaller.project.status() if each.state == "not in the project"}
    assert list(left) == ["bus.seen", "raw.items", "stg.old"]
    assert (left["stg.old"].rows, left["stg.old"].kind, left["stg.old"].location) == (1, "table", None)


def test_without_a_name_nothing_is_dropped(smaller: Folder) -> None:
    before = there(smaller)
    found = smaller.project.drop()
    assert names(found.left) == ["bus.seen", "raw.items", "stg.old"]
    assert found.dropped == ()
    assert there(smaller) == before


def test_what_is_named_is_dropped_with_all_that_was_kept_of_it(smaller: Folder) -> None:
    found = smaller.project.drop("raw.items", "STG.old")
    assert names(found.dropped) == ["raw.items", "stg.old"]
    assert names(found.left) == ["bus.seen"]
    assert there(smaller) == KEPT | {"bus.seen"}
    tables = smaller.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = '_penstock'")
    assert not [name for (name,) in tables if "old" in str(name) or "items" in str(name)]
    for table in ("quarantine", "batches", "logs"):
        assert not smaller.rows(
            f"SELECT * FROM _penstock.{table} WHERE relation LIKE '%items%' OR relation = 'stg.old'"
        )
    assert [str(each.relation) for each in smaller.project.status() if each.location is None] == ["bus.seen"]
    assert smaller.run()["build:stg.kept"] == "unchanged"


def test_all_of_it(smaller: Folder) -> None:
    assert len(smaller.project.drop(everything=True).dropped) == 3
    assert there(smaller) == KEPT
    assert smaller.project.plan().notes == ()
    assert smaller.project.drop(everything=True).dropped == ()
    assert smaller.project.verify().exit_code == 0
    smaller.run()
    assert all(each.location is not None for each in smaller.project.status())


def test_what_comes_back_is_made_anew(smaller: Folder) -> None:
    smaller.project.drop(everything=True)
    (smaller.root / "inbox/items.csv").unlink()
    smaller.write("inbox/items.csv", "id\n1\nx\n")
    smaller.write("sources/shop.yml", SOURCE + ITEMS)
    smaller.write("models/stg/old.sql", "SELECT id, amount FROM raw.orders")
    smaller.run()
    assert smaller.rows("SELECT id FROM raw.items") == [(1,)]
    assert smaller.rows("SELECT reasons FROM _penstock.quarantine") != []
    assert smaller.rows("SELECT * FROM stg.old") == [(1, 11)]
    smaller.write("inbox/orders.csv", "id,region,amount\n1,north,12\n")
    smaller.run()
    assert smaller.rows("SELECT * FROM stg.old") == [(1, 12)]


@pytest.mark.parametrize(
    ("name", "code"),
    [("stg.kept", "DROP_DECLARED"), ("raw.orders_history", "DROP_DECLARED"), ("stg.none", "UNKNOWN_RELATION"),
     ("_penstock.commits", "UNKNOWN_RELATION")],
)  # fmt: skip
def test_nothing_else_can_be_dropped(smaller: Folder, name: str, code: str) -> None:
    before = there(smaller)
    with pytest.raises(PenstockError) as caught:
        smaller.project.drop("stg.old", name)
    assert caught.value.code == code
    assert there(smaller) == before


def test_a_project_with_problems_drops_nothing(smaller: Folder) -> None:
    smaller.write("models/stg/kept.sql", "SELECT FROM WHERE")
    with pytest.raises(PenstockError):
        smaller.project.drop(everything=True)
    assert "stg.kept" in there(smaller)


def test_a_rebuild_leaves_nothing_behind(smaller: Folder) -> None:
    smaller.run()
    assert smaller.project.rebuild().exit_code == 0
    assert there(smaller) == KEPT
    assert all(each.location is not None for each in smaller.project.status())


def test_before_the_first_run_there_is_nothing(folder: Folder) -> None:
    assert folder.project.drop() == folder.project.drop(everything=True)
    with pytest.raises(PenstockError):
        folder.project.drop("stg.old")
