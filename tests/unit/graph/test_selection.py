from __future__ import annotations

import pytest

from penstock.errors import UserError
from penstock.graph.selection import Node, select

NODES = (
    Node("shop.orders", ("raw.orders", "raw.orders_history", "shop.orders"), ("hourly",), "platform", source="shop"),
    Node("crm.people", ("raw.people", "crm.people"), (), "crm team", source="crm"),
    Node("stg.orders", ("stg.orders",), ("hourly", "core"), "sales"),
    Node("stg.people", ("stg.people",), ("core",), "sales"),
    Node("bus.sales", ("bus.sales",), ("core",), "sales"),
    Node("serv.report", ("serv.report",), (), "sales"),
    Node("export:nightly", ("nightly",), (), "finance", export="nightly"),
)
EDGES = {
    "stg.orders": ["shop.orders"],
    "stg.people": ["crm.people"],
    "bus.sales": ["stg.orders", "stg.people"],
    "serv.report": ["bus.sales"],
    "export:nightly": ["serv.report"],
}
EVERYTHING = {node.id for node in NODES}


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        ((), EVERYTHING),
        (("stg.orders",), {"stg.orders"}),
        (("STG.Orders",), {"stg.orders"}),
        (("raw.orders_history",), {"shop.orders"}),
        (("stg.*",), {"stg.orders", "stg.people"}),
        (("*.orders",), {"shop.orders", "stg.orders"}),
        (("+stg.orders",), {"shop.orders", "stg.orders"}),
        (("serv.report+",), {"serv.report", "export:nightly"}),
        (("+bus.sales+",), EVERYTHING),
        (("+stg.orders", "stg.people+"), EVERYTHING - {"crm.people"}),
        (("tag:hourly",), {"shop.orders", "stg.orders"}),
        (("tag:core,owner:sales",), {"stg.orders", "stg.people", "bus.sales"}),
        (("tag:core,+stg.orders",), {"stg.orders"}),
        (("source:shop",), {"shop.orders"}),
        (("source:shop+",), {"shop.orders", "stg.orders", "bus.sales", "serv.report", "export:nightly"}),
        (("owner:crm*",), {"crm.people"}),
        (("export:nightly",), {"export:nightly"}),
        (("+export:nightly",), EVERYTHING),
        (("!stg.*",), EVERYTHING - {"stg.orders", "stg.people"}),
        (("+serv.report", "!+stg.people"), {"shop.orders", "stg.orders", "bus.sales", "serv.report"}),
        (("stg.orders,bus.sales",), set()),
    ],
)
def test_selection(patterns: tuple[str, ...], chosen: set[str]) -> None:
    assert select(patterns, NODES, EDGES) == chosen


def test_exclude_takes_away() -> None:
    assert select(["stg.*"], NODES, EDGES, exclude=["tag:hourly"]) == {"stg.people"}
    assert select([], NODES, EDGES, exclude=["!stg.*", "raw.*"]) == {"bus.sales", "serv.report", "export:nightly"}


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("stg.ordes", "did you mean stg.orders?"),
        ("tag:hourl", "did you mean tag:hourly?"),
        ("tags:hourly", "did you mean tag?"),
        ("source:nothing_like_it", "there is: source:crm, source:shop"),
        ("tag:", "as in"),
        ("", "as in"),
        ("+", "as in"),
        ("stg.orders,", "as in"),
        ("!nope", "there is"),
        ("stg.[", "there is"),
        ("stg", "did you mean stg.*?"),
    ],
)
def test_a_pattern_that_names_nothing_is_an_error(pattern: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        select([pattern], NODES, EDGES)
    assert caught.value.code == "UNKNOWN_SELECTION"
    assert hint in str(caught.value.problem.hint)
