"""What --select and --exclude mean in a project: tables, models and exports as nodes of one graph."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import UsageError, UserError


@pytest.fixture
def shop(folder: Any) -> Any:
    folder.write(
        "sources/shop.yml",
        "owner: platform\nroot: inbox\ntables:\n  orders: {path: orders.csv, extract: full, key: id}\n",
    )
    folder.write("models/stg/sales.sql", "/*---\nowner: sales\ntags: hourly\n---*/\nSELECT id FROM raw.orders")
    folder.write("models/serv/report.sql", "/*---\nowner: sales\n---*/\nSELECT id FROM stg.sales")
    folder.write("models/serv/lone.sql", "SELECT 1 AS n")
    folder.write("exports/out.yml", "exports:\n  out: {format: csv, relation: serv.report, path: out.csv}\n")
    return folder


def planned(shop: Any, *select: str, exclude: tuple[str, ...] = ()) -> list[str]:
    return [step.id for step in shop.project.plan(select=select, exclude=exclude).steps]


TABLE = ["land:shop.orders", "load:shop.orders"]


@pytest.mark.parametrize(
    ("select", "steps"),
    [
        (("raw.orders",), TABLE),
        (("raw.orders_history",), TABLE),
        (("shop.orders",), TABLE),
        (("source:shop",), TABLE),
        (("owner:platform",), TABLE),
        (("owner:sales",), ["build:stg.sales", "build:serv.report"]),
        (("tag:hourly",), ["build:stg.sales"]),
        (("tag:hourly,owner:sales",), ["build:stg.sales"]),
        (("stg.sales+",), ["build:stg.sales", "build:serv.report", "export:out"]),
        (("+stg.sales",), [*TABLE, "build:stg.sales"]),
        (("export:out",), ["export:out"]),
        (("out",), ["export:out"]),
        (("+export:out", "!source:shop"), ["build:stg.sales", "build:serv.report", "export:out"]),
        (("serv.*",), ["build:serv.report", "build:serv.lone"]),
    ],
)
def test_a_selection(shop: Any, select: tuple[str, ...], steps: list[str]) -> None:
    assert sorted(planned(shop, *select)) == sorted(steps)


def test_exclude_alone_takes_away_from_everything(shop: Any) -> None:
    assert sorted(planned(shop, exclude=("+serv.report",))) == ["build:serv.lone", "export:out"]


def test_only_what_was_selected_is_run(shop: Any) -> None:
    assert set(shop.run(select=["+stg.sales"])) == {*TABLE, "build:stg.sales"}
    assert set(shop.run(select=["serv.lone"])) == {"build:serv.lone"}
    assert shop.run()["build:stg.sales"] == "unchanged", "a run of a part has been taken for one of all"


def test_a_selector_that_names_nothing_says_what_there_is(shop: Any) -> None:
    with pytest.raises(UserError) as caught:
        planned(shop, "stg.sale")
    assert caught.value.code == "UNKNOWN_SELECTION"
    assert "stg.sales" in str(caught.value.problem.hint)


def test_only_models_are_refreshed(shop: Any) -> None:
    shop.run()
    assert shop.run(full_refresh=["tag:hourly"])["build:stg.sales"] == "success"
    with pytest.raises(UsageError):
        shop.run(full_refresh=["raw.orders"])
