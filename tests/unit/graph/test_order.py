from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.graph.order import CycleFound, cycles, downstream, order, upstream

GRAPHS = st.dictionaries(st.integers(0, 12), st.lists(st.integers(0, 12), max_size=4), max_size=13)


@given(GRAPHS)
def test_each_node_comes_after_what_it_depends_on_or_there_is_a_circle(graph: dict[int, list[int]]) -> None:
    try:
        found = order(graph, graph)
    except CycleFound as error:
        path = error.path
        assert path[0] == path[-1]
        assert len(set(path)) == len(path) - 1
        assert all(after in graph[before] for before, after in pairwise(path))
        return
    assert sorted(found) == sorted(graph)
    place = {node: index for index, node in enumerate(found)}
    assert all(place[each] < place[node] for node in graph for each in graph[node] if each in place)


def test_independent_nodes_stay_in_the_order_given() -> None:
    assert order("cab", {}) == ("c", "a", "b")
    assert order("cab", {"c": ["b"]}) == ("b", "c", "a")


def test_a_chain_may_be_long() -> None:
    chain = {number: [number + 1] for number in range(20_000)}
    assert order(range(20_001), chain)[0] == 20_000


def test_the_whole_circle_is_told() -> None:
    with pytest.raises(CycleFound, match="a → b → c → a"):
        order("abc", {"a": "b", "b": "c", "c": "a"})


def test_every_circle_is_found_once() -> None:
    graph = {"a": ["b"], "b": ["a"], "c": ["c"], "d": ["a", "e"], "e": []}
    assert cycles(graph, graph) == [("a", "b", "a"), ("c", "c")]


def test_reach() -> None:
    graph = {"c": ["b"], "b": ["a"], "x": ["a"], "a": []}
    assert upstream(["b"], graph) == {"a", "b"}
    assert downstream(["b"], graph) == {"b", "c"}
    assert downstream(["a"], graph) == {"a", "b", "c", "x"}
